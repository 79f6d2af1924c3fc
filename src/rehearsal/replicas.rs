//! A second replica of the operator, beside the first or in its place.

use std::time::Duration;

use super::Rehearsal;
use super::gate::Gate;
use super::life::Life;

/// How long a process has to end in good order (Kubernetes, `terminationGracePeriodSeconds`).
const GRACE: Duration = Duration::from_secs(30);

impl Rehearsal {
    /// Starts a second replica beside the one that lives, and returns its way.
    pub fn join(&mut self) -> Gate {
        let gate = self.gate.fresh();
        let life = self.start(gate.clone());
        self.second = Some((life, gate.clone()));
        gate
    }

    /// Asks the first replica to end, as a rolling update does, and goes on with the second.
    pub async fn hand_over(&mut self) {
        let Some((life, gate)) = self.second.take() else {
            return;
        };
        let before = self.life.replace(life);
        self.gate = gate;
        if let Some(before) = before {
            let _ = before.shutdown.send(());
            let mut task = before.task;
            // One that died meanwhile never ends by itself.
            if tokio::time::timeout(GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Starts a second replica unless one lives; tells whether it did.
    pub fn join_unless_doubled(&mut self) -> bool {
        let lives = |(life, gate): &(Life, Gate)| !gate.is_cut() && !life.task.is_finished();
        if self.second.as_ref().is_some_and(lives) {
            return false;
        }
        self.kill_second();
        self.join();
        true
    }

    /// Goes on with the second replica alone; the first is dead. Tells whether there was one.
    pub fn promote(&mut self) -> bool {
        let Some((life, gate)) = self.second.take() else {
            return false;
        };
        self.kill();
        self.life = Some(life);
        self.gate = gate;
        true
    }

    /// Kills the second replica at once, if there is one.
    pub fn kill_second(&mut self) {
        if let Some((life, gate)) = self.second.take() {
            gate.close();
            life.task.abort();
        }
    }
}
