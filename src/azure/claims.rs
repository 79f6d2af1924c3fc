//! The claim in a machine's tags, as the machine itself bears it. Must never write over another's.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use super::act::{path, version};
use super::arm::{Arm, Reply};
use super::error::Error;
use super::wire::arc::ArcMachine;
use crate::domain::enrolment::{CLAIM_TAG, Change, Claim, TagChange};
use crate::domain::machine::MachineKind;

/// Removes a claim that is still there after a PATCH without it. The documents leave open whether
/// tags in a PATCH replace all tags or are merged into them; where they are merged, null removes
/// one, and where they replace, this is never reached.
pub(super) async fn remove_left(
    arm: &Arm,
    what: &str,
    path: &str,
    reply: &Reply,
) -> Result<(), Error> {
    let found: ArcMachine = match reply.json(what) {
        Ok(machine) => machine,
        // An accepted PATCH need not answer with the machine.
        Err(_) => arm.get(what, path).await?.json(what)?,
    };
    let left = found.tags.unwrap_or_default();
    let Some(name) = left
        .keys()
        .find(|name| name.eq_ignore_ascii_case(CLAIM_TAG))
    else {
        return Ok(());
    };
    let mut tags: Map<String, Value> = left
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    tags.insert(name.clone(), Value::Null);
    let body = json!({"tags": tags});
    arm.write(what, Method::PATCH, path, found.etag.as_deref(), &body)
        .await
        .map(|_| ())
}

/// Tells whether the machine itself still bears the claim that a change lets go of.
pub(super) async fn is_claimed(
    arm: &Arm,
    what: &str,
    change: &Change,
    kind: MachineKind,
) -> Result<bool, Error> {
    let path = path(what, &change.machine)?;
    let path = format!("{path}?api-version={}", version(kind));
    let found: ArcMachine = arm.get(what, &path).await?.json(what)?;
    let found = found.tags.unwrap_or_default();
    claimed_elsewhere(what, &found, change)?;
    Ok(bears_claim(&found))
}

/// Tells whether there is a claim among tags, whoever's it is.
pub(super) fn bears_claim(tags: &BTreeMap<String, String>) -> bool {
    tags.keys().any(|name| name.eq_ignore_ascii_case(CLAIM_TAG))
}

/// Refuses to write our claim over another's that was made since the inventory was read, and to
/// remove another's.
pub(super) fn claimed_elsewhere(
    what: &str,
    found: &BTreeMap<String, String>,
    change: &Change,
) -> Result<(), Error> {
    let own = match &change.tag {
        TagChange::Keep => return Ok(()),
        TagChange::Remove if change.replaces.is_none() => return Ok(()),
        TagChange::Remove => None,
        TagChange::Set(text) => match text.parse::<Claim>() {
            Ok(own) => Some(own.identity),
            Err(_) => return Ok(()),
        },
    };
    let known = [own.as_ref(), change.replaces.as_ref()];
    let mut claims = found
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(CLAIM_TAG))
        .map(|(_, text)| text.parse::<Claim>());
    if claims.all(|claim| claim.is_ok_and(|claim| known.contains(&Some(&claim.identity)))) {
        return Ok(());
    }
    Err(Error::Conflict {
        what: what.to_owned(),
        code: "ClaimedElsewhere".to_owned(),
        message: "somebody else claimed the machine meanwhile".to_owned(),
    })
}

pub(super) fn tags(
    mut tags: BTreeMap<String, String>,
    change: &TagChange,
) -> BTreeMap<String, String> {
    tags.retain(|name, _| !name.eq_ignore_ascii_case(CLAIM_TAG));
    if let TagChange::Set(text) = change {
        tags.insert(CLAIM_TAG.to_owned(), text.clone());
    }
    tags
}
