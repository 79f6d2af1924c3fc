//! Runs maintenance configurations of guest scope (azure.md 5) on the machines they are assigned
//! to. Times are taken as UTC whatever zone is named, and recurrences in days and weeks come due;
//! one in months is stored and never does.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::effects::Actor;
use crate::job::{InstallRequest, Work};
use crate::machine::{Machine, Power};
use crate::patches::RebootSetting;
use crate::world::{Event, World};

/// Days looked ahead for the next time at most.
const AHEAD_DAYS: i64 = 400;

impl World {
    /// Stores a maintenance configuration and lets it come due; gives its body.
    pub(crate) fn put_schedule(&mut self, id: &str, body: &Value) -> Value {
        let mut properties = body["properties"].clone();
        properties["namespace"] = json!("Microsoft.Maintenance");
        let stored = json!({
            "id": id,
            "name": id.rsplit('/').next(),
            "type": "Microsoft.Maintenance/maintenanceConfigurations",
            "location": body["location"],
            "tags": body["tags"],
            "properties": properties,
        });
        let key = id.to_lowercase();
        self.maintenance.insert(key.clone(), stored.clone());
        self.graph.changed();
        self.await_schedule(&key);
        stored
    }

    /// Stores a dynamic scope; gives its body.
    pub(crate) fn put_scope(&mut self, id: &str, properties: &Value) -> Value {
        let within = id.split("/providers/").next().unwrap_or_default();
        let mut properties = properties.clone();
        properties["resourceId"] = json!(within);
        let stored = json!({
            "id": id,
            "name": id.rsplit('/').next(),
            "type": "Microsoft.Maintenance/configurationAssignments",
            "properties": properties,
        });
        self.scopes.insert(id.to_lowercase(), stored.clone());
        self.graph.changed();
        stored
    }

    fn await_schedule(&mut self, key: &str) {
        let properties = self.maintenance.get(key).map(|own| &own["properties"]);
        let Some(properties) = properties else { return };
        if properties["maintenanceScope"] != "InGuestPatch" {
            return;
        }
        if let Some(at) = next(&properties["maintenanceWindow"], self.now) {
            let configuration = key.to_owned();
            self.schedule(at, Event::Schedule { configuration });
        }
    }

    /// Installs on every machine that a configuration drives, all at once, as Azure does.
    pub(crate) fn run_schedule(&mut self, key: &str) {
        let Some(body) = self.maintenance.get(key).cloned() else {
            return;
        };
        let properties = &body["properties"];
        // Written anew since: only the newest time counts.
        let due = next(
            &properties["maintenanceWindow"],
            self.now - TimeDelta::seconds(1),
        );
        if due != Some(self.now) {
            return;
        }
        let reboot = properties["installPatches"]["rebootSetting"].as_str();
        let reboot = reboot.and_then(RebootSetting::parse);
        let request = InstallRequest::everything(reboot.unwrap_or(RebootSetting::IfRequired));
        let machines = self.machines.values();
        let driven: Vec<String> = machines
            .filter(|machine| self.is_assigned(machine, key) && is_driven(machine))
            .filter(|machine| machine.guest.power == Power::Up && machine.job.is_none())
            .map(Machine::key)
            .collect();
        for machine in driven {
            let activity = self.guid();
            let request = request.clone();
            let work = Work::Install { activity, request };
            self.submit(&machine, None, Actor::Foreign, work);
        }
        self.await_schedule(key);
    }

    fn is_assigned(&self, machine: &Machine, configuration: &str) -> bool {
        let names = |own: &Value| {
            let own = own["properties"]["maintenanceConfigurationId"].as_str();
            own.is_some_and(|own| own.eq_ignore_ascii_case(configuration))
        };
        let mut direct = machine.assignments.values();
        let mut scopes = self.scopes.values();
        direct.any(|own| own.eq_ignore_ascii_case(configuration))
            || scopes.any(|own| names(own) && takes(&own["properties"], machine))
    }
}

/// Tells whether schedules run on a machine (azure.md 5, prerequisite matrix).
fn is_driven(machine: &Machine) -> bool {
    let settings = &machine.settings;
    machine.vm().is_none() || (settings.by_platform() && settings.bypass == Some(true))
}

/// Tells whether a dynamic scope takes a machine.
fn takes(scope: &Value, machine: &Machine) -> bool {
    let within = scope["resourceId"].as_str().unwrap_or_default();
    let filter = &scope["filter"];
    let named = |list: &Value, own: &str| match list.as_array() {
        None => true,
        Some(list) if list.is_empty() => true,
        Some(list) => list.iter().filter_map(Value::as_str).any(|one| {
            let plain = |text: &str| text.replace(' ', "").to_lowercase();
            plain(one) == plain(own)
        }),
    };
    let kind = match machine.vm() {
        Some(_) => "microsoft.compute/virtualmachines",
        None => "microsoft.hybridcompute/machines",
    };
    let tags = filter["tagSettings"]["tags"].as_object();
    let mut tags = tags.into_iter().flatten().map(|(name, values)| {
        let mut own = machine.tags.iter();
        own.any(|(tag, value)| tag.eq_ignore_ascii_case(name) && named(values, value))
    });
    let is_tagged = if filter["tagSettings"]["filterOperator"] == "All" {
        tags.all(|found| found)
    } else {
        filter["tagSettings"]["tags"].is_null() || tags.any(|found| found)
    };
    machine
        .key()
        .starts_with(&format!("{}/", within.to_lowercase()))
        && named(&filter["resourceTypes"], kind)
        && named(&filter["resourceGroups"], &machine.resource_group)
        && named(&filter["locations"], &machine.location)
        && named(&filter["osTypes"], machine.guest.os.os_type())
        && is_tagged
}

/// Gives the next time of a maintenance window after an instant.
fn next(window: &Value, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let start = window["startDateTime"].as_str()?;
    let first = NaiveDateTime::parse_from_str(start, "%Y-%m-%d %H:%M").ok()?;
    let first = first.and_utc();
    let words = window["recurEvery"].as_str()?.to_lowercase();
    let (unit, days) = words.split_once(' ').unwrap_or((&words, ""));
    let digits = unit.trim_end_matches(|c: char| c.is_alphabetic());
    let every: i64 = digits.parse().unwrap_or(1).max(1);
    let unit = unit[digits.len()..].trim_end_matches('s');
    let fits = |at: DateTime<Utc>| {
        let since = (at.date_naive() - first.date_naive()).num_days();
        match unit {
            "day" => since % every == 0,
            "week" => {
                let day = at.weekday().to_string().to_lowercase();
                let named = days.split(',').any(|own| own.trim().starts_with(&day));
                (since / 7) % every == 0 && (named || (days.is_empty() && since % 7 == 0))
            }
            _ => false,
        }
    };
    let from = after.max(first - TimeDelta::seconds(1));
    let today = from.date_naive().and_time(first.time()).and_utc();
    (0..AHEAD_DAYS)
        .map(|days| today + TimeDelta::days(days))
        .find(|at| *at > from && fits(*at))
}
