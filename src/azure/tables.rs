//! The rows of the patch and health tables, joined by machine.
//!
//! Rows of the same machine merge, the same row twice counts once. A row that cannot be read is
//! named, and what it would have told about its machine is unknown, never absent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::error::bounded;
use super::port::UnreadableRow;
use super::read_as::{
    install_status, instant, is, is_security, kb, reboot_behavior, reboot_status, some,
};
use super::wire::graph::{AssessmentRow, HealthRow, InstallRow, OfferRow, PatchRow};
use crate::domain::machine::{
    Assessment, INSTALL_RECORDS_MAX, InstallRecord, InstallStatus, MachineId, OfferClass, Offered,
    UpdateService,
};
use crate::domain::release::Kb;

/// What the tables say, by machine.
#[derive(Debug, Default)]
pub(super) struct Tables {
    assessments: BTreeMap<MachineId, Assessed>,
    offers: BTreeMap<MachineId, BTreeMap<Kb, Offered>>,
    installs: BTreeMap<MachineId, BTreeMap<String, InstallRecord>>,
    patches: BTreeMap<MachineId, BTreeMap<String, Patches>>,
    health: BTreeMap<MachineId, String>,
    /// Machines whose offers are not all known.
    dim_offers: BTreeSet<MachineId>,
    /// Machines whose installs are not all known.
    dim_installs: BTreeSet<MachineId>,
    /// The rows that could not be read.
    pub(super) unreadable: BTreeSet<UnreadableRow>,
}

#[derive(Debug)]
struct Assessed {
    at: DateTime<Utc>,
    reboot_pending: bool,
    service: UpdateService,
}

#[derive(Debug, Default)]
struct Patches {
    installed: BTreeSet<Kb>,
    failed: BTreeSet<Kb>,
}

/// The id of a row, divided into the machine and what comes behind `part`.
fn divided(id: Option<&String>, part: &str) -> Result<(MachineId, String), UnreadableRow> {
    let id = some(id).unwrap_or_default().to_ascii_lowercase();
    let unreadable = |why: String| UnreadableRow {
        id: bounded(&id),
        why: bounded(&why),
    };
    let Some((machine, rest)) = id.split_once(part) else {
        return Err(unreadable(format!("its id has no part {part}")));
    };
    let machine = MachineId::parse(machine).map_err(|error| unreadable(error.to_string()))?;
    Ok((machine, rest.to_owned()))
}

/// The part of a lower-cased id that leads to assessments.
const ASSESSMENTS: &str = "/patchassessmentresults/";

/// The part of a lower-cased id that leads to installs.
const INSTALLS: &str = "/patchinstallationresults/";

impl Tables {
    /// Takes a row that did not even parse.
    pub(super) fn lost(&mut self, row: UnreadableRow) {
        if let Some(machine) = machine_of(&row.id, ASSESSMENTS) {
            self.dim_offers.insert(machine);
        } else if let Some(machine) = machine_of(&row.id, INSTALLS) {
            self.dim_installs.insert(machine);
        }
        self.unreadable.insert(row);
    }

    fn unread(&mut self, id: Option<&String>, why: String) {
        let id = bounded(&some(id).unwrap_or_default().to_ascii_lowercase());
        self.lost(UnreadableRow {
            id,
            why: bounded(&why),
        });
    }

    /// Takes an assessment. One that did not succeed, or does not say when or whether a reboot
    /// waits, proves nothing.
    pub(super) fn assessment(&mut self, row: &AssessmentRow) {
        let (machine, _) = match divided(row.id.as_ref(), ASSESSMENTS) {
            Ok(divided) => divided,
            Err(row) => return self.lost(row),
        };
        let ended = matches!(
            install_status(row.status.as_deref()),
            InstallStatus::Succeeded | InstallStatus::Warnings
        );
        if !ended {
            return;
        }
        let at = some(row.modified.as_ref())
            .or(some(row.started.as_ref()))
            .map(instant);
        match (at, row.reboot_pending) {
            (Some(Some(at)), Some(reboot_pending)) => {
                let new = Assessed {
                    at,
                    reboot_pending,
                    service: update_service(row.service.as_deref()),
                };
                if self.assessments.get(&machine).is_none_or(|old| at > old.at) {
                    self.assessments.insert(machine, new);
                }
            }
            (Some(None), _) => self.unread(row.id.as_ref(), "its time does not parse".into()),
            (None, _) => self.unread(row.id.as_ref(), "it has no time".into()),
            (_, None) => self.unread(row.id.as_ref(), "it has no rebootPending".into()),
        }
    }

    /// Takes an update that an assessment offers.
    pub(super) fn offer(&mut self, row: &OfferRow) {
        let (machine, _) = match divided(row.id.as_ref(), ASSESSMENTS) {
            Ok(divided) => divided,
            Err(row) => return self.lost(row),
        };
        let Some(kb) = some(row.kb.as_ref()).and_then(kb) else {
            return self.unread(row.id.as_ref(), "its kbId is no number".into());
        };
        let published = some(row.published.as_ref())
            .and_then(instant)
            .map(|at| at.date_naive());
        let classifications = row.classifications.as_deref().unwrap_or_default();
        let new = Offered {
            kb,
            reboot: reboot_behavior(row.reboot.as_deref()),
            security: is_security(classifications),
            class: OfferClass::of(row.title.as_deref().unwrap_or_default(), classifications),
            published,
        };
        let old = self
            .offers
            .entry(machine)
            .or_default()
            .entry(kb)
            .or_insert(new.clone());
        // The same update twice: what it asks for at most is what it asks for.
        old.reboot = old.reboot.max(new.reboot);
        old.security |= new.security;
        if old.class != new.class {
            old.class = OfferClass::Unknown;
        }
    }

    /// Takes an install.
    pub(super) fn install(&mut self, row: &InstallRow) {
        let (machine, segment) = match divided(row.id.as_ref(), INSTALLS) {
            Ok(divided) => divided,
            Err(row) => return self.lost(row),
        };
        let Some(started) = some(row.started.as_ref()).and_then(instant) else {
            return self.unread(row.id.as_ref(), "its startDateTime does not parse".into());
        };
        let modified = match some(row.modified.as_ref()).map(instant) {
            None => started,
            Some(Some(at)) => at,
            Some(None) => {
                let why = "its lastModifiedDateTime does not parse".into();
                return self.unread(row.id.as_ref(), why);
            }
        };
        let record = InstallRecord {
            activity: some(row.activity.as_ref()).unwrap_or(&segment).to_owned(),
            started,
            modified,
            status: install_status(row.status.as_deref()),
            reboot: reboot_status(row.reboot.as_deref()),
            installed: Vec::new(),
            failed: Vec::new(),
            window_exceeded: row.exceeded.unwrap_or(false),
        };
        let old = self
            .installs
            .entry(machine)
            .or_default()
            .entry(segment)
            .or_insert(record.clone());
        if record.modified > old.modified {
            *old = record;
        }
    }

    /// Takes an update that an install installed, or could not.
    pub(super) fn patch(&mut self, row: &PatchRow) {
        let (machine, rest) = match divided(row.id.as_ref(), INSTALLS) {
            Ok(divided) => divided,
            Err(row) => return self.lost(row),
        };
        let Some(kb) = some(row.kb.as_ref()).and_then(kb) else {
            return self.unread(row.id.as_ref(), "its kbId is no number".into());
        };
        let activity = rest.split('/').next().unwrap_or_default().to_owned();
        let patches = self
            .patches
            .entry(machine)
            .or_default()
            .entry(activity)
            .or_default();
        match row.state.as_deref() {
            state if is(state, "Installed") => patches.installed.insert(kb),
            state if is(state, "Failed") => patches.failed.insert(kb),
            _ => false,
        };
    }

    /// Takes a health status. Two of one machine: the worse word stays.
    pub(super) fn health(&mut self, row: &HealthRow) {
        let target = some(row.target.as_ref()).unwrap_or_default();
        let machine = match MachineId::parse(target) {
            Ok(machine) => machine,
            Err(error) => return self.unread(row.id.as_ref(), error.to_string()),
        };
        let state = some(row.state.as_ref()).unwrap_or("Unknown").to_owned();
        let old = self.health.entry(machine).or_insert_with(|| state.clone());
        if is(Some(old), "Available") {
            *old = state;
        }
    }

    /// Returns what Resource Health says of a machine.
    pub(super) fn health_of(&self, machine: &MachineId) -> Option<&str> {
        self.health.get(machine).map(String::as_str)
    }

    /// Returns the last assessment with its offers, if all of them are known.
    pub(super) fn take_assessment(&mut self, machine: &MachineId) -> Option<Assessment> {
        let assessed = self.assessments.remove(machine)?;
        let offers = self.offers.remove(machine).unwrap_or_default();
        if self.dim_offers.contains(machine) {
            return None;
        }
        Some(Assessment {
            at: assessed.at,
            reboot_pending: assessed.reboot_pending,
            service: assessed.service,
            offered: offers.into_values().collect(),
        })
    }

    /// Tells whether an install of the machine could not be read.
    pub(super) fn is_dim(&self, machine: &MachineId) -> bool {
        self.dim_installs.contains(machine)
    }

    /// Returns the installs of a machine with what they did, newest first.
    pub(super) fn take_installs(&mut self, machine: &MachineId) -> Vec<InstallRecord> {
        let mut patches = self.patches.remove(machine).unwrap_or_default();
        let mut records: Vec<InstallRecord> = self
            .installs
            .remove(machine)
            .unwrap_or_default()
            .into_iter()
            .map(|(segment, mut record)| {
                let did = patches.remove(&segment).unwrap_or_default();
                record.installed = did.installed.into_iter().collect();
                record.failed = did.failed.into_iter().collect();
                record
            })
            .collect();
        records.sort_by(|a, b| (b.started, &b.activity).cmp(&(a.started, &a.activity)));
        records.truncate(INSTALL_RECORDS_MAX);
        records
    }
}

fn machine_of(id: &str, part: &str) -> Option<MachineId> {
    id.split_once(part)
        .and_then(|(machine, _)| MachineId::parse(machine).ok())
}

/// Reads `patchServiceUsed` (azure.md §2).
fn update_service(text: Option<&str>) -> UpdateService {
    match text {
        text if is(text, "WU_WSUS") => UpdateService::Wsus,
        text if is(text, "WU") => UpdateService::WindowsUpdate,
        _ => UpdateService::Unknown,
    }
}
