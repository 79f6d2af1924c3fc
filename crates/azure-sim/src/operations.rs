//! Holds long-running operations: what a client polls. Must never run anything itself.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::patches::PatchError;
use crate::world::World;

/// As many operations are kept at least, whether somebody can ask about them or not.
pub(crate) const OPERATIONS_SWEPT_FROM: usize = 64;

/// A long-running operation as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) subscription: String,
    /// Resource provider namespace in lower case: the poll address must name it.
    pub(crate) provider: &'static str,
    pub(crate) location: String,
    pub(crate) started: DateTime<Utc>,
    pub(crate) outcome: Option<Outcome>,
    /// For operations whose end is known from the start.
    pub(crate) ends_at: Option<DateTime<Utc>>,
    /// The key of the machine it works on.
    pub(crate) machine: String,
    /// Key into the activity log: the correlation id of the call.
    pub(crate) correlation: String,
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) at: DateTime<Utc>,
    /// The result body, for operations that have one.
    pub(crate) body: Option<Value>,
    /// The operation itself failed.
    pub(crate) error: Option<PatchError>,
}

impl Operation {
    pub(crate) fn ended(&self, now: DateTime<Utc>) -> Option<Outcome> {
        if let Some(outcome) = &self.outcome {
            return Some(outcome.clone());
        }
        let at = self.ended_at(now)?;
        Some(Outcome {
            at,
            body: None,
            error: None,
        })
    }

    fn ended_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let by_itself = || self.ends_at.filter(|at| *at <= now);
        self.outcome.as_ref().map(|own| own.at).or_else(by_itself)
    }
}

impl World {
    /// Opens an operation and gives its id.
    pub(crate) fn open_operation(
        &mut self,
        key: &str,
        provider: &'static str,
        correlation: &str,
    ) -> String {
        let id = self.guid();
        let (subscription, location) = self
            .machines
            .get(key)
            .map(|m| (m.subscription.to_lowercase(), m.location.to_lowercase()))
            .unwrap_or_default();
        let operation = Operation {
            id: id.clone(),
            subscription,
            provider,
            location,
            started: self.now,
            outcome: None,
            ends_at: None,
            machine: key.to_owned(),
            correlation: correlation.to_owned(),
        };
        self.operations.insert(id.clone(), operation);
        self.forget_operations();
        id
    }

    /// Ends an operation with a result body or an error.
    pub(crate) fn close_operation(
        &mut self,
        id: &str,
        body: Option<Value>,
        error: Option<PatchError>,
    ) {
        let now = self.now;
        let Some(operation) = self.operations.get_mut(id) else {
            return;
        };
        let succeeded = error.is_none();
        operation.outcome = Some(Outcome {
            at: now,
            body,
            error,
        });
        let correlation = operation.correlation.clone();
        self.activity.finish(&correlation, now, succeeded);
    }

    /// Drops operations that nobody can ask about any more, each time there are twice as many as
    /// were left the last time: looking through all of them at each new one would cost the square.
    fn forget_operations(&mut self) {
        if self.operations.len() < self.operations_swept_at {
            return;
        }
        let now = self.now;
        let kept = chrono::TimeDelta::minutes(self.options.timings.operation_kept_minutes.into());
        self.operations
            .retain(|_, operation| operation.ended_at(now).is_none_or(|at| now - at <= kept));
        self.operations_swept_at = (2 * self.operations.len()).max(OPERATIONS_SWEPT_FROM);
    }
}
