//! Asks once more, just before a command is sent, what a plan granted to all commands of its pass
//! together: the same questions, of the world as it is known by then.
//!
//! Must never allow what the plan did not: it is asked about intents only.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::ceilings::budget;
use super::commands::{allowed, sees, take, unfit};
use super::outlook::{in_order, judge_rollouts, outlooks};
use super::{Note, Outlook, Pass, View};
use crate::domain::budget::Budget;
use crate::domain::fleet::FleetKey;
use crate::domain::machine::MachineId;
use crate::domain::roster::owners;
use crate::domain::run::Step;
use crate::domain::snapshot::{Domain, Snapshot};

/// One disruption domain while the commands of a pass are sent.
///
/// Every intent that stands counts as unavailable, those included that are sent later; one that is
/// withdrawn counts no more.
pub struct Recheck<'a> {
    domain: Domain,
    outlooks: Cow<'a, BTreeMap<FleetKey, Outlook>>,
    budget: Option<Budget>,
}

impl<'a> Recheck<'a> {
    /// Takes a domain whose runs bear the intents, with what the plan found out about its fleets.
    /// `found_down` are machines that were found unavailable since the plan was made.
    pub fn of_plan(
        domain: Domain,
        outlooks: &'a BTreeMap<FleetKey, Outlook>,
        found_down: &BTreeSet<MachineId>,
        now: DateTime<Utc>,
    ) -> Self {
        Self::new(domain, Cow::Borrowed(outlooks), found_down, now)
    }

    /// Takes a domain as it is known now, and judges its fleets anew: something was declared since
    /// the plan was made. `snapshot` holds it under `namespace`.
    pub fn of_news(
        snapshot: &Snapshot,
        namespace: &str,
        found_down: &BTreeSet<MachineId>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let domain = snapshot.domains.get(namespace)?;
        let mut pass = Pass {
            namespace,
            domain: in_order(domain),
            outlooks: outlooks(domain, snapshot, &owners(snapshot, now), now),
            run_commands: snapshot.run_commands,
            now,
        };
        judge_rollouts(&mut pass, snapshot);
        let outlooks = Cow::Owned(pass.outlooks);
        Some(Self::new(pass.domain, outlooks, found_down, now))
    }

    fn new(
        domain: Domain,
        outlooks: Cow<'a, BTreeMap<FleetKey, Outlook>>,
        found_down: &BTreeSet<MachineId>,
        now: DateTime<Utc>,
    ) -> Self {
        let view = View {
            domain: &domain,
            outlooks: &outlooks,
            now,
        };
        let budget = budget(view, found_down);
        Self {
            domain,
            outlooks,
            budget,
        }
    }

    /// Asks whether the command of an intent may be sent now; returns until when it must be done.
    ///
    /// # Errors
    /// Why it may not, for people. The intent then counts no more: it must not be sent.
    pub fn ask(
        &mut self,
        run: &str,
        machine: &MachineId,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Note> {
        let Some(budget) = &mut self.budget else {
            return Err(Note::new("InventoryStale", "the inventory cannot be read"));
        };
        let intended = self.domain.runs.get(run).filter(|own| {
            let step = own.progress.get(machine).map(|own| &own.step);
            step == Some(&Step::Starting)
        });
        let named = intended.and_then(|own| own.terms.machines.get(machine));
        let Some((run, machine)) = intended.zip(named) else {
            return Err(Note::new(
                "RunGone",
                "its run bears no such intent any more",
            ));
        };
        // It is asked about as if it were not counted yet; whoever may not go is not counted again.
        budget.release(&machine.id);
        let view = View {
            domain: &self.domain,
            outlooks: &self.outlooks,
            now,
        };
        if !sees(&self.domain, &run.name, now) {
            let text = "the inventory is too old to act on";
            return Err(Note::new("InventoryStale", text));
        }
        let note = |(reason, text)| Note::new(reason, text);
        let until = allowed(view, run).map_err(note)?;
        if let Some(found) = unfit(view, run, &machine.id) {
            return Err(note(found));
        }
        take(view, budget, run, machine)
            .map_err(|refusal| Note::new(refusal.reason(), refusal.to_string()))?;
        Ok(until)
    }
}
