use std::os::unix::fs::symlink;

use super::*;
use crate::evidence::bundle::{Why, extract, write};
use crate::evidence::key;

/// What `changed.json` says, where the pieces are, and how many there are.
fn extracted(directory: &Path, spool: Spool) -> (Vec<serde_json::Value>, PathBuf, usize) {
    let key = key::load(None, directory).unwrap();
    let bundle = write(directory, spool, Why::Demand {}, "n", None, &key).unwrap();
    let out = directory.join("out");
    let verified = extract(&bundle, &[key.public().clone()], &out).unwrap();
    let list = fs::read_to_string(out.join("changed.json")).unwrap();
    (serde_json::from_str(&list).unwrap(), out, verified.manifest.pieces.len())
}

#[test]
fn the_upper_directory_is_read_from_the_mounts() {
    let line = "1 2 0:5 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u\\040p/fs,workdir=/w";
    assert_eq!(upper(line), Some(PathBuf::from("/u p/fs")));
    assert_eq!(upper("1 2 0:5 / / rw - ext4 /dev/sda rw,upperdir=/x"), None);
    assert_eq!(upper("1 2 0:5 / /a rw - overlay overlay rw,upperdir=/x"), None);
}

#[test]
fn links_and_fifos_are_listed_and_never_opened_and_secrets_stay() {
    let directory = tempfile::tempdir().unwrap();
    let upper = directory.path().join("upper");
    let outside = directory.path().join("outside");
    fs::create_dir_all(upper.join("tmp")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("host"), "of the host").unwrap();
    fs::write(upper.join("tmp/dropped"), "dropped").unwrap();
    fs::write(upper.join("tmp/plan"), "export DB_PASSWORD=planted-hunter2-xyz\n").unwrap();
    symlink(&outside, upper.join("tmp/away")).unwrap();
    symlink(outside.join("host"), upper.join("host")).unwrap();
    nix::unistd::mkfifo(&upper.join("pipe"), Mode::S_IRWXU).unwrap();
    let held = Upper { directory: File::open(&upper).unwrap().into() };
    fs::remove_file(outside.join("host")).unwrap();
    let mut spool = Spool::new(directory.path()).unwrap();
    let until = Instant::now() + std::time::Duration::from_mins(1);
    held.collect(&mut spool, &Redactor::new([7; 32]), until).unwrap();
    let (list, out, pieces) = extracted(directory.path(), spool);
    let told: Vec<_> = list
        .iter()
        .map(|it| format!("{} {}", it["path"].as_str().unwrap(), it["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "/host link",
            "/pipe fifo",
            "/tmp directory",
            "/tmp/away link",
            "/tmp/dropped file",
            "/tmp/plan file"
        ]
    );
    let piece = list[4]["piece"].as_str().unwrap();
    assert_eq!(fs::read(out.join(piece)).unwrap(), b"dropped");
    assert_eq!(list[5]["not_kept"], "it holds secrets");
    assert_eq!(pieces, 2);
}

#[test]
fn a_large_file_takes_no_time_from_a_small_one() {
    let directory = tempfile::tempdir().unwrap();
    let upper = directory.path().join("upper");
    fs::create_dir(&upper).unwrap();
    File::create(upper.join("a")).unwrap().set_len(3 << 30).unwrap();
    fs::write(upper.join("b"), "dropped").unwrap();
    let held = Upper { directory: File::open(&upper).unwrap().into() };
    let mut spool = Spool::new(directory.path()).unwrap();
    let until = Instant::now() + std::time::Duration::from_millis(100);
    held.collect(&mut spool, &Redactor::new([7; 32]), until).unwrap();
    let (list, out, _) = extracted(directory.path(), spool);
    let why = list[0]["not_kept"].as_str().unwrap();
    assert!(why.contains("no time left"), "{why}");
    let piece = list[1]["piece"].as_str().unwrap();
    assert_eq!(fs::read(out.join(piece)).unwrap(), b"dropped");
}
