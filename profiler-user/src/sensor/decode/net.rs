//! Connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use profiler_common::event::{
    AF_INET, AF_INET6, Accept, CONNECT_DATAGRAM, Connect, Endpoint, LISTEN_PORT_CHOSEN, Listen,
};

use super::{DecodeError, EventBody, fixed};
use crate::behaviour::{self, Protocol, canonical};

pub(super) fn connect(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Connect { header, peer, protocol, .. } = fixed(rest, "connect")?;
    Ok(EventBody::Connect(behaviour::Connect {
        protocol: Protocol::from_number(protocol),
        peer: address(peer)?,
        datagram: header.flags & CONNECT_DATAGRAM != 0,
        port_chosen: true,
        named: behaviour::Named::default(),
    }))
}

pub(super) fn listen(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Listen { header, local, protocol, .. } = fixed(rest, "listen")?;
    Ok(EventBody::Listen(behaviour::Listen {
        protocol: Protocol::from_number(protocol),
        local: address(local)?,
        port_chosen: header.flags & LISTEN_PORT_CHOSEN != 0,
    }))
}

pub(super) fn accept(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Accept { local, peer, protocol, .. } = fixed(rest, "accept")?;
    Ok(EventBody::Accept(behaviour::Accept {
        protocol: Protocol::from_number(protocol),
        local: address(local)?,
        port_chosen: true,
        peer: address(peer)?,
        pod: None,
    }))
}

fn address(endpoint: Endpoint) -> Result<SocketAddr, DecodeError> {
    let [a, b, c, d, ..] = endpoint.address;
    let ip = match endpoint.family {
        AF_INET => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(endpoint.address)),
        other => return Err(DecodeError::Family(other)),
    };
    let port = u16::try_from(endpoint.port).map_err(|_| DecodeError::Port(endpoint.port))?;
    Ok(SocketAddr::new(canonical(ip), port))
}
