//! Evidence bundles of a node, by `driftline evidence`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::{driftline, pods::Node};

/// `driftline evidence …` over what the agent of this node has kept.
pub fn evidence(node: &Node, args: &[&str]) -> Output {
    let mut command = node.command(driftline());
    command.arg("evidence").args(args).args(["--store", "/var/lib/driftline"]);
    command.output().expect("driftline runs")
}

/// All of them, the oldest first.
pub fn bundles(node: &Node) -> Vec<Value> {
    let told = evidence(node, &["list", "--json"]);
    let text = String::from_utf8(told.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A directory with the pieces of one.
pub fn extracted(node: &Node, id: &str) -> PathBuf {
    let to = format!("/var/lib/driftline/extracted-{id}");
    let done = evidence(node, &["extract", id, "-o", &to]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    node.outside(&to)
}

/// A piece that is a JSON array.
pub fn lines(bundle: &Path, piece: &str) -> Vec<Value> {
    let text = fs::read(bundle.join(piece)).unwrap_or_else(|error| panic!("{piece}: {error}"));
    serde_json::from_slice(&text).expect("an array")
}
