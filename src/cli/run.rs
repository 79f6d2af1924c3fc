//! `run`: the controller against any kubeconfig and any ARM endpoint.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::identity;
use crate::azure::Token;
use crate::azure::endpoint::is_this_machine;
use crate::controller::audit::{Audit, Lines};
use crate::controller::clock::Clock;
use crate::controller::lease::{Tenure, TenureError};
use crate::controller::witness::Unwatched;
use crate::controller::{Settings, Shell, run};
use crate::domain::duration;
use crate::rehearsal::leap::Leap;
use crate::telemetry::{MeteredKube, Telemetry, serve};

/// The longest token that is read from a file.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// How the controller runs.
#[derive(Debug, Args)]
pub struct Options {
    /// The kubeconfig file. Left out: $KUBECONFIG, ~/.kube/config, or the cluster it runs in.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context.
    #[arg(long)]
    context: Option<String>,
    /// The operator's own namespace: its lease and its ConfigMap of releases are there.
    #[arg(long, default_value = "hotpatch-system")]
    namespace: String,
    #[command(flatten)]
    identity: identity::IdentityOptions,
    /// Where audit lines go: a file that is appended to, or `-` for standard output.
    #[arg(long, default_value = "-")]
    audit_log: String,
    /// The one namespace whose fleets are looked after. Left out: all namespaces.
    #[arg(long)]
    watch_namespace: Option<String>,
    /// How long leadership holds without a renewal, from 45s to 60m. Commands stop 35 s before.
    #[arg(long, default_value = "60s")]
    lease_duration: String,
    /// How often leadership is renewed: at least twice before it runs out.
    #[arg(long, default_value = "15s")]
    lease_renew_every: String,
    /// Where /livez, /readyz and /metrics are served, such as 0.0.0.0:8080. Left out: nowhere.
    #[arg(long)]
    telemetry_address: Option<SocketAddr>,
    /// Shows requestedBy of a HotpatchRequest as a fact: an admission policy of this cluster
    /// ensures that it is the user who asks. The Helm chart ships that policy.
    #[arg(long)]
    requested_by_is_enforced: bool,
    /// Lets the operator run scripts in guests, as SYSTEM: what restarts an Arc server whose
    /// install left its reboot owed, and what asks machines that get no hotpatches whether
    /// virtualization-based security runs. Needs the role of roles/hotpatch-run-command.json.
    #[arg(long)]
    allow_run_commands: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// For tests: lives by a virtual clock that shows this instant at the start and leaps over
    /// idle time. Refused unless the cluster and the endpoint are both on this machine.
    #[arg(long, value_name = "INSTANT")]
    virtual_from: Option<DateTime<Utc>>,
    /// How many virtual seconds may pass in a real one.
    #[arg(long, requires = "virtual_from", default_value_t = 14_400)]
    virtual_speed: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Why the controller does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("{0} does not hold a token")]
    Token(String),
    #[error("cannot open the audit log {path}: {source}")]
    AuditLog {
        path: String,
        source: std::io::Error,
    },
    #[error("cannot use the kubeconfig: {0}")]
    Kubeconfig(String),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error("{option}: {why}")]
    Option { option: &'static str, why: String },
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("--virtual-from is for tests: {0} is not on this machine")]
    NotHere(String),
    #[error(transparent)]
    Controller(#[from] crate::controller::Error),
}

/// Runs the controller until SIGTERM or Ctrl-C.
pub fn main(options: Options) -> ExitCode {
    start_logs(options.log_format);
    // Both kube and the ARM client speak TLS; they must agree on who does the arithmetic.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("another TLS provider is installed in this process");
        return ExitCode::FAILURE;
    }
    let runtime = match options.virtual_from {
        None => Builder::new_multi_thread().enable_all().build(),
        Some(_) => Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build(),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(control(options));
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start_logs(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

async fn control(options: Options) -> Result<(), Error> {
    let tenure = tenure(&options)?;
    let telemetry = Telemetry::default();
    let listener = match options.telemetry_address {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let clock = options.virtual_from.map_or(Clock::Wall, Clock::starting_at);
    let leap = match options.virtual_from {
        None => None,
        Some(_) => Some(Leap::new(clock.clone(), options.virtual_speed)),
    };
    let kube = client(&options, leap.as_ref(), &telemetry).await?;
    let clouds = identity::clouds(
        &options.identity,
        &kube,
        clock.as_fn(),
        leap.as_ref(),
        &telemetry,
    )?;
    if let Some(leap) = leap {
        tokio::spawn(leap.drive());
    }
    let started = clock.now().timestamp_millis();
    let shell = Shell {
        witness: Arc::new(Unwatched),
        kube,
        clouds,
        audit: audit(&options.audit_log)?,
        settings: Settings {
            // Another name for every life of the process: a lease held by an earlier life is
            // another's, and what that life sent may still be on its way.
            holder: format!("{}-{}-{started}", hostname(), std::process::id()),
            namespace: options.namespace.clone(),
            tenure,
            watched: options.watch_namespace.clone(),
            requested_by_is_enforced: options.requested_by_is_enforced,
            run_commands: options.allow_run_commands,
        },
        telemetry: telemetry.clone(),
        clock,
    };
    match listener {
        None => run(shell, shutdown()).await?,
        Some(listener) => tokio::select! {
            ended = run(shell, shutdown()) => ended?,
            () = serve(listener, telemetry) => {}
        },
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let wrong = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    tracing::info!(%address, "serving /livez, /readyz and /metrics");
    Ok(listener)
}

fn tenure(options: &Options) -> Result<Tenure, Error> {
    let lease = lease_option("--lease-duration", &options.lease_duration)?;
    let renew_every = lease_option("--lease-renew-every", &options.lease_renew_every)?;
    Tenure::new(lease, renew_every).map_err(|error| {
        let option = match error {
            TenureError::Duration(_) => "--lease-duration",
            TenureError::RenewEvery(_) => "--lease-renew-every",
        };
        let why = error.to_string();
        Error::Option { option, why }
    })
}

fn lease_option(option: &'static str, text: &str) -> Result<Duration, Error> {
    let wrong = |why: String| Error::Option { option, why };
    let parsed = duration::parse(text).map_err(|error| wrong(error.to_string()))?;
    parsed.to_std().map_err(|error| wrong(error.to_string()))
}

async fn client(
    options: &Options,
    leap: Option<&Leap>,
    telemetry: &Telemetry,
) -> Result<Client, Error> {
    let bad = |error: &dyn std::fmt::Display| Error::Kubeconfig(error.to_string());
    let mut config = match &options.kubeconfig {
        None if options.context.is_none() => Config::infer().await.map_err(|error| bad(&error))?,
        path => {
            let file = match path {
                Some(path) => Kubeconfig::read_from(path),
                None => Kubeconfig::read(),
            }
            .map_err(|error| bad(&error))?;
            let choice = KubeConfigOptions {
                context: options.context.clone(),
                ..KubeConfigOptions::default()
            };
            Config::from_custom_kubeconfig(file, &choice)
                .await
                .map_err(|error| bad(&error))?
        }
    };
    // What is asked again, and when, is the controller's to decide: a wait hidden inside a call
    // could outlast the lease under which it was begun.
    config.default_retry = false;
    let metered = tower::layer::layer_fn(|inner| MeteredKube::new(inner, telemetry.clone()));
    let host = config.cluster_url.host().unwrap_or_default().to_owned();
    let builder = ClientBuilder::try_from(config).map_err(|error| bad(&error))?;
    let builder = builder.with_layer(&metered);
    let Some(leap) = leap else {
        return Ok(builder.build());
    };
    if !is_this_machine(&host) {
        return Err(Error::NotHere(format!("the cluster {host}")));
    }
    Ok(builder.with_layer(leap).build())
}

/// Reads a token from a file.
pub(super) fn token(path: &Path) -> Result<Token, Error> {
    let source = |source| Error::Read {
        path: path.display().to_string(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(source)?;
    let none = || Error::Token(path.display().to_string());
    if text.len() > TOKEN_BYTES_MAX {
        return Err(none());
    }
    Token::new(text.trim()).map_err(|_| none())
}

fn audit(path: &str) -> Result<Arc<dyn Audit>, Error> {
    if path == "-" {
        return Ok(Arc::new(Lines::new(std::io::stdout())));
    }
    let source = |source| Error::AuditLog {
        path: path.to_owned(),
        source,
    };
    let file: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(source)?;
    Ok(Arc::new(Lines::new(file)))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "operator".to_owned()
    } else {
        name.to_owned()
    }
}

async fn shutdown() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be caught");
            let _ = interrupted.await;
        }
    }
}
