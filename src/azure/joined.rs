//! The lists that a joined row bears, taken as the rows they were made of.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::bounded;
use super::port::UnreadableRow;
use super::read_as::some;
use super::tables::Tables;
use super::wire::graph::{
    AssessedPart, AssessmentRow, HealthRow, InstallRow, InstalledPart, InstalledRow, OfferRow,
    PatchRow, Resource,
};

/// What follows an assessment or an install in the id of an update.
const UPDATES: &str = "/softwarepatches/";

/// Takes the lists out of a machine's row.
pub(super) fn lists(row: &mut Resource, tables: &mut Tables) {
    let machine = some(row.id.as_ref()).unwrap_or_default().to_owned();
    for part in row.assessed.take().unwrap_or_default() {
        match read(&machine, "patchassessmentresults", part) {
            Ok((id, part)) => assessed(id, part, tables),
            Err(row) => tables.lost(row),
        }
    }
    installed(&machine, row.installed.take(), tables);
    for state in row.states.take().unwrap_or_default() {
        let (id, target) = (Some(machine.clone()), Some(machine.clone()));
        tables.health(&HealthRow { id, target, state });
    }
}

/// Takes the list of a machine with installs.
pub(super) fn installs(row: InstalledRow, tables: &mut Tables) {
    let machine = some(row.id.as_ref()).unwrap_or_default();
    installed(machine, row.installed, tables);
}

fn installed(machine: &str, list: Option<Vec<Value>>, tables: &mut Tables) {
    for part in list.unwrap_or_default() {
        match read::<InstalledPart>(machine, "patchinstallationresults", part) {
            Ok((id, part)) if id.contains(UPDATES) => tables.patch(&PatchRow {
                id: Some(id),
                kb: part.kb,
                state: part.state,
            }),
            Ok((id, part)) => tables.install(&InstallRow {
                id: Some(id),
                activity: part.activity,
                status: part.status,
                reboot: part.reboot,
                exceeded: part.exceeded,
                started: part.started,
                modified: part.modified,
            }),
            Err(row) => tables.lost(row),
        }
    }
}

fn assessed(id: String, part: AssessedPart, tables: &mut Tables) {
    if id.contains(UPDATES) {
        tables.offer(&OfferRow {
            id: Some(id),
            kb: part.kb,
            title: part.title,
            reboot: part.reboot,
            classifications: part.classifications,
            published: part.published,
        });
    } else {
        tables.assessment(&AssessmentRow {
            id: Some(id),
            status: part.status,
            reboot_pending: part.reboot_pending,
            started: part.started,
            modified: part.modified,
            service: part.service,
        });
    }
}

/// Reads a part of a list and gives it back the id it had as a row.
fn read<T: DeserializeOwned>(
    machine: &str,
    table: &str,
    part: Value,
) -> Result<(String, T), UnreadableRow> {
    let name = part.get("part").and_then(Value::as_str).unwrap_or_default();
    let id = format!("{machine}/{table}/{name}").to_ascii_lowercase();
    match serde_json::from_value(part) {
        Ok(part) => Ok((id, part)),
        Err(error) => Err(UnreadableRow {
            id: bounded(&id),
            why: bounded(&format!("it does not parse: {error}")),
        }),
    }
}
