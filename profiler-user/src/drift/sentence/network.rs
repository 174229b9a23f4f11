//! Whom a process talked to, and by what.

use super::super::kind::Finding;
use super::super::show::clean;
use super::who;
use crate::behaviour::{Accept, Connect, Dns, Listen, Process, Unix};

pub(super) fn connected(process: &Process, connect: &Connect) -> String {
    let did = if connect.datagram { "sent a datagram to" } else { "connected to" };
    let name = connect.named.name().map(str::to_owned);
    let name = name.or_else(|| connect.named.pod.as_deref().map(|pod| format!("pod {pod}")));
    let name = name.map(|name| format!(" ({})", clean(&name))).unwrap_or_default();
    format!("{} {did} {} {}{name}", who(process), connect.protocol, connect.peer)
}

pub(super) fn listened(process: &Process, listen: &Listen) -> String {
    let chosen = if listen.port_chosen { "" } else { ", a port that the kernel picked" };
    format!("{} began to listen on {} {}{chosen}", who(process), listen.protocol, listen.local)
}

pub(super) fn accepted(process: &Process, accept: &Accept) -> String {
    let Accept { protocol, local, peer, pod, .. } = accept;
    let pod = pod.as_deref().map(|pod| format!(" (pod {})", clean(pod))).unwrap_or_default();
    format!("{} took a connection from {}{pod} on {protocol} {local}", who(process), peer.ip())
}

pub(super) fn made(process: &Process, finding: &Finding) -> String {
    format!("{} made a socket of the sort {}", who(process), finding.object)
}

pub(super) fn reached(process: &Process, unix: &Unix) -> String {
    let did = if unix.datagram { "sent to" } else { "connected to" };
    format!("{} {did} the Unix socket {}", who(process), clean(&unix.peer))
}

pub(super) fn resolved(process: &Process, answer: &Dns) -> String {
    let name = clean(&answer.name);
    match answer.addresses.as_slice() {
        [] => format!("{} asked for the name {name} and got no address", who(process)),
        [one] => format!("{} resolved the name {name} to {one}", who(process)),
        [one, more @ ..] => {
            format!("{} resolved the name {name} to {one} and {} more", who(process), more.len())
        }
    }
}
