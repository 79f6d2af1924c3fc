//! Whether the process lives and is ready.
//!
//! Readiness is not leadership: one that stands by is as ready as the leader. Liveness asks one
//! thing only, whether the controller's loop still turns; an API server that is away must not get
//! the process killed, which the bound leaves time for.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest the controller's loop may take from one sign of life to the next. Above the longest
/// request of any client (kube reads for 295 s at most) and of an inventory (120 s).
pub const LIVE_WITHIN: Duration = Duration::from_secs(600);

/// How the process stands to leadership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The lease could not be asked for.
    #[default]
    Unknown,
    /// It leads.
    Leading,
    /// Another process leads.
    StandingBy,
}

#[derive(Debug)]
struct State {
    turned: Instant,
    standing: Standing,
    /// Kinds that were not listed yet; none before it was said which are awaited.
    awaited: Option<BTreeSet<&'static str>>,
}

#[derive(Debug)]
pub(super) struct Health(Mutex<State>);

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(State {
            turned: Instant::now(),
            standing: Standing::default(),
            awaited: None,
        }))
    }
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turned(&self) {
        self.state().turned = Instant::now();
    }

    pub(super) fn awaits(&self, kinds: &[&'static str]) {
        self.state().awaited = Some(kinds.iter().copied().collect());
    }

    pub(super) fn listed(&self, kind: &str) {
        if let Some(awaited) = &mut self.state().awaited {
            awaited.remove(kind);
        }
    }

    pub(super) fn stands(&self, standing: Standing) {
        self.state().standing = standing;
    }

    pub(super) fn is_live(&self) -> Result<(), String> {
        let silent = self.state().turned.elapsed();
        if silent < LIVE_WITHIN {
            return Ok(());
        }
        Err(format!(
            "the controller's loop has not turned for {} s, {} s are allowed",
            silent.as_secs(),
            LIVE_WITHIN.as_secs()
        ))
    }

    pub(super) fn is_ready(&self) -> Result<(), String> {
        let state = self.state();
        let Some(awaited) = &state.awaited else {
            return Err("the controller has not started".to_owned());
        };
        if !awaited.is_empty() {
            let kinds: Vec<&str> = awaited.iter().copied().collect();
            return Err(format!("not listed yet: {}", kinds.join(", ")));
        }
        match state.standing {
            Standing::Leading | Standing::StandingBy => Ok(()),
            Standing::Unknown => Err("the lease could not be asked for".to_owned()),
        }
    }
}
