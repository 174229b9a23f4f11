//! Real services, and how they live: what `baselines/` is recorded from and proven with.
//!
//! A service is an image out of Debian's packages and a *life*: how it is started, loaded, reconfigured, restarted
//! and ended. Recording and watching live the same life; a seed varies names, addresses, sizes and order.

mod base;
pub mod capture;
pub mod client;
pub mod clock;
mod cron;
pub mod deviation;
pub mod life;
pub mod network;
mod nginx;
mod postgresql;
pub mod prove;
pub mod random;
pub mod record;
mod redis;
pub mod rivals;
pub mod turned;
pub mod watch;
mod web;

use xtask::oci::Built;

use self::life::{Life, Plan, Setting};
use crate::pods::{ContainerSpec, Node};

/// A service that a baseline is shipped for.
pub trait Service: Sync {
    /// As `baselines/NAME.json` is called, its container, and its namespace.
    fn name(&self) -> &'static str;

    fn image(&self) -> &'static Built;

    /// Completes the container's description, with volumes where it needs some.
    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec;

    /// Waits until it works.
    fn ready(&self, life: &mut Life<'_>);

    /// What one container does between that and its end.
    fn live(&self, life: &mut Life<'_>);

    /// Lets the service itself do what somebody wants who found a way to make it, in words of its own: a request of
    /// HTTP, a statement, a command.
    fn misuse(&self, life: &mut Life<'_>, words: &str);
}

/// All services, in the order of their names.
pub fn all() -> [&'static dyn Service; 5] {
    [&cron::Cron, &nginx::Nginx, &postgresql::PostgreSql, &redis::Redis, &web::Web]
}

/// A node with what the services' surroundings need.
pub fn node() -> Node {
    let node = Node::start();
    network::set_up(&node);
    node
}

/// A life that was lived.
pub struct Lived {
    /// The pod's uid.
    pub uid: String,
    /// The ids of its containers.
    pub containers: Vec<String>,
}

/// Lives a whole life: two containers, one after the other, on the same volumes.
pub fn live(node: &Node, service: &dyn Service, seed: u64, setting: &Setting) -> Lived {
    let mut life = Life::begin(node, service, seed, setting);
    work(service, &mut life);
    life.restart();
    work(service, &mut life);
    life.end()
}

fn work(service: &dyn Service, life: &mut Life<'_>) {
    service.ready(life);
    let turning = life.clock.as_mut().map(clock::Clock::turn_soon);
    service.live(life);
    if let Some(turning) = turning {
        turning.join().expect("a clock can be turned");
    }
}
