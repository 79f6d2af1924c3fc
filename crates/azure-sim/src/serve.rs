//! The emulator behind a loopback socket. The same router answers as in process; a fault that
//! breaks a call breaks the connection.
//!
//! Time comes from the callers: [`CallerClock`] shows the newest `Date` that a request carried, so
//! a program on a virtual clock takes the emulated world along. Must never listen to another
//! machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use crate::fault::Disconnected;
use crate::http::request::SCHEME_HEADER;
use crate::sim::{AzureSim, Clock};

/// Connections that are served at once; more wait.
const CONNECTIONS_MAX: usize = 256;

/// The largest request that is read, in bytes (ARM's bound is 4 MB).
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A clock that its callers move: it shows the newest `Date` of their requests and never goes back.
#[derive(Clone, Debug)]
pub struct CallerClock(Arc<AtomicI64>);

impl CallerClock {
    /// Makes a clock that shows `now` until a request brings a later time.
    #[must_use]
    pub fn starting_at(now: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(now.timestamp_millis())))
    }

    /// Shows the time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let shown = self.0.load(Ordering::Acquire);
        DateTime::from_timestamp_millis(shown).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Moves the clock forward; an earlier time changes nothing.
    pub fn move_to(&self, now: DateTime<Utc>) {
        self.0.fetch_max(now.timestamp_millis(), Ordering::AcqRel);
    }

    /// Returns the clock as the emulator reads it.
    #[must_use]
    pub fn as_clock(&self) -> Clock {
        let own = self.clone();
        Arc::new(move || own.now())
    }

    fn learn(&self, headers: &HeaderMap) {
        let text = headers.get(header::DATE).and_then(|own| own.to_str().ok());
        let date = text.and_then(|own| DateTime::parse_from_rfc2822(own).ok());
        if let Some(date) = date {
            self.move_to(date.to_utc());
        }
    }
}

/// An emulator that is being served; dropping it ends the serving.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves an emulator on a free port of the loopback interface, in a thread of its own.
    ///
    /// # Errors
    /// Where there is no port or no thread.
    pub fn start(sim: AzureSim, clock: CallerClock) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("azure-sim".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(&listener, &sim, &clock) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the base address, without a slash at its end.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, sim: &AzureSim, clock: &CallerClock) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        // A connection that fails while it comes about is the client's to open again.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (sim, clock) = (sim.clone(), clock.clone());
        tokio::spawn(async move {
            converse(stream, sim, clock).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, sim: AzureSim, clock: CallerClock) {
    let service = service_fn(move |request| {
        let (sim, clock) = (sim.clone(), clock.clone());
        async move { answer(request, &sim, &clock).await }
    });
    // An error is a connection that broke: the client's, or ours by a fault.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    sim: &AzureSim,
    clock: &CallerClock,
) -> Result<Response<Full<Bytes>>, Disconnected> {
    let (mut head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        let mut refusal = Response::new(Full::default());
        *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(refusal);
    };
    clock.learn(&head.headers);
    let scheme = HeaderValue::from_static("http");
    head.headers.insert(SCHEME_HEADER, scheme);
    let request = Request::from_parts(head, body.to_bytes());
    sim.call(request).map(|response| response.map(Full::new))
}
