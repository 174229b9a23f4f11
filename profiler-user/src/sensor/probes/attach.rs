//! Loading and attaching a candidate's programs.

use std::os::fd::BorrowedFd;

use anyhow::{Context, bail, ensure};
use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, FEntry,
        FExit, Program,
    },
};

use super::{candidate::Candidate, follow};

/// The kernel, as trying a candidate needs it.
pub(in crate::sensor) struct Kernel<'a> {
    pub(in crate::sensor) btf: &'a Btf,
    /// The cgroup hierarchy's root.
    pub(in crate::sensor) cgroup: BorrowedFd<'a>,
    /// The fields that this kernel does not have. A load through a typed pointer would fail its trial anyway; one through
    /// the reading helper would not, and find nothing later.
    pub(in crate::sensor) absent: &'a [&'a str],
    /// Whether the kernel's memory may be read.
    pub(in crate::sensor) reads: bool,
}

impl Kernel<'_> {
    pub(super) fn attach(&self, ebpf: &mut Ebpf, candidate: &Candidate) -> anyhow::Result<()> {
        let absent = self.absent.iter().copied();
        let lacking: Vec<_> = absent.filter(|name| candidate.reads_field(name)).collect();
        ensure!(lacking.is_empty(), "this kernel lacks the fields {}", lacking.join(", "));
        ensure!(self.reads || !candidate.reads, "lockdown forbids reading the kernel's memory");
        let mut programs = candidate.programs.iter();
        let attached = programs.try_for_each(|(name, target)| self.attach_one(ebpf, name, target));
        if attached.is_err() {
            detach(ebpf, candidate);
        }
        attached
    }

    fn attach_one(&self, ebpf: &mut Ebpf, name: &str, target: &str) -> anyhow::Result<()> {
        let program = ebpf.program_mut(name).context("not in the eBPF object")?;
        match program {
            // It serves another candidate already.
            Program::BtfTracePoint(program) if program.fd().is_ok() => {}
            Program::BtfTracePoint(program) => {
                BtfTracePoint::load(program, target, self.btf)?;
                let attached = match follow::follower(name) {
                    Some(follower) => follow::add(ebpf, follower, name),
                    None => program.attach().map(drop).map_err(Into::into),
                };
                if attached.is_err() {
                    unload(ebpf, name);
                }
                attached?;
            }
            Program::FEntry(program) => {
                FEntry::load(program, target, self.btf)?;
                program.attach()?;
            }
            Program::FExit(program) => {
                FExit::load(program, target, self.btf)?;
                program.attach()?;
            }
            Program::CgroupSockAddr(program) => {
                CgroupSockAddr::load(program)?;
                // A link is always shared with other users' programs; asking for it explicitly is refused by aya 0.14.
                program.attach(self.cgroup, CgroupAttachMode::Single)?;
            }
            Program::CgroupSkb(program) => {
                CgroupSkb::load(program)?;
                // It runs for each packet: for good it goes to containers only.
                let (ingress, mode) = (CgroupSkbAttachType::Ingress, CgroupAttachMode::Single);
                let trial = program.attach(self.cgroup, ingress, mode)?;
                program.detach(trial)?;
            }
            _ => bail!("an unexpected program type"),
        }
        if super::is_verbose() {
            show_effort(ebpf, name);
        }
        Ok(())
    }
}

/// Takes a candidate's programs out of the kernel, as far as they are there.
pub(super) fn detach(ebpf: &mut Ebpf, candidate: &Candidate) {
    for (name, _) in candidate.programs {
        if let Some(follower) = follow::follower(name) {
            let _may_not_be_there = follow::remove(ebpf, follower);
        }
        unload(ebpf, name);
    }
}

fn unload(ebpf: &mut Ebpf, name: &str) {
    let _may_not_be_loaded = match ebpf.program_mut(name) {
        Some(Program::BtfTracePoint(program)) => program.unload(),
        Some(Program::FEntry(program)) => program.unload(),
        Some(Program::FExit(program)) => program.unload(),
        Some(Program::CgroupSockAddr(program)) => program.unload(),
        Some(Program::CgroupSkb(program)) => program.unload(),
        _ => Ok(()),
    };
}

/// How long the verifier had to look at a program, which is most of the time that a start takes.
fn show_effort(ebpf: &Ebpf, name: &str) {
    let information = ebpf.program(name).and_then(|program| program.info().ok());
    // Kernels before 5.16 do not say.
    if let Some(looked_at) = information.and_then(|known| known.verified_instruction_count()) {
        eprintln!("driftline: the verifier looked at {looked_at} instructions of {name}");
    }
}
