//! Changes of files as a line of words: `rename /srv/a.tmp /srv/a`, `mode 0755 /srv/a`. A removal is its path alone.

use super::args::join_args;
use super::path::generalise_path;
use crate::behaviour::{Change, Operation};

/// A change as seen, and as generalised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Changed {
    /// The words as seen.
    pub values: Vec<String>,
    /// The words' patterns, joined as a shell would take them.
    pub pattern: String,
}

impl Changed {
    /// One line of what was seen.
    pub fn object(&self) -> String {
        match self.values.as_slice() {
            [path] => path.clone(),
            words => join_args(words),
        }
    }
}

pub fn change(change: &Change) -> Changed {
    let path = change.path.as_str();
    match &change.operation {
        Operation::Delete => {
            Changed { values: vec![path.to_owned()], pattern: generalise_path(path) }
        }
        Operation::Rename(old) => words("rename", generalise_path(old), old, path),
        Operation::HardLink(existing) => words("link", generalise_path(existing), existing, path),
        Operation::SymbolicLink(text) => words("symlink", generalise_path(text), text, path),
        // Another mode is another deed.
        Operation::Mode(mode) => {
            let mode = format!("{mode:04o}");
            words("mode", mode.clone(), &mode, path)
        }
        Operation::Owner => Changed {
            values: vec!["owner".to_owned(), path.to_owned()],
            pattern: join_args(&["owner".to_owned(), generalise_path(path)]),
        },
    }
}

fn words(verb: &str, pattern: String, value: &str, path: &str) -> Changed {
    Changed {
        values: vec![verb.to_owned(), value.to_owned(), path.to_owned()],
        pattern: join_args(&[verb.to_owned(), pattern, generalise_path(path)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operation: Operation, path: &str) -> Changed {
        change(&Change { path: path.to_owned(), operation })
    }

    #[test]
    fn a_change_reads_as_a_command() {
        let renamed = of(Operation::Rename("/srv/.report.aB3xY9".to_owned()), "/srv/report");
        assert_eq!(renamed.object(), "rename /srv/.report.aB3xY9 /srv/report");
        assert_eq!(renamed.pattern, "rename /srv/.report.{rand:6} /srv/report");
        let mode = of(Operation::Mode(0o4755), "/tmp/tmpk3_j9x1z");
        assert_eq!(
            (mode.object(), mode.pattern),
            ("mode 4755 /tmp/tmpk3_j9x1z".to_owned(), "mode 4755 /tmp/tmp{rand:8}".to_owned(),)
        );
        assert_eq!(of(Operation::Owner, "/a b").object(), "owner '/a b'");
        assert_eq!(of(Operation::Delete, "/a b").object(), "/a b");
        let link = of(Operation::SymbolicLink("../{x}".to_owned()), "/srv/l");
        assert_eq!(link.pattern, "symlink ../{{x} /srv/l");
    }
}
