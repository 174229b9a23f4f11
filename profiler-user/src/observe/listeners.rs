//! Who listens where, so that what is accepted there has a process, and a port that the kernel picked is known as such.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use hashbrown::HashMap;

use crate::behaviour::{Listen, Process};

/// By container and local port; port 0 is one that the kernel picks only after saying so.
#[derive(Default)]
pub(super) struct Listeners(HashMap<(u64, u16), Vec<Listener>>);

pub(super) struct Listener {
    address: IpAddr,
    pub(super) process: Arc<Process>,
    pub(super) port_chosen: bool,
}

impl Listeners {
    /// Takes a listener in and says whether its port was really chosen.
    pub(super) fn add(&mut self, container: u64, process: &Arc<Process>, listen: Listen) -> Listen {
        // Without a bind the kernel picks the port, right after this event.
        let port_chosen = listen.port_chosen && listen.local.port() != 0;
        let address = listen.local.ip();
        let listener = Listener { address, process: Arc::clone(process), port_chosen };
        let same_port = self.0.entry((container, listen.local.port())).or_default();
        same_port.retain(|other| other.address != address);
        same_port.push(listener);
        Listen { port_chosen, ..listen }
    }

    /// The listener that takes connections to this address: on the very address, else on any, else on a port unknown.
    pub(super) fn of(&self, container: u64, local: SocketAddr) -> Option<&Listener> {
        let on = |port| self.0.get(&(container, port)).into_iter().flatten();
        on(local.port())
            .find(|listener| listener.address == local.ip())
            .or_else(|| on(local.port()).find(|listener| listener.address.is_unspecified()))
            .or_else(|| on(0).next())
    }

    /// Whether the far end of a connection is anything but an own listener on a port that the kernel picked.
    pub(super) fn port_chosen(&self, container: u64, peer: SocketAddr) -> bool {
        let here = peer.ip().is_loopback() || peer.ip().is_unspecified();
        !here || self.of(container, peer).is_none_or(|listener| listener.port_chosen)
    }
}
