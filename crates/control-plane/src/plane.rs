//! The control plane: three servers that find each other, and a kubeconfig.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::assets::Assets;
use crate::certificates::{self, Certificates};
use crate::process::Process;

/// How long a server may take to be ready, in steps of [`STEP`]: two minutes, as a cold start on a
/// busy machine may take half of one.
const READY_STEPS: u32 = 600;

/// How often readiness is asked.
const STEP: Duration = Duration::from_millis(200);

/// A port that was free may be taken by the time it is used; so often others are tried.
const STARTS_MAX: u32 = 3;

/// Lines of a server's log that a failure shows.
const LAST_LINES: usize = 15;

/// The addresses of Services; none is ever used.
const SERVICE_ADDRESSES: &str = "10.0.0.0/24";

/// What the controller manager does here: garbage collection, emptying namespaces, and the default
/// ServiceAccount of each namespace.
const CONTROLLERS: &str =
    "garbage-collector-controller,namespace-controller,serviceaccount-controller";

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// A file or folder cannot be used.
    #[error("cannot {act}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// There are no certificates.
    #[error(transparent)]
    Certificates(#[from] certificates::Error),
    /// A server ended or did not get ready.
    #[error("{name} did not get ready. Its last words:\n{log}")]
    NotReady {
        /// The server.
        name: &'static str,
        /// The end of its log.
        log: String,
    },
}

fn io(act: &'static str) -> impl FnOnce(io::Error) -> PlaneError {
    move |source| PlaneError::Io { act, source }
}

/// A running control plane. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they end.
    controllers: Option<Process>,
    api_server: Option<Process>,
    etcd: Process,
    assets: Assets,
    certificates: Certificates,
    etcd_port: u16,
    port: u16,
    folder: Folder,
}

impl ControlPlane {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// [`PlaneError`] where a server does not start; nothing is left behind.
    pub fn start(assets: &Assets) -> Result<Self, PlaneError> {
        let mut tries = 1;
        loop {
            match Self::try_start(assets) {
                Err(PlaneError::NotReady { .. }) if tries < STARTS_MAX => tries += 1,
                ended => return ended,
            }
        }
    }

    fn try_start(assets: &Assets) -> Result<Self, PlaneError> {
        let folder = Folder::make().map_err(io("make a folder"))?;
        let certificates = Certificates::make(&folder.0)?;
        let [etcd_port, peer_port, port] = free_ports().map_err(io("find free ports"))?;
        let etcd = start_etcd(assets, &folder.0, etcd_port, peer_port)?;
        let mut own = Self {
            controllers: None,
            api_server: None,
            etcd,
            assets: assets.clone(),
            certificates,
            etcd_port,
            port,
            folder,
        };
        own.write_kubeconfig().map_err(io("write the kubeconfig"))?;
        own.start_api_server()?;
        own.start_controllers()?;
        Ok(own)
    }

    /// Returns the kubeconfig file of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.0.join("kubeconfig")
    }

    /// Returns the address of the API server.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Returns the certificate of the authority that signed the API server's.
    pub fn authority(&self) -> &Path {
        &self.certificates.authority
    }

    /// Returns a kubectl that speaks to this control plane as an administrator.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.assets.kubectl);
        command.arg("--kubeconfig").arg(self.kubeconfig());
        command
    }

    /// Returns the binaries it runs.
    pub fn assets(&self) -> &Assets {
        &self.assets
    }

    /// Kills the API server at once, as a crash would.
    pub fn kill_api_server(&mut self) {
        if let Some(mut server) = self.api_server.take() {
            server.kill();
        }
    }

    /// Starts the API server again, at the same address, and waits until it is ready.
    ///
    /// # Errors
    /// [`PlaneError`] where it does not start.
    pub fn start_api_server(&mut self) -> Result<(), PlaneError> {
        let flags = self.api_server_flags();
        let log = self.folder.0.join("kube-apiserver.log");
        let started = Process::start(&self.assets.kube_apiserver, &flags, log);
        let mut server = started.map_err(io("start kube-apiserver"))?;
        self.wait_until_ready(&mut server)?;
        self.api_server = Some(server);
        Ok(())
    }

    fn api_server_flags(&self) -> Vec<String> {
        let own = &self.certificates;
        let file = |path: &Path| path.display().to_string();
        vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.port),
            format!("--tls-cert-file={}", file(&own.server.certificate)),
            format!("--tls-private-key-file={}", file(&own.server.key)),
            format!("--client-ca-file={}", file(&own.authority)),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!(
                "--service-account-key-file={}",
                file(&own.tokens.certificate)
            ),
            format!(
                "--service-account-signing-key-file={}",
                file(&own.tokens.key)
            ),
            format!("--service-cluster-ip-range={SERVICE_ADDRESSES}"),
            format!("--cert-dir={}", file(&self.folder.0)),
        ]
    }

    fn start_controllers(&mut self) -> Result<(), PlaneError> {
        let flags = [
            format!("--kubeconfig={}", self.kubeconfig().display()),
            format!("--controllers={CONTROLLERS}"),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ];
        let log = self.folder.0.join("kube-controller-manager.log");
        let started = Process::start(&self.assets.kube_controller_manager, &flags, log);
        self.controllers = Some(started.map_err(io("start kube-controller-manager"))?);
        Ok(())
    }

    fn wait_until_ready(&self, server: &mut Process) -> Result<(), PlaneError> {
        for _ in 0..READY_STEPS {
            let mut probe = self.kubectl();
            probe.args(["get", "--raw", "/readyz", "--request-timeout=2s"]);
            if probe.output().is_ok_and(|output| output.status.success()) {
                return Ok(());
            }
            if server.has_ended() {
                break;
            }
            sleep(STEP);
        }
        Err(PlaneError::NotReady {
            name: "kube-apiserver",
            log: server.last_words(LAST_LINES),
        })
    }

    fn write_kubeconfig(&self) -> io::Result<()> {
        let own = &self.certificates;
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: throwaway\n\
             clusters:\n- name: throwaway\n  cluster:\n    server: {}\n    \
             certificate-authority: {}\n\
             users:\n- name: administrator\n  user:\n    client-certificate: {}\n    \
             client-key: {}\n\
             contexts:\n- name: throwaway\n  context:\n    cluster: throwaway\n    \
             user: administrator\n",
            self.address(),
            own.authority.display(),
            own.administrator.certificate.display(),
            own.administrator.key.display(),
        );
        fs::write(self.kubeconfig(), text)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(mut controllers) = self.controllers.take() {
            controllers.kill();
        }
        if let Some(mut server) = self.api_server.take() {
            server.kill();
        }
        self.etcd.stop();
    }
}

fn start_etcd(
    assets: &Assets,
    folder: &Path,
    port: u16,
    peer_port: u16,
) -> Result<Process, PlaneError> {
    let (client, peer) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{peer_port}"),
    );
    let flags = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nothing here outlives the machine, so nothing needs to survive its loss of power.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    Process::start(&assets.etcd, &flags, folder.join("etcd.log")).map_err(io("start etcd"))
}

/// Returns ports that are free now. All are held until all are found, so they differ.
fn free_ports() -> io::Result<[u16; 3]> {
    let held = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let port = |own: &TcpListener| own.local_addr().map(|address| address.port());
    Ok([port(&held[0])?, port(&held[1])?, port(&held[2])?])
}

/// A folder that goes with its handle.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("control-plane-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
