//! Many drifts in one sentence.

use std::fmt::Write as _;

use super::runs;
use crate::drift::aggregate::By;
use crate::drift::event::Context;
use crate::drift::kind::DriftKind;
use crate::drift::show::{clean, cut};

/// Examples that a sentence shows, and characters of each.
const SHOWN: usize = 3;
const SHOWN_MAX: usize = 80;

/// What there is to say of a group.
pub(crate) struct Many<'a> {
    pub(crate) kind: DriftKind,
    pub(crate) by: By,
    /// Who did it; for execs who started them.
    pub(crate) executable: Option<&'a str>,
    pub(crate) object: &'a str,
    pub(crate) objects: u64,
    pub(crate) count: u64,
    pub(crate) examples: &'a [String],
    pub(crate) is_over: bool,
}

pub(crate) fn group(context: &Context, many: &Many<'_>) -> String {
    let Many { kind, objects, .. } = many;
    let who = match (many.by, many.executable) {
        (By::Kind, _) => "many programs".to_owned(),
        (_, Some(executable)) => clean(executable),
        (_, None) => "the container's runtime".to_owned(),
    };
    let below = if many.object == "*" {
        String::new()
    } else {
        format!(" ({})", cut(clean(many.object), SHOWN_MAX))
    };
    let did = match kind {
        DriftKind::NetConnect if many.by == By::Address => "connected to more new ports",
        DriftKind::NetConnect if many.by == By::Port => "connected to more new addresses",
        DriftKind::NetConnect => "connected to more new peers",
        DriftKind::NetListen => "listened at more new addresses",
        DriftKind::NetAccept => "was connected to by more new peers",
        DriftKind::NetUnix => "talked to more new Unix sockets",
        DriftKind::Dns => "asked for more new names",
        DriftKind::FileRead => "read more new files",
        DriftKind::FileWrite => "wrote more new files",
        DriftKind::FileDelete => "removed more new files",
        DriftKind::FileLink => "linked or renamed more new files",
        DriftKind::FileMeta => "changed the mode or owner of more new files",
        DriftKind::FileMapExec => "mapped more new files as code",
        _ => "ran more programs in new ways",
    };
    let times =
        if many.count == *objects { String::new() } else { format!(", {} times", many.count) };
    let mut text = format!("{who} {did}{below}: {objects} different ones{times}, such as ");
    for (number, example) in many.examples.iter().take(SHOWN).enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{}", cut(clean(example), SHOWN_MAX));
    }
    let _ = write!(text, "; none of them is in {}", runs(context));
    if many.is_over {
        text.push_str("; no more came");
    }
    text
}
