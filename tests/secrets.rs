//! A planted password appears in nothing that Driftline wrote.

use std::fs;

use support::{Lab, actor, can_load};

const PASSWORD: &str = "Xk9-correct-horse-42";

/// Every way that a password commonly travels in arguments.
fn arguments() -> Vec<String> {
    [
        "--password=@",
        "--token @",
        "-pass @",
        "-p@",
        "-u admin:@",
        "PGPASSWORD=@",
        "https://admin:@@db.example/x?api_key=@",
        "Authorization: Bearer @",
        "{\"password\":\"@\"}",
        "export DB_PASSWORD='@'; run",
    ]
    .iter()
    .map(|form| {
        // `@@` is a password before an at sign.
        form.replace("@@", &format!("{PASSWORD}\u{0}")).replace('@', PASSWORD).replace('\u{0}', "@")
    })
    .collect()
}

#[test]
fn a_planted_password_is_in_no_file() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let script = format!("for i in 1 2; do /bin/true \"$@\"; done; : mysql -u root -p{PASSWORD}");
    let mut command = ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    command.extend(
        arguments()
            .iter()
            .flat_map(|argument| argument.splitn(2, ' ').map(str::to_owned).collect::<Vec<_>>()),
    );

    let output = lab.record(&command).env("SECRET_TOKEN", PASSWORD).output().expect("it runs");
    assert!(output.status.success());
    let recorded = output.stderr;

    // The same, and drift: a new executable with the password in its arguments and its ancestors'.
    command[2] =
        format!("{script}; env PGPASSWORD={PASSWORD} /usr/bin/id --password={PASSWORD} || :");
    let output = lab.watch(&command).env("SECRET_TOKEN", PASSWORD).output().expect("it runs");
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let events = lab.events();
    assert!(events.iter().any(|event| event["drift.object"] == "/usr/bin/id"), "{events:#?}");

    let files = lab.files();
    assert!(files.len() >= 3, "a baseline, a key and events: {files:?}");
    for file in files {
        let bytes = fs::read(&file).expect("readable");
        let text = String::from_utf8_lossy(&bytes);
        let at =
            text.find(PASSWORD).map(|at| text[..at].chars().rev().take(40).collect::<Vec<_>>());
        let before: Option<String> = at.map(|before| before.into_iter().rev().collect());
        assert_eq!(before, None, "{} holds the password", file.display());
    }
    // `id` itself complains about its option on the same stderr, which is not driftline's.
    for line in String::from_utf8_lossy(&[recorded, output.stderr].concat()).lines() {
        let ours = line.starts_with("driftline") || line.starts_with("drift ");
        assert!(!(ours && line.contains(PASSWORD)), "{line}");
    }
}

/// An argument that is cut in the middle of a secret is no longer known for one.
#[test]
fn a_secret_at_the_cut_is_in_no_file() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    for filler in (4020..4100).step_by(7) {
        let command =
            ["/bin/true".to_owned(), "a".repeat(filler), format!("https://u:{PASSWORD}@host/")];
        assert!(lab.record(&command).status().expect("driftline runs").success());
    }
    for file in lab.files() {
        let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        assert!(!text.contains(&PASSWORD[..5]), "{} holds half a password", file.display());
    }
}

#[test]
fn equal_secrets_are_quiet_and_another_one_is_drift() {
    if !can_load() {
        return;
    }
    let lab = Lab::new();
    let plan = lab.write("plan", &format!("run /bin/true --password={PASSWORD}\n"));
    let actor = actor();
    let command = [actor.as_os_str(), plan.as_os_str()];
    lab.settle(|| lab.record(&command).output().expect("driftline runs"));
    let output = lab.watch(&command).output().expect("driftline runs");
    support::assert_quiet(&lab, &output, 1);
    lab.write("plan", "run /bin/true --password=another-one\n");
    let output = lab.watch(&command).output().expect("driftline runs");
    support::assert_drift(&lab, &output, "exec.args", "true", "/usr/bin/true");
}
