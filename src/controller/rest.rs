//! What the leader does between two passes: it waits, renews the lease, and says when windows open
//! and close. Must never command.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::act::Deeds;
use super::publish::{next_edge, windows};
use super::{API_PAUSE, Controller};
use crate::domain::plan::Plan;
use crate::planted::{self, Bug};

/// How long changes are gathered before a pass looks at them.
const DEBOUNCE: Duration = Duration::from_secs(1);

/// How soon a pass follows one that wrote something it must follow up.
const FOLLOW_UP: Duration = Duration::from_secs(2);

/// How soon a pass follows one in which a run ended or cannot be followed any more: what is left of
/// it is let go of. Machines that merely moved on need none: the plan says when they are looked at
/// again, and those that settle one after another are judged together.
const ENDED_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// How soon a pass follows one whose writes were refused, so that a refusal that stays does not
/// spin.
const REFUSED_PAUSE: TimeDelta = TimeDelta::minutes(1);

/// How soon the status of windows is looked at again where it is behind.
const EDGE_PAUSE: TimeDelta = TimeDelta::minutes(1);

impl Controller {
    /// Returns when the pass is due that comes after one which planned for `now`. `more` tells
    /// whether that left something to be published.
    pub(super) fn next_pass(
        &self,
        plan: &Plan,
        deeds: &Deeds,
        more: bool,
        now: DateTime<Utc>,
    ) -> Instant {
        let refused = deeds.refused.then(|| now + REFUSED_PAUSE);
        let ended = !plan.ends.is_empty() || !plan.orphaned.is_empty();
        let ended = ended.then(|| self.shell.clock.now() + ENDED_PAUSE);
        let blind = self.memory.retry_at();
        let (azure, departing) = (self.memory.again_at, self.memory.departing.next(now));
        let again = [refused, ended, blind, deeds.again_at, azure, departing];
        let wake_at = again
            .into_iter()
            .flatten()
            .fold(plan.wake_at, DateTime::min);
        tracing::debug!(
            %now,
            %wake_at,
            follow_up = deeds.follow_up,
            more,
            moves = plan.moves.len(),
            sends = plan.sends.len(),
            "passed"
        );
        self.instant_of(wake_at, deeds.follow_up || more)
    }

    fn instant_of(&self, wake_at: DateTime<Utc>, soon: bool) -> Instant {
        let now = self.shell.clock.now();
        let pause = (wake_at - now).to_std().unwrap_or(FOLLOW_UP).max(FOLLOW_UP);
        let pause = planted::pick(Bug::NeverWake, pause, Duration::from_secs(1 << 30));
        Instant::now() + if soon { FOLLOW_UP } else { pause }
    }

    /// Waits until the next pass is due or something changes, renewing the lease meanwhile.
    pub(super) async fn rest(&mut self, dirty: &Notify, next: Instant) {
        let mut edge = self.edge();
        while let Some(due) = self.leadership.renewal_due() {
            self.shell.telemetry.turned();
            tokio::select! {
                biased;
                () = dirty.notified() => {
                    // What the watch showed before its answer came may have been ours.
                    if self.mirrors.changes() == self.planned_changes {
                        continue;
                    }
                    sleep(DEBOUNCE).await;
                    return;
                }
                () = sleep_until(next) => return,
                () = sleep_until(edge.unwrap_or(next)) => {
                    let all = self.mirrors.windows.objects().into_values();
                    windows(&self.shell, &self.mirrors, all, self.shell.clock.now()).await;
                    edge = self.edge();
                    continue;
                }
                () = sleep_until(due) => {}
            }
            if let Err(error) = self.leadership.renew(self.shell.clock.now()).await {
                tracing::warn!(%error, "the lease could not be renewed");
                if self.leadership.is_held() {
                    sleep(API_PAUSE).await;
                }
            }
        }
    }

    /// Returns when the next window opens or closes; where one did so already, in a while: until
    /// its watch has shown what was written, a window looks as before.
    fn edge(&self) -> Option<Instant> {
        let now = self.shell.clock.now();
        let at = next_edge(&self.mirrors.windows)?;
        let left = if at > now { at - now } else { EDGE_PAUSE };
        Some(Instant::now() + left.to_std().unwrap_or_default())
    }
}
