//! Answers what is asked of locations, Resource Health and the Activity Log.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::activity::ActivityEvent;
use crate::http::Answer;
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::regions::{Region, regions};
use crate::shapes::instant;
use crate::world::World;

/// Events on one page of the Activity Log.
const PAGE: usize = 200;

/// Lists regions as one subscription sees them (api-version 2022-12-01).
pub(crate) fn locations(world: &World, call: &Call, sub: &str) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let rows: Vec<Value> = regions()
        .iter()
        .map(|region| location(world, sub, region))
        .collect();
    Ok(Reply::ok(json!({"value": rows})))
}

fn location(world: &World, sub: &str, region: &Region) -> Value {
    let id = format!("/subscriptions/{sub}/locations/{}", region.name);
    let paired: Vec<Value> = region
        .paired
        .iter()
        .map(|name| json!({"name": name, "id": format!("/subscriptions/{sub}/locations/{name}")}))
        .collect();
    let mut out = json!({
        "id": id,
        "name": region.name,
        "type": "Region",
        "displayName": region.display_name,
        "regionalDisplayName": format!("({}) {}", region.geography, region.display_name),
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geography": region.geography,
            "geographyGroup": region.cloud,
            "pairedRegion": paired,
        },
    });
    if region.zones {
        let physical = physical_zones(world, sub, &region.name);
        let mappings: Vec<Value> = (1..=3)
            .zip(physical)
            .map(|(logical, physical)| {
                json!({
                    "logicalZone": logical.to_string(),
                    "physicalZone": format!("{}-az{physical}", region.name),
                })
            })
            .collect();
        out["availabilityZoneMappings"] = json!(mappings);
    }
    out
}

/// Physical zones behind logical ones differ per subscription; the seed turns them.
fn physical_zones(world: &World, sub: &str, region: &str) -> [u8; 3] {
    let key = (sub.to_lowercase(), region.to_owned());
    if let Some(found) = world.zones.get(&key) {
        return *found;
    }
    let turn = world.own_rng(sub, &format!("zones/{region}")).u8(0..3);
    [turn % 3 + 1, (turn + 1) % 3 + 1, (turn + 2) % 3 + 1]
}

/// Shows the availability of a machine.
pub(crate) fn health(world: &World, call: &Call, key: &str) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let machine = world.machines.get(key);
    let body = machine.map(|found| crate::shapes::health::current(found, world.now));
    Ok(Reply::ok(body.unwrap_or_default()))
}

/// Lists the Activity Log of a subscription by a filter.
pub(crate) fn activity_log(world: &World, call: &Call, sub: &str) -> Answer {
    if call.method != "GET" {
        return Err(ArmError::method_not_allowed());
    }
    let filter = Filter::parse(call.query("$filter").unwrap_or_default())?;
    let delay = TimeDelta::minutes(world.options.assumptions.activity_log_delay_minutes.into());
    let prefix = format!("/subscriptions/{sub}/");
    let skip: usize = call
        .query("$skiptoken")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let found: Vec<&ActivityEvent> = world
        .activity
        .events
        .iter()
        .rev()
        .filter(|event| event.at + delay <= world.now)
        .filter(|event| event.resource_id.to_lowercase().starts_with(&prefix))
        .filter(|event| filter.matches(event))
        .collect();
    let rows: Vec<Value> = found
        .iter()
        .skip(skip)
        .take(PAGE)
        .map(|event| write_event(event, sub, delay))
        .collect();
    let mut body = json!({"value": rows});
    if found.len() > skip + PAGE {
        let text = call
            .query("$filter")
            .unwrap_or_default()
            .replace(' ', "%20");
        body["nextLink"] = json!(format!(
            "{}/subscriptions/{sub}/providers/Microsoft.Insights/eventtypes/management/\
             values?api-version={}&$filter={text}&$skiptoken={}",
            call.origin,
            call.api_version(),
            skip + PAGE
        ));
    }
    Ok(Reply::ok(body))
}

fn write_event(event: &ActivityEvent, sub: &str, delay: TimeDelta) -> Value {
    let id = Uuid::new_v5(
        &Uuid::NAMESPACE_OID,
        format!("{sub}/{}", event.id).as_bytes(),
    );
    json!({
        "id": format!("{}/events/{id}/ticks/{}", event.resource_id, event.at.timestamp_millis()),
        "eventDataId": id.to_string(),
        "correlationId": event.correlation,
        "operationId": event.correlation,
        "resourceId": event.resource_id,
        "subscriptionId": sub,
        "caller": event.caller,
        "claims": {"appid": event.caller, "name": event.caller},
        "operationName": {"value": event.operation, "localizedValue": event.operation},
        "status": {"value": event.status, "localizedValue": event.status},
        "subStatus": {"value": event.http_status.to_string(), "localizedValue": ""},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "level": if event.status == "Failed" { "Error" } else { "Informational" },
        "eventTimestamp": instant(event.at),
        "submissionTimestamp": instant(event.at + delay),
        "httpRequest": {
            "clientRequestId": event.client_request_id,
            "clientIpAddress": "192.0.2.10",
            "method": event.method,
        },
    })
}

/// The filter of an Activity Log query: conditions joined by `and`.
#[derive(Default)]
struct Filter {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    resource: Option<String>,
    group: Option<String>,
    correlation: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, ArmError> {
        let mut out = Self::default();
        for condition in text
            .split(" and ")
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let refuse = || {
                ArmError::new(400, "BadRequest").saying(format!(
                    "The filter condition '{condition}' is not supported."
                ))
            };
            let mut words = condition.splitn(3, ' ');
            let (name, operator, value) = (
                words.next(),
                words.next(),
                words.next().map(|v| v.trim().trim_matches('\'')),
            );
            let (Some(name), Some(operator), Some(value)) = (name, operator, value) else {
                return Err(refuse());
            };
            let instant = || {
                DateTime::parse_from_rfc3339(value)
                    .map(|at| at.to_utc())
                    .map_err(|_| refuse())
            };
            match (name.to_lowercase().as_str(), operator) {
                ("eventtimestamp", "ge") => out.from = Some(instant()?),
                ("eventtimestamp", "le") => out.to = Some(instant()?),
                ("resourceuri" | "resourceid", "eq") => out.resource = Some(value.to_lowercase()),
                ("resourcegroupname", "eq") => out.group = Some(value.to_lowercase()),
                ("correlationid", "eq") => out.correlation = Some(value.to_owned()),
                ("eventchannels" | "resourceprovider", "eq") => {}
                _ => return Err(refuse()),
            }
        }
        if out.from.is_none() {
            return Err(ArmError::new(400, "BadRequest")
                .saying("The filter must name the start of the time range, eventTimestamp ge."));
        }
        Ok(out)
    }

    fn matches(&self, event: &ActivityEvent) -> bool {
        let id = event.resource_id.to_lowercase();
        let group = |name: &String| id.contains(&format!("/resourcegroups/{name}/"));
        self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at <= to)
            && self.resource.as_ref().is_none_or(|wanted| id == *wanted)
            && self.group.as_ref().is_none_or(group)
            && self
                .correlation
                .as_ref()
                .is_none_or(|wanted| event.correlation == *wanted)
    }
}
