//! Plain types shared by the kernel side and the user side.
//!
//! Everything here is `repr(C)`, without padding and without pointers: what the kernel side writes into the ring
//! buffer is what the user side decodes, checked (feature `user`), never cast.
#![no_std]

pub mod container;
pub mod event;
pub mod follow;
pub mod offset;
