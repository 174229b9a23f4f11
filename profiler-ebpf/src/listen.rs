//! A socket began to listen.

use profiler_common::event::{Kind, LISTEN_PORT_CHOSEN, Listen};

use crate::{container::Container, record::submit, sock_state::Socket};

/// `listen` runs in its caller, so the container is the current task's, also for a socket that came from elsewhere.
#[inline(always)]
pub(crate) fn record(socket: &Socket) -> Option<()> {
    let container = Container::current_started()?;
    container.count_listen();
    let flags = if socket.port_chosen() { LISTEN_PORT_CHOSEN } else { 0 };
    let header = container.header(Kind::Listen, flags);
    let record = Listen { header, local: socket.local(), protocol: socket.protocol(), padding: 0 };
    if container.may_send(Kind::Listen) {
        submit(&container, Kind::Listen, record);
    }
    Some(())
}
