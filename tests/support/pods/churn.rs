//! Containers that live for a moment, many of them.

use std::thread;

use super::{
    images::BUSYBOX,
    node::Node,
    pod::Pod,
    spec::{ContainerSpec, PodSpec},
};

/// A container that has ended, as the runtime knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// 64 hexadecimal digits.
    pub id: String,
    pub container: String,
    pub pod: String,
    pub namespace: String,
    pub uid: String,
    pub image: String,
    pub exit_code: i32,
}

const NAMESPACES: [&str; 2] = ["shop", "bank"];
const PODS: [&str; 2] = ["worker-0", "worker-1"];

impl Node {
    /// Runs this many containers of about 50 ms in four pods, whose names are the same in two namespaces, and says
    /// which they were. Their exit codes differ.
    pub fn churn(&self, count: usize) -> Vec<Ended> {
        let pods = NAMESPACES.iter().flat_map(|namespace| {
            PODS.map(|name| self.run(PodSpec::new(namespace, name).label("app", "worker")))
        });
        let pods: Vec<_> = pods.collect();
        let ended = thread::scope(|scope| {
            let share = |index| count / pods.len() + usize::from(index < count % pods.len());
            let threads: Vec<_> = pods
                .iter()
                .enumerate()
                .map(|(index, pod)| scope.spawn(move || churn(pod, share(index))))
                .collect();
            let ended = threads.into_iter().map(|thread| thread.join().expect("no panic"));
            ended.flatten().collect()
        });
        pods.into_iter().for_each(Pod::remove);
        ended
    }
}

fn churn(pod: &Pod, count: usize) -> Vec<Ended> {
    let run = |attempt: u32| {
        let exit_code = i32::try_from(attempt % 3).expect("small");
        let script = format!("usleep 50000; exit {exit_code}");
        let spec = ContainerSpec::new("task", BUSYBOX).command(&["/bin/sh", "-c", &script]);
        let container = pod.start(&spec, attempt);
        assert_eq!(container.wait(), exit_code, "a container's exit code");
        let ended = Ended {
            id: container.id.clone(),
            container: spec.name,
            pod: pod.spec.name.clone(),
            namespace: pod.spec.namespace.clone(),
            uid: pod.spec.uid.clone(),
            image: spec.image,
            exit_code,
        };
        container.remove();
        ended
    };
    (0..u32::try_from(count).expect("not that many")).map(run).collect()
}
