//! Programs that are not attached, but handed calls over to by the one on `sys_exit`.

use anyhow::Context;
use aya::{
    Ebpf,
    maps::{Array, ProgramArray},
    programs::BtfTracePoint,
};
use profiler_common::{
    container::SET_WORDS,
    follow::{FOLLOWERS, Follower, numbers},
};

use crate::sensor::outdate;

/// By their names in the object.
const PROGRAMS: [(&str, Follower); FOLLOWERS as usize] = [
    ("open_exit", Follower::Opened),
    ("open_denied", Follower::Denied),
    ("change_exit", Follower::Changed),
    ("map_exit", Follower::Mapped),
    ("socket_exit", Follower::Socket),
    ("unix_exit", Follower::Connected),
    ("setuid_exit", Follower::Identity),
];

/// Whether this program is one that is handed over to, and for what.
pub(super) fn follower(program: &str) -> Option<Follower> {
    PROGRAMS.iter().find(|(name, _)| *name == program).map(|(_, follower)| *follower)
}

/// Has the loaded program see its calls return.
pub(super) fn add(ebpf: &mut Ebpf, follower: Follower, name: &str) -> anyhow::Result<()> {
    let program = ebpf.program(name).context("not in the eBPF object")?;
    let program: &BtfTracePoint = program.try_into()?;
    let program = program.fd()?.try_clone().context("keeping a program")?;
    table(ebpf)?.set(follower as u32, &program, 0).context("handing over to a program")?;
    change(ebpf, |words, numbers| words | numbers, follower)
}

/// The contrary.
pub(super) fn remove(ebpf: &mut Ebpf, follower: Follower) -> anyhow::Result<()> {
    table(ebpf)?.clear_index(&(follower as u32)).context("handing over to a program no more")?;
    change(ebpf, |words, numbers| words & !numbers, follower)
}

fn table(ebpf: &mut Ebpf) -> anyhow::Result<ProgramArray<&mut aya::maps::MapData>> {
    let map = ebpf.map_mut("FOLLOWING").context("the eBPF object has no map FOLLOWING")?;
    Ok(ProgramArray::try_from(map)?)
}

fn change(ebpf: &mut Ebpf, combine: fn(u64, u64) -> u64, follower: Follower) -> anyhow::Result<()> {
    let map = ebpf.map_mut("FOLLOWED").context("the eBPF object has no map FOLLOWED")?;
    let mut wanted = Array::<_, [u64; SET_WORDS]>::try_from(map)?;
    let mut words = wanted.get(&0, 0).context("reading the calls that are followed")?;
    for (word, numbers) in words.iter_mut().zip(numbers(follower)) {
        *word = combine(*word, numbers);
    }
    wanted.set(0, words, 0).context("writing the calls that are followed")?;
    outdate(ebpf)
}

#[cfg(test)]
mod tests {
    use profiler_common::follow::{FOLLOWERS, Follower, numbers};

    use super::PROGRAMS;

    #[test]
    fn every_follower_has_a_program_and_calls() {
        for index in 0..FOLLOWERS {
            let (name, follower) =
                PROGRAMS.iter().find(|(_, one)| *one as u32 == index).expect("a program for each");
            let has_calls = numbers(*follower).iter().any(|word| *word != 0);
            // Those that are refused are not known beforehand.
            assert_eq!(has_calls, *follower != Follower::Denied, "{name}");
        }
    }
}
