//! The gate of one process: every request of the operator passes it. It counts them, and it can be
//! cut at any side effect, as the death of the process cuts it. Must never look into what it lets
//! through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::weather::{Astray, Fault, Passing, Weather};

/// Side effects whose method and path are kept.
pub const LOGGED_EFFECTS_MAX: usize = 100_000;

/// On which side of a request the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The request never arrives.
    Before,
    /// The request is applied, and its answer is never seen.
    After,
}

#[derive(Default)]
struct State {
    effects: u64,
    requests: u64,
    armed: Option<(u64, Side)>,
    /// A stop of the whole process at a side effect, and for how long.
    stop: Option<(u64, Side, Duration)>,
    /// How long every answer takes.
    latency: Duration,
    is_cut: bool,
    log: Vec<String>,
}

/// Counts the requests of one process and cuts it off where it is told to.
#[derive(Clone, Default)]
pub struct Gate {
    state: Arc<Mutex<State>>,
    cut: Arc<Notify>,
    weather: Option<Arc<Mutex<dyn Weather>>>,
    astray: Astray,
}

impl Gate {
    /// Makes a gate whose requests meet this weather; what it leads astray is noted.
    #[must_use]
    pub(super) fn in_weather(weather: Option<Arc<Mutex<dyn Weather>>>, astray: Astray) -> Self {
        Self {
            weather,
            astray,
            ..Self::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the process die at the `number`-th side effect from now on, counted from 1.
    pub fn kill_at(&self, number: u64, side: Side) {
        let mut state = self.state();
        state.armed = Some((state.effects + number, side));
    }

    /// Makes the process stand still at the `number`-th side effect from now on, counted from 1,
    /// for that long: before it, the request itself is late; after it, the process learns late
    /// that it was applied. So does a process that is stopped and woken again.
    pub fn stop_at(&self, number: u64, side: Side, long: Duration) {
        let mut state = self.state();
        state.stop = Some((state.effects + number, side, long));
    }

    /// Makes every answer take this long; by itself none takes any time.
    pub fn slow_down(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// Returns how many side effects went through.
    pub fn effects(&self) -> u64 {
        self.state().effects
    }

    /// Returns how many requests there were.
    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    /// Tells whether the process is cut off.
    pub fn is_cut(&self) -> bool {
        self.state().is_cut
    }

    /// Returns the side effects so far, each as method and path, the first
    /// [`LOGGED_EFFECTS_MAX`] of them.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Waits until the process is cut off.
    pub async fn until_cut(&self) {
        while !self.is_cut() {
            self.cut.notified().await;
        }
    }

    /// Makes the gate of the next process: open, counting on. The old one stays shut for what is
    /// left of the process before.
    #[must_use]
    pub fn next(&self) -> Self {
        let state = self.state();
        let next = State {
            effects: state.effects,
            requests: state.requests,
            log: state.log.clone(),
            latency: state.latency,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(next)),
            cut: Arc::default(),
            weather: self.weather.clone(),
            astray: self.astray.clone(),
        }
    }

    /// Makes the gate of another process beside this one, in the same weather.
    #[must_use]
    pub(super) fn fresh(&self) -> Self {
        Self::in_weather(self.weather.clone(), self.astray.clone())
    }

    /// Cuts the process off now.
    pub fn close(&self) {
        self.state().is_cut = true;
        self.cut.notify_one();
    }

    /// What went astray on the way.
    pub(super) fn astray(&self) -> &Astray {
        &self.astray
    }

    /// Counts a request; returns what becomes of it, or nothing where its process is dead.
    pub(super) fn admit(&self, mut passing: Passing<'_>) -> Option<Fault> {
        let mut state = self.state();
        if state.is_cut {
            return None;
        }
        state.requests += 1;
        passing.number = state.requests;
        let mut fault = Fault::None;
        if !state.latency.is_zero() {
            fault = Fault::Slow(Duration::ZERO, state.latency);
        }
        if passing.is_effect {
            state.effects += 1;
            if state.log.len() < LOGGED_EFFECTS_MAX {
                state
                    .log
                    .push(format!("{} {}", passing.method, passing.path));
            }
            let number = state.effects;
            match state.stop {
                Some((at, Side::Before, long)) if at == number => {
                    fault = Fault::Slow(long, state.latency);
                }
                Some((at, Side::After, long)) if at == number => {
                    fault = Fault::Slow(Duration::ZERO, long);
                }
                _ => {}
            }
            if let Some((_, side)) = state.armed.filter(|own| own.0 == number) {
                fault = Fault::Death(side);
            }
        }
        if fault == Fault::None
            && let Some(weather) = &self.weather
        {
            let mut weather = weather.lock().unwrap_or_else(PoisonError::into_inner);
            fault = weather.meet(&passing);
        }
        if let Fault::Death(_) = fault {
            state.is_cut = true;
            drop(state);
            self.cut.notify_one();
        }
        Some(fault)
    }
}
