//! How often machine records are written: they show what stands when the operator rests, not each
//! step on the way.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::rehearsal::Rehearsal;
use serde_json::Value;

use crate::rehearsal::{FLEET, NIGHTS, QUICK, on_commits, options, paused};

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

const RECORDS: &str = "hotpatchmachines.hotpatch.dev";

/// Two passes that follow each other up are no farther apart: one in which a run ended is followed
/// in ten seconds.
const AT_ONCE: TimeDelta = TimeDelta::seconds(11);

/// The most writes of one record from its making to the end of a baseline.
const WRITES_MAX: usize = 7;

/// The writes of each record's status, with what it said.
type Written = BTreeMap<String, Vec<(DateTime<Utc>, Value)>>;

async fn rollout() -> Written {
    let options = options(1, EVE.parse().unwrap(), &[QUICK, NIGHTS, FLEET]);
    let mut own = Rehearsal::new(options).await.unwrap();
    let written = Arc::<Mutex<Written>>::default();
    let noted = Arc::clone(&written);
    on_commits(&own, RECORDS, move |commit| {
        let status = commit.after.as_ref().map(|after| after["status"].clone());
        if let Some(status) = status.filter(Value::is_object) {
            let mut all = noted.lock().unwrap();
            let own = all.entry(commit.name.to_string()).or_default();
            own.push((commit.time, status));
        }
    });
    let limit = own.now() + TimeDelta::days(4);
    own.run_until(|_, _| false, limit).await;
    std::mem::take(&mut *written.lock().unwrap())
}

#[test]
fn a_record_is_written_once_for_what_two_passes_in_a_row_change_and_says_whole_sentences() {
    let written = paused(rollout());
    assert_eq!(written.len(), 6);
    for (name, writes) in &written {
        let last = &writes.last().unwrap().1;
        assert_eq!(last["lastRun"]["step"], "Succeeded", "{name}: {last}");
        assert!(writes.len() <= WRITES_MAX, "{name}: {writes:#?}");
        for pair in writes.windows(2) {
            let between = pair[1].0 - pair[0].0;
            assert!(between > AT_ONCE, "{name}: {pair:#?}");
        }
        for (_, status) in writes {
            let message = status["message"].as_str().unwrap_or_default();
            assert!(!message.ends_with(':'), "{name}: {message}");
        }
    }
}
