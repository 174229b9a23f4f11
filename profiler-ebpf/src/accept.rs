//! A peer connected to a listening socket.

use profiler_common::event::{Accept, Kind};

use crate::{
    container::Container,
    near,
    record::submit,
    seen::{Class, Fingerprint},
    sock_state::Socket,
};

#[inline(always)]
pub(crate) fn record(socket: &Socket) -> Option<()> {
    let near = socket.container()?;
    // SAFETY: this program's own.
    let (scope, listens) = unsafe { (near::scope(near), near::listens(near)) };
    let (local, peer) = (socket.local(), socket.peer());
    // The peer's port is new each time and says nothing; who accepts may change with every socket that listens.
    let known = Fingerprint::of_container(scope.container, Class::Accept, socket.protocol())
        .with(listens)
        .with_endpoint(&local, local.port)
        .with_endpoint(&peer, 0);
    if known.is_known() {
        return Some(());
    }
    let container = Container::of_id(scope.container)?;
    if !container.may_send(Kind::Accept) {
        return Some(());
    }
    let mut header = container.header(Kind::Accept, 0);
    // The current task is whichever one the interrupt met.
    (header.pid, header.tid, header.uid, header.gid) = (0, 0, 0, 0);
    let record = Accept { header, local, peer, protocol: socket.protocol(), padding: 0 };
    if submit(&container, Kind::Accept, record) {
        known.keep();
    }
    Some(())
}
