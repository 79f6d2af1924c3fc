//! What the objects say of themselves: Snapshot, Plan and outcomes become status and conditions.
//!
//! Pure: no I/O, no async, no clock. Every status follows from its arguments and the previous one,
//! and equals the previous one where nothing changed, so that the caller writes on `!=` alone.
//! Messages name points in time, never times left. Must never decide what is done: nothing here
//! is read back by the plan.
//!
//! `Ready`, `Reconciling` and `Stalled` speak of the operator doing its work, never of patch
//! state: whatever a rollout does, they stay as they are.

mod authority;
mod events;
mod halt;
mod hindrance;
mod machine;
mod next;
mod objects;
mod picture;
mod readiness;
mod rollout;
mod text;
mod told;
mod windows;

use chrono::{DateTime, Utc};

use crate::api::fleet::{CurrentRun, HotpatchFleetStatus, MachineRecords};
use crate::domain::plan::Outlook;
use crate::domain::run::Run;
use crate::domain::snapshot::{Domain, FleetView, Inventory};

pub use self::events::{
    Happening, HappeningKind, NOTE_BYTES_MAX, fleet_events, not_restored, run_abandoned, run_events,
};
pub use self::machine::{MachineInput, is_in_passing, machine, machine_name, wants_record};
pub use self::objects::{RequestJudgement, RequestState, policy, request, unreadable, window};

use self::picture::Picture;
use self::told::Told;

/// What is known of the Azure identity of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Azure was not asked yet.
    Unknown,
    /// A token was issued and Azure refused nothing that the mode needs.
    Valid,
    /// Azure refuses an action.
    Denied {
        /// The action, such as `Microsoft.Compute/virtualMachines/installPatches/action`.
        action: &'a str,
        /// What Azure said.
        message: &'a str,
        /// Which role file grants it and what is left without it; empty where nobody knows.
        cure: &'a str,
    },
    /// There is no token, or Azure does not accept it.
    Refused {
        /// The reason, as the table of conditions has it.
        reason: &'static str,
        /// The same for people; holds no secret.
        message: &'a str,
    },
}

/// Everything that the status of a fleet follows from.
#[derive(Clone, Copy, Debug)]
pub struct FleetInput<'a> {
    /// The fleet as found.
    pub view: &'a FleetView,
    /// `metadata.generation` of the object that `view` was made from.
    pub generation: Option<i64>,
    /// The status that the object has.
    pub previous: Option<&'a HotpatchFleetStatus>,
    /// What the plan found out; none where the fleet could not be planned for.
    pub outlook: Option<&'a Outlook>,
    /// The fleet's domain, with its runs as they stand.
    pub domain: &'a Domain,
    /// Which machines get a HotpatchMachine, by the spec.
    pub machine_records: MachineRecords,
    /// Whether the installation has too many machines for `machineRecords: All`.
    pub records_limited: bool,
    /// What the spec asks for and this version does not do, each as "field: why".
    pub unsupported: &'a [String],
    /// What is known of the Azure identity.
    pub access: Access<'a>,
}

impl FleetInput<'_> {
    /// Returns the machines that the identity of the fleet sees, or why it sees none.
    fn inventory(&self) -> Result<&Inventory, &str> {
        let account = self.view.wants.as_ref();
        let account = account.map_or("", |own| own.service_account.as_str());
        self.domain.seen_by(account)
    }

    /// Returns the open runs of the fleet, oldest first.
    fn open_runs(&self) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self
            .domain
            .runs
            .values()
            .filter(|run| run.is_open() && run.fleet == self.view.key)
            .filter(|run| run.terms.fleet_uid == self.view.uid)
            .collect();
        runs.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        runs
    }
}

/// Makes the status of a fleet.
///
/// Guarantees: equal to the previous status where nothing changed, whatever `now` is between two
/// openings of a window; domain conditions never feed `Ready`; only a fault that an edit of the
/// fleet alone can cure sets `Stalled`. What cannot be judged now (a reference or the inventory is
/// missing) is Unknown in the conditions, and counts stay as last known.
pub fn fleet(input: &FleetInput<'_>, now: DateTime<Utc>) -> HotpatchFleetStatus {
    let mut status = input.previous.cloned().unwrap_or_default();
    status.observed_generation = input.generation;
    let mut told = Told::new("HotpatchFleet", status.conditions, input.generation, now);
    readiness::tell(input, &mut told, now);
    let picture = Picture::of(input, now);
    rollout::tell(input, picture.as_ref(), &mut told);
    windows::tell(input, picture.as_ref(), &mut told, now);
    told.unsupported(input.unsupported);
    rollout::tell_records(input, &mut told);
    status.conditions = told.into_conditions();
    if let Some(picture) = &picture {
        status.counts = Some(picture.counts());
        status.ineligible_reasons = picture.ineligible_reasons();
        status.releases = picture.releases();
        status.upcoming = picture.upcoming();
    }
    status.current_run = input.open_runs().first().map(|run| CurrentRun {
        name: run.name.clone(),
        release: run.terms.release.to_string(),
        stage: run.terms.stage.clone(),
    });
    if let Ok(fleet) = &input.view.fleet {
        status.next_opening = windows::next_opening(fleet, now);
    }
    status.next_action = Some(next::next_action(input, picture.as_ref(), now));
    status
}
