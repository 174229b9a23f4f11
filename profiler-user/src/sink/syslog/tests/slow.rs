//! Receivers that take their time.

use std::io::Read as _;

use super::*;
use crate::sink::syslog::connection::STALL;

/// Reads some octets, waits, and so on, until `until` has passed; then everything. What came.
fn read_slowly(listener: &TcpListener, at_once: usize, until: Duration) -> Vec<u8> {
    let (mut stream, _) = listener.accept().unwrap();
    let begun = std::time::Instant::now();
    let (mut all, mut part) = (Vec::new(), vec![0; at_once]);
    while begun.elapsed() < until {
        let length = stream.read(&mut part).unwrap();
        all.extend_from_slice(&part[..length]);
        std::thread::sleep(Duration::from_millis(100));
    }
    stream.read_to_end(&mut all).unwrap();
    all
}

#[tokio::test]
async fn a_slow_receiver_gets_a_batch_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    // More than kernels keep for a connection.
    let long = "/".to_owned() + &"x".repeat(40_000);
    store.commit((0..100).map(|n| write(&format!("{long}{n}"))).collect()).await.unwrap();
    let events = verified(&store).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = Syslog::new(&format!("tcp://{}", listener.local_addr().unwrap()), None).unwrap();
    let slow = Duration::from_secs(12);
    let reader = std::thread::spawn(move || read_slowly(&listener, 20_000, slow));
    let begun = Instant::now();
    sink.deliver(&events).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(10), "it was waited for");
    drop(sink);
    let expected: Vec<u8> = events.iter().flat_map(message::frame).collect();
    assert!(reader.join().unwrap() == expected, "each event came once and whole");
}

#[tokio::test]
async fn one_that_stands_still_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_of(dir.path()).await;
    let long = "/".to_owned() + &"x".repeat(100_000);
    store.commit((0..40).map(|n| write(&format!("{long}{n}"))).collect()).await.unwrap();
    let events = verified(&store).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sink = Syslog::new(&format!("tcp://{}", listener.local_addr().unwrap()), None).unwrap();
    let begun = Instant::now();
    let error = sink.deliver(&events).await.unwrap_err().to_string();
    assert!(error.ends_with(" fails: it has taken nothing for 30 s"), "{error}");
    assert!(begun.elapsed() < STALL + Duration::from_secs(15));
}
