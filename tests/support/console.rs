//! Pages of the documents whose commands were run: what stands below each is what it printed.
//!
//! A command is marked by `<!-- run: driftline … -->`, and what it printed ends at `<!-- end -->`. `{name}` in it stands for an id of
//! the run at hand.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::driftline;

const LINES: usize = 24;
const COLUMNS: usize = 180;

/// Runs driftline on a history; it must answer. What it says to people alone counts where there is no data.
pub fn asked(store: &Path, arguments: &[&str]) -> String {
    let output = Command::new(driftline())
        .args(arguments)
        .env("DRIFTLINE_STORE", store)
        .output()
        .expect("driftline runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8(said).expect("UTF-8")
}

/// A copy of the history of `docs/tabletop.md`: asking makes files beside a history, and the shipped one stays as it is.
pub fn rehearsal(to: &Path) -> PathBuf {
    let (from, store) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tabletop/store"), to.join("store"));
    for directory in ["", "flight"] {
        fs::create_dir_all(store.join(directory)).expect("writable");
        for entry in fs::read_dir(from.join(directory)).expect("it is shipped") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.file_name().expect("a name");
                fs::copy(&path, store.join(directory).join(name)).expect("writable");
            }
        }
    }
    store
}

/// The page with what its commands print now, and how many there are. `run` gets the words behind `driftline`.
pub fn page(text: &str, ids: &[(&str, &str)], run: impl Fn(&[&str]) -> String) -> (String, usize) {
    let (mut written, mut commands) = (String::new(), 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        written += line;
        written.push('\n');
        let marked = line.strip_prefix("<!-- run: ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(command) = marked else { continue };
        commands += 1;
        let command = ids.iter().fold(command.to_owned(), |command, (name, id)| {
            command.replace(&format!("{{{name}}}"), id)
        });
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"driftline"), "{command}");
        let said = shown(&run(&words[1..]));
        let _infallible = write!(written, "\n```console\n$ {command}\n{said}\n```\n");
        // What was there.
        for old in lines.by_ref() {
            if old == "<!-- end -->" {
                break;
            }
        }
        written += "<!-- end -->\n";
    }
    (written, commands)
}

/// Writes the page where `DRIFTLINE_WRITE` asks for it.
pub fn write(path: &Path, text: &str) {
    if std::env::var_os("DRIFTLINE_WRITE").is_some() {
        fs::write(path, text).expect("writable");
    }
}

/// The first lines of an output, and not all of a long one.
fn shown(output: &str) -> String {
    let cut = |line: &str| match line.char_indices().nth(COLUMNS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.trim_end().to_owned(),
    };
    let mut lines: Vec<String> = output.lines().take(LINES).map(cut).collect();
    let more = output.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("… ({more} lines more)"));
    }
    lines.join("\n")
}
