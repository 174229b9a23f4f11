//! The machines that `cargo xtask test` boots, and what runs in each.
//!
//! Every test runs on the newest and on the oldest kernel, without lockdown: eight minutes each. What else a machine can be
//! like changes which probes load and how they read, so there the tests of just that run, two to three minutes each: what
//! the probes show, whole, and that it is judged.

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
    /// What depends on the probes.
    Probes,
}

/// Without `bpf` in `lsm=`, programs on LSM hooks would load, attach and never fire.
const NO_BPF_LSM: &str = "lsm=landlock,lockdown,yama,integrity,apparmor";

pub(super) const MACHINES: &[Machine] = &[
    Machine { kernel: "6.12", append: "", tests: Tests::All },
    Machine { kernel: "6.1", append: "", tests: Tests::All },
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
const PROBES: &[(&str, &[&str])] = &[
    ("command", &["check_reports", "stdio_and_status", "loss_is_counted", "fresh_and_removed"]),
    ("drift", &["reading_shadow", "being_connected_to"]),
    ("secrets", &["a_planted_password"]),
    ("tiers", &[]),
];

impl Tests {
    /// The filters for a test program, none for all of its tests; None if it does not run.
    pub(super) fn of(self, program: &str) -> Option<&'static [&'static str]> {
        match self {
            Self::All => Some(&[]),
            Self::Probes => {
                PROBES.iter().find(|(name, _)| *name == program).map(|(_, filters)| *filters)
            }
        }
    }
}
