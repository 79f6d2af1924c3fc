//! `azure-sim serve`: the emulator by HTTPS on the loopback interface.

mod clock;
mod place;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use azure_sim::serve::{CallerClock, Certificate, Listen, Served};
use azure_sim::switchboard::Rule;
use azure_sim::{Assumptions, AzureSim, Buckets, Clock, Options};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How far beyond its beginning the emulator invents monthly releases.
const INVENTED_AHEAD: TimeDelta = TimeDelta::days(400);

/// An emulator of the parts of Azure that patch Windows servers.
#[derive(Debug, Parser)]
#[command(name = "azure-sim", version)]
struct CommandLine {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serves an emulated Azure by HTTPS on the loopback interface, until Ctrl-C
    Serve(Serve),
}

/// Whose time passes in the emulated Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Time {
    /// This machine's, `--speed` times as fast, from `--from` on
    Own,
    /// The newest `Date` of a request, from `--from` on
    Callers,
}

#[derive(Debug, Args)]
struct Serve {
    /// Port of 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// File to write the certificate to that clients are to trust, in PEM
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many machines there are
    #[arg(long, default_value_t = 100)]
    machines: usize,
    /// The day up to which the machines are patched [default: 60 days before --from]
    #[arg(long, value_name = "DATE")]
    patched: Option<NaiveDate>,
    /// Whose time passes
    #[arg(long, value_enum, default_value = "own")]
    clock: Time,
    /// When it begins, by RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// How many times as fast its own time passes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    speed: u32,
    /// Seconds that clients are asked to wait between two polls
    #[arg(long, default_value_t = 15)]
    poll_after: u32,
    /// Lets calls pass beyond Azure's limits
    #[arg(long)]
    no_buckets: bool,
    /// Share of the limits that somebody else uses up, in percent
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=90))]
    foreign_percent: u8,
    /// A switch for an unverified fact about Azure; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    assume: Vec<String>,
    /// A fault: NAME[=VALUE][,KEY=VALUE]...; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Rule>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Assumption(#[from] azure_sim::assumptions::AssumptionError),
    #[error(transparent)]
    Fault(#[from] azure_sim::switchboard::RuleError),
    #[error(transparent)]
    Certificate(#[from] azure_sim::serve::CertificateError),
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot serve on 127.0.0.1:{port}: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error("cannot wait for signals: {0}")]
    Signal(std::io::Error),
}

fn main() -> ExitCode {
    let Verb::Serve(options) = CommandLine::parse().verb;
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (Error::Assumption(_) | Error::Fault(_))) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Serve) -> Result<(), Error> {
    let mut assumptions = Assumptions::default();
    for text in &options.assume {
        assumptions.set(text)?;
    }
    let from = options.from.unwrap_or_else(clock::wall);
    let signals = Signals::take().map_err(Error::Signal)?;
    let certificate = Certificate::make()?;
    let mut listen = Listen::default().on_port(options.port);
    let clock: Clock = match options.clock {
        Time::Own => clock::running(from, options.speed),
        Time::Callers => {
            let clock = CallerClock::starting_at(from);
            listen = listen.following(clock.clone());
            clock.as_clock()
        }
    };
    let patched = options.patched;
    let patched = patched.unwrap_or_else(|| (from - TimeDelta::days(60)).date_naive());
    let sim = world(&options, from, assumptions, clock);
    place::machines(&sim, options.machines, patched);
    for rule in options.fault {
        sim.switchboard().set(rule)?;
    }
    let path = options.certificate;
    std::fs::write(&path, certificate.authority_pem()).map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })?;
    let port = options.port;
    let served = Served::start_as(sim, listen.with_certificate(certificate))
        .map_err(|source| Error::Listen { port, source })?;
    let said = format!(
        "azure-sim serves {}\ntrust {}\n",
        served.endpoint(),
        path.display()
    );
    // Whoever reads only the first line is served all the same.
    let _ = std::io::stdout().write_all(said.as_bytes());
    signals.wait();
    Ok(())
}

/// Makes the emulated Azure.
fn world(options: &Serve, from: DateTime<Utc>, assumptions: Assumptions, clock: Clock) -> AzureSim {
    let mut own = Options {
        seed: options.seed,
        assumptions,
        invent_releases_through: Some((from + INVENTED_AHEAD).date_naive()),
        buckets: Buckets {
            enforced: !options.no_buckets,
            foreign_percent: options.foreign_percent,
        },
        ..Options::default()
    };
    own.timings.poll_after_seconds = options.poll_after;
    AzureSim::new(clock, own)
}

/// What tells the program to end: Ctrl-C or SIGTERM.
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes the signals from now on.
    fn take() -> Result<Self, std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (interrupt, terminate) = {
            let _entered = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        Ok(Self {
            runtime,
            interrupt,
            terminate,
        })
    }

    /// Waits for one.
    fn wait(mut self) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        });
    }
}
