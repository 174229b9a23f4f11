//! Where drift goes: to the person at the terminal, and line by line into a file.

pub mod file;
pub mod terminal;

pub use file::{EventsError, EventsFile, Stored};
pub use terminal::Terminal;
