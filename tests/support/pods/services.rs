//! What watches a cluster, on the node's network: Prometheus and Alertmanager.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::node::Node;

/// A service that runs until it is dropped.
pub struct Service {
    /// Its address on the node, such as `127.0.0.1:9090`.
    pub address: &'static str,
    child: Child,
}

impl Node {
    /// Starts Prometheus on 127.0.0.1:9090. The first file is its configuration; the others lie beside it.
    pub fn prometheus(&self, files: &[(&str, &str)]) -> Service {
        let address = "127.0.0.1:9090";
        let arguments = ["--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:9090"];
        self.service("prometheus", address, &arguments, files)
    }

    /// Starts Alertmanager on 127.0.0.1:9093. The first file is its configuration; the others lie beside it.
    pub fn alertmanager(&self, files: &[(&str, &str)]) -> Service {
        let address = "127.0.0.1:9093";
        let arguments = [
            "--storage.path=data",
            "--web.listen-address=127.0.0.1:9093",
            // On its own: it looks for no others.
            "--cluster.listen-address=",
        ];
        self.service("prometheus-alertmanager", address, &arguments, files)
    }

    fn service(
        &self,
        program: &str,
        address: &'static str,
        arguments: &[&str],
        files: &[(&str, &str)],
    ) -> Service {
        let inside = format!("/var/lib/{program}");
        let directory = self.outside(&inside);
        fs::create_dir_all(&directory).expect("the node's directory is writable");
        for (name, content) in files {
            fs::write(directory.join(name), content).expect("the node's directory is writable");
        }
        let (config, _) = files.first().expect("a service has a configuration");
        let log = directory.join("log");
        let child = self
            .command("/bin/sh")
            // The directory is there only once the command is on the node.
            .args(["-c", "cd \"$0\" && exec \"$@\"", &inside, program])
            .arg(format!("--config.file={config}"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("the node's directory is writable"))
            .spawn()
            .expect("a shell runs");
        let mut service = Service { address, child };
        let end = Instant::now() + Duration::from_secs(30);
        while !service.is_ready(self) {
            let ended = service.child.try_wait().expect("a child");
            if ended.is_some() || Instant::now() > end {
                let said = fs::read_to_string(&log).unwrap_or_default();
                panic!("{program} does not become ready ({ended:?}):\n{said}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        service
    }
}

impl Service {
    fn is_ready(&self, node: &Node) -> bool {
        node.try_get(self.address, "/-/ready").is_ok_and(|(status, _)| status == 200)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _status = self.child.wait();
    }
}
