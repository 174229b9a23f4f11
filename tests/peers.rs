//! Peers go by their names, and many clients of one class by that: new addresses are quiet, what is no such peer is not.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    process::Output,
};

use support::{Lab, actor, assert_drift, assert_quiet, can_load, names::NameServer, subnets};

/// Runs of each promise.
const ROUNDS: usize = 3;
/// Enough for a class of its own.
const CLIENTS: u8 = 9;
const PORT: u16 = 8080;

struct Served {
    lab: Lab,
    command: [String; 2],
}

impl Served {
    fn new(clients: u8) -> Self {
        let lab = Lab::new();
        let plan = lab.write("plan", &format!("serve 0.0.0.0:{PORT} {clients}\n"));
        let actor = fs::canonicalize(actor()).expect("the actor is there");
        let command = [actor, plan].map(|path| path.to_str().expect("UTF-8").to_owned());
        Self { lab, command }
    }

    /// A run in which these connect.
    fn run(&self, verb: &str, clients: impl Iterator<Item = Ipv4Addr>) -> Output {
        let mut driftline = match verb {
            "record" => self.lab.record(&self.command),
            _ => self.lab.watch(&self.command),
        };
        driftline.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = driftline.spawn().expect("driftline runs");
        for client in clients {
            subnets::connect_from(client, SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 1), PORT));
        }
        child.wait_with_output().expect("driftline runs")
    }

    fn accepts(&self) -> serde_json::Value {
        let text = fs::read(self.lab.baselines().join("lab.json")).expect("a baseline");
        let baseline: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        baseline["executables"][&self.command[0]]["accept"].clone()
    }
}

/// `10.1.THIRD.1` and those behind it.
fn clients(third: u8, count: u8) -> impl Iterator<Item = Ipv4Addr> {
    (1..=count).map(move |last| Ipv4Addr::new(10, 1, third, last))
}

#[test]
fn new_clients_are_quiet_behind_many_and_one_of_another_class_is_reported() {
    if !can_load() {
        return;
    }
    subnets::inside(&["10.1.0.0/16", "192.168.0.0/16", "203.0.113.0/24"], || {
        let served = Served::new(CLIENTS);
        served.lab.settle(|| served.run("record", clients(0, CLIENTS)));
        let accepts = served.accepts();
        let keys: Vec<_> = accepts.as_object().expect("entries").keys().collect();
        assert_eq!(keys, [&format!("tcp :{PORT} from {{private}}")], "{accepts:#}");
        let examples = accepts[keys[0]]["siblings"].as_array().expect("examples");
        assert_eq!(examples.len(), 8, "{accepts:#}");
        for round in 1..=ROUNDS {
            let output = served.run("watch", clients(77, CLIENTS));
            assert_quiet(&served.lab, &output, round);
            let elsewhere = (1..=CLIENTS).map(|last| Ipv4Addr::new(192, 168, 3, last));
            let output = served.run("watch", elsewhere);
            assert_quiet(&served.lab, &output, round);
            let stranger = Ipv4Addr::new(203, 0, 113, 5);
            let output = served.run("watch", clients(77, CLIENTS - 1).chain([stranger]));
            let object = format!("tcp :{PORT} from {stranger}");
            assert_drift(&served.lab, &output, "net.accept", &object, &served.command[0]);
            assert_eq!(served.lab.events().len(), 1, "{:#?}", served.lab.events());
            let nearest = served.lab.events()[0]["drift.nearest"].clone();
            let nearest = nearest.as_str().expect("text");
            assert!(nearest.contains(&format!("tcp :{PORT} from {{private}}")), "{nearest}");
        }
    });
}

#[test]
fn a_few_clients_stay_themselves() {
    if !can_load() {
        return;
    }
    subnets::inside(&["10.1.0.0/16"], || {
        let served = Served::new(3);
        served.lab.settle(|| served.run("record", clients(0, 3)));
        assert_eq!(served.accepts().as_object().map(serde_json::Map::len), Some(3));
        for _ in 0..ROUNDS {
            let stranger = Ipv4Addr::new(10, 1, 0, 200);
            let output = served.run("watch", clients(0, 2).chain([stranger]));
            let object = format!("from {stranger}");
            assert_drift(&served.lab, &output, "net.accept", &object, &served.command[0]);
        }
    });
}

#[test]
fn a_peer_is_known_by_its_name_at_another_address_but_never_as_the_metadata_service() {
    if !can_load() {
        return;
    }
    subnets::inside(&["10.1.0.0/16", "169.254.169.254/32"], || {
        let resolver = "10.1.0.53:53";
        let lab = Lab::new();
        let actor = fs::canonicalize(actor()).expect("the actor is there");
        let plan = lab.path("plan");
        let command = [actor, plan].map(|path| path.to_str().expect("UTF-8").to_owned());
        let run = |verb: &str, address: Ipv4Addr| {
            let _server = NameServer::at(resolver, address);
            lab.write(
                "plan",
                &format!("resolve db.example.test {resolver}\nconnect {address}:5432\n"),
            );
            let mut driftline =
                if verb == "record" { lab.record(&command) } else { lab.watch(&command) };
            driftline.output().expect("driftline runs")
        };
        let (there, here) = (Ipv4Addr::new(10, 1, 0, 7), Ipv4Addr::new(10, 1, 200, 9));
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        for address in [there, here, metadata] {
            subnets::serve(&format!("{address}:5432"));
        }
        lab.settle(|| run("record", there));
        let file = fs::read_to_string(lab.baselines().join("lab.json")).expect("a baseline");
        assert!(file.contains("\"tcp db.example.test:5432\""), "{file}");
        assert!(!file.contains("10.1.0.7"), "{file}");
        for round in 1..=ROUNDS {
            assert_quiet(&lab, &run("watch", here), round);
            let output = run("watch", metadata);
            assert_drift(&lab, &output, "net.connect", "tcp 169.254.169.254:5432", &command[0]);
            assert_eq!(lab.events()[0]["drift.severity"], "critical", "{:#?}", lab.events());
        }
    });
}
