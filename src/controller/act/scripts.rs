//! Deletes the run commands that restarted machines, once they ended: Azure keeps each until
//! somebody does, and 25 on a machine at most (azure.md §1, unverified).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Deeds;
use crate::azure::Cloud;
use crate::controller::Shell;
use crate::controller::lease::Leadership;
use crate::controller::observe::Observed;
use crate::domain::command::RequestId;
use crate::domain::evidence::PollStyle;
use crate::domain::machine::MachineId;
use crate::domain::run::{Progress, Step};

/// How soon a deletion is tried again that was not answered well.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(5);

/// How long a deletion is remembered: longer than any machine is verified.
const REMEMBERED: TimeDelta = TimeDelta::days(1);

/// The deletions of this process. They can be lost: to delete twice does no harm.
pub(super) type Cleared = BTreeMap<RequestId, (DateTime<Utc>, bool)>;

/// Tells whether the script of a machine's command has ended, and left its resource behind.
fn leaves(progress: &Progress) -> Option<&RequestId> {
    let operation = progress.operation.as_ref()?;
    let over = matches!(progress.step, Step::Verifying | Step::Failed);
    (over && operation.style == PollStyle::RunCommand)
        .then_some(progress.request.as_ref())
        .flatten()
}

/// Deletes what ended restarts left behind, while their runs are open.
pub(super) async fn clear(
    shell: &Shell,
    leadership: &Leadership,
    observed: &Observed,
    cleared: &mut Cleared,
    deeds: &mut Deeds,
) {
    let now = shell.clock.now();
    cleared.retain(|_, (at, _)| now - *at < REMEMBERED);
    for (cloud, id, request) in left_behind(observed, cleared, now) {
        if !leadership.may_send() {
            return;
        }
        let done = cloud.clear_restart(&id, &request).await;
        cleared.insert(request, (now, done.is_ok()));
        if let Err(error) = done {
            deeds.unasked(&error, now);
            tracing::info!(machine = %id, %error, "its run command could not be deleted");
        }
    }
}

/// Lists what is to be deleted now, each with the cloud that its run acts with.
fn left_behind(
    observed: &Observed,
    cleared: &Cleared,
    now: DateTime<Utc>,
) -> Vec<(Cloud, MachineId, RequestId)> {
    let rests = |request: &RequestId| {
        let last = cleared.get(request);
        last.is_some_and(|(at, done)| *done || now - *at < AGAIN_AFTER)
    };
    let mut found = Vec::new();
    for (namespace, domain) in &observed.snapshot.domains {
        for run in domain.runs.values().filter(|run| run.is_open()) {
            let Some(cloud) = observed.cloud(namespace, &run.terms.service_account) else {
                continue;
            };
            for (id, progress) in &run.progress {
                if let Some(request) = leaves(progress).filter(|own| !rests(own)) {
                    let machine = run.terms.machines.get(id);
                    let region = machine.map_or("", |own| own.placement.region.as_str());
                    found.push((cloud.in_region(region), id.clone(), request.clone()));
                }
            }
        }
    }
    found
}
