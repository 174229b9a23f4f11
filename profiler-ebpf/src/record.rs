//! Records on their way into the ring buffer: fixed ones are reserved in place, variable ones are put together in a
//! per-CPU buffer first, so that they take only the room they need.

use core::marker::PhantomData;

use aya_ebpf::{
    bindings::path,
    helpers::{
        bpf_d_path,
        generated::{bpf_probe_read_kernel_str, bpf_probe_read_user, bpf_probe_read_user_str},
    },
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use profiler_common::event::{ARGS_MAX, Kind, NAME_MAX, PATH_MAX, PathForm, PathPart};

use crate::{atomic::Counter, kernel::may_read, owner::Owner};

/// Default size; the user side may override it.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(8 << 20, 0);

/// 1 while the user side, to which the section is a map, comes by itself: no record has to wake it then.
#[unsafe(link_section = ".data.attended")]
#[unsafe(no_mangle)]
static ATTENDED: Counter = Counter::new();

const BPF_RB_NO_WAKEUP: u64 = 1;

/// How to submit: by default the kernel wakes the user side where it has read everything so far.
#[inline(always)]
fn wake_up() -> u64 {
    if ATTENDED.get() != 0 { BPF_RB_NO_WAKEUP } else { 0 }
}

/// The kernel's error for a path that does not fit.
pub(crate) const ENAMETOOLONG: i64 = 36;

/// Room for one record: a fixed part and four parts of at most a path each. The per-CPU allocator ends at 32 KiB.
const SCRATCH: usize = 20 * 1024;
/// A part may be appended only below this, so that the longest one fits.
const PARTS_END: u64 = (SCRATCH - PATH_MAX) as u64;

const _: () = assert!(ARGS_MAX <= PATH_MAX && NAME_MAX <= PATH_MAX);

/// Where a record is put together.
///
/// The length is kept here and not in a register: what is loaded from a map is any number to the verifier, so that all
/// turns of a loop that appends look alike to it. With exact lengths it would follow every combination of them.
#[repr(C)]
pub(crate) struct Scratch {
    len: u64,
    walk: Walk,
    words: [u64; WORDS],
    bytes: [u8; SCRATCH],
}

/// At most `MAX`, compared in the register that is used: an older verifier does not learn of a copy what it saw of another.
#[inline(always)]
fn at_most<const MAX: u64>(mut number: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    // SAFETY: changes the one register.
    unsafe {
        core::arch::asm!(
            "if {number} <= {max} goto +1",
            "{number} = {max}",
            number = inout(reg) number,
            max = const MAX,
            options(pure, nomem),
        );
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        number = number.min(MAX);
    }
    number
}

/// Numbers that go by way of memory.
const WORDS: usize = 6;

/// Where a walk along a path begins, and what it has met.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Walk {
    pub(crate) mount: u64,
    pub(crate) dentry: u64,
    /// The length up to where the container's root was met in a copy of its mount; 0 where it was not.
    pub(crate) to_same_root: u64,
}

/// A probe's own scratch buffer: a trampoline program can be preempted by another program on the same CPU, never by
/// itself (the kernel skips and counts that).
pub(crate) type ScratchMap = PerCpuArray<Scratch>;

/// Submits a record of fixed size. False, and counted, if the ring buffer is full.
#[inline(always)]
pub(crate) fn submit<T: 'static>(owner: &impl Owner, kind: Kind, record: T) -> bool {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        owner.count_lost(kind);
        return false;
    };
    entry.write(record);
    entry.submit(wake_up());
    true
}

/// Room for a record that is too large for the stack, to be filled in place. None, and counted, if the ring buffer is full.
#[inline(always)]
pub(crate) fn reserve<T: 'static>(
    owner: &impl Owner,
    kind: Kind,
) -> Option<aya_ebpf::maps::ring_buf::RingBufEntry<T>> {
    let entry = EVENTS.reserve::<T>(0);
    if entry.is_none() {
        owner.count_lost(kind);
    }
    entry
}

/// A record of variable size: `T`, then its parts.
pub(crate) struct Record<T> {
    scratch: *mut Scratch,
    fixed: PhantomData<T>,
}

impl<T> Record<T> {
    #[inline(always)]
    pub(crate) fn new(scratch: &'static ScratchMap) -> Option<Self> {
        let record = Self { scratch: scratch.get_ptr_mut(0)?, fixed: PhantomData };
        record.set_len(size_of::<T>() as u64);
        Some(record)
    }

    /// The same numbers, of which the verifier no longer knows what each was: it then follows what comes next once, and
    /// not once for each call that may have brought them.
    #[inline(always)]
    pub(crate) fn by_memory(&self, words: [u64; WORDS]) -> [u64; WORDS] {
        // SAFETY: this probe's own scratch buffer.
        unsafe {
            let kept = (&raw mut (*self.scratch).words).cast::<u64>();
            for (index, word) in words.into_iter().enumerate() {
                kept.add(index).write_volatile(word);
            }
            core::array::from_fn(|index| kept.add(index).read_volatile())
        }
    }

    #[inline(always)]
    pub(crate) fn walk(&self) -> Walk {
        // SAFETY: this probe's own scratch buffer.
        unsafe { (&raw const (*self.scratch).walk).read_volatile() }
    }

    #[inline(always)]
    pub(crate) fn set_walk(&self, walk: Walk) {
        // SAFETY: as in `walk`.
        unsafe { (&raw mut (*self.scratch).walk).write_volatile(walk) };
    }

    #[inline(always)]
    pub(crate) fn set_to_same_root(&self, len: u64) {
        // SAFETY: as in `walk`.
        unsafe { (&raw mut (*self.scratch).walk.to_same_root).write_volatile(len) };
    }

    /// Bytes so far, the fixed part included.
    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        // SAFETY: this probe's own scratch buffer.
        unsafe { (&raw const (*self.scratch).len).read_volatile() }
    }

    #[inline(always)]
    pub(crate) fn set_len(&self, len: u64) {
        // SAFETY: this probe's own scratch buffer.
        unsafe { (&raw mut (*self.scratch).len).write_volatile(len) }
    }

    /// Takes back what was appended behind an earlier length.
    #[inline(always)]
    pub(crate) fn cut(&self, len: u64) {
        self.set_len(len);
    }

    #[inline(always)]
    pub(crate) fn base(&self) -> *mut u8 {
        // SAFETY: the address of a field of a live map value.
        unsafe { (&raw mut (*self.scratch).bytes).cast() }
    }

    /// Where the next part goes, if the longest one fits there.
    #[inline(always)]
    pub(crate) fn end(&self) -> Option<*mut u8> {
        let len = self.len();
        if len > PARTS_END {
            return None;
        }
        Some(self.base().wrapping_add(len as usize))
    }

    /// Takes a helper's count of bytes written at the end. None for an error.
    #[inline(always)]
    fn grow(&mut self, written: i64, max: usize) -> Option<u32> {
        if written <= 0 || written > max as i64 {
            return None;
        }
        self.set_len(self.len() + written as u64);
        Some(written as u32)
    }

    /// Appends a name of the kernel's, with its NUL.
    #[inline(always)]
    pub(crate) fn push_name(&mut self, name: *const u8) -> Option<u32> {
        if !may_read() {
            return None;
        }
        let end = self.end()?;
        // SAFETY: `end` leaves room for a path, a name is shorter; the helper checks the source.
        let written =
            unsafe { bpf_probe_read_kernel_str(end.cast(), NAME_MAX as u32, name.cast()) };
        self.grow(written, NAME_MAX)
    }

    /// Appends a kernel string of at most a path's length.
    #[inline(always)]
    pub(crate) fn push_kernel_path(&mut self, text: *const u8) -> PathPart {
        if !may_read() {
            return PathPart::NONE;
        }
        let Some(end) = self.end() else { return PathPart::NONE };
        // SAFETY: as in `push_name`.
        let written =
            unsafe { bpf_probe_read_kernel_str(end.cast(), PATH_MAX as u32, text.cast()) };
        self.text(written)
    }

    /// Appends a user string of at most a path's length. Only for pages that the kernel has just read.
    #[inline(always)]
    pub(crate) fn push_user_path(&mut self, text: u64) -> PathPart {
        if !may_read() {
            return self.push_user_text(text);
        }
        let Some(end) = self.end() else { return PathPart::NONE };
        // SAFETY: as in `push_name`.
        let written =
            unsafe { bpf_probe_read_user_str(end.cast(), PATH_MAX as u32, text as *const _) };
        self.text(written)
    }

    /// Appends what the kernel prints for a `struct path`.
    ///
    /// # Safety
    /// `at` must be a trusted BTF pointer, and the hook one that may call `bpf_d_path`.
    #[inline(always)]
    pub(crate) unsafe fn push_printed_path(&mut self, at: *const path) -> PathPart {
        let Some(end) = self.end() else { return PathPart::NONE };
        // SAFETY: the caller's promise, and room as in `push_name`.
        let written = unsafe { bpf_d_path(at.cast_mut(), end.cast(), PATH_MAX as u32) };
        if written == -ENAMETOOLONG {
            return PathPart { len: 0, form: PathForm::TooLong as u32 };
        }
        self.text(written)
    }

    /// Appends user memory, at most [`ARGS_MAX`] bytes of it.
    #[inline(always)]
    pub(crate) fn push_args(&mut self, start: u64, len: u64) -> u32 {
        let len = if len > ARGS_MAX as u64 { ARGS_MAX as u64 } else { len };
        if len == 0 {
            return 0;
        }
        if !may_read() {
            return self.push_user_strings(start, len);
        }
        let Some(end) = self.end() else { return 0 };
        let len = at_most::<{ ARGS_MAX as u64 }>(len);
        // SAFETY: as in `push_name`.
        let result = unsafe { bpf_probe_read_user(end.cast(), len as u32, start as *const _) };
        if result != 0 {
            return 0;
        }
        self.set_len(self.len() + len);
        len as u32
    }

    #[inline(always)]
    fn text(&mut self, written: i64) -> PathPart {
        match self.grow(written, PATH_MAX) {
            Some(len) => PathPart { len, form: PathForm::Text as u32 },
            None => PathPart::NONE,
        }
    }

    /// Writes the fixed part and submits the whole. False, and counted, if the ring buffer is full.
    #[inline(always)]
    pub(crate) fn submit(self, owner: &impl Owner, kind: Kind, fixed: T) -> bool {
        let flags = wake_up();
        // SAFETY: the scratch buffer is aligned to 8, which no record exceeds, and longer than the fixed part.
        let bytes = unsafe {
            self.base().cast::<T>().write(fixed);
            let len = at_most::<{ SCRATCH as u64 }>(self.len());
            core::slice::from_raw_parts(self.base(), len as usize)
        };
        let submitted = EVENTS.output::<[u8]>(bytes, flags).is_ok();
        if !submitted {
            owner.count_lost(kind);
        }
        submitted
    }
}
