//! Tells of deleted fleets whose settings do not go back by themselves.

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::ObjectReference;

use crate::controller::Shell;
use crate::controller::events::Emitter;
use crate::controller::observe::GivenUp;
use crate::status;

/// Tells by log, metric and event what was given up, and what to do by hand. (writes)
pub async fn departures(
    shell: &Shell,
    events: &mut Emitter,
    cluster_uid: &str,
    given_up: Vec<GivenUp>,
    now: DateTime<Utc>,
) {
    for GivenUp { fleet, uid, why } in given_up {
        tracing::warn!(%fleet, uid, why, "the settings of a deleted fleet stay as they are");
        shell.telemetry.command("restore", "given-up");
        let reference = ObjectReference {
            api_version: Some("hotpatch.dev/v1alpha1".to_owned()),
            kind: Some("HotpatchFleet".to_owned()),
            name: Some(fleet.name.clone()),
            namespace: Some(fleet.namespace.clone()),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        };
        let happening = status::not_restored(cluster_uid, &uid, &why);
        let namespace = &fleet.namespace;
        events
            .emit(&shell.kube, &reference, namespace, happening, now)
            .await;
    }
}
