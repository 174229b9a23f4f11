//! Handing a call's return over to the program that wants to know more of it than its number.
//!
//! One program is attached to `sys_exit`; whatever else wants to see calls return is in this table and is reached from
//! there by tail call, for its own calls alone. So each call of each task is paid for once. They run under the first one's
//! guard against interrupting itself, one at a time on each CPU.

use aya_ebpf::{
    macros::map,
    maps::{Array, ProgramArray},
    programs::BtfTracePointContext,
};
use profiler_common::{
    container::SET_WORDS,
    follow::{FOLLOWERS, Follower, of_number},
};

use crate::{arch::Call, container::Container};

const EPERM: i64 = -1;
const EACCES: i64 = -13;
/// A file system that is mounted read-only, as a container's `/proc/sys` and `/sys` are.
const EROFS: i64 = -30;
/// From here up to -1, a result is an error.
const ERRORS: i64 = -4095;

/// By [`Follower`]; the user side puts in what this kernel needs.
#[map]
static FOLLOWING: ProgramArray = ProgramArray::with_max_entries(FOLLOWERS, 0);

/// The calls that those in the table want to see succeed.
#[map]
static FOLLOWED: Array<[u64; SET_WORDS]> = Array::with_max_entries(1, 0);

/// The word of [`FOLLOWED`] with this index.
#[inline(always)]
pub(crate) fn followed(word: usize) -> u64 {
    let Some(words) = FOLLOWED.get_ptr(0) else { return u64::MAX };
    // SAFETY: a live map value; callers stay below the array's length.
    unsafe { words.cast::<u64>().add(word).read_volatile() }
}

/// Does not return where there is a program for it.
#[inline(always)]
pub(crate) fn hand_over(ctx: &BtfTracePointContext, call: &Call, result: i64) {
    if let Some(follower) = follower(call, result) {
        // SAFETY: nothing is held that would have to be dropped.
        unsafe { FOLLOWING.tail_call(ctx, follower as u32) };
    }
}

/// For those who are handed over to: the call, if it is no 32-bit program's, and whose it is.
#[inline(always)]
pub(crate) fn of_own_abi(ctx: &BtfTracePointContext) -> Option<(Call, Container)> {
    // SAFETY: the hook's argument.
    let call = unsafe { Call::new(ctx.arg(0)) }?;
    if call.foreign { None } else { Some((call, Container::current_started()?)) }
}

#[inline(always)]
fn follower(call: &Call, result: i64) -> Option<Follower> {
    if call.is_foreign_open() {
        return (result >= 0).then_some(Follower::Opened);
    }
    match (of_number(call.native()?)?, result) {
        (Follower::Opened, EPERM | EACCES | EROFS) => Some(Follower::Denied),
        (_, ERRORS..0) => None,
        (follower, _) => Some(follower),
    }
}
