//! Containers that run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;
use tonic::Status;

use super::cri::{
    Cri,
    messages::{
        ContainerId, ContainerState, ContainerStatus, ContainerStatusRequest,
        ContainerStatusResponse, ExecSyncRequest, StopContainerRequest,
    },
};

/// A container, until it is removed.
#[derive(Clone)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    pub name: String,
    /// How often it was restarted.
    pub attempt: u32,
    pub(super) cri: Cri,
}

/// What a command in a container printed and how it ended.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Container {
    /// Runs a command in the container, for at most a minute.
    pub fn exec(&self, words: &[&str]) -> Output {
        self.try_exec(words).unwrap_or_else(|status| panic!("{words:?}: {status}"))
    }

    /// The same, where it may be that it cannot be run at all.
    pub fn try_exec(&self, words: &[&str]) -> Result<Output, Status> {
        let cmd = words.iter().map(ToString::to_string).collect();
        let request = ExecSyncRequest { container_id: self.id.clone(), cmd, timeout: 60 };
        let answer = self.cri.exec(request)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(answer.stdout), text(answer.stderr));
        Ok(Output { code: answer.exit_code, stdout, stderr })
    }

    /// Sends SIGTERM, after this many seconds SIGKILL, and waits for the end.
    pub fn stop(&self, seconds: i64) {
        let request = StopContainerRequest { container_id: self.id.clone(), timeout: seconds };
        self.cri.stop_container(request).expect("the container stops");
    }

    /// Removes what is left of it.
    pub fn remove(self) {
        self.cri.remove_container(ContainerId { container_id: self.id }).expect("it has stopped");
    }

    pub fn status(&self) -> ContainerStatus {
        self.ask(false).status.expect("the runtime knows it")
    }

    /// The process that it started, by the number that the machine has for it.
    pub fn pid(&self) -> u32 {
        let info = self.ask(true).info;
        let info: Value = serde_json::from_str(&info["info"]).expect("containerd gives JSON");
        let pid = info["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.expect("a process number")
    }

    /// Its cgroup in the second hierarchy, as its process has it.
    pub fn cgroup(&self) -> String {
        let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", self.pid()))
            .expect("the container runs");
        let line = cgroups.lines().find_map(|line| line.strip_prefix("0::"));
        line.expect("every process is in the second hierarchy").to_owned()
    }

    /// Waits until it has ended, for at most a minute, and says with what code.
    pub fn wait(&self) -> i32 {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let status = self.status();
            if status.state() == ContainerState::Exited {
                return status.exit_code;
            }
            assert!(Instant::now() < end, "{} does not end", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a command in it again and again, as a kubelet's liveness probe does, until the probe is dropped.
    pub fn probe(&self, words: &[&str], period: Duration) -> Probe {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let container = self.clone();
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            while !seen.stop.load(Ordering::Relaxed) {
                let good = container.try_exec(&words).is_ok_and(|output| output.code == 0);
                let count = if good { &seen.good } else { &seen.bad };
                count.fetch_add(1, Ordering::Relaxed);
                thread::park_timeout(period);
            }
        });
        Probe { shared, thread: Some(thread) }
    }

    fn ask(&self, verbose: bool) -> ContainerStatusResponse {
        let request = ContainerStatusRequest { container_id: self.id.clone(), verbose };
        self.cri.container_status(request).expect("the runtime knows it")
    }
}

/// A probe that runs until it is dropped.
pub struct Probe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    good: AtomicUsize,
    bad: AtomicUsize,
}

impl Probe {
    /// How often it ran and found the container well.
    pub fn good(&self) -> usize {
        self.shared.good.load(Ordering::Relaxed)
    }

    /// How often it ran and failed, or could not run.
    pub fn bad(&self) -> usize {
        self.shared.bad.load(Ordering::Relaxed)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _panicked = thread.join();
        }
    }
}
