//! Takes the runs over, as a new leader must before it does anything: read past all caches, and
//! each marked with the leader's epoch, so that a write by an earlier leader meets a conflict.
//!
//! Works on what is stored, not on what is understood of it: a run that this version cannot read
//! is fenced like any other.

use kube::api::{Api, DynamicObject, ListParams, PostParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::api::HotpatchRun;
use crate::controller::Shell;
use crate::controller::mirror::version;
use crate::controller::observe::Mirrors;
use crate::planted::{self, Bug};
use crate::validate;

/// How often one run is read and written again after a conflict.
const RAISE_TRIES_MAX: usize = 5;

/// A page of runs.
const PAGE: u32 = 250;

/// A run as it is stored, which may have been damaged.
pub struct Stored(DynamicObject);

impl Stored {
    /// Returns the epoch in its status; none where there is none, or it is no number.
    pub fn epoch(&self) -> Option<i64> {
        self.0.data.pointer("/status/epoch")?.as_i64()
    }

    /// Tells whether anybody may still send from it: it is not known to have ended.
    fn is_open(&self) -> bool {
        let value = serde_json::to_value(&self.0).unwrap_or_default();
        let read = serde_json::from_value::<HotpatchRun>(value).ok();
        let run = read.and_then(|object| validate::run(&object).ok());
        run.is_none_or(|run| run.is_open())
    }
}

fn api(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<HotpatchRun>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Reads every run from the API server. From here on nothing older may be decided from.
///
/// # Errors
/// The API server's.
pub async fn fence(shell: &Shell, mirrors: &Mirrors) -> Result<Vec<Stored>, kube::Error> {
    let api = api(&shell.kube, shell.settings.watched.as_deref());
    let mut all = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        all.extend(page.items.into_iter().map(Stored));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
            None => break,
        }
    }
    let versions = all.iter().map(|own| version(own.0.resource_version()));
    mirrors.runs.read_version(versions.max().unwrap_or(0));
    Ok(all)
}

/// Writes the leader's epoch into every run that has not ended, by compare-and-swap.
///
/// # Errors
/// The first write that fails otherwise than by a conflict, and a run that a later leader owns: the
/// new leader must begin again. A run that the API server accepts no status of any more is left:
/// nobody can write an intent into it.
pub async fn raise_epochs(
    client: &Client,
    mirrors: &Mirrors,
    found: Vec<Stored>,
    epoch: i64,
) -> Result<(), kube::Error> {
    for own in found {
        raise(client, mirrors, own, epoch).await?;
    }
    Ok(())
}

async fn raise(
    client: &Client,
    mirrors: &Mirrors,
    mut own: Stored,
    epoch: i64,
) -> Result<(), kube::Error> {
    let api = api(client, Some(&own.0.namespace().unwrap_or_default()));
    let name = own.0.name_any();
    let mut tries = 0;
    loop {
        let is_raised = own.epoch() == Some(epoch) || planted::is(Bug::ForgetEpochs);
        if is_raised || !own.is_open() {
            return Ok(());
        }
        let Some(fields) = own.0.data.as_object_mut() else {
            return Ok(());
        };
        let status = fields.entry("status").or_insert_with(|| json!({}));
        match status.as_object_mut() {
            Some(status) => drop(status.insert("epoch".to_owned(), json!(epoch))),
            None => *status = json!({"epoch": epoch}),
        }
        tries += 1;
        let params = PostParams::default();
        match api.replace_status(&name, &params, &own.0).await {
            Ok(stored) => {
                mirrors
                    .runs
                    .wrote_version(version(stored.resource_version()));
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.is_invalid() => {
                tracing::error!(run = %name, %status, "no status of this run is accepted");
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < RAISE_TRIES_MAX => {
                let Some(again) = api.get_opt(&name).await?.map(Stored) else {
                    return Ok(());
                };
                // We were slow, and somebody leads after us: what is theirs is not taken back.
                if again.epoch() > Some(epoch) {
                    return Err(kube::Error::Api(status));
                }
                own = again;
            }
            Err(error) => return Err(error),
        }
    }
}
