//! What a system call's return is handed over to, by its number: x86-64's. Another architecture is another table.

use crate::container::SET_WORDS;

/// Programs that see a call return after its number was taken, by their places in the kernel's table of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Follower {
    /// A path was opened.
    Opened = 0,
    /// Opening one was refused.
    Denied = 1,
    /// A file was changed by its name or its descriptor.
    Changed = 2,
    /// Memory was mapped.
    Mapped = 3,
    Socket = 4,
    Connected = 5,
    /// User ids were set.
    Identity = 6,
}

/// How many there are.
pub const FOLLOWERS: u32 = 7;

/// Who wants to see this call succeed. Never [`Follower::Denied`], whose calls are [`Follower::Opened`]'s.
pub const fn of_number(number: u32) -> Option<Follower> {
    Some(match number {
        2 | 85 | 257 | 304 | 437 => Follower::Opened,
        76 | 82 | 84 | 86..=88 | 90..=94 | 260 | 263..=266 | 268 | 316 | 452 => Follower::Changed,
        9 => Follower::Mapped,
        41 | 53 => Follower::Socket,
        42 => Follower::Connected,
        105 | 113 | 117 => Follower::Identity,
        _ => return None,
    })
}

/// The calls that this one wants to see succeed, as a set. What is refused is looked at anyway.
pub fn numbers(follower: Follower) -> [u64; SET_WORDS] {
    let mut set = [0; SET_WORDS];
    for number in (0..512_u32).filter(|number| of_number(*number) == Some(follower)) {
        set[(number / 64) as usize] |= 1 << (number % 64);
    }
    set
}
