//! A server as a child process that ends with its handle. Must never outlive the test.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// How long a server may take to end when it is asked to, in steps of [`STEP`].
const STOP_STEPS: u32 = 150;

/// How often an ending is looked for.
const STEP: Duration = Duration::from_millis(20);

/// Ends a child when its parent dies without a word (util-linux).
const TETHER: &str = "/usr/bin/setpriv";

/// A running server; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server whose output goes to `log`, which is appended to.
    pub(crate) fn start(program: &Path, arguments: &[String], log: PathBuf) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(&log)?;
        let mut command = tethered(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self {
            child: command.spawn()?,
            log,
        })
    }

    /// Tells whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Returns the last lines that it wrote.
    pub(crate) fn last_words(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Asks it to end, and kills it if it does not in time.
    pub(crate) fn stop(&mut self) {
        let id = self.child.id().to_string();
        // `kill` is a program because signals need unsafe code; without it the child is killed.
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        if asked.is_ok_and(|status| status.success()) {
            for _ in 0..STOP_STEPS {
                if self.has_ended() {
                    return;
                }
                sleep(STEP);
            }
        }
        self.kill();
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        // Errors mean that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a command whose process dies with this one, where the machine can do that.
fn tethered(program: &Path) -> Command {
    if !Path::new(TETHER).is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(TETHER);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}
