//! The last look at a machine before it is commanded.
//!
//! Asked with one fresh read of the machine itself, after a plan allowed the command and before
//! its intent is written; whatever the read shows that the plan did not know withdraws the
//! command. Must never allow what the plan did not.

use chrono::{DateTime, TimeDelta, Utc};

use super::enrolment::{CLAIM_TAG, Claim, ClaimIdentity};
use super::evidence::Reading;
use super::machine::{
    ClusterUpdate, Connection, Health, InstallStatus, Machine, MachineKind, Power,
};
use super::run::RunMachine;
use crate::planted::{self, Bug};

/// How old the read may be when the command is sent.
pub const READING_AGE_MAX: TimeDelta = TimeDelta::seconds(60);

/// How far Azure's clock and ours may differ.
pub const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

/// An install that began this long ago may be missing in the inventory without being new: Resource
/// Graph forgets installs after 30 days (azure.md §4, retention), and the machine itself never
/// forgets its last one.
pub const INSTALLS_SHOWN_FOR: TimeDelta = TimeDelta::days(29);

/// Why the command is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Another machine bears its id now.
    Recreated,
    /// It does not run, or nobody knows whether it does.
    NotRunning,
    /// It does not serve, or nobody knows whether it does.
    NotHealthy(String),
    /// Its Arc agent is not connected.
    NotConnected,
    /// The Azure Local cluster under it updates itself, or nobody knows whether it does.
    Cluster(ClusterUpdate),
    /// An operation is on it, by whomever.
    Busy(String),
    /// It shows an install that the inventory does not know yet.
    NewerInstall(String),
    /// Another fleet or another cluster claims it, or its claim cannot be read.
    ClaimedElsewhere,
    /// Azure's clock and ours differ too much to keep a window.
    ClockSkewed(TimeDelta),
}

impl Withdrawn {
    /// Returns the CamelCase reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Recreated => "Recreated",
            Self::NotRunning => "NotRunning",
            Self::NotHealthy(_) => "Unhealthy",
            Self::NotConnected => "NotConnected",
            Self::Cluster(state) => state.hold().map_or("ClusterUnknown", |hold| hold.0),
            Self::Busy(_) => "Busy",
            Self::NewerInstall(_) => "NewerInstall",
            Self::ClaimedElsewhere => "ClaimedElsewhere",
            Self::ClockSkewed(_) => "ClockSkewed",
        }
    }
}

impl std::fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recreated => f.write_str("another machine bears its resource id now"),
            Self::NotRunning => f.write_str("it is not known to run"),
            Self::NotHealthy(why) => write!(f, "it is not healthy: {why}"),
            Self::NotConnected => f.write_str("its Arc agent is not connected"),
            Self::Cluster(state) => f.write_str(state.hold().map_or("", |hold| hold.1)),
            Self::Busy(what) => write!(f, "an operation is on it: {what}"),
            Self::NewerInstall(id) => write!(f, "install {id} is not in the inventory yet"),
            Self::ClaimedElsewhere => f.write_str("another fleet or cluster claims it"),
            Self::ClockSkewed(skew) => {
                write!(
                    f,
                    "Azure's clock and ours differ by {} s",
                    skew.num_seconds()
                )
            }
        }
    }
}

/// Tells whether a machine may still be commanded, given a fresh read of it.
///
/// `seen` is the machine as the plan knew it.
///
/// # Errors
/// The first thing the read shows against it.
pub fn clearance(
    planned: &RunMachine,
    seen: &Machine,
    reading: &Reading,
    own: &ClaimIdentity,
    now: DateTime<Utc>,
) -> Result<(), Withdrawn> {
    if reading.incarnation != planned.incarnation && !planted::is(Bug::WrongIncarnation) {
        return Err(Withdrawn::Recreated);
    }
    if let Some(date) = reading.server_date {
        let skew = (date - now).abs();
        if skew > CLOCK_SKEW_MAX {
            return Err(Withdrawn::ClockSkewed(skew));
        }
    }
    match (planned.kind, reading.connection) {
        (MachineKind::AzureVm, _) if reading.power != Power::Running => {
            return Err(Withdrawn::NotRunning);
        }
        (MachineKind::AzureVm, _) | (_, Some(Connection::Connected)) => {}
        _ => return Err(Withdrawn::NotConnected),
    }
    match &reading.health {
        Health::Healthy => {}
        Health::Unhealthy(why) | Health::Unknown(why) => {
            return Err(Withdrawn::NotHealthy(why.clone()));
        }
    }
    let local = planned.kind == MachineKind::AzureLocalVm;
    if local && reading.cluster_update.hold().is_some() {
        return Err(Withdrawn::Cluster(reading.cluster_update));
    }
    if let Some(what) = &reading.busy {
        return Err(Withdrawn::Busy(what.clone()));
    }
    if let Some(last) = &reading.last_activity {
        if matches!(
            last.status,
            InstallStatus::InProgress | InstallStatus::Unknown
        ) {
            return Err(Withdrawn::Busy(format!("install {}", last.id)));
        }
        let known = seen
            .installs
            .iter()
            .any(|record| record.activity == last.id);
        let forgotten = last.started.is_some_and(|at| now - at > INSTALLS_SHOWN_FOR);
        if !known && !forgotten {
            return Err(Withdrawn::NewerInstall(last.id.clone()));
        }
    }
    match reading.tags.get(CLAIM_TAG).map(str::parse::<Claim>) {
        None => Ok(()),
        Some(Ok(claim)) if claim.identity == *own => Ok(()),
        Some(_) => Err(Withdrawn::ClaimedElsewhere),
    }
}

#[cfg(test)]
mod tests;
