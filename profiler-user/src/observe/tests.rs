use super::*;

fn event(pid: u32, body: EventBody) -> Event {
    Event { container: 1, time: 0, pid, uid: 0, body }
}

fn exec(pid: u32, executable: &str, first: bool) -> Event {
    event(
        pid,
        EventBody::Exec {
            injected: false,
            first,
            fileless: false,
            not_in_image: false,
            parent_pid: 1,
            vpid: pid.saturating_sub(90),
            executable: executable.to_owned(),
            given: executable.to_owned(),
            cwd: "/".to_owned(),
            args: vec![executable.to_owned()],
            args_cut: false,
        },
    )
}

fn observer() -> Observer {
    Observer::new(Clock { boot: Timestamp::UNIX_EPOCH })
}

#[test]
fn descent_survives_a_parents_end() {
    let mut observer = observer();
    observer.observe(exec(100, "/bin/a", true)).unwrap();
    observer.observe(event(100, EventBody::Fork { child_pid: 101, child_vpid: 11 }));
    observer.observe(event(100, EventBody::Exit { status: 0 }));
    let observation = observer.observe(exec(101, "/bin/b", false)).unwrap();
    assert_eq!(&*observation.process.ancestry[0].executable, "/bin/a");
    let Behaviour::Exec(exec) = observation.behaviour else { panic!("not an exec") };
    assert_eq!(exec.parent.as_deref(), Some("/bin/a"));
}

#[test]
fn a_program_that_replaced_itself_stays_in_the_descent() {
    let mut observer = observer();
    observer.observe(exec(100, "/bin/a", true)).unwrap();
    let observation = observer.observe(exec(100, "/bin/b", false)).unwrap();
    assert_eq!(&*observation.process.ancestry[0].executable, "/bin/a");
    let Behaviour::Exec(exec) = observation.behaviour else { panic!("not an exec") };
    assert_eq!(exec.parent.as_deref(), Some("/bin/a"));
}

#[test]
fn who_forked_before_the_agent_came_was_a_copy_of_its_parent() {
    let mut observer = observer();
    observer.observe(exec(1, "/bin/init", true)).unwrap();
    let observation = observer.observe(exec(102, "/bin/b", false)).unwrap();
    assert_eq!(&*observation.process.ancestry[0].executable, "/bin/init");
    let Behaviour::Exec(known) = observation.behaviour else { panic!("not an exec") };
    assert_eq!(known.parent.as_deref(), Some("/bin/init"));
    // A parent that nobody knows either.
    observer.observe(event(1, EventBody::Exit { status: 0 }));
    let observation = observer.observe(exec(103, "/bin/c", false)).unwrap();
    let Behaviour::Exec(unknown) = observation.behaviour else { panic!("not an exec") };
    assert_eq!(unknown.parent.as_deref(), Some(UNKNOWN));
}

#[test]
fn an_own_listener_on_a_port_that_the_kernel_picked_is_known_as_such() {
    let mut observer = observer();
    observer.observe(exec(100, "/bin/a", true)).unwrap();
    let listen = |local: &str, port_chosen| {
        let local = local.parse().unwrap();
        event(100, EventBody::Listen(Listen { protocol: Protocol::Tcp, local, port_chosen }))
    };
    observer.observe(listen("127.0.0.1:40000", false));
    observer.observe(listen("127.0.0.2:80", true));
    let mut chosen = |peer: &str| {
        let peer = peer.parse().unwrap();
        let connect = Connect {
            protocol: Protocol::Tcp,
            peer,
            datagram: false,
            port_chosen: true,
            named: Named::default(),
        };
        match observer.observe(event(100, EventBody::Connect(connect))).unwrap().behaviour {
            Behaviour::Connect(connect) => connect.port_chosen,
            other => panic!("{other:?}"),
        }
    };
    assert!(!chosen("127.0.0.1:40000"));
    assert!(chosen("127.0.0.2:80") && chosen("127.0.0.1:40001") && chosen("10.0.0.1:40000"));
    // Without a bind the port is not known yet: whatever is taken then is that listener's.
    observer.observe(listen("0.0.0.0:0", true));
    let (local, peer) = ("127.0.0.1:45417".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
    let accept = Accept { protocol: Protocol::Tcp, local, port_chosen: true, peer, pod: None };
    let observation = observer.observe(event(0, EventBody::Accept(accept))).unwrap();
    assert_eq!(&*observation.process.executable, "/bin/a");
    let Behaviour::Accept(accept) = observation.behaviour else { panic!("not an accept") };
    assert!(!accept.port_chosen);
}

#[test]
fn only_the_own_proc_directory_is_self() {
    let mut observer = observer();
    let process = observer.observe(exec(100, "/bin/a", true)).unwrap().process;
    let own = |path: &str| own_proc(path.to_owned(), &process);
    assert_eq!(own("/proc/10/maps"), "/proc/self/maps");
    assert_eq!(own("/proc/100"), "/proc/self");
    assert_eq!(own("/proc/11/environ"), "/proc/11/environ");
    assert_eq!(own("/proc/sys/vm/overcommit_memory"), "/proc/sys/vm/overcommit_memory");
}

#[test]
fn only_a_change_of_user_is_told_and_the_process_is_the_new_users() {
    let mut observer = observer();
    observer.observe(exec(100, "/bin/a", true)).unwrap();
    let mut to = |pid, real, effective| {
        let change = observer.observe(event(pid, EventBody::Identity { real, effective }));
        change.map(|observation| match observation.behaviour {
            Behaviour::Identity(change) => (change.to_string(), observation.process.uid),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(to(100, 0, 0), None);
    assert_eq!(to(100, 33, 33), Some(("uid 0 -> 33".to_owned(), 33)));
    assert_eq!(to(100, 33, 33), None);
    assert_eq!(to(100, 33, 0), Some(("uid 33 -> 33 (effective 0)".to_owned(), 33)));
    // Nobody knows what that one was before.
    assert_eq!(to(200, 0, 0), None);
    assert_eq!(to(200, 1, 1).unwrap().0, "uid 0 -> 1");
}

#[test]
fn a_child_and_a_new_program_begin_as_the_user_that_was() {
    let mut observer = observer();
    observer.observe(exec(100, "/bin/a", true)).unwrap();
    observer.observe(event(100, EventBody::Identity { real: 33, effective: 33 })).unwrap();
    observer.observe(event(100, EventBody::Fork { child_pid: 101, child_vpid: 11 }));
    let set_user_id = Event { uid: 33, ..exec(101, "/bin/su", false) };
    observer.observe(set_user_id).unwrap();
    let change = observer.observe(event(101, EventBody::Identity { real: 33, effective: 0 }));
    let change = change.unwrap();
    assert_eq!(&*change.process.executable, "/bin/su");
    let Behaviour::Identity(change) = change.behaviour else { panic!("not a change") };
    assert_eq!(change.to_string(), "uid 33 -> 33 (effective 0)");
}
