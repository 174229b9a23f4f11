//! A web server under load, both in the same container.

use super::{Size, Work};
use crate::{Lab, Nginx, actor};

pub(super) fn work(lab: &Lab, size: Size) -> Work {
    let requests = match size {
        Size::Guest => 200,
        Size::Small => 2_000,
        Size::Full => 200_000,
    };
    let nginx = Nginx::new(lab);
    let address = format!("127.0.0.1:{}", nginx.port);
    let load =
        format!("within-seconds 7200\nknock {address}\nget {address} {requests}\nsleep-ms 10\n");
    let load = lab.write("load", &load);
    Work {
        name: "a web server under load",
        script: format!(
            "{} & server=$!\n{} {}\nkill -QUIT $server\nwait $server\n",
            nginx.command().join(" "),
            actor().display(),
            load.display()
        ),
        leaves: &[
            "nginx.pid",
            "error.log",
            "access.log",
            "body",
            "proxy",
            "fastcgi",
            "uwsgi",
            "scgi",
        ],
        mounts: None,
    }
}
