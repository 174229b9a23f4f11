//! Attacks of our own, step by step: what an intruder does in a container, by shell, Perl, Python and C, and the one event that
//! must tell of it.
//!
//! A step is data. The suite that runs them, the table in `docs/attacks.md` and the test that compares the two read the same.

mod credentials;
mod discovery;
mod escape;
mod evasion;
mod execution;
pub mod guest;
pub mod image;
mod network;
mod persistence;
pub mod run;
pub mod suite;
pub mod table;

use serde_json::Value;

/// One thing that an intruder does.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// One line for whoever reads the table; no two are the same.
    pub what: &'static str,
    pub how: How,
    /// Of the event that must come: `drift.kind`.
    pub kind: &'static str,
    /// `drift.object`, where `*` is any run of characters.
    pub object: &'static str,
    /// One of `threat.technique.id`.
    pub technique: &'static str,
    /// The runtime's default profile refuses the call, and the event says so.
    pub refused: bool,
    /// Where it cannot be seen.
    pub unseen: Option<Unseen>,
    /// Only somebody from outside can do it.
    pub from_outside: bool,
    /// Why it is done on a node with a container runtime only.
    pub on_a_node: Option<&'static str>,
    /// `process.executable.path` like `object`, where it is not the program that [`How`] says.
    by: Option<&'static str>,
}

/// In what an intruder writes it. A script is run by `-c` or `-e`; of C the words that the image's `worker` gets.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Shell(&'static str),
    Perl(&'static str),
    Python(&'static str),
    C(&'static str),
}

/// A step that some machines' probes do not see.
#[derive(Clone, Copy, Debug)]
pub struct Unseen {
    /// As `driftline check` calls what would show it; `layers` is whether the kernel's memory can be read.
    pub behaviour: &'static str,
    /// Seen by the first choice only; otherwise by every probe there is.
    pub first_choice_only: bool,
    pub why: &'static str,
}

/// Steps with one aim. They run in one container, one after the other.
pub struct Tactic {
    pub name: &'static str,
    pub steps: &'static [Step],
}

pub const TACTICS: &[Tactic] = &[
    Tactic { name: "execution", steps: execution::STEPS },
    Tactic { name: "discovery", steps: discovery::STEPS },
    Tactic { name: "credentials", steps: credentials::STEPS },
    Tactic { name: "persistence", steps: persistence::STEPS },
    Tactic { name: "evasion", steps: evasion::STEPS },
    Tactic { name: "escape", steps: escape::STEPS },
    Tactic { name: "network", steps: network::STEPS },
];

const fn step(
    what: &'static str,
    how: How,
    kind: &'static str,
    object: &'static str,
    technique: &'static str,
) -> Step {
    Step {
        what,
        how,
        kind,
        object,
        technique,
        refused: false,
        unseen: None,
        from_outside: false,
        on_a_node: None,
        by: None,
    }
}

/// A system call that a default profile refuses.
const fn refused_call(
    what: &'static str,
    how: How,
    call: &'static str,
    technique: &'static str,
) -> Step {
    Step { refused: true, ..step(what, how, "syscall", call, technique) }
}

impl Step {
    /// Somebody else than the program of the script does it in the end.
    const fn by(self, program: &'static str) -> Self {
        Self { by: Some(program), ..self }
    }

    const fn unless_first_choice(self, behaviour: &'static str, why: &'static str) -> Self {
        Self { unseen: Some(Unseen { behaviour, first_choice_only: true, why }), ..self }
    }

    const fn unless_blind(self, behaviour: &'static str, why: &'static str) -> Self {
        Self { unseen: Some(Unseen { behaviour, first_choice_only: false, why }), ..self }
    }

    const fn only_from_outside(self) -> Self {
        Self { from_outside: true, ..self }
    }

    const fn on_a_node(self, why: &'static str) -> Self {
        Self { on_a_node: Some(why), ..self }
    }

    /// What is run for it in the container.
    pub fn words(&self) -> Vec<&'static str> {
        match self.how {
            How::Shell(script) => vec!["/bin/sh", "-c", script],
            How::Perl(script) => vec!["/usr/bin/perl", "-e", script],
            How::Python(script) => vec!["/usr/bin/python3", "-c", script],
            How::C(words) => [image::WORKER].into_iter().chain(words.split(' ')).collect(),
        }
    }

    /// `drift.object`, by whether the runtime's default profile is on.
    pub fn object(&self, profile: bool) -> String {
        let denied = if self.refused && profile { " (denied)" } else { "" };
        format!("{}{denied}", self.object)
    }

    /// Whether this is the event that must come.
    pub fn is_told_by(&self, event: &Value, profile: bool) -> bool {
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let techniques = event["threat.technique.id"].as_array();
        let program = match self.how {
            // The program that was run is the object.
            _ if self.kind.starts_with("exec") => None,
            How::Shell(_) => None,
            How::Perl(_) => Some("/usr/bin/perl"),
            How::Python(_) => Some("/usr/bin/python3.11"),
            How::C(_) => Some(image::WORKER),
        };
        text("drift.kind") == self.kind
            && fits(&self.object(profile), text("drift.object"))
            && techniques.is_some_and(|all| all.iter().any(|one| one == self.technique))
            && self.by.or(program).is_none_or(|path| fits(path, text("process.executable.path")))
    }
}

/// Whether `text` is like `pattern`, in which `*` is any run of characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(rest, &text[at..]))
}
