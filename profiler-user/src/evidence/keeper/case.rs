//! A container that drifted: what is known of it, in memory and in a file from which the next agent goes on.
//!
//! **Invariant:** the file is there from the container's first drift until the bundle of its end is made, or given up.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Member;
use super::store::Caught;
use crate::evidence::bundle::SIZE_MAX;
use crate::evidence::collect::Upper;

/// Below the directory of evidence.
const CASES: &str = "cases";
const EXECUTABLES_MAX: usize = 512;
const LINES_MAX: usize = 1000;

/// A line of the file. The first is a [`Record::Drifted`]; a later one says what is known by then.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Record<'a> {
    /// The container, and `event.id` of its first drift.
    Drifted {
        member: Box<Member>,
        event: String,
    },
    /// An event, as it is in the history.
    Event(std::borrow::Cow<'a, str>),
    Executable(Caught),
    /// The bundle of the first drift was made, or given up.
    Bundled,
}

pub(super) struct Case {
    pub(super) member: Member,
    /// `event.id` of the first drift.
    pub(super) first: String,
    pub(super) lines: Vec<String>,
    /// Drifts whose line was not kept.
    pub(super) more: u64,
    pub(super) executables: Vec<Caught>,
    pub(super) upper: Option<Upper>,
    /// The bundle of its first drift was made, or given up.
    pub(super) bundled: bool,
    seen: HashSet<(u32, String)>,
    path: PathBuf,
    /// None where it could not be written: then the case ends with the agent.
    file: Option<File>,
}

impl Case {
    /// Goes on in memory where its file cannot be written; why is returned beside it.
    pub(super) fn begin(
        directory: &Path,
        member: Member,
        event: String,
        upper: Option<Upper>,
    ) -> (Self, io::Result<()>) {
        let path = directory.join(CASES).join(member.identity.id.as_str());
        let mut case = Self::new(path, member, event);
        case.upper = upper;
        let begun = case.create();
        (case, begun)
    }

    fn new(path: PathBuf, member: Member, first: String) -> Self {
        Self {
            member,
            first,
            lines: Vec::new(),
            more: 0,
            executables: Vec::new(),
            upper: None,
            bundled: false,
            seen: HashSet::new(),
            path,
            file: None,
        }
    }

    fn create(&mut self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut options = OpenOptions::new();
        self.file = Some(options.append(true).create(true).mode(0o600).open(&self.path)?);
        self.drifted()
    }

    /// What is known of the container by now.
    pub(super) fn is_now(&mut self, member: Member) -> io::Result<()> {
        if self.member == member {
            return Ok(());
        }
        self.member = member;
        self.drifted()
    }

    fn drifted(&mut self) -> io::Result<()> {
        let (member, event) = (Box::new(self.member.clone()), self.first.clone());
        self.note(&Record::Drifted { member, event })
    }

    pub(super) fn event(&mut self, line: String) -> io::Result<()> {
        if self.lines.len() >= LINES_MAX {
            self.more += 1;
            return Ok(());
        }
        let noted = self.note(&Record::Event(line.as_str().into()));
        self.lines.push(line);
        noted
    }

    /// Whether there is room for it, and it is not one of the executables yet. What no bundle could hold is not kept for one.
    pub(super) fn wants(&mut self, pid: u32, path: &str) -> bool {
        let contents: HashSet<_> = self.executables.iter().map(Caught::content).collect();
        let kept: u64 = contents.iter().map(|(_, size)| size).sum();
        self.executables.len() < EXECUTABLES_MAX
            && kept < SIZE_MAX
            && self.seen.insert((pid, path.to_owned()))
    }

    pub(super) fn executable(&mut self, caught: Caught) -> io::Result<()> {
        let noted = self.note(&Record::Executable(caught.clone()));
        self.executables.push(caught);
        noted
    }

    pub(super) fn has_its_first_bundle(&mut self) -> io::Result<()> {
        self.bundled = true;
        self.note(&Record::Bundled)
    }

    fn note(&mut self, record: &Record<'_>) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        file.write_all(&line)
    }

    /// No bundle will be made of it any more.
    pub(super) fn close(self) {
        let _looked_at_by_the_next_agent = fs::remove_file(&self.path);
    }
}

/// What agents before this one did not come to an end with.
pub(super) fn left(directory: &Path) -> Vec<Case> {
    let entries = fs::read_dir(directory.join(CASES)).into_iter().flatten().flatten();
    entries.filter_map(|entry| read(&entry.path())).collect()
}

/// None where it is no case. A line that the agent was killed in is passed over.
fn read(path: &Path) -> Option<Case> {
    let bytes = fs::read(path).ok()?;
    let mut case: Option<Case> = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        match (serde_json::from_slice(line), &mut case) {
            (Ok(Record::Drifted { member, event }), None) => {
                case = Some(Case::new(path.to_owned(), *member, event));
            }
            (Ok(Record::Drifted { member, .. }), Some(case)) => case.member = *member,
            (Ok(Record::Event(line)), Some(case)) => case.lines.push(line.into_owned()),
            (Ok(Record::Executable(caught)), Some(case)) => {
                case.seen.insert(caught.of());
                case.executables.push(caught);
            }
            (Ok(Record::Bundled), Some(case)) => case.bundled = true,
            _ => {}
        }
    }
    let mut case = case?;
    case.file = continued(path, bytes.last() == Some(&b'\n')).ok();
    Some(case)
}

/// Half a line stays one of its own.
fn continued(path: &Path, is_whole: bool) -> io::Result<File> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    if !is_whole {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::keeper::tests::member;

    #[test]
    fn another_agent_goes_on_where_one_was_killed() {
        let directory = tempfile::tempdir().unwrap();
        let member = member("a");
        let (mut case, begun) =
            Case::begin(directory.path(), member.clone(), "EVENT".to_owned(), None);
        begun.unwrap();
        case.event("{\"one\":1}".to_owned()).unwrap();
        assert!(case.wants(7, "/x") && !case.wants(7, "/x"));
        case.executable(Caught::new(7, "/x", "00")).unwrap();
        case.has_its_first_bundle().unwrap();
        let path = case.path.clone();
        drop(case);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"{\\\"tw").unwrap();

        let mut all = left(directory.path());
        let mut case = all.pop().unwrap();
        assert!(all.is_empty() && case.member == member && case.first == "EVENT");
        assert_eq!(case.lines, ["{\"one\":1}"]);
        assert!(case.bundled && case.executables.len() == 1 && !case.wants(7, "/x"));
        case.event("{\"three\":3}".to_owned()).unwrap();
        drop(case);

        let case = left(directory.path()).pop().unwrap();
        assert_eq!(case.lines, ["{\"one\":1}", "{\"three\":3}"]);
        case.close();
        assert!(left(directory.path()).is_empty());
    }

    /// One container would otherwise push what is kept of all others out of the directory.
    #[test]
    fn no_more_is_kept_for_a_bundle_than_it_holds() {
        let directory = tempfile::tempdir().unwrap();
        let (mut case, begun) =
            Case::begin(directory.path(), member("a"), "EVENT".to_owned(), None);
        begun.unwrap();
        for (pid, sha256) in [(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "c")] {
            assert!(case.wants(pid, "/x"));
            case.executable(Caught::new(pid, "/x", sha256)).unwrap();
        }
        // 64 MiB each.
        case.executable(Caught::new(6, "/x", "d")).unwrap();
        assert!(!case.wants(7, "/x"));
    }

    #[test]
    fn what_is_no_case_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(CASES)).unwrap();
        let path = directory.path().join(CASES).join("other");
        fs::write(&path, "{\"event\":\"first\"}\nnot JSON\n\u{0}\n").unwrap();
        assert!(left(directory.path()).is_empty() && path.exists());
    }
}
