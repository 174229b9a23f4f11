//! A name server, mostly on loopback, that answers every question for an address with the same one.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

pub struct NameServer {
    /// `ADDRESS:53`
    pub address: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// `host` is the last byte of its address, so that tests do not meet.
    pub fn new(host: u8, answer: Ipv4Addr) -> Self {
        Self::at(&format!("127.53.53.{host}:53"), answer)
    }

    /// At any address that is here.
    pub fn at(address: &str, answer: Ipv4Addr) -> Self {
        let address = address.to_owned();
        let socket = UdpSocket::bind(&address).expect("nobody else answers there");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("not zero");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut question) else { continue };
                let _gone = socket.send_to(&answer_to(&question[..len], answer), from);
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

/// The question, marked as answered, and one address for its name.
fn answer_to(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[6..8].copy_from_slice(&[0, 1]);
    // The name at offset 12; type A, class IN, a minute, four bytes.
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    answer.extend(address.octets());
    answer
}
