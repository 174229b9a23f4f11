//! A cron job in shell: it takes files in, works on them with the usual tools, keeps archives, rotates its log.

use std::{
    fs,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use xtask::oci::Built;

use super::{
    Service,
    base::{self, User},
    life::{Life, Plan},
};
use crate::pods::ContainerSpec;

const JOB: u32 = 1000;
const LOG: &str = "/var/log/job/job.log";

pub(super) struct Cron;

impl Service for Cron {
    fn name(&self) -> &'static str {
        "cron"
    }

    fn image(&self) -> &'static Built {
        static IMAGE: OnceLock<Built> = OnceLock::new();
        IMAGE.get_or_init(|| {
            base::built(
                base::image("cron", "dash", &[], &[], &[User("job", JOB)])
                    .file("/usr/local/bin/job", 0o755, base::asset("cron/job"))
                    .owned_directory("/var/log/job", 0o755, JOB)
                    .user(JOB)
                    .entrypoint(&["/usr/local/bin/job"]),
            )
        })
    }

    fn container(&self, container: ContainerSpec, plan: &mut Plan<'_>) -> ContainerSpec {
        container.mount(&plan.empty_dir("inbox", JOB), "/var/spool/orders", false).mount(
            &plan.empty_dir("archive", JOB),
            "/var/backups/orders",
            false,
        )
    }

    /// Once the job has been through its work, it writes that down.
    fn ready(&self, life: &mut Life<'_>) {
        let end = Instant::now() + Duration::from_secs(30);
        while life.container().exec(&["/usr/bin/test", "-s", LOG]).code != 0 {
            assert!(Instant::now() < end, "the job does not begin: {}", life.said());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn live(&self, life: &mut Life<'_>) {
        let inbox = life.volume("inbox");
        for _ in 0..life.random.between(6, 9) {
            for _ in 0..life.random.below(4) {
                let name = format!("{}-{}.csv", life.random.word(), life.random.hex(8));
                let mut lines = String::new();
                for _ in 0..life.random.between(1, 40) {
                    let (name, count) = (life.random.word(), life.random.below(100).to_string());
                    lines.extend([&name, ";", &count, "\n"]);
                }
                if life.random.percent(10) {
                    "not an order\n".clone_into(&mut lines);
                }
                // Complete before the job sees it.
                let arriving = inbox.join(".arriving");
                fs::write(&arriving, lines).expect("the volume is writable");
                fs::rename(arriving, inbox.join(name)).expect("the same directory");
            }
            thread::sleep(Duration::from_millis(700));
        }
        // As a kubelet's probe does.
        life.exec(&["/usr/bin/find", LOG, "-mmin", "-1"]);
    }

    /// Lines of shell, which the job runs once.
    fn misuse(&self, life: &mut Life<'_>, words: &str) {
        let inbox = life.volume("inbox");
        let name = format!("{}.sh", life.random.word());
        fs::write(inbox.join(".arriving"), words).expect("the volume is writable");
        fs::rename(inbox.join(".arriving"), inbox.join(name)).expect("the same directory");
        thread::sleep(Duration::from_secs(2));
    }
}
