//! A peer connected to a listening socket.

use profiler_common::event::{Accept, Kind};

use crate::{record::submit, sock_state::Socket};

#[inline(always)]
pub(crate) fn record(socket: &Socket) -> Option<()> {
    let container = socket.container()?;
    let mut header = container.header(Kind::Accept, 0);
    // The current task is whichever one the interrupt met.
    (header.pid, header.tid, header.uid, header.gid) = (0, 0, 0, 0);
    let record = Accept {
        header,
        local: socket.local(),
        peer: socket.peer(),
        protocol: socket.protocol(),
        padding: 0,
    };
    submit(&container, Kind::Accept, record);
    Some(())
}
