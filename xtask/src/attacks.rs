//! `cargo xtask attacks`: does every step of our own attacks on this machine, and writes `docs/attacks.md` from what came of it.
//!
//! Figures of virtual machines are those of the last `cargo xtask vm-test`, from their consoles.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::sh::{self, say};
use crate::{cargo, setup, vm};

const FIGURES: [&str; 2] = ["<!-- figures: cargo xtask attacks -->\n", "<!-- end of figures -->"];
const TABLE: [&str; 2] = ["<!-- table: cargo xtask attacks -->\n", "<!-- end of table -->"];

/// What the test in a guest writes before its figures.
const TOLD: &str = "attacks: {";

pub(crate) fn attacks() -> Result<()> {
    setup::setup()?;
    let driftline = cargo::driftline_for_tests()?;
    let directory = tempfile::tempdir()?;
    let mut test = cargo::cargo();
    test.args(["test", "--package", "driftline-tests", "--test", "agent_attacks", "--"]);
    sh::run(test.arg("--nocapture").envs([
        ("DRIFTLINE_BIN", driftline.as_os_str()),
        ("DRIFTLINE_REQUIRE_KERNEL", "1".as_ref()),
        ("DRIFTLINE_ATTACKS", directory.path().as_os_str()),
    ]))?;
    let result = fs::read(directory.path().join("result.json")).context("the test's result")?;
    let result: Value = serde_json::from_slice(&result)?;

    let path = sh::workspace().join("docs/attacks.md");
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut machines = of_guests(&vm::directory()?)?;
    machines.insert("a node".to_owned(), result.clone());
    let page = replaced(&page, FIGURES, |old| Ok(rows(old, &machines)))?;
    let table = result["table"].as_str().context("the test rendered no table")?;
    let page = replaced(&page, TABLE, |_| Ok(table.to_owned() + "\n"))?;
    fs::write(&path, page)?;
    say(format!("wrote {}", path.display()));
    Ok(())
}

/// What each guest's console says, by the guest's name.
fn of_guests(directory: &Path) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_prefix("console-").and_then(|name| name.strip_suffix(".log"));
        let Some(name) = name else { continue };
        let console = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let told = console.lines().rev().find_map(|line| {
            let at = line.find(TOLD)? + TOLD.len() - 1;
            serde_json::from_str::<Value>(line[at..].trim()).ok()
        });
        // Of a run that broke a promise nothing is written down.
        let told = told.filter(|told| {
            let count = |key: &str| told[key].as_u64().unwrap_or_default();
            count("told") + count("unseen") == count("done")
        });
        found.extend(told.map(|told| (format!("virtual, {name}"), told)));
    }
    Ok(found)
}

/// The rows, those of machines that were not asked this time as they were.
fn rows(old: &str, machines: &BTreeMap<String, Value>) -> String {
    let (head, old): (Vec<_>, Vec<_>) =
        old.lines().enumerate().partition(|(number, _)| *number < 2);
    let cells = |line: &str| {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        line.split_once(" | ").map(|(name, cells)| (name.to_owned(), cells.to_owned()))
    };
    let mut rows: BTreeMap<_, _> = old.into_iter().filter_map(|(_, line)| cells(line)).collect();
    rows.extend(machines.iter().map(|(name, told)| (name.clone(), row(told))));
    let rows = rows.into_iter().map(|(name, cells)| format!("| {name} | {cells} |"));
    let head = head.into_iter().map(|(_, line)| line.to_owned());
    head.chain(rows).map(|line| line + "\n").collect()
}

fn row(told: &Value) -> String {
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    let of = |value: &Value| value.to_string();
    let ms = &told["ms"];
    let cells = [
        text("kernel"),
        text("tier"),
        of(&told["done"]),
        of(&told["told"]),
        of(&told["unseen"]),
        of(&ms["p50"]),
        of(&ms["p99"]),
        of(&ms["max"]),
    ];
    cells.join(" | ")
}

/// The page with another text between two marks.
fn replaced(
    page: &str,
    [begin, end]: [&str; 2],
    text: impl FnOnce(&str) -> Result<String>,
) -> Result<String> {
    let (before, rest) = page.split_once(begin).context("the page lacks a mark")?;
    let (old, after) = rest.split_once(end).context("the page lacks a mark's end")?;
    Ok(format!("{before}{begin}{}{end}{after}", text(old)?))
}
