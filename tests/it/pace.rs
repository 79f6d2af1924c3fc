//! How often a run is written: machines that move one after another are written together.

// Tests may unwrap: a panic is how they fail.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use hotpatch_operator::domain::plan::PROGRESS_EVERY;
use hotpatch_operator::rehearsal::population::Population;
use hotpatch_operator::rehearsal::{Options, Rehearsal};

use crate::rehearsal::{FLEET, NIGHTS, on_commits, options, paused};

/// The hour before the baseline of July 2025.
const EVE: &str = "2025-07-08T16:00:00Z";

/// All machines at once.
const ALL: &str = r#"
apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {name: quick}
spec:
  stages:
  - {name: all, maxUnavailable: 100%}
  availability: {spread: []}
"#;

const MACHINES: usize = 150;

/// All commands are out by then.
const SENDING: TimeDelta = TimeDelta::minutes(1);

const RUNS: &str = "hotpatchruns.hotpatch.dev";

/// When a run's status was written.
async fn rollout() -> Vec<DateTime<Utc>> {
    let options = Options {
        population: Population::crowd(MACHINES),
        ..options(1, EVE.parse().unwrap(), &[ALL, NIGHTS, FLEET])
    };
    let mut own = Rehearsal::new(options).await.unwrap();
    let written = Arc::<Mutex<Vec<DateTime<Utc>>>>::default();
    let noted = Arc::clone(&written);
    on_commits(&own, RUNS, move |commit| {
        let after = commit.after.as_ref();
        if after.is_some_and(|own| own["status"]["machines"].is_array()) {
            noted.lock().unwrap().push(commit.time);
        }
    });
    let limit = own.now() + TimeDelta::days(2);
    own.run_until(|_, _| false, limit).await;
    std::mem::take(&mut *written.lock().unwrap())
}

#[test]
fn machines_that_settle_one_after_another_are_written_together() {
    let written = paused(rollout());
    let sent = written[0] + SENDING;
    let mut settling: Vec<DateTime<Utc>> = written.into_iter().filter(|at| *at > sent).collect();
    // The last one ends the run, and what is left of it is let go of.
    settling.pop();
    assert!(settling.len() > 5, "{settling:#?}");
    for pair in settling.windows(2) {
        assert!(pair[1] - pair[0] >= PROGRESS_EVERY, "{settling:#?}");
    }
}
