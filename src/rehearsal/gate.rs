//! The way from the operator to both simulators: it can be cut at any side effect, as the death
//! of the process cuts it. Must never look into what it carries beyond what tells a read from a
//! write.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

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

    /// Counts a request; returns whether it is the last one, and whether it may be applied.
    fn admit(&self, is_effect: bool, what: impl FnOnce() -> String) -> Passage {
        let mut state = self.state();
        if state.is_cut {
            return Passage::Never;
        }
        state.requests += 1;
        if !is_effect {
            return Passage::Through;
        }
        state.effects += 1;
        if state.log.len() < LOGGED_EFFECTS_MAX {
            state.log.push(what());
        }
        match state.armed {
            Some((number, side)) if number == state.effects => {
                state.is_cut = true;
                drop(state);
                self.cut.notify_one();
                if side == Side::Before {
                    Passage::Never
                } else {
                    Passage::Unanswered
                }
            }
            _ => Passage::Through,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passage {
    /// It is applied and answered.
    Through,
    /// It is applied, and its answer never comes.
    Unanswered,
    /// It is not applied, and no answer comes.
    Never,
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
            if passage == Passage::Never {
                return never().await;
            }
            let answer = service.call(request).await;
            if passage == Passage::Unanswered {
                never().await
            } else {
                answer
            }
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
            if passage == Passage::Never {
                return never().await;
            }
            let answer = self.sim.call(request);
            if passage == Passage::Unanswered {
                return never().await;
            }
            answer.map_err(|lost| TransportError::AnswerLost(lost.to_string()))
        })
    }
}
