//! Whatever was not seen literally is new.

use std::collections::BTreeSet;

use super::{Deed, Rival};

#[derive(Default)]
pub struct PathSet(BTreeSet<Deed>);

impl Rival for PathSet {
    fn name(&self) -> &'static str {
        "path set"
    }

    fn learn(&mut self, deed: &Deed) {
        self.0.insert(deed.clone());
    }

    fn knows(&self, deed: &Deed) -> bool {
        self.0.contains(deed)
    }
}
