//! The kernel side, seen from user space: load what this kernel takes, track containers, hand out records.

mod btf;
mod decode;
mod diagnostics;
mod missed;
mod offsets;
mod probes;
mod records;
mod selftest;

use std::{io::Read as _, os::fd::AsFd};

use anyhow::Context;
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{HashMap, MapData, RingBuf},
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, ProgramType, cgroup_skb::CgroupSkbLinkId,
    },
    sys::{BpfHelper, is_helper_supported},
};
use bytes::Bytes;
use profiler_common::{
    container::{ContainerState, KnownCalls, SET_WORDS},
    offset::ABSENT,
};

pub use decode::{DecodeError, Event, EventBody, command_line, decode};
pub use probes::{Behaviour, Status, Tier};
pub use records::Records;
pub use selftest::child as self_test_child;

use crate::{
    cgroup::{CgroupId, Hierarchy},
    memory,
};

/// The kernel side, built by this crate's build script.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler-ebpf"));

/// Events a second that a container may send in the long run, of those whose objects may be new each time.
pub const RATE: u64 = 20_000;
/// And at once.
const BURST: u64 = 2 * RATE;

/// Loaded and attached probes; dropping it detaches them.
pub struct Sensor {
    ebpf: Ebpf,
    status: Vec<Status>,
    untested: Option<String>,
    /// Taken by [`Sensor::records`], with what came before it and was not the self-test's.
    ring: Option<RingBuf<MapData>>,
    early: Vec<Bytes>,
    /// Where answers of name servers are looked at.
    listening: std::collections::HashMap<u64, CgroupSkbLinkId>,
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub buffer: u32,
    /// Let the probes log what they meet.
    pub diagnostics: bool,
    /// Every new cgroup may be a container's: capture from its first moment on, and tell of it.
    pub every_cgroup: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { buffer: 8 << 20, diagnostics: false, every_cgroup: false }
    }
}

/// What fingerprints in the kernel begin with and are multiplied by: nobody outside is to find two that are equal.
fn secret() -> std::io::Result<(u64, u64)> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let (words, _) = bytes.as_chunks::<8>();
    // An odd factor loses nothing.
    Ok((u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1]) | 1))
}
/// Programs between their open and their exec whose paths are kept, where the exec itself cannot tell them.
const EXEC_FILES: u32 = 512;

/// The state as the kernel's map holds it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct State(ContainerState);

// SAFETY: plain integers without padding, asserted where the type is defined.
unsafe impl aya::Pod for State {}

impl Sensor {
    /// Loads the object and attaches, behaviour by behaviour, the first probe that this kernel takes and that fires when it
    /// is tried. All of them watch the whole hierarchy: a socket that came from outside runs the programs of the cgroup
    /// that it was made in.
    ///
    /// # Errors
    /// Where nothing can be loaded at all. A behaviour without a probe is no error: its [`Status`] says why it is blind.
    pub fn load(hierarchy: &Hierarchy, options: Options) -> anyhow::Result<Self> {
        // Both parse some megabytes, each for its own purpose.
        let (offsets, btf) = std::thread::scope(|threads| {
            let offsets = threads.spawn(offsets::read);
            let btf = Btf::from_sys_fs();
            (offsets.join().expect("reading offsets does not panic"), btf)
        });
        let offsets = offsets.context("reading field offsets from the kernel's BTF")?;
        let btf = btf.context("reading the kernel's BTF")?;
        let (seed, factor) = secret().context("asking the kernel for random numbers")?;
        // What aya asks, too, before it rewrites calls of this helper and of those that read user memory.
        let reads =
            is_helper_supported(ProgramType::TracePoint, BpfHelper::BPF_FUNC_probe_read_kernel)
                .context("asking whether probes may read the kernel's memory")?;
        let [diagnostics, every_cgroup, kernel_reads] =
            [options.diagnostics, options.every_cgroup, reads].map(u32::from);
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(&btf))
            .map_max_entries("EVENTS", options.buffer)
            .map_max_entries("EXEC_FILES", if reads { 1 } else { EXEC_FILES })
            .override_global("DIAGNOSTICS", &diagnostics, true)
            .override_global("EVERY_CGROUP", &every_cgroup, true)
            .override_global("KERNEL_READS", &kernel_reads, true)
            .override_global("SEED", &seed, true)
            .override_global("FACTOR", &factor, true)
            .override_global("RATE", &RATE, true)
            .override_global("BURST", &BURST, true);
        for (name, offset) in &offsets {
            loader.override_global(name, offset, true);
        }
        let mut ebpf = loader.load(OBJECT).context("loading the eBPF object into the kernel")?;
        if options.diagnostics {
            diagnostics::start(&mut ebpf)?;
        }
        let absent: Vec<_> =
            offsets.iter().filter(|(_, offset)| *offset == ABSENT).map(|(name, _)| *name).collect();
        let root = hierarchy.open()?;
        let kernel = probes::Kernel { btf: &btf, cgroup: root.as_fd(), absent: &absent, reads };
        let mut choices = probes::attach(&mut ebpf, &kernel);
        let ring = ebpf.take_map("EVENTS").context("the eBPF object has no map EVENTS")?;
        let ring = RingBuf::try_from(ring).context("opening the ring buffer")?;
        let mut sensor = Self {
            ebpf,
            status: Vec::new(),
            untested: None,
            ring: Some(ring),
            early: Vec::new(),
            listening: std::collections::HashMap::new(),
        };
        let tested =
            selftest::run(&mut sensor, &mut choices, &kernel, hierarchy, options.every_cgroup);
        sensor.untested = tested.err().map(|error| format!("{error:#}"));
        sensor.status = choices.iter().map(probes::Choice::status).collect();
        // The kernel's types are the most that driftline ever holds.
        drop(btf);
        memory::give_back();
        Ok(sensor)
    }

    /// Why the probes could not be fired to see whether they work; none where they were.
    pub fn untested(&self) -> Option<&str> {
        self.untested.as_deref()
    }

    /// Behaviour by behaviour, what sees it, or why nothing does.
    pub fn status(&self) -> &[Status] {
        &self.status
    }

    /// Full only if every behaviour has its first choice.
    pub fn tier(&self) -> Tier {
        self.status.iter().map(|status| status.tier).max().unwrap_or(Tier::Blind)
    }

    /// Starts to capture a container from its outermost cgroup; nothing is reported before the first exec in it.
    pub fn track(&mut self, cgroup: CgroupId) -> anyhow::Result<()> {
        self.begin(cgroup, &ContainerState::NEW)
    }

    /// The same for a container in which something runs already: what it does is reported from now on. `joining` are on
    /// the way in: what they do is not, until each runs a program inside.
    pub fn track_running(&mut self, cgroup: CgroupId, joining: &[u32]) -> anyhow::Result<()> {
        let mut marks = HashMap::<_, u32, [u64; 3]>::try_from(self.map("JOINING")?)?;
        for pid in joining {
            // Of the namespace that it came from nothing is known, and others were here before it.
            marks.insert(pid, [cgroup.0, 0, 0], 0).context("marking who comes into a container")?;
        }
        let state = ContainerState { joining: joining.len() as u64, ..ContainerState::RUNNING };
        self.begin(cgroup, &state)
    }

    fn begin(&mut self, cgroup: CgroupId, state: &ContainerState) -> anyhow::Result<()> {
        let id = cgroup.0;
        let mut containers = HashMap::<_, u64, State>::try_from(self.map("CONTAINERS")?)?;
        containers.insert(id, State(*state), 0).context("tracking a container")?;
        self.assign(cgroup, cgroup)
    }

    /// Counts what happens in `cgroup` as the doing of the container whose outermost cgroup is `container`.
    pub fn assign(&mut self, cgroup: CgroupId, container: CgroupId) -> anyhow::Result<()> {
        let mut cgroups = HashMap::<_, u64, u64>::try_from(self.map("CGROUPS")?)?;
        cgroups.insert(cgroup.0, container.0, 0).context("tracking a container's cgroup")?;
        outdate(&mut self.ebpf)
    }

    /// Lets everything cross again that has crossed before: it is to be judged anew. Calls that are not to, because they
    /// are known, must be said before.
    pub fn forget_seen(&mut self) -> anyhow::Result<()> {
        count_up(&mut self.ebpf, ".data.epoch", 1)?;
        outdate(&mut self.ebpf)
    }

    /// The native calls of this container that need not cross. What it made known before may go on being so until the next
    /// [`Self::forget_seen`].
    pub fn know_calls(
        &mut self,
        cgroup: CgroupId,
        calls: Option<&KnownCalls>,
    ) -> anyhow::Result<()> {
        const NOTHING: KnownCalls = [0; SET_WORDS];
        let mut known = HashMap::<_, u64, KnownCalls>::try_from(self.map("KNOWN_CALLS")?)?;
        known
            .insert(cgroup.0, calls.unwrap_or(&NOTHING), 0)
            .context("telling the kernel which calls are known")
    }

    /// Captures nothing more of this cgroup; unknown ones are none of ours anyway.
    pub fn release(&mut self, cgroup: CgroupId) -> anyhow::Result<()> {
        let mut cgroups = HashMap::<_, u64, u64>::try_from(self.map("CGROUPS")?)?;
        let _may_be_gone = cgroups.remove(&cgroup.0);
        let mut containers = HashMap::<_, u64, State>::try_from(self.map("CONTAINERS")?)?;
        let _may_be_gone = containers.remove(&cgroup.0);
        let mut known = HashMap::<_, u64, KnownCalls>::try_from(self.map("KNOWN_CALLS")?)?;
        let _may_not_be_there = known.remove(&cgroup.0);
        outdate(&mut self.ebpf)?;
        if let Some(link) = self.listening.remove(&cgroup.0) {
            self.dns()?.detach(link).context("detaching from a cgroup")?;
        }
        Ok(())
    }

    /// Looks at the answers of name servers that arrive in a cgroup, whose directory this is. Where nothing can, the
    /// behaviour is blind already.
    pub fn listen_for_names(
        &mut self,
        cgroup: CgroupId,
        directory: impl AsFd,
    ) -> anyhow::Result<()> {
        if self.listening.contains_key(&cgroup.0) || self.dns()?.fd().is_err() {
            return Ok(());
        }
        let link = self.dns()?.attach(
            directory,
            CgroupSkbAttachType::Ingress,
            CgroupAttachMode::Single,
        )?;
        self.listening.insert(cgroup.0, link);
        Ok(())
    }

    fn dns(&mut self) -> anyhow::Result<&mut CgroupSkb> {
        let program = self.ebpf.program_mut("dns").context("the eBPF object has no program dns")?;
        Ok(program.try_into()?)
    }

    /// A process that ran in a container before it was tracked.
    pub fn adopt_process(&mut self, pid: u32, container: CgroupId) -> anyhow::Result<()> {
        let mut members = HashMap::<_, u32, u64>::try_from(self.map("MEMBERS")?)?;
        members.insert(pid, container.0, 0).context("taking in a container's process")
    }

    /// Whether the kernel captures this cgroup.
    pub fn is_tracked(&mut self, cgroup: CgroupId) -> anyhow::Result<bool> {
        let cgroups = HashMap::<_, u64, u64>::try_from(self.map("CGROUPS")?)?;
        Ok(cgroups.get(&cgroup.0, 0).is_ok())
    }

    /// Cgroups that were made without a record that tells of them, so far.
    pub fn unseen_cgroups(&mut self) -> anyhow::Result<u64> {
        let count = aya::maps::Array::<_, u64>::try_from(self.map("UNSEEN_CGROUPS")?)?;
        count.get(&0, 0).context("reading the count of unseen cgroups")
    }

    /// What the kernel has counted for a container.
    pub fn state(&mut self, cgroup: CgroupId) -> anyhow::Result<ContainerState> {
        let containers = HashMap::<_, u64, State>::try_from(self.map("CONTAINERS")?)?;
        Ok(containers.get(&cgroup.0, 0).context("reading a container's final state")?.0)
    }

    /// The stream of records; once only.
    pub fn records(&mut self) -> anyhow::Result<Records> {
        let ring = self.ring.take().context("the record stream was already taken")?;
        let attended =
            self.ebpf.take_map(".data.attended").context("the record stream was taken")?;
        Records::new(ring, std::mem::take(&mut self.early), attended)
    }

    /// Runs of probes that the kernel skipped because the same probe was already running on that CPU.
    pub fn missed(&self) -> u64 {
        missed::count(&self.ebpf)
    }

    fn map(&mut self, name: &str) -> anyhow::Result<&mut aya::maps::Map> {
        self.ebpf.map_mut(name).with_context(|| format!("the eBPF object has no map {name}"))
    }
}

/// What each processor keeps of the container that it last met no longer holds.
fn outdate(ebpf: &mut Ebpf) -> anyhow::Result<()> {
    // The kernel counts in the lower half.
    count_up(ebpf, ".data.near", 1 << 32)
}

fn count_up(ebpf: &mut Ebpf, map: &'static str, by: u64) -> anyhow::Result<()> {
    let words = ebpf.map_mut(map).with_context(|| format!("the eBPF object has no map {map}"))?;
    let mut count = aya::maps::Array::<_, u64>::try_from(words)?;
    let value = count.get(&0, 0).with_context(|| format!("reading the map {map}"))?;
    count.set(0, value.wrapping_add(by), 0).with_context(|| format!("writing the map {map}"))
}
