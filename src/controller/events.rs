//! Events, written with the controller's clock, never twice for one transition of one pass.
//!
//! kube's own recorder reads the wall clock and walks its whole cache at each event, so it fits
//! neither a virtual clock nor many objects.

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};

use crate::api::time::to_k8s;
use crate::status::{Happening, HappeningKind};

/// Who reports.
const CONTROLLER: &str = "hotpatch.dev/operator";

/// Writes events.
pub struct Emitter {
    instance: String,
    written: u64,
}

impl Emitter {
    /// Makes an emitter for one process.
    pub fn new(instance: &str) -> Self {
        Self {
            instance: instance.chars().take(128).collect(),
            written: 0,
        }
    }

    /// Writes one event. An event that cannot be written is logged and forgotten: nothing depends
    /// on events.
    pub async fn emit(
        &mut self,
        client: &Client,
        regarding: &ObjectReference,
        namespace: &str,
        happening: Happening,
        now: DateTime<Utc>,
    ) {
        self.written += 1;
        let subject = regarding.name.as_deref().unwrap_or("operator");
        let stem: String = subject.chars().take(200).collect();
        let nanos = now.timestamp_nanos_opt().unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{stem}.{nanos:x}.{:x}", self.written)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some(happening.action.to_owned()),
            event_time: Some(MicroTime(to_k8s(now).0)),
            note: Some(happening.note),
            reason: Some(happening.reason.to_owned()),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(
                match happening.kind {
                    HappeningKind::Normal => "Normal",
                    HappeningKind::Warning => "Warning",
                }
                .to_owned(),
            ),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(client.clone(), namespace);
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::info!(%subject, %error, "an event could not be written");
        }
    }
}
