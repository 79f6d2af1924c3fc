//! The emulator behind a loopback socket, by HTTP or, with the feature `https`, by HTTPS. The same
//! router answers as in process; a fault that breaks a call breaks the connection. What a client
//! may send, and how long it may take, is bounded.
//!
//! Time may come from the callers: [`CallerClock`] shows the newest `Date` that a request carried,
//! so a program on a virtual clock takes the emulated world along. Must never listen to another
//! machine.

mod admin;
mod clock;
mod connection;
mod counts;
#[cfg(feature = "https")]
mod tls;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

pub use clock::CallerClock;
#[cfg(feature = "https")]
pub use tls::{Certificate, CertificateError};

use crate::sim::AzureSim;
use connection::{Desk, Dress};

/// Connections that are served at once; more wait.
const CONNECTIONS_MAX: usize = 256;

/// How long to wait after an accept that failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How an emulator is served. By default by plain HTTP, on any free port, by its own clock.
#[derive(Debug, Default)]
pub struct Listen {
    port: u16,
    clock: Option<CallerClock>,
    #[cfg(feature = "https")]
    certificate: Option<Certificate>,
}

impl Listen {
    /// Takes this port; 0 takes any that is free.
    #[must_use]
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Moves this clock by the `Date` of each request.
    #[must_use]
    pub fn following(mut self, clock: CallerClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Speaks TLS with this certificate, and nothing else.
    #[cfg(feature = "https")]
    #[must_use]
    pub fn with_certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// How connections are dressed, and the scheme by which clients come.
    #[cfg(feature = "https")]
    fn dress(&self) -> io::Result<(Dress, &'static str)> {
        match &self.certificate {
            None => Ok((Dress::Plain, "http")),
            Some(own) => {
                let acceptor = own.acceptor().map_err(io::Error::other)?;
                Ok((Dress::Tls(acceptor), "https"))
            }
        }
    }

    #[cfg(not(feature = "https"))]
    fn dress(&self) -> io::Result<(Dress, &'static str)> {
        Ok((Dress::Plain, "http"))
    }
}

/// An emulator that is being served; dropping it ends the serving.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    scheme: &'static str,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves an emulator by plain HTTP on a free port of the loopback interface, in a thread of
    /// its own, and moves its clock by the `Date` of each request.
    ///
    /// # Errors
    /// Where there is no port or no thread.
    pub fn start(sim: AzureSim, clock: CallerClock) -> io::Result<Self> {
        Self::start_as(sim, Listen::default().following(clock))
    }

    /// Serves an emulator on the loopback interface, in a thread of its own.
    ///
    /// # Errors
    /// Where there is no port or no thread, or the certificate cannot be used.
    pub fn start_as(sim: AzureSim, listen: Listen) -> io::Result<Self> {
        let (dress, scheme) = listen.dress()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, listen.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let desk = Arc::new(Desk::new(sim, listen.clock, dress, scheme));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("azure-sim".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(&listener, &desk) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            scheme,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the base address, without a slash at its end.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
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

async fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let desk = Arc::clone(desk);
        tokio::spawn(async move {
            connection::serve(stream, desk).await;
            drop(place);
        });
    }
}
