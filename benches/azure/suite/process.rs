//! What a process costs, as the kernel counts it. Must never count another process with it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

/// Parts of a second in which the kernel shows CPU time to programs: 100 on every platform of
/// Linux (proc_pid_stat(5), `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// How long the page of metrics may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A child process; dropping it kills it with -9.
pub(super) struct Process(pub(super) Child);

impl Process {
    /// Returns its process id.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Tells whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        // A process that cannot be waited for is none.
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the CPU seconds of a process, in user and kernel mode; none if it is gone.
pub(super) fn cpu_seconds(id: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything; fields are counted from behind it, the state first.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Returns the most memory that a process had resident, in bytes; none if it is gone.
pub(super) fn peak_bytes(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Returns the passes that an operator has made, as its metrics tell; none if it does not answer.
pub(super) fn passes(port: u16) -> Option<f64> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    let line = page
        .lines()
        .find(|line| line.starts_with("hotpatch_passes_total"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
