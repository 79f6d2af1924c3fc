//! What the rows mean.

use std::collections::{BTreeMap, BTreeSet};

use super::part::Gather;
use super::queries::{ASSIGNMENTS, POLICIES, policies};
use crate::azure::read_as::{is, some};
use crate::azure::wire::steering::{AssignmentRow, Filter, PolicyRow};
use crate::domain::authority::steering::{Assignments, Does, DynamicScope, Policy, Schedule, last};
use crate::domain::machine::MachineId;
use crate::domain::region;

/// What follows the assigned resource in a lower-cased id.
const ASSIGNED: &str = "/providers/microsoft.maintenance/configurationassignments/";

/// Effects that change nothing.
const IDLE: [&str; 6] = [
    "audit",
    "auditifnotexists",
    "deny",
    "denyaction",
    "disabled",
    "manual",
];

/// Assignments of maintenance configurations.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// Configurations, by id, each with its place.
    places: BTreeMap<Box<str>, u32>,
    does: Vec<Does>,
    assigned: BTreeSet<(MachineId, u32)>,
    scopes: BTreeSet<DynamicScope>,
}

impl Gather for Schedules {
    type Row = AssignmentRow;
    type Made = Assignments;
    const WHAT: &'static str = "the query for maintenance configurations";

    fn text() -> String {
        ASSIGNMENTS.to_owned()
    }

    fn take(&mut self, row: AssignmentRow) -> Result<(), String> {
        let id = some(row.id.as_ref())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let Some((assigned, _)) = id.split_once(ASSIGNED) else {
            return Err(format!("the row {id} is no assignment"));
        };
        let Some(configuration) = some(row.configuration.as_ref()) else {
            return Err(format!("the assignment {id} names no configuration"));
        };
        let place = self.place(&configuration.to_ascii_lowercase(), does(&row));
        let is_filter = assigned.split('/').count() <= 5;
        if is_filter {
            let filter = row.filter.unwrap_or_default();
            self.scopes.insert(dynamic(assigned, place, filter));
        } else if let Ok(machine) = MachineId::parse(assigned) {
            self.assigned.insert((machine, place));
        }
        // Scale sets, hosts and databases have schedules too; they are no machines of ours.
        Ok(())
    }

    fn made(self) -> Assignments {
        let mut schedules: Vec<Schedule> = self
            .does
            .iter()
            .map(|does| Schedule {
                id: Box::default(),
                does: *does,
            })
            .collect();
        for (id, place) in self.places {
            if let Some(schedule) = schedules.get_mut(at(place)) {
                schedule.id = id;
            }
        }
        Assignments {
            schedules,
            assigned: self.assigned.into_iter().collect(),
            scopes: self.scopes.into_iter().collect(),
        }
    }
}

impl Schedules {
    /// Returns the place of a configuration. Told twice, the one that shows counts.
    fn place(&mut self, configuration: &str, does: Does) -> u32 {
        if let Some(place) = self.places.get(configuration) {
            let known = &mut self.does[at(*place)];
            *known = (*known).min(does);
            return *place;
        }
        let place = u32::try_from(self.does.len()).unwrap_or(u32::MAX);
        self.does.push(does);
        self.places.insert(configuration.into(), place);
        place
    }
}

fn at(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Says what a configuration does. One of guest scope without a word on reboots reboots where an
/// update asks for it (azure.md §5; the older words end in `Reboot`).
fn does(row: &AssignmentRow) -> Does {
    let (scope, reboot) = (row.scope.as_deref(), row.reboot.as_deref());
    match some(row.scope.as_ref()) {
        None => Does::Hidden,
        Some(_) if !is(scope, "InGuestPatch") => Does::Nothing,
        Some(_) if is(reboot, "Never") || is(reboot, "NeverReboot") => Does::Installs,
        Some(_) => Does::Reboots,
    }
}

fn dynamic(within: &str, schedule: u32, filter: Filter) -> DynamicScope {
    let lower = |list: Option<Vec<String>>| -> Vec<Box<str>> {
        let list = list.unwrap_or_default().into_iter();
        list.map(|own| own.to_ascii_lowercase().into()).collect()
    };
    let tags = filter.tag_settings.unwrap_or_default();
    let locations = filter.locations.unwrap_or_default();
    DynamicScope {
        schedule,
        within: within.into(),
        types: lower(filter.resource_types),
        groups: lower(filter.resource_groups),
        systems: lower(filter.os_types),
        locations: locations
            .iter()
            .map(|own| region::normalise(own).into())
            .collect(),
        all_tags: is(tags.filter_operator.as_deref(), "All"),
        tags: tags
            .tags
            .unwrap_or_default()
            .into_iter()
            .map(|(name, values)| (name.into(), values.into_iter().map(Into::into).collect()))
            .collect(),
    }
}

/// Assignments of policies.
#[derive(Debug, Default)]
pub(super) struct Policies {
    found: BTreeSet<(Box<str>, Policy)>,
    /// Assignments that change nothing, by id.
    idle: BTreeSet<Box<str>>,
}

impl Gather for Policies {
    type Row = PolicyRow;
    type Made = Vec<Policy>;
    const WHAT: &'static str = "the query for policies";

    fn text() -> String {
        policies()
    }

    fn take(&mut self, row: PolicyRow) -> Result<(), String> {
        let text = |own: &Option<String>| some(own.as_ref()).unwrap_or_default().to_owned();
        let assignment = text(&row.assignment).to_ascii_lowercase();
        let definition = text(&row.definition);
        let known = POLICIES.iter().find(|(id, _)| *id == definition);
        let (Some((_, makes)), false) = (known, assignment.is_empty()) else {
            return Err(format!(
                "a policy row of {definition:?} that nobody asked for"
            ));
        };
        let is_idle = IDLE.contains(&text(&row.effect).as_str())
            || is(row.enforcement.as_deref(), "DoNotEnforce");
        if is_idle {
            self.idle.insert(assignment.into());
            return Ok(());
        }
        let except: Vec<String> = match some(row.except.as_ref()) {
            None => Vec::new(),
            Some(list) => serde_json::from_str(list)
                .map_err(|error| format!("the notScopes of {assignment}: {error}"))?,
        };
        let subscription = text(&row.subscription).to_ascii_lowercase();
        let policy = Policy {
            name: last(&assignment).into(),
            makes: *makes,
            scope: text(&row.scope).to_ascii_lowercase().into(),
            except: except.into_iter().map(Into::into).collect(),
            subscription: (!subscription.is_empty()).then(|| subscription.into()),
        };
        self.found.insert((assignment.into(), policy));
        Ok(())
    }

    /// Where an assignment itself shows, its own row is right, and states of it say nothing more.
    fn made(self) -> Vec<Policy> {
        let shown: BTreeSet<Box<str>> = self
            .found
            .iter()
            .filter(|(_, own)| {
                own.subscription.is_none() && own.scope.starts_with("/subscriptions/")
            })
            .map(|(assignment, _)| assignment.clone())
            .collect();
        let Self { found, idle } = self;
        let found = found.into_iter().filter(|(assignment, own)| {
            let is_told_twice = own.subscription.is_some() && shown.contains(assignment);
            !idle.contains(assignment) && !is_told_twice
        });
        found.map(|(_, own)| own).collect()
    }
}
