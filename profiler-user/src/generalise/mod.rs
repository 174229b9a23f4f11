//! What repeats of one behaviour have in common, as a pattern a person can read.
//!
//! Names that are new each time (pids, temporary files, time stamps, identifiers) become typed placeholders; everything
//! else stays as it is. **Invariant:** a value always matches its own pattern, and a pattern matches only values of the
//! same shape. Judging is done by matching, not by equality, because a random name can by chance look like a word:
//! `sh-thd.secret` still is a `sh-thd.{rand:6}`.
//!
//! | placeholder | stands for |
//! |---|---|
//! | `{pid}` | the number of a process or thread under `/proc` |
//! | `{num}` | a number |
//! | `{uuid}` | a UUID with its hyphens |
//! | `{hex:N}` | N hexadecimal digits, of one case |
//! | `{date}` | a date or a time stamp, see [`date`] |
//! | `{rand:N}` | N random letters, digits or underscores |
//! | `{word:A-B}`, `{letters:A-B}`, `{alnum:A-B}`, `{either:a,b}` | words in which very many siblings differ, see [`sibling`] |
//! | `{secret:H}` | a secret, see [`crate::redact`] |
//! | `{ephemeral}` | a port that the kernel picked |
//! | `{loopback}`, `{private}`, `{unique-local}`, `{shared}`, `{public}` | a class of addresses, where many of it came, see [`address`] |
//! | `{net:A-B}` | the addresses from A to B, of an entry that was bound to another environment, see [`crate::bind`] |
//!
//! Whole arguments have wildcards besides, see [`vector`]. A literal `{` is written `{{`; nothing else is special, `*` least of all.

mod address;
mod args;
mod change;
mod date;
mod deed;
mod host;
mod kin;
mod name;
mod operand;
mod path;
mod pattern;
mod peer;
mod place;
mod runner;
mod shape;
mod sibling;
mod socket;
mod template;
mod token;
mod vector;
mod word;

pub use address::{Range, blocks, class, is_class, is_literal, is_public};
pub use args::{generalise_args, join_args, split_args};
pub use change::{Changed, change};
pub use deed::Deed;
pub use host::host;
pub use kin::Kin;
pub use path::generalise_path;
pub use pattern::{Pattern, Secrets, escape, is_escaped, matches};
pub use peer::{End, Peer, accept, connect, is_host, listen};
pub use runner::operands as first_operand;
pub use sibling::{Sibling, is_of_siblings};
pub use socket::{socket, unix_peer};
pub use vector::{Vector, Word, words_match};

/// The version of these rules. A baseline names the version it was recorded with: a pattern means nothing without its rules.
pub const GENERALISER: u32 = 2;
