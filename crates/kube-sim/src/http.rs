//! The API over loopback HTTP, for kubectl and other programs that know only sockets.
//!
//! The server runs on a thread and a runtime of its own, in real time, while the simulation that
//! it shows may run on a paused one. So the clock of the [`KubeSim`] must be right on every
//! thread. Nobody is asked who they are: the server must never listen beyond loopback.

mod body;
mod connection;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use crate::KubeSim;

/// Connections that are served at a time; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 256;

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Pause after a failed accept, such as one for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no server.
#[derive(Debug, Error)]
pub enum Error {
    /// The address can be reached from elsewhere.
    #[error("will not listen on {0}: not a loopback address, and the API lets everybody in")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// There is no thread or no runtime for it.
    #[error("cannot start the server's thread: {0}")]
    Thread(io::Error),
}

/// Makes HTTP servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Listens on a loopback address and serves at once; port 0 takes a free one.
    ///
    /// Watches end when the server stops. Delays that a hook asks for, and the timeouts of
    /// watches, pass in real time here.
    ///
    /// # Errors
    /// [`enum@Error`] where the address is not loopback or cannot be had.
    pub fn bind(sim: KubeSim, address: SocketAddr) -> Result<Serving, Error> {
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
        let refused = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Thread)?;
        let (stop, stopping) = watch::channel(false);
        let (ended, end) = oneshot::channel();
        let work = move || {
            runtime.block_on(serve(sim, listener, stopping));
            // Nobody may wait for the end any more.
            let _ = ended.send(());
        };
        let thread = std::thread::Builder::new()
            .name("kube-sim-http".to_owned())
            .spawn(work)
            .map_err(Error::Thread)?;
        Ok(Serving {
            address,
            stop,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

/// A server at work; dropping it stops it and waits for its end.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    end: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Returns where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the server's URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns a kubeconfig, as YAML, whose only context is this server's `default` namespace.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_in("default")
    }

    /// Returns a kubeconfig, as YAML, whose only context is a namespace of this server.
    pub fn kubeconfig_in(&self, namespace: &str) -> String {
        let url = self.url();
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: kube-sim\n\
             \x20 cluster:\n\
             \x20   server: {url}\n\
             users:\n\
             - name: kube-sim\n\
             \x20 user: {{}}\n\
             contexts:\n\
             - name: kube-sim\n\
             \x20 context:\n\
             \x20   cluster: kube-sim\n\
             \x20   user: kube-sim\n\
             \x20   namespace: {namespace}\n\
             current-context: kube-sim\n"
        )
    }

    /// Stops: takes no more connections, ends all watches, gives other requests two seconds.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(end) = self.end.take() {
            // The sender is gone only when the thread is.
            let _ = end.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic over there was reported there.
            let _ = thread.join();
        }
    }
}

/// Accepts and serves until told to stop.
async fn serve(sim: KubeSim, listener: TcpListener, mut stopping: watch::Receiver<bool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        let accept = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => {}
            (accepted, place) = accept => match accepted {
                Ok((stream, _)) => {
                    let service = sim.service();
                    let stopping = stopping.clone();
                    connections.spawn(async move {
                        connection::serve(stream, service, stopping).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        connections.shutdown().await;
    }
    // Keeps the channel's last value readable to the end.
    let _ = stopping.borrow_and_update();
}
