//! The way from the operator to both simulators: it can be cut at any side effect, as the death
//! of the process cuts it. Must never look into what it carries beyond what tells a read from a
//! write.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use azure_sim::AzureSim;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use kube_sim::{ConnectionLost, SimBody, SimService};
use tokio::sync::Notify;

use crate::azure::{Transport, TransportError};

/// Side effects whose method and path are kept.
pub const LOGGED_EFFECTS_MAX: usize = 100_000;

/// On which side of a side effect the process dies.
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
}

impl Gate {
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
        }
    }

    /// Cuts the process off now.
    pub fn close(&self) {
        self.state().is_cut = true;
        self.cut.notify_one();
    }

    /// Counts a request; returns what becomes of it.
    fn admit(&self, is_effect: bool, what: impl FnOnce() -> String) -> Passage {
        let mut state = self.state();
        if state.is_cut {
            return Passage::never();
        }
        state.requests += 1;
        let mut passage = Passage {
            is_applied: true,
            is_answered: true,
            before: Duration::ZERO,
            after: state.latency,
        };
        if !is_effect {
            return passage;
        }
        state.effects += 1;
        if state.log.len() < LOGGED_EFFECTS_MAX {
            state.log.push(what());
        }
        match state.stop {
            Some((number, Side::Before, long)) if number == state.effects => passage.before = long,
            Some((number, Side::After, long)) if number == state.effects => passage.after = long,
            _ => {}
        }
        match state.armed {
            Some((number, side)) if number == state.effects => {
                state.is_cut = true;
                drop(state);
                self.cut.notify_one();
                passage.is_applied = side == Side::After;
                passage.is_answered = false;
            }
            _ => {}
        }
        passage
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Passage {
    /// Whether it arrives.
    is_applied: bool,
    /// Whether its answer does.
    is_answered: bool,
    /// How long it is on its way.
    before: Duration,
    /// How long its answer is.
    after: Duration,
}

impl Passage {
    fn never() -> Self {
        Self {
            is_applied: false,
            is_answered: false,
            before: Duration::ZERO,
            after: Duration::ZERO,
        }
    }

    /// Carries a request and its answer.
    async fn carry<T>(self, request: impl Future<Output = T>) -> T {
        if !self.is_applied {
            return never().await;
        }
        wait(self.before).await;
        let answer = request.await;
        if !self.is_answered {
            return never().await;
        }
        wait(self.after).await;
        answer
    }
}

async fn wait(long: Duration) {
    if !long.is_zero() {
        tokio::time::sleep(long).await;
    }
}

/// A future that never ends: the process that waits for it is dead.
async fn never<T>() -> T {
    std::future::pending().await
}

/// The Kubernetes API behind the gate.
#[derive(Clone)]
pub struct KubeWay {
    /// The simulator.
    pub service: SimService,
    /// The gate.
    pub gate: Gate,
}

impl tower::Service<Request<Body>> for KubeWay {
    type Response = Response<SimBody>;
    type Error = ConnectionLost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut service = self.service.clone();
        let gate = self.gate.clone();
        Box::pin(async move {
            let path = request.uri().path();
            // Reviews are questions, although they are created.
            let is_effect = request.method() != Method::GET && !path.ends_with("reviews");
            let passage = gate.admit(is_effect, || format!("{} {path}", request.method()));
            passage.carry(service.call(request)).await
        })
    }
}

/// Azure behind the gate.
#[derive(Clone)]
pub struct AzureWay {
    /// The simulator.
    pub sim: AzureSim,
    /// The gate.
    pub gate: Gate,
}

impl Transport for AzureWay {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let path = request.uri().path();
            let graph = path
                .to_ascii_lowercase()
                .contains("microsoft.resourcegraph");
            let is_effect = request.method() != Method::GET && !graph;
            let passage = self
                .gate
                .admit(is_effect, || format!("{} {path}", request.method()));
            let answer = passage.carry(async { self.sim.call(request) }).await;
            answer.map_err(|lost| TransportError::AnswerLost(lost.to_string()))
        })
    }
}
