//! A second replica of the operator, beside the first or in its place.

use super::Rehearsal;
use super::gate::Gate;

impl Rehearsal {
    /// Starts a second replica beside the one that lives, and returns its way.
    pub fn join(&mut self) -> Gate {
        let gate = Gate::default();
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
            let _ = before.task.await;
        }
    }

    /// Goes on with the second replica alone; the first is dead.
    pub fn promote(&mut self) {
        if let Some((life, gate)) = self.second.take() {
            self.kill();
            self.life = Some(life);
            self.gate = gate;
        }
    }

    /// Kills the second replica at once, if there is one.
    pub fn kill_second(&mut self) {
        if let Some((life, gate)) = self.second.take() {
            gate.close();
            life.task.abort();
        }
    }
}
