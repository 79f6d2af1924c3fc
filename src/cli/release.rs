//! `release`: puts back the settings that machines had before a fleet changed them.
//!
//! Needs no cluster: what stood before is in the claim tag of each machine. Writes nothing without
//! a person's `--yes`, and never touches a machine that another cluster claims.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};

use super::run;
use crate::azure::transport::{HttpsTransport, Roots};
use crate::azure::{Cloud, Endpoint, Error as AzureError, Inventory, Scope};
use crate::controller::clock::Clock;
use crate::domain::enrolment::{Change, Wanted, let_go};
use crate::domain::machine::{MachineId, MachineKind};

/// How often a reading may be told to wait: Resource Graph gives 15 queries in 5 s, so that this
/// is enough for a million rows.
const WAITS_MAX: usize = 100;

/// Which machines are let go.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
#[command(group = ArgGroup::new("scope").required(true).multiple(true))]
pub struct Options {
    /// The uid of the cluster whose claims are given up: `kubectl get namespace kube-system -o
    /// jsonpath={.metadata.uid}`. A machine that another cluster claims is left alone.
    #[arg(long)]
    cluster_uid: String,
    /// Lets go of all machines that the fleet with this uid claims. While that fleet exists in
    /// mode Enrol or Enforce, the operator takes them again: delete it, or set mode Observe.
    #[arg(long, group = "which")]
    fleet_uid: Option<String>,
    /// Lets go of the machine with this Azure resource id; may be given several times.
    #[arg(long, group = "which")]
    machine: Vec<String>,
    /// A subscription to look in; may be given several times.
    #[arg(long, group = "scope")]
    subscription: Vec<String>,
    /// A management group to look in; may be given several times.
    #[arg(long, group = "scope")]
    management_group: Vec<String>,
    /// A file with a bearer token for the Azure Resource Manager endpoint.
    #[arg(long)]
    token_file: PathBuf,
    /// The Azure Resource Manager endpoint.
    #[arg(long, default_value = Endpoint::PUBLIC)]
    arm_endpoint: String,
    /// A file with certificates (PEM) to trust for that endpoint, instead of the system's.
    #[arg(long)]
    arm_ca_file: Option<PathBuf>,
    /// Writes. Left out: only says what would be written.
    #[arg(long)]
    yes: bool,
}

/// What became of the machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// One line a machine, and one that counts.
    pub text: String,
    /// Machines whose settings went back, or would.
    pub changed: usize,
    /// Machines that stay as they are.
    pub kept: usize,
    /// Machines whose settings could not be written.
    pub failed: usize,
}

/// Why nothing could be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0} is no resource id of a machine")]
    Machine(String),
    #[error("cannot reach Azure: {0}")]
    Reach(String),
    #[error("the machines cannot be read: {0}")]
    Read(#[from] AzureError),
    #[error(transparent)]
    Token(#[from] run::Error),
}

/// Runs the verb: exit code 1 where something stays that was asked for.
pub fn main(options: &Options) -> ExitCode {
    on_runtime(async {
        let released = work(options).await.map_err(|error| error.to_string())?;
        print!("{}", released.text);
        Ok(if released.kept + released.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    })
}

/// Runs a verb that speaks to Azure over HTTPS.
pub(super) fn on_runtime(work: impl Future<Output = Result<ExitCode, String>>) -> ExitCode {
    // Only one provider is ever installed here; a second try finds the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

async fn work(options: &Options) -> Result<Released, Error> {
    let parse = |id: &String| MachineId::parse(id).map_err(|_| Error::Machine(id.clone()));
    let wanted = Wanted {
        cluster: options.cluster_uid.clone(),
        fleet: options.fleet_uid.clone(),
        machines: options
            .machine
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()?,
    };
    let mut subscriptions: Vec<String> = options
        .subscription
        .iter()
        .map(|own| own.to_ascii_lowercase())
        .collect();
    subscriptions.sort();
    let mut management_groups = options.management_group.clone();
    management_groups.sort();
    let scope = Scope {
        subscriptions,
        management_groups,
    };
    let cloud = reach(
        &options.token_file,
        &options.arm_endpoint,
        options.arm_ca_file.as_deref(),
    )?;
    let now = Clock::Wall.now();
    Ok(release(&cloud, &scope, &wanted, options.yes, now).await?)
}

/// Makes the cloud that a token file's identity sees at an endpoint.
pub(super) fn reach(
    token_file: &Path,
    arm_endpoint: &str,
    arm_ca_file: Option<&Path>,
) -> Result<Cloud, Error> {
    let bad = |error: &dyn std::fmt::Display| Error::Reach(error.to_string());
    let endpoint = Endpoint::parse(arm_endpoint).map_err(|error| bad(&error))?;
    let trusted = match arm_ca_file {
        None => None,
        Some(path) => Some(std::fs::read(path).map_err(|error| bad(&error))?),
    };
    let roots = trusted.as_deref().map_or(Roots::System, Roots::Only);
    let transport = HttpsTransport::new(roots).map_err(|error| bad(&error))?;
    let token = run::token(token_file)?;
    Ok(Cloud::new(Arc::new(transport), endpoint, token))
}

/// Lets go of the machines that are wanted; without `acts` only says what it would write.
///
/// # Errors
/// [`AzureError`] where the machines cannot be read; a write that fails is told in the result.
pub async fn release(
    cloud: &Cloud,
    scope: &Scope,
    wanted: &Wanted,
    acts: bool,
    now: DateTime<Utc>,
) -> Result<Released, AzureError> {
    let inventory = inventory(cloud, scope, now).await?;
    let found = inventory.machines.iter().map(AsRef::as_ref);
    let mut released = Released::default();
    for (id, verdict) in let_go(found, wanted) {
        let kind = inventory.machines.iter().find(|own| own.id == id);
        let line = match (verdict, kind.map(|own| own.kind)) {
            (Ok(change), Some(kind)) => {
                let written = written(cloud, &change, kind, acts).await;
                match written {
                    Ok(line) => {
                        released.changed += 1;
                        line
                    }
                    Err(error) => {
                        released.failed += 1;
                        format!("could not be written: {error}")
                    }
                }
            }
            (Ok(_), None) => continue,
            (Err(kept), _) => {
                released.kept += 1;
                format!("stays as it is: {kept}")
            }
        };
        let _ = writeln!(released.text, "{id}: {line}");
    }
    let Released {
        changed,
        kept,
        failed,
        ..
    } = released;
    let does = if acts {
        "let go"
    } else {
        "would be let go (--yes writes)"
    };
    let _ = writeln!(
        released.text,
        "{changed} {does}, {kept} stay as they are, {failed} could not be written"
    );
    Ok(released)
}

async fn written(
    cloud: &Cloud,
    change: &Change,
    kind: MachineKind,
    acts: bool,
) -> Result<String, AzureError> {
    let text = said(change);
    if !acts {
        return Ok(format!("would write {text}"));
    }
    cloud.change(change, kind).await?;
    Ok(format!("wrote {text}"))
}

/// Says what a change writes.
fn said(change: &Change) -> String {
    let settings = &change.settings;
    let mut parts = Vec::new();
    if let Some(mode) = settings.patch_mode {
        parts.push(format!("patchMode {mode:?}"));
    }
    if let Some(on) = settings.periodic_assessment {
        parts.push(format!("periodic assessment {on}"));
    }
    if let Some(on) = settings.hotpatch {
        parts.push(format!("enableHotpatching {on}"));
    }
    if let Some(reboot) = settings.reboot {
        parts.push(format!("rebootSetting {reboot:?}"));
    }
    if let Some(on) = change.licence {
        parts.push(format!("licence feature Hotpatch {on}"));
    }
    parts.push("no claim".to_owned());
    parts.join(", ")
}

/// Reads the machines, waiting where Resource Graph says so.
pub(super) async fn inventory(
    cloud: &Cloud,
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Inventory, AzureError> {
    for _ in 0..WAITS_MAX {
        match cloud.inventory(scope, now).await {
            Err(AzureError::Throttled { until_seconds, .. }) => {
                tokio::time::sleep(Duration::from_secs(until_seconds)).await;
            }
            other => return other,
        }
    }
    cloud.inventory(scope, now).await
}
