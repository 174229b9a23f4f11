//! The node that the tests make is like a real one, and nothing of it stays.

use std::time::Duration;

use support::pods::{self, BUSYBOX, ContainerSpec, NGINX, Node, PodSpec};

#[test]
fn a_pod_is_where_a_kubelet_puts_it() {
    if !pods::can_run() {
        return;
    }
    let start = std::time::Instant::now();
    let node = Node::start();
    eprintln!("node {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let shell = ContainerSpec::new("shell", BUSYBOX).command(&["/bin/sleep", "600"]);
    let pod = node.run(PodSpec::new("shop", "cart-0").container(shell));
    eprintln!("pod {:?}", start.elapsed());
    let container = pod.container("shell");
    assert_eq!(container.cgroup(), format!("{}/{}", pod.spec.cgroup(), container.id));
    assert_eq!(container.exec(&["/bin/echo", "hello"]).stdout, "hello\n");
    let start = std::time::Instant::now();
    drop(node);
    eprintln!("drop {:?}", start.elapsed());
}
