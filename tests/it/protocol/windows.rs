//! What windows say of themselves while nothing else happens.

use chrono::{DateTime, Utc};

use super::*;
use crate::rehearsal::paused;

const WINDOWS: &str = "maintenancewindows.hotpatch.dev";

/// How long after a window opened or closed its status may say otherwise.
const LATE: TimeDelta = TimeDelta::minutes(2);

#[test]
fn a_window_says_that_it_is_open_from_its_opening_to_its_end() {
    paused(async {
        let mut own = begin(&wide(2)).await;
        let mut edge: DateTime<Utc> = "2025-07-08T18:00:00Z".parse().unwrap();
        // Some nights have work and some have none: then no pass is due at an edge.
        for night in 1..=6 {
            for is_open in [true, false] {
                let ended = own.run_until(|_, _| false, edge + LATE).await;
                assert_eq!(ended, Ended::TimeUp);
                let status = &object(&own, WINDOWS, "nights")["status"];
                assert_eq!(status["open"], is_open, "night {night}: {status}");
                edge += TimeDelta::hours(if is_open { 6 } else { 18 });
            }
        }
    });
}
