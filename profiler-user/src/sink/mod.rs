//! Where drift goes: to the person at the terminal, and line by line into a file.

mod backoff;
pub mod file;
pub mod terminal;

pub(crate) use backoff::Backoff;
pub use file::{EventsError, EventsFile, Stored};
pub use terminal::Terminal;
