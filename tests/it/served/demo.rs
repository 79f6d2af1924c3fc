//! A running `demo --serve`, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long anything of a test may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Machines of the demo.
pub(super) const MACHINES: usize = 62;

/// How often, and how many times, the records are counted.
const TRY_EVERY: Duration = Duration::from_millis(100);
const TRIES: u32 = 600;

/// A running demo; killed when dropped.
pub(super) struct Demo {
    child: Child,
    lines: Receiver<String>,
    pub(super) kubeconfig: PathBuf,
}

impl Demo {
    /// Starts a demo at so many virtual hours a second, and waits until it serves.
    pub(super) fn start(speed: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hotpatch-operator"))
            .args(["demo", "--serve", "--port", "0", "--speed", speed])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut demo = Self {
            child,
            lines,
            kubeconfig: PathBuf::new(),
        };
        demo.kubeconfig = demo.await_line("export KUBECONFIG=").into();
        demo
    }

    /// Starts a demo and waits until each of its machines has a record.
    pub(super) fn start_with_machines(speed: &str) -> Self {
        let demo = Self::start(speed);
        let path = "/apis/hotpatch.dev/v1alpha1/namespaces/web/hotpatchmachines";
        let address = demo.address();
        for _ in 0..TRIES {
            let found = get(&address, path)
                .matches("\"kind\":\"HotpatchMachine\"")
                .count();
            if found == MACHINES {
                return demo;
            }
            // Nothing is wrong yet: the receiver only serves as a timer here.
            let _ = demo.lines.recv_timeout(TRY_EVERY);
        }
        panic!("the operator did not write {MACHINES} records");
    }

    /// Waits for a line with a word; returns what follows the word.
    pub(super) fn await_line(&self, word: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the demo never said {word:?}"));
            if let Some((_, rest)) = line.split_once(word) {
                return rest.to_owned();
            }
        }
    }

    /// The address in the kubeconfig.
    pub(super) fn address(&self) -> String {
        let text = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let (_, rest) = text.split_once("http://").unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    /// Sends a signal and waits for the end.
    pub(super) fn end(&mut self, signal: &str) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

/// The answer to a GET, head and all.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A binary that an environment variable names; a test that needs it fails without it.
pub(super) fn binary(variable: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "how `make e2e` names its binaries"
    )]
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| {
        panic!("{variable} names no binary: run these tests by `make e2e`, or set it")
    });
    assert!(
        Path::new(&path).exists(),
        "{variable}: {} does not exist",
        path.display()
    );
    path
}

#[test]
fn the_served_demo_answers_tells_its_story_and_ends_by_ctrl_c() {
    let mut demo = Demo::start("20");
    let address = demo.address();
    assert!(get(&address, "/readyz").ends_with("ok"));
    let fleets = get(
        &address,
        "/apis/hotpatch.dev/v1alpha1/namespaces/web/hotpatchfleets",
    );
    assert!(fleets.contains("\"HotpatchFleetList\""), "{fleets}");
    demo.await_line("run 1 ");
    // A watch that is open does not hold up the end.
    let mut watch = TcpStream::connect(&address).unwrap();
    let path = "/apis/hotpatch.dev/v1alpha1/hotpatchruns?watch=1";
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    watch.write_all(request.as_bytes()).unwrap();
    assert_eq!(demo.end("-INT").code(), Some(0));
    demo.await_line("Ctrl-C: the demo ends.");
    demo.await_line("the API is gone");
    assert!(!demo.kubeconfig.exists(), "the kubeconfig is removed");
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn sigterm_ends_the_served_demo_too() {
    let mut demo = Demo::start("1");
    assert_eq!(demo.end("-TERM").code(), Some(0));
    demo.await_line("SIGTERM: the demo ends.");
    assert!(!demo.kubeconfig.exists());
}

#[test]
fn a_taken_port_is_named() {
    let demo = Demo::start("1");
    let address = demo.address();
    let (_, port) = address.split_once(':').unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_hotpatch-operator"))
        .args(["demo", "--serve", "--port", port])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&address), "{said}");
}

#[test]
fn speed_and_port_belong_to_serve() {
    let cases: [(&[&str], &str); 3] = [
        (&["demo", "--speed", "2"], "--serve"),
        (&["demo", "--serve", "--speed", "0"], "hours a second"),
        (&["demo", "--serve", "--json"], "--json"),
    ];
    for (arguments, want) in cases {
        let done = Command::new(env!("CARGO_BIN_EXE_hotpatch-operator"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(want), "{said}");
    }
}
