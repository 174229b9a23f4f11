//! Strings of user memory through the kernel's formatter, where the reading helpers are forbidden.
//!
//! Lockdown forbids reading the kernel's memory, not a program's; only aya, which finds `bpf_probe_read_kernel` missing, turns
//! every reading helper into the old one that does both. `bpf_snprintf` knows user strings (`%pus`) and stays what it is.

use aya_ebpf::helpers::generated::bpf_snprintf;
use profiler_common::event::{PATH_MAX, PathForm, PathPart};

use crate::record::Record;

/// A string of user memory, for the formatter; it has to lie in frozen memory.
static USER_STRING: [u8; 5] = *b"%pus\0";

/// Bytes that the formatter takes at once, a NUL at their end included.
const CHUNK: u64 = 512;
/// Chunks of the longest path.
const PATH_CHUNKS: usize = PATH_MAX / (CHUNK as usize - 1) + 1;
/// Pieces of argv: strings, or chunks of long ones. What is left then is cut.
const ARGS_PIECES: usize = 256;

/// Copies a string, or as much of it as fits, and a NUL. The bytes written, the NUL included; 1 also where nothing can be
/// read.
///
/// # Safety
/// `to` must have room for [`CHUNK`] bytes.
#[inline(always)]
unsafe fn copy(to: *mut u8, from: u64) -> u64 {
    let mut arguments = [from];
    // SAFETY: the caller's promise; the helper checks the source.
    let written = unsafe {
        bpf_snprintf(
            to.cast(),
            CHUNK as u32,
            USER_STRING.as_ptr().cast(),
            arguments.as_mut_ptr(),
            8,
        )
    };
    if written <= 0 || written > CHUNK as i64 { 0 } else { written as u64 }
}

/// One byte; 0 where it cannot be read.
#[inline(always)]
pub(crate) fn byte(from: u64) -> u8 {
    let mut arguments = [from];
    let mut text = [0_u8; 8];
    // SAFETY: the buffer is as long as the helper is told, which checks the source.
    let _length = unsafe {
        bpf_snprintf(
            text.as_mut_ptr().cast(),
            2,
            USER_STRING.as_ptr().cast(),
            arguments.as_mut_ptr(),
            8,
        )
    };
    // SAFETY: the buffer's first byte.
    unsafe { text.as_ptr().read_volatile() }
}

impl<T> Record<T> {
    /// Appends a user string of at most a path's length.
    #[inline(always)]
    pub(crate) fn push_user_text(&mut self, from: u64) -> PathPart {
        let before = self.len();
        let mut from = from;
        for _ in 0..PATH_CHUNKS {
            let Some(end) = self.end() else { break };
            // SAFETY: `end` leaves room for a path.
            let written = unsafe { copy(end, from) };
            if written < CHUNK {
                self.set_len(self.len() + written);
                break;
            }
            self.set_len(self.len() + CHUNK - 1);
            from += CHUNK - 1;
        }
        let len = self.len() - before;
        if len <= 1 || len > PATH_MAX as u64 {
            self.set_len(before);
            return PathPart::NONE;
        }
        PathPart { len: len as u32, form: PathForm::Text as u32 }
    }

    /// Appends NUL-terminated strings that follow one another in user memory, at most `len` bytes of them.
    #[inline(always)]
    pub(crate) fn push_user_strings(&mut self, start: u64, len: u64) -> u32 {
        let before = self.len();
        let mut from = start;
        for piece in 0..ARGS_PIECES {
            if self.len() - before >= len {
                break;
            }
            let Some(end) = self.end() else { break };
            // SAFETY: `end` leaves room for a path.
            let written = unsafe { copy(end, from) };
            // Programs have a name: without one nothing could be read.
            if written == 0 || (piece == 0 && written == 1) {
                break;
            }
            let taken = if written < CHUNK { written } else { CHUNK - 1 };
            self.set_len(self.len() + taken);
            from += taken;
        }
        let pushed = self.len() - before;
        let pushed = if pushed > len { len } else { pushed };
        self.set_len(before + pushed);
        pushed as u32
    }

    /// Appends a string that lies in map memory, by words.
    ///
    /// # Safety
    /// `words` must point to [`PATH_MAX`] bytes of a live map value.
    #[inline(always)]
    #[expect(clippy::cast_ptr_alignment, reason = "it is written unaligned")]
    pub(crate) unsafe fn push_words(&mut self, words: *const u64, len: u64) -> u32 {
        let Some(end) = self.end() else { return 0 };
        if len > PATH_MAX as u64 {
            return 0;
        }
        for word in 0..PATH_MAX / 8 {
            if word as u64 * 8 >= len {
                break;
            }
            // SAFETY: both have room for a path.
            unsafe { end.cast::<u64>().add(word).write_unaligned(words.add(word).read_volatile()) };
        }
        self.set_len(self.len() + len);
        len as u32
    }
}
