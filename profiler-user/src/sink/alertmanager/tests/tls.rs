//! An Alertmanager behind https.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// Set for the process that trusts the certificate: where to send an alert.
const URL: &str = "DRIFTLINE_TEST_URL";

const CONFIG: &str = "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = test\n\
     [ext]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical,CA:FALSE\n";

/// False, said loudly, where there is no openssl.
fn make_certificate(dir: &Path) -> bool {
    std::fs::write(dir.join("openssl.cnf"), CONFIG).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-config", "openssl.cnf", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"])
        .current_dir(dir)
        .output();
    match made {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) => {
            eprintln!("SKIPPED: openssl cannot be run: {error}");
            false
        }
    }
}

/// Answers every request with 200, as long as the process lives.
fn serve(dir: &Path) -> String {
    let _is_there = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = Vec::new();
            let mut part = [0; 4096];
            // Up to the end of the list of alerts.
            while !request.ends_with(b"}]") {
                match stream.read(&mut part) {
                    Ok(length) if length > 0 => request.extend_from_slice(&part[..length]),
                    _ => break,
                }
            }
            let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    url
}

async fn deliver(url: &str) -> Result<(), SinkError> {
    Alertmanager::new(url, None).unwrap().deliver(&[event(1, json!({}))]).await
}

/// Not a test of its own: it is run by the next.
#[tokio::test]
async fn trusting() {
    let Some(url) = std::env::var_os(URL) else { return };
    deliver(url.to_str().unwrap()).await.unwrap();
}

#[tokio::test]
async fn https_is_spoken_to_those_who_are_trusted_alone() {
    let dir = tempfile::tempdir().unwrap();
    if !make_certificate(dir.path()) {
        return;
    }
    let url = serve(dir.path());
    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sink::alertmanager::tests::tls::trusting"])
        .env(URL, &url)
        .env("SSL_CERT_FILE", dir.path().join("cert.pem"))
        .output()
        .unwrap();
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stdout));
    // As a process that may know others, but not this one.
    let error = match Alertmanager::new(&url, None) {
        Ok(mut sink) => sink.deliver(&[event(1, json!({}))]).await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}
