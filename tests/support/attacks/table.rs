//! The table in `docs/attacks.md`.
