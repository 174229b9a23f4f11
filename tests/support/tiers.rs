//! By which tier this machine's probes see a behaviour.

use std::{process::Command, sync::OnceLock};

use serde_json::Value;

use crate::driftline;

/// `full`, `restricted` or `blind`, as `driftline check` says.
pub fn tier(behaviour: &str) -> String {
    let all = report()["behaviours"].as_array().expect("behaviours");
    let found = all.iter().find(|one| one["behaviour"] == behaviour);
    let found = found.unwrap_or_else(|| panic!("no behaviour {behaviour}: {:#}", report()));
    found["tier"].as_str().expect("text").to_owned()
}

/// That of the whole machine.
pub fn whole() -> String {
    report()["tier"].as_str().expect("text").to_owned()
}

/// Whether lockdown lets programs in the kernel read its memory.
pub fn reads_the_kernel() -> bool {
    let all = report()["behaviours"].as_array().expect("behaviours");
    !all.iter().any(|one| one["refused"].to_string().contains("lockdown forbids reading"))
}

fn report() -> &'static Value {
    static REPORT: OnceLock<Value> = OnceLock::new();
    REPORT.get_or_init(|| {
        let output = Command::new(driftline()).args(["check", "--json"]).output();
        serde_json::from_slice(&output.expect("driftline runs").stdout).expect("JSON")
    })
}
