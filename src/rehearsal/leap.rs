//! A virtual clock for a process whose servers are behind real sockets.
//!
//! Time stands still while a request is under way and for a moment after, so that its answer and
//! the news it causes are taken in at the instant at which it was sent. When all is quiet, time
//! leaps to whatever is waited for next, no faster than a given speed. The whole process lives by
//! this clock; nothing in the controller knows of it. Must never be reachable where Azure or the
//! cluster is not on this machine: [`crate::cli`] refuses that.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tower::{Layer, Service};

use crate::azure::{Transport, TransportError};
use crate::controller::clock::Clock;

/// How long all must be quiet before time may leap: what a watch's news takes on this machine.
const QUIET: Duration = Duration::from_millis(10);

/// The form of a `Date` header (RFC 9110, section 5.6.7).
const DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

struct State {
    under_way: usize,
    latest: Instant,
}

/// Holds time back while requests are under way.
#[derive(Clone)]
pub struct Leap {
    state: Arc<(Mutex<State>, Condvar)>,
    stirred: Arc<Notify>,
    clock: Clock,
    speed: u32,
}

impl Leap {
    /// Makes a clock that shows what `clock` shows, at most `speed` times as fast as real time.
    /// Needs a current-thread runtime of tokio with its time paused.
    pub fn new(clock: Clock, speed: u32) -> Self {
        let state = State {
            under_way: 0,
            latest: real(),
        };
        Self {
            state: Arc::new((Mutex::new(state), Condvar::new())),
            stirred: Arc::new(Notify::new()),
            clock,
            speed: speed.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request begins; it lasts until the returned value is dropped.
    fn begin(&self) -> UnderWay {
        let mut state = self.lock();
        state.under_way += 1;
        state.latest = real();
        drop(state);
        self.stirred.notify_one();
        UnderWay(self.clone())
    }

    /// Holds time back wherever it must; never ends. Time leaps only while this is polled.
    pub async fn drive(self) {
        let (began, epoch) = (real(), self.clock.now());
        loop {
            let shown = (self.clock.now() - epoch).to_std().unwrap_or_default();
            let paced = began + shown / self.speed;
            let own = self.clone();
            // A blocking task keeps tokio's paused time from moving (tokio, `time::pause`).
            let held = tokio::task::spawn_blocking(move || own.hold(paced)).await;
            if let Err(error) = held {
                tracing::error!(%error, "the virtual clock runs unheld");
                return;
            }
            self.stirred.notified().await;
        }
    }

    /// Blocks until all is quiet and real time has come as far as it must.
    fn hold(&self, until: Instant) {
        let mut state = self.lock();
        loop {
            let now = real();
            let quiet_at = (state.latest + QUIET).max(until);
            if state.under_way == 0 && now >= quiet_at {
                return;
            }
            let pause = quiet_at.saturating_duration_since(now).max(QUIET);
            let waited = self.state.1.wait_timeout(state, pause);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wraps a transport, which then dates its requests: the other side lives by the same clock.
    pub fn transport(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Dated {
            leap: self.clone(),
            inner,
        })
    }
}

/// Returns the real time, which only the pace is measured by.
fn real() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a virtual clock is paced by the real one"
    )]
    Instant::now()
}

/// A request that is under way.
struct UnderWay(Leap);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        state.latest = real();
        drop(state);
        self.0.state.1.notify_all();
        self.0.stirred.notify_one();
    }
}

struct Dated {
    leap: Leap,
    inner: Arc<dyn Transport>,
}

impl Transport for Dated {
    fn send(
        &self,
        mut request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let under_way = self.leap.begin();
        let date = self.leap.clock.now().format(DATE).to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            request.headers_mut().insert(header::DATE, date);
        }
        Box::pin(async move {
            let answer = self.inner.send(request).await;
            drop(under_way);
            answer
        })
    }
}

impl<S> Layer<S> for Leap {
    type Service = Held<S>;

    fn layer(&self, inner: S) -> Held<S> {
        Held {
            leap: self.clone(),
            inner,
        }
    }
}

/// A service whose requests hold time back until their answer is read; a watch, until it begins.
#[derive(Clone)]
pub struct Held<S> {
    leap: Leap,
    inner: S,
}

impl<S, A, B> Service<Request<A>> for Held<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = Response<HeldBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.split('&').any(|pair| pair == "watch=true");
        let under_way = self.leap.begin();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let under_way = (!is_watch).then_some(under_way);
            Ok(answer.map(|inner| HeldBody {
                inner: Box::pin(inner),
                under_way,
            }))
        })
    }
}

/// A body that holds time back until it is read.
pub struct HeldBody<B> {
    inner: Pin<Box<B>>,
    under_way: Option<UnderWay>,
}

impl<B: HttpBody> HttpBody for HeldBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = self.inner.as_mut().poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.under_way = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
