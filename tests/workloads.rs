//! Real work: quiet once it was recorded, and whatever is done beside it is told of, each deed by its own event.
//!
//! `cargo xtask workloads` does it in full size.

use support::{
    Lab, can_load,
    work::{Size, Work, is_quiet_and_misses_nothing},
};

fn promise(work: impl Fn(&Lab, Size) -> Work) {
    if can_load() {
        let (lab, size) = (Lab::new(), Size::asked());
        is_quiet_and_misses_nothing(&lab, &work(&lab, size), size);
    }
}

#[test]
fn a_build() {
    promise(Work::build);
}

#[test]
fn an_installation() {
    promise(Work::install);
}

#[test]
fn a_web_server_under_load() {
    promise(Work::web);
}

/// In an emulated machine, where a start takes so long, this is the one that runs.
#[test]
fn all_of_it_in_one_container() {
    promise(Work::all);
}
