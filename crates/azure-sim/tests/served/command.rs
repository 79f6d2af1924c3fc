//! A running `azure-sim serve`, and requests to it by HTTPS in a few lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// How long a read may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running command; killed when dropped.
pub(crate) struct Sim {
    child: Child,
    pub(crate) endpoint: String,
    pub(crate) certificate: PathBuf,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Reply {
    /// Gives a header, by its lower-cased name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }
}

impl Sim {
    /// Starts the command with these options more, and waits until it serves.
    pub(crate) fn start(options: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("azure-sim-{}-{number}.pem", std::process::id());
        let certificate = std::env::temp_dir().join(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_azure-sim"))
            .arg("serve")
            .arg("--certificate")
            .arg(&certificate)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let endpoint = line.trim().strip_prefix("azure-sim serves ");
        let endpoint = endpoint.unwrap_or_else(|| panic!("{line}")).to_owned();
        Self {
            child,
            endpoint,
            certificate,
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.endpoint.strip_prefix("https://").unwrap()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let pem = std::fs::read(&self.certificate).unwrap();
        let mut roots = RootCertStore::empty();
        for own in CertificateDer::pem_slice_iter(&pem) {
            roots.add(own.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(connection, stream)
    }

    /// Sends a request whose answer may be lost.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Reply, std::io::Error> {
        let query = if path.starts_with("/_sim/") || path.contains("api-version=") {
            ""
        } else {
            "?api-version=2024-11-01"
        };
        let request = format!(
            "{method} {path}{query} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer test\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address(),
            body.len()
        );
        let mut stream = self.connect();
        stream.write_all(request.as_bytes())?;
        read(&mut stream)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        self.try_send(method, path, body).unwrap()
    }

    /// Counts the requests to Azure of a method whose path ends so.
    pub(crate) fn calls(&self, method: &str, end: &str) -> u64 {
        let all = self.send("GET", "/_sim/calls", "").body;
        let all = all["calls"].as_array().unwrap().iter();
        let own = all.filter(|own| own["method"] == method);
        let own = own.filter(|own| own["path"].as_str().unwrap().ends_with(end));
        own.map(|own| own["count"].as_u64().unwrap()).sum()
    }

    /// Counts the requests to Azure that were answered so.
    pub(crate) fn answered(&self, status: u16) -> Vec<Value> {
        let all = self.send("GET", "/_sim/calls", "").body;
        let all = all["calls"].as_array().unwrap().iter();
        all.filter(|own| own["status"] == status).cloned().collect()
    }
}

/// Reads one answer to the end of the connection.
pub(crate) fn read(stream: &mut impl std::io::Read) -> Result<Reply, std::io::Error> {
    let mut all = Vec::new();
    match stream.take(32 * 1024 * 1024).read_to_end(&mut all) {
        // A connection that ends without TLS's goodbye ends all the same.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        other => drop(other?),
    }
    let all = String::from_utf8(all).unwrap();
    let missing = || std::io::Error::other("no answer");
    let (head, body) = all.split_once("\r\n\r\n").ok_or_else(missing)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Reply {
        status,
        head: head.to_owned(),
        body: serde_json::from_str(body).unwrap_or_default(),
    })
}

impl Drop for Sim {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.certificate);
    }
}
