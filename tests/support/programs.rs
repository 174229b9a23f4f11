//! Where the programs under test are.

use std::path::PathBuf;

/// The `driftline` binary: `DRIFTLINE_BIN`, else the one that cargo built beside this test.
pub fn driftline() -> PathBuf {
    beside("DRIFTLINE_BIN", "driftline", "cargo build --package profiler-user")
}

/// The program with a plan: `DRIFTLINE_ACTOR`, else the one that cargo built beside this test.
pub fn actor() -> PathBuf {
    beside("DRIFTLINE_ACTOR", "driftline-actor", "cargo build --package driftline-tests")
}

/// The program that plays a node: `DRIFTLINE_NODE`, else the one that cargo built beside this test.
pub(crate) fn node_holder() -> PathBuf {
    beside("DRIFTLINE_NODE", "driftline-node", "cargo build --package driftline-tests")
}

fn beside(variable: &str, name: &str, build: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test has a path");
    let directory = own.parent().expect("a file lies in a directory");
    // Tests are one level below the programs.
    let directory = if directory.ends_with("deps") { directory.parent() } else { Some(directory) };
    let path = directory.expect("target/PROFILE/deps").join(name);
    assert!(path.exists(), "{} is missing; run `{build}`, or set {variable}", path.display());
    path
}
