//! The rehearsal of `docs/tabletop.md` works with the history that is shipped: every command answers, and says what the page says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use support::console;

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// With the page's paths, wherever the repository is.
fn run(store: &Path, words: &[&str]) -> String {
    let documents = documents().display().to_string();
    let words: Vec<_> = words
        .iter()
        .map(|word| match word.strip_prefix("docs/") {
            Some(rest) => format!("{documents}/{rest}"),
            None => (*word).to_owned(),
        })
        .collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let said = console::asked(store, &words);
    said.replace(&store.display().to_string(), "/tmp/rehearsal/store").replace(&documents, "docs")
}

fn json(store: &Path, words: &[&str]) -> Value {
    serde_json::from_str(&run(store, words)).expect("JSON")
}

/// Whoever ran the tool that was dropped.
fn event(store: &Path) -> String {
    let words = ["investigate", "timeline", "--kind", "exec.not_in_image", "--json"];
    let lines = json(store, &words);
    let text = lines.to_string();
    let at = text.find("\"event.id\":\"").expect("the tool was run") + 12;
    text[at..at + 26].to_owned()
}

#[test]
fn every_command_of_the_rehearsal_says_what_the_page_says() {
    let scratch = tempfile::tempdir().expect("a directory");
    let store = console::rehearsal(scratch.path());
    let path = documents().join("tabletop.md");
    let text = fs::read_to_string(&path).expect("it is part of the documents");
    let event = event(&store);
    let (page, commands) = console::page(&text, &[("event", &event)], |words| run(&store, words));
    assert!(commands >= 10, "{commands} commands");
    console::write(&path, &page);
    assert!(
        page == text || std::env::var_os("DRIFTLINE_WRITE").is_some(),
        "write it anew:\n{page}"
    );
}

#[test]
fn one_approval_more_is_one_alert_fewer() {
    let scratch = tempfile::tempdir().expect("a directory");
    let store = console::rehearsal(scratch.path());
    let replayed = |baselines: &str| {
        json(&store, &["replay", "--json", "--baselines", &format!("docs/tabletop/{baselines}")])
    };
    let (as_it_was, approved) = (replayed("baselines"), replayed("approved"));
    assert_eq!(as_it_was["fewer"].as_array().map(Vec::len), Some(0), "{as_it_was:#}");
    let fewer = approved["fewer"].as_array().expect("a list");
    assert!(!fewer.is_empty(), "{approved:#}");
    assert_eq!(replayed("approved"), approved);
}
