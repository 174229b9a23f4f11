//! One round of the self-test: a cgroup, who comes in, what it does there, and its end.

use std::{
    io::{self, Write},
    os::fd::AsRawFd,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::{
    fcntl::OFlag,
    libc,
    sched::{CloneFlags, unshare},
    sys::wait::waitpid,
    unistd::{ForkResult, Pid, fork, pipe2},
};
use profiler_common::event::Header;
use zerocopy::FromBytes;

use super::{Signs, child, drain};
use crate::{
    cgroup::{Cgroup, CgroupId, Hierarchy},
    sensor::Sensor,
};

/// How long the child may take. It needs milliseconds; this is for a machine that hardly moves.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) struct Round {
    /// What the probes showed, or could not be asked for on this machine.
    pub(super) seen: Signs,
    /// Nothing of it was lost.
    pub(super) complete: bool,
}

pub(super) fn round(
    sensor: &mut Sensor,
    hierarchy: &Hierarchy,
    every_cgroup: bool,
) -> anyhow::Result<Round> {
    let (cgroup, outside) = (Cgroup::create(hierarchy)?, Cgroup::create(hierarchy)?);
    let (id, outside_id) = (cgroup.id(), outside.id());
    let mut ring = sensor.ring.take().context("the record stream was already taken")?;
    let mut records = Vec::new();
    let mut look = || records.extend(drain(&mut ring));
    let mut seen = act(sensor, &cgroup, &outside, every_cgroup, &mut look);
    // It removes the cgroups, whose records then are the last of them.
    drop((cgroup, outside));
    look();
    sensor.ring = Some(ring);
    for record in records {
        if is_of(&record, id) {
            if let Ok(seen) = &mut seen {
                seen.add(Signs::in_record(&record));
            }
        } else if !is_of(&record, outside_id) {
            sensor.early.push(record);
        }
    }
    let complete = sensor.state(id).is_ok_and(|state| state.lost.iter().all(|lost| *lost == 0));
    sensor.release(id)?;
    sensor.release(outside_id)?;
    Ok(Round { seen: seen?, complete })
}

fn is_of(record: &[u8], container: CgroupId) -> bool {
    Header::read_from_prefix(record).is_ok_and(|(header, _)| header.container == container.0)
}

fn act(
    sensor: &mut Sensor,
    cgroup: &Cgroup,
    outside: &Cgroup,
    every_cgroup: bool,
    look: &mut dyn FnMut(),
) -> anyhow::Result<Signs> {
    let mut seen = Signs::NONE;
    sensor.track(cgroup.id())?;
    let directory = cgroup.directory().context("opening the cgroup")?;
    // One that cannot be attached shows nothing.
    let _silent = sensor.listen_for_names(cgroup.id(), directory);
    if every_cgroup && joins(sensor, cgroup)? {
        seen.add(Signs::JOINED);
    }
    let mut procs = cgroup.procs().context("opening the cgroup's processes")?;
    let mut child = child::command(&outside.procs_path(), move || {
        procs.write_all(b"0")?;
        if every_cgroup {
            // A program that still is where it came from is a runtime on its way in.
            unshare(CloneFlags::CLONE_NEWNS)?;
        }
        Ok(())
    })
    .spawn()
    .context("starting the child")?;
    wait(&mut child, look)?;
    let impossible = child::impossible(&mut child).context("the child did not get to its end")?;
    seen.add(impossible);

    let inner = cgroup.child("inner").context("making a cgroup inside")?;
    if sensor.is_tracked(inner)? {
        seen.add(Signs::CHILD_MADE);
    }
    cgroup.remove_child("inner").context("removing the cgroup inside")?;
    if !sensor.is_tracked(inner)? {
        seen.add(Signs::CHILD_REMOVED);
    }
    sensor.release(inner)?;
    Ok(seen)
}

/// Moves a process in from outside; whether it was marked as such.
fn joins(sensor: &mut Sensor, cgroup: &Cgroup) -> anyhow::Result<bool> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC).context("making a pipe")?;
    // SAFETY: the child makes two system calls, on memory of its own.
    match unsafe { fork() }.context("forking")? {
        ForkResult::Child => {
            // SAFETY: it has a copy of both descriptors. The read returns when the parent closes its end.
            unsafe {
                libc::close(write.as_raw_fd());
                let mut byte = [0_u8];
                libc::read(read.as_raw_fd(), byte.as_mut_ptr().cast(), 1);
                libc::_exit(0)
            }
        }
        ForkResult::Parent { child } => {
            let marked = moved(sensor, cgroup, child);
            drop(write);
            waitpid(child, None).context("waiting for a child")?;
            marked
        }
    }
}

fn moved(sensor: &mut Sensor, cgroup: &Cgroup, process: Pid) -> anyhow::Result<bool> {
    let mut procs = cgroup.procs().context("opening the cgroup's processes")?;
    procs.write_all(process.to_string().as_bytes()).context("moving a process in")?;
    Ok(sensor.state(cgroup.id())?.joining > 0)
}

/// Returns when the child has ended by itself, in time. Meanwhile somebody looks into the ring buffer, which may be small.
fn wait(child: &mut Child, look: &mut dyn FnMut()) -> anyhow::Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        if child.try_wait().context("waiting for the child")?.is_some() {
            return Ok(());
        }
        if Instant::now() >= end {
            let killed: io::Result<()> = child.kill();
            killed.and_then(|()| child.wait()).context("ending the child")?;
        }
        ensure!(Instant::now() < end, "the child did not end within {} s", LIMIT.as_secs());
        look();
        thread::sleep(Duration::from_millis(1));
    }
}
