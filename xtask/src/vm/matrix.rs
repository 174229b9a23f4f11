//! The machines that `cargo xtask test` boots, and what runs in each.
//!
//! In an emulated machine every start of driftline takes half a minute, most of it the kernel's, for verifying programs and
//! for letting go of trampolines. So on the newest kernel a choice of the kernel tests runs, and on the others what a machine can
//! change: which probes load, fire and what they see. Real work with deviations takes four starts, so it is among the tests of one
//! machine; `cargo xtask vm-test --kernel K --append A -- all_of_it` runs it on another, and `--all` every test on each.

/// One machine.
pub(super) struct Machine {
    pub(super) kernel: &'static str,
    /// What the kernel's command line says besides the usual.
    pub(super) append: &'static str,
    pub(super) tests: Tests,
}

/// What runs in it.
#[derive(Clone, Copy)]
pub(super) enum Tests {
    All,
    /// Every probe fired, a deviation, and what is quiet.
    Behaviours,
    /// What depends on the probes.
    Probes,
}

/// Without `bpf` in `lsm=`, programs on LSM hooks would load, attach and never fire.
const NO_BPF_LSM: &str = "lsm=landlock,lockdown,yama,integrity,apparmor";

pub(super) const MACHINES: &[Machine] = &[
    Machine { kernel: "6.12", append: "", tests: Tests::Behaviours },
    Machine { kernel: "6.1", append: "", tests: Tests::Probes },
    Machine { kernel: "6.12", append: "lockdown=integrity", tests: Tests::Probes },
    Machine { kernel: "6.1", append: "lockdown=integrity", tests: Tests::Probes },
    Machine { kernel: "6.12", append: "lockdown=confidentiality", tests: Tests::Probes },
    Machine { kernel: "6.1", append: "lockdown=confidentiality", tests: Tests::Probes },
    Machine { kernel: "6.12", append: NO_BPF_LSM, tests: Tests::Probes },
];

/// The machines to boot: all of the matrix, or those of one kernel and what its command line says besides.
pub(super) fn machines<'a>(
    kernel: Option<&'a str>,
    append: &'a str,
) -> Vec<(&'a str, &'a str, Tests)> {
    if kernel.is_none() && append.is_empty() {
        return MACHINES.iter().map(|known| (known.kernel, known.append, known.tests)).collect();
    }
    let kernels: Vec<&'a str> = match kernel {
        Some(kernel) => vec![kernel],
        None => super::kernel::names(),
    };
    let as_listed = |kernel: &'a str| {
        let is_known = |known: &&Machine| known.kernel == kernel && known.append == append;
        let tests = MACHINES.iter().find(is_known).map_or(Tests::All, |known| known.tests);
        (kernel, append, tests)
    };
    kernels.into_iter().map(as_listed).collect()
}

/// Programs, by name, and the tests in them.
type Choice = &'static [(&'static str, &'static [&'static str])];

const BEHAVIOURS: Choice = &[
    ("attacks", &[]),
    ("check", &[]),
    ("command", &["stdio_and_status"]),
    ("drift", &["reading_shadow"]),
    ("known_calls", &[]),
    ("sockets", &["a_known_use_of_sockets", "a_capability_used_anew"]),
    ("self_test", &[]),
    ("tiers", &[]),
    ("workloads", &["all_of_it"]),
];

const PROBES: Choice =
    &[("check", &[]), ("known_calls", &[]), ("tiers", &["every_tier_records_the_same"])];

fn of(choice: Choice, program: &str) -> Option<&'static [&'static str]> {
    choice.iter().find(|(name, _)| *name == program).map(|(_, filters)| *filters)
}

impl Tests {
    /// The filters for a test program, none for all of its tests; None if it does not run.
    pub(super) fn of(self, program: &str) -> Option<&'static [&'static str]> {
        match self {
            Self::All => Some(&[]),
            Self::Behaviours => of(BEHAVIOURS, program),
            Self::Probes => of(PROBES, program),
        }
    }
}
