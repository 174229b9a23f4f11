//! The way through one behaviour's candidates, to the first that is of use.

use aya::Ebpf;

use super::{
    Behaviour, Status, Tier,
    attach::{Kernel, detach},
    candidate::Candidate,
};

/// The candidates of one behaviour, tried so far.
pub(in crate::sensor) struct Choice {
    pub(in crate::sensor) behaviour: Behaviour,
    candidates: &'static [Candidate],
    /// The candidate that is attached; past the last one there is none.
    index: usize,
    refused: Vec<String>,
}

impl Choice {
    pub(super) fn of(
        behaviour: Behaviour,
        candidates: &'static [Candidate],
        ebpf: &mut Ebpf,
        kernel: &Kernel<'_>,
    ) -> Self {
        let mut choice = Self::new(behaviour, candidates);
        choice.settle(|candidate| kernel.attach(ebpf, candidate));
        choice
    }

    fn new(behaviour: Behaviour, candidates: &'static [Candidate]) -> Self {
        Self { behaviour, candidates, index: 0, refused: Vec::new() }
    }

    /// Goes on to the first candidate that can be attached.
    fn settle(&mut self, mut attach: impl FnMut(&Candidate) -> anyhow::Result<()>) {
        while let Some(candidate) = self.candidates.get(self.index) {
            match attach(candidate) {
                Ok(()) => return,
                Err(error) => self.refuse(candidate, &reason(&error)),
            }
        }
    }

    fn refuse(&mut self, candidate: &Candidate, why: &str) {
        self.refused.push(format!("{}: {why}", candidate.name));
        self.index += 1;
    }

    /// The one that is attached did not fire: the next one takes its place. Whether there is one.
    pub(in crate::sensor) fn replace(&mut self, ebpf: &mut Ebpf, kernel: &Kernel<'_>) -> bool {
        if let Some(silent) = self.candidates.get(self.index) {
            detach(ebpf, silent);
            self.refuse(silent, "attached, but did not fire when it was tried");
        }
        self.settle(|candidate| kernel.attach(ebpf, candidate));
        self.can_fire()
    }

    pub(in crate::sensor) fn is_blind(&self) -> bool {
        self.index >= self.candidates.len()
    }

    /// Whether there is a probe that can be fired.
    pub(in crate::sensor) fn can_fire(&self) -> bool {
        self.candidates.get(self.index).is_some_and(|candidate| !candidate.programs.is_empty())
    }

    pub(in crate::sensor) fn status(&self) -> Status {
        Status {
            behaviour: self.behaviour,
            tier: match self.index {
                _ if self.is_blind() => Tier::Blind,
                0 => Tier::Full,
                _ => Tier::Restricted,
            },
            probe: self.candidates.get(self.index).map(|candidate| candidate.name),
            refused: self.refused.clone(),
        }
    }
}

/// The last cause, without the verifier's log behind it: what a person can act on.
fn reason(error: &anyhow::Error) -> String {
    if super::is_verbose() {
        return format!("{error:#}");
    }
    let root = error.root_cause().to_string();
    root.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::table::CANDIDATES, Choice, Tier};

    #[test]
    fn a_refused_first_choice_gives_way_and_is_named() {
        let (behaviour, candidates) =
            CANDIDATES.iter().find(|(_, candidates)| candidates.len() > 1).unwrap();
        let mut choice = Choice::new(*behaviour, candidates);
        choice.settle(|candidate| {
            anyhow::ensure!(candidate.name == candidates[1].name, "no trampolines");
            Ok(())
        });
        let status = choice.status();
        assert_eq!((status.tier, status.probe), (Tier::Restricted, Some(candidates[1].name)));
        assert!(status.refused[0].contains("no trampolines"));
        let mut choice = Choice::new(*behaviour, candidates);
        choice.settle(|_| anyhow::bail!("nothing"));
        let blind = choice.status();
        assert_eq!((blind.tier, blind.refused.len()), (Tier::Blind, candidates.len()));
    }
}
