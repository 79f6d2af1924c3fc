//! Holds the Activity Log of the emulated subscriptions. Must never decide anything.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// The Activity Log keeps events for 90 days.
const KEPT_DAYS: i64 = 90;

/// One event of the Activity Log.
#[derive(Debug, Clone)]
pub(crate) struct ActivityEvent {
    pub(crate) id: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) resource_id: String,
    pub(crate) operation: String,
    /// Accepted, Started, Succeeded or Failed.
    pub(crate) status: &'static str,
    pub(crate) http_status: u16,
    pub(crate) correlation: String,
    pub(crate) client_request_id: Option<String>,
    pub(crate) method: String,
    pub(crate) caller: String,
}

/// All events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ActivityLog {
    pub(crate) events: VecDeque<ActivityEvent>,
    /// Events of calls whose operation runs, by correlation id.
    open: BTreeMap<String, ActivityEvent>,
    next: u64,
}

impl ActivityLog {
    /// Notes a call. One that runs on also gets an event at its end.
    pub(crate) fn begin(&mut self, mut event: ActivityEvent, runs_on: bool) {
        let at = event.at;
        while self
            .events
            .front()
            .is_some_and(|old| at - old.at > TimeDelta::days(KEPT_DAYS))
        {
            self.events.pop_front();
        }
        event.status = "Started";
        self.push(event.clone());
        if event.http_status >= 400 {
            event.status = "Failed";
            self.push(event);
        } else if runs_on {
            event.status = "Accepted";
            self.push(event.clone());
            self.open.insert(event.correlation.clone(), event);
        } else {
            event.status = "Succeeded";
            self.push(event);
        }
    }

    /// Notes the end of a call that ran on.
    pub(crate) fn finish(&mut self, correlation: &str, at: DateTime<Utc>, succeeded: bool) {
        let Some(mut event) = self.open.remove(correlation) else {
            return;
        };
        event.at = at;
        event.status = if succeeded { "Succeeded" } else { "Failed" };
        self.push(event);
    }

    fn push(&mut self, mut event: ActivityEvent) {
        event.id = self.next;
        self.next += 1;
        self.events.push_back(event);
    }
}
