//! What the leader does between two passes: it waits, renews the lease, and says when windows open
//! and close. Must never command.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::publish::{next_edge, windows};
use super::{API_PAUSE, Controller, DEBOUNCE, FOLLOW_UP};
use crate::planted::{self, Bug};

/// How soon the status of windows is looked at again where it is behind.
const EDGE_PAUSE: TimeDelta = TimeDelta::minutes(1);

impl Controller {
    /// Returns when the next pass is due.
    pub(super) fn instant_of(&self, wake_at: DateTime<Utc>, soon: bool) -> Instant {
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
