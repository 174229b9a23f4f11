//! Two other ways to tell known from new, as the field has them, for comparison: no generalisation at all, and a tree of
//! paths that collapses where it fans out.
//!
//! Both keep one set for each container rather than for each executable, and neither looks at arguments, at who connects, at
//! sockets, users and capabilities. They have less to be wrong about than Driftline.

mod path_set;
mod trie;

use std::collections::BTreeSet;

use profiler_user::behaviour::{Behaviour, Observation, Operation};

pub use path_set::PathSet;
pub use trie::Trie;

/// Something that was done, as a rival sees it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Deed {
    /// As a kind of drift is called.
    pub kind: &'static str,
    pub object: String,
}

/// A way to tell known from new.
pub trait Rival {
    fn name(&self) -> &'static str;

    fn learn(&mut self, deed: &Deed);

    /// All has been learned.
    fn finish(&mut self) {}

    fn knows(&self, deed: &Deed) -> bool;
}

/// The rivals, untaught. `image`: the paths that the service's image brought.
pub fn all(image: &BTreeSet<String>) -> [Box<dyn Rival>; 2] {
    [Box::new(PathSet::default()), Box::new(Trie::new(image.clone()))]
}

/// What an observation says to a rival.
pub fn deeds(observation: &Observation) -> Vec<Deed> {
    let deed = |kind, object: &str| Deed { kind, object: object.to_owned() };
    match &observation.behaviour {
        Behaviour::Exec(_) => vec![deed("exec", &observation.process.executable)],
        Behaviour::File(file) => {
            let read = file.read.then(|| deed("file.read", &file.path));
            let write = file.write.then(|| deed("file.write", &file.path));
            read.into_iter().chain(write).collect()
        }
        Behaviour::Change(change) => {
            let kind = match change.operation {
                Operation::Delete => "file.delete",
                Operation::Rename(_) | Operation::HardLink(_) | Operation::SymbolicLink(_) => {
                    "file.link"
                }
                Operation::Mode(_) | Operation::Owner => "file.meta",
            };
            vec![deed(kind, &change.path)]
        }
        Behaviour::Map(map) => vec![deed("file.map_exec", &map.path)],
        Behaviour::Connect(to) => {
            vec![deed("net.connect", &format!("{} {}", to.protocol, to.peer))]
        }
        Behaviour::Listen(on) if on.port_chosen => {
            vec![deed("net.listen", &format!("{} {}", on.protocol, on.local.port()))]
        }
        Behaviour::Syscall(call) => vec![deed("syscall", &call.name)],
        _ => Vec::new(),
    }
}
