use profiler_common::event::{self, Header, Kind, PathForm, PathPart};
use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::{DecodeError, EventBody, decode};
use crate::{behaviour, redact::Redactor};

fn redactor() -> Redactor {
    Redactor::new([7; 32])
}

fn header(kind: Kind) -> Header {
    Header { kind: kind as u32, flags: 0, container: 1, time: 2, pid: 3, tid: 3, uid: 4, gid: 5 }
}

/// An exec of `/bin/sh` with these bytes as argv.
fn exec(args: &[u8]) -> Vec<u8> {
    let names = b"sh\0bin\0";
    let fixed = event::Exec {
        header: header(Kind::Exec),
        inode: 9,
        parent_pid: 1,
        vpid: 3,
        device: 0,
        args: u32::try_from(args.len()).unwrap(),
        args_total: u32::try_from(args.len()).unwrap(),
        padding: 0,
        executable: PathPart { len: 7, form: PathForm::Names as u32 },
        given: PathPart::NONE,
        cwd: PathPart { len: 0, form: PathForm::Names as u32 },
    };
    [fixed.as_bytes(), names, args].concat()
}

#[test]
fn an_exec_is_decoded_and_redacted() {
    let event = decode(&exec(b"sh\0--password=hunter2\0"), &redactor()).unwrap();
    let EventBody::Exec { executable, args, cwd, .. } = event.body else { panic!("not an exec") };
    assert_eq!(executable, "/bin/sh");
    assert_eq!(cwd, "/");
    assert_eq!(args[0], "sh");
    assert!(args[1].starts_with("--password={secret"), "{}", args[1]);
}

#[test]
fn bytes_after_a_record_are_refused() {
    let mut record = exec(b"sh\0");
    record.push(0);
    assert_eq!(decode(&record, &redactor()), Err(DecodeError::Trailing(1)));
}

#[test]
fn a_record_cut_anywhere_is_refused() {
    let record = exec(b"sh\0-c\0id\0");
    for len in 0..record.len() {
        assert!(decode(&record[..len], &redactor()).is_err(), "{len} bytes");
    }
}

/// A rename by relative names: old under the working directory, new under an open one.
#[test]
fn a_claimed_rename_is_decoded_with_both_names() {
    let part = |text: &[u8], form: PathForm| PathPart {
        len: u32::try_from(text.len()).unwrap(),
        form: form as u32,
    };
    let (path, base) = (b"../new\0".as_slice(), b"sub\0srv\0".as_slice());
    let (other, other_base) = (b"/old\0".as_slice(), b"jail\0".as_slice());
    let mut header = header(Kind::Change);
    header.flags = event::CHANGE_CLAIMED;
    let fixed = event::Change {
        header,
        operation: event::Operation::Rename as u32,
        mode: 0,
        path: part(path, PathForm::Text),
        base: part(base, PathForm::Names),
        other: part(other, PathForm::Text),
        other_base: part(other_base, PathForm::Names),
    };
    let record = [fixed.as_bytes(), path, base, other, other_base].concat();
    let change = |record: Vec<u8>| decode(&record, &redactor()).map(|event| event.body);
    let expected = behaviour::Change {
        path: "/srv/new".to_owned(),
        operation: behaviour::Operation::Rename("/jail/old".to_owned()),
    };
    assert_eq!(change(record.clone()), Ok(EventBody::Change(expected)));
    let unknown = event::Change { operation: 99, ..fixed };
    let record = [unknown.as_bytes(), &record[fixed.as_bytes().len()..]].concat();
    assert_eq!(change(record), Err(DecodeError::Operation(99)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _either = decode(&bytes, &redactor());
    }

    /// As above, but past the header: every kind with an arbitrary body.
    #[test]
    fn arbitrary_bodies_never_panic(
        kind in 0..=u32::try_from(event::KINDS).unwrap(),
        body in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let record = [kind.as_bytes(), body.as_slice()].concat();
        let _either = decode(&record, &redactor());
    }

    /// Small lengths in the length fields, so that the variable parts are reached.
    #[test]
    fn arbitrary_small_fields_never_panic(
        kind in 0..=u32::try_from(event::KINDS).unwrap(),
        words in proptest::collection::vec(0_u32..40, 0..120),
    ) {
        let mut record = kind.as_bytes().to_vec();
        for word in words {
            record.extend_from_slice(word.as_bytes());
        }
        let _either = decode(&record, &redactor());
    }
}
