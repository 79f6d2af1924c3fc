//! `demo --serve`: the demo at a speed that people can follow, with its Kubernetes API on loopback,
//! so that kubectl can watch and take part.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use kube_sim::http::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::demo;
use crate::rehearsal::pace::{Pace, Speed};
use crate::rehearsal::world::World;
use crate::rehearsal::{Ended, NAMESPACE, Rehearsal, Report};

/// How a demo is served.
#[derive(Debug, Args)]
#[group(id = "serving")]
pub struct Options {
    /// Serves the embedded Kubernetes API on loopback, for kubectl, until Ctrl-C.
    #[arg(long, conflicts_with = "json")]
    pub serve: bool,
    /// The port of the API; 0 takes a free one.
    #[arg(long, requires = "serve", default_value_t = 0)]
    pub port: u16,
    /// Virtual hours that pass in a real second.
    #[arg(long, requires = "serve", value_name = "HOURS", default_value = "1",
          value_parser = speed)]
    pub speed: Speed,
}

fn speed(text: &str) -> Result<Speed, String> {
    let hours: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    Speed::hours_a_second(hours)
}

/// Why the demo is not served.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The rehearsal cannot be set up.
    #[error(transparent)]
    Rehearsal(#[from] crate::rehearsal::Error),
    /// The API cannot be served.
    #[error(transparent)]
    Serve(#[from] kube_sim::http::Error),
    /// The kubeconfig cannot be written.
    #[error("cannot write the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// Where it was to be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The controller ended by itself.
    #[error("the controller stopped")]
    Stopped,
    /// A runtime, a thread or a signal handler cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

/// Serves the demo until it is told to end.
pub fn main(seed: u64, options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(seed, options)),
        Err(error) => Err(error.into()),
    };
    match served {
        Ok(report) => {
            println!("\n{}", report.summary);
            println!("{} requests were checked; the API is gone.", report.steps);
            for violation in &report.violations {
                println!("\n{violation}");
            }
            if report.has_held() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("the demo could not be served: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(seed: u64, options: &Options) -> Result<Report, Error> {
    let mut end = End::catch()?;
    let mut rehearsal = Rehearsal::new(demo::cast(seed)).await?;
    let _pace = Pace::keep(options.speed, rehearsal.shared_clock())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let serving = Server::bind(rehearsal.kube.clone(), address)?;
    let file = KubeconfigFile::write(&serving.kubeconfig_in(NAMESPACE))?;
    welcome(seed, &file, &serving.url());
    let outcome = tokio::select! {
        biased;
        name = end.come() => {
            println!("\n{name}: the demo ends.");
            Ok(())
        }
        error = play(&mut rehearsal) => Err(error),
    };
    serving.stop().await;
    drop(file);
    outcome.map(|()| rehearsal.break_off())
}

fn welcome(seed: u64, file: &KubeconfigFile, url: &str) {
    let path = file.path.display();
    println!(
        "hotpatch-operator demo, seed {seed}; its Kubernetes API is at {url}. In another \
         terminal:\n\n    \
         export KUBECONFIG={path}\n    \
         kubectl get hpf,hpw,hpp,hpr,hpm\n    \
         kubectl get hpr --watch\n\n\
         Fleets, windows, policies and requests may be applied, edited and deleted; the operator \
         reacts.\nCtrl-C ends it. All times UTC.\n"
    );
}

/// Plays the story and goes on after its end; returns only where it cannot.
async fn play(rehearsal: &mut Rehearsal) -> Error {
    let mut known = 0;
    let mut is_told = false;
    loop {
        let is_due = |world: &World, _| !is_told && demo::is_over(world);
        // One look a turn, so that lines come as they are told.
        let next = rehearsal.now() + crate::rehearsal::LOOK_EVERY;
        let ended = rehearsal
            .run_until(is_due, next.min(DateTime::<Utc>::MAX_UTC))
            .await;
        for line in rehearsal.told(known) {
            known += 1;
            println!("{line}");
        }
        match ended {
            Ended::Reached => {
                is_told = true;
                println!("\nThe fleet is current. The API stays until Ctrl-C.\n");
            }
            Ended::TimeUp => {}
            Ended::Killed | Ended::Stopped => return Error::Stopped,
        }
    }
}

/// What ends the demo: Ctrl-C, or the signal that asks a process to end.
struct End {
    interrupt: Signal,
    terminate: Signal,
}

impl End {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the end; returns what it is called.
    async fn come(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// The kubeconfig on disk, removed when dropped.
struct KubeconfigFile {
    path: PathBuf,
}

impl KubeconfigFile {
    fn write(text: &str) -> Result<Self, Error> {
        let name = format!("hotpatch-demo-{}.kubeconfig", std::process::id());
        let path = std::env::temp_dir().join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(Error::Kubeconfig { path, source }),
        }
    }
}

impl Drop for KubeconfigFile {
    fn drop(&mut self) {
        // Where it cannot be removed, it only names an address that is gone.
        let _ = std::fs::remove_file(&self.path);
    }
}
