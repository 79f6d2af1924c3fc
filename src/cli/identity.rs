//! Whose Azure identity acts, and in which of Azure's clouds: the installation's choice.
//!
//! One source, named. An option that belongs to another source is refused, so that nothing is
//! believed to be in force that is not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use kube::Client;

use crate::azure::buckets::Now;
use crate::azure::endpoint::is_this_machine;
use crate::azure::identity::{Authority, AzureCloud, Imds, Login, Refusal};
use crate::azure::transport::{HttpsTransport, Roots};
use crate::azure::{Endpoint, Transport};
use crate::controller::clouds::{Allowed, Clouds, FleetClouds, Own, OwnClouds, Ways};
use crate::rehearsal::leap::Leap;
use crate::telemetry::{MeteredTransport, Telemetry};

/// Whose identity acts.
#[derive(Debug, Args)]
pub(super) struct IdentityOptions {
    /// Whose Azure identity acts. All but the first are the operator's own identity, and act only
    /// for the namespaces of --allow-operator-identity.
    #[arg(long, value_enum, default_value_t = Source::Fleet)]
    identity: Source,
    /// A namespace whose fleets may act as the operator's own identity; `*` is every namespace.
    /// May be given several times.
    #[arg(long, value_name = "NAMESPACE")]
    allow_operator_identity: Vec<String>,
    /// Which of Azure's clouds: it sets the endpoint, the authority and the tokens' audience.
    #[arg(long, value_enum, default_value_t = CloudName::Public)]
    azure_cloud: CloudName,
    /// Another Azure Resource Manager endpoint than the cloud's. Tokens go there only.
    #[arg(long)]
    arm_endpoint: Option<String>,
    /// A file with certificates (PEM) to trust for that endpoint, instead of the system's.
    #[arg(long)]
    arm_ca_file: Option<PathBuf>,
    /// Another address of Entra ID than the cloud's. Assertions and secrets go there only.
    #[arg(long)]
    authority: Option<String>,
    /// A file with certificates (PEM) to trust for that address, instead of the system's.
    #[arg(long)]
    authority_ca_file: Option<PathBuf>,
    /// The tenant of the operator's own identity. Left out: $AZURE_TENANT_ID.
    #[arg(long, value_name = "GUID")]
    tenant_id: Option<String>,
    /// The client id of the operator's own identity. Left out: $AZURE_CLIENT_ID.
    #[arg(long, value_name = "GUID")]
    client_id: Option<String>,
    /// For client-secret: the file with the secret, read again before each use.
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// For federated-token: the file with the token. Left out: $AZURE_FEDERATED_TOKEN_FILE.
    #[arg(long, value_name = "FILE")]
    federated_token_file: Option<PathBuf>,
    /// For static-token: the file with a bearer token for the endpoint, read anew for every pass.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// For managed-identity: another address of the metadata service, on this machine.
    #[arg(long)]
    imds_endpoint: Option<String>,
}

/// A source of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// Each fleet's own ServiceAccount, exchanged at Entra ID.
    Fleet,
    /// The managed identity of the machine that the operator runs on.
    ManagedIdentity,
    /// An application with a secret in a file.
    ClientSecret,
    /// An application that trusts the operator's ServiceAccount, by a token in a file.
    FederatedToken,
    /// A token in a file that something else keeps fresh: for trying things out.
    StaticToken,
}

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum CloudName {
    Public,
    UsGovernment,
    China,
}

impl From<CloudName> for AzureCloud {
    fn from(name: CloudName) -> Self {
        match name {
            CloudName::Public => Self::Public,
            CloudName::UsGovernment => Self::UsGovernment,
            CloudName::China => Self::China,
        }
    }
}

/// Why there is no identity to run with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A file with certificates cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An address cannot be used.
    #[error("cannot use {option}: {why}")]
    Option {
        /// The option.
        option: &'static str,
        /// Why.
        why: String,
    },
    /// An option of another source is given.
    #[error("{option} is not for --identity {source_name}; leave it out, or choose its source")]
    NotForSource {
        /// The option.
        option: &'static str,
        /// The source that was chosen.
        source_name: String,
    },
    /// An option that the source needs is missing.
    #[error("--identity {source_name} needs {option}")]
    Missing {
        /// The option.
        option: &'static str,
        /// The source that was chosen.
        source_name: String,
    },
    /// What names the identity is no name.
    #[error("cannot use the operator's own identity: {0}")]
    Refused(#[from] Refusal),
    /// The process lives by a virtual clock and an endpoint is elsewhere.
    #[error("--virtual-from is for tests: the endpoint {0} is not on this machine")]
    NotHere(String),
}

/// Makes the clouds that the installation chose.
///
/// # Errors
/// [`Error`] where an option is missing, wrong, or for another source.
pub(super) fn clouds(
    options: &IdentityOptions,
    kube: &Client,
    now: Now,
    leap: Option<&Leap>,
    telemetry: &Telemetry,
) -> Result<Arc<dyn Clouds>, Error> {
    fits(options)?;
    let cloud = AzureCloud::from(options.azure_cloud);
    let arm = options.arm_endpoint.as_deref();
    let endpoint = endpoint("--arm-endpoint", arm, cloud.resource_manager())?;
    let authority = endpoint_of_authority(options, cloud)?;
    let azure = transport(&options.arm_ca_file, Some(&endpoint), leap, telemetry)?;
    let there = (options.identity != Source::StaticToken
        && options.identity != Source::ManagedIdentity)
        .then_some(&authority);
    let login = transport(&options.authority_ca_file, there, leap, telemetry)?;
    let ways = Ways {
        azure,
        endpoint,
        login,
        authority: Authority::new(authority, cloud),
        buckets: Arc::default(),
        now,
    };
    if options.identity == Source::Fleet {
        return Ok(Arc::new(FleetClouds::new(kube.clone(), ways)));
    }
    let allowed = allowed(options);
    if allowed == Allowed::Only([].into()) {
        tracing::warn!("no fleet may act: --allow-operator-identity names no namespace");
    }
    Ok(Arc::new(OwnClouds::new(
        own(options, cloud)?,
        allowed,
        ways,
    )))
}

/// Refuses options that are not for the source that was chosen.
fn fits(options: &IdentityOptions) -> Result<(), Error> {
    use Source::{ClientSecret, FederatedToken, Fleet, ManagedIdentity, StaticToken};
    let own = [ManagedIdentity, ClientSecret, FederatedToken, StaticToken].as_slice();
    let rows = [
        (
            "--allow-operator-identity",
            !options.allow_operator_identity.is_empty(),
            own,
        ),
        (
            "--tenant-id",
            options.tenant_id.is_some(),
            &[ClientSecret, FederatedToken],
        ),
        (
            "--client-id",
            options.client_id.is_some(),
            &[ManagedIdentity, ClientSecret, FederatedToken],
        ),
        (
            "--client-secret-file",
            options.client_secret_file.is_some(),
            &[ClientSecret],
        ),
        (
            "--federated-token-file",
            options.federated_token_file.is_some(),
            &[FederatedToken],
        ),
        ("--token-file", options.token_file.is_some(), &[StaticToken]),
        (
            "--imds-endpoint",
            options.imds_endpoint.is_some(),
            &[ManagedIdentity],
        ),
        (
            "--authority",
            options.authority.is_some(),
            &[Fleet, ClientSecret, FederatedToken],
        ),
        (
            "--authority-ca-file",
            options.authority_ca_file.is_some(),
            &[Fleet, ClientSecret, FederatedToken],
        ),
    ];
    let wrong = rows
        .iter()
        .find(|(_, given, sources)| *given && !sources.contains(&options.identity));
    match wrong {
        Some((option, ..)) => Err(Error::NotForSource {
            option,
            source_name: word(options.identity),
        }),
        None => Ok(()),
    }
}

fn word(source: Source) -> String {
    let value = source.to_possible_value();
    value.map_or_else(String::new, |own| own.get_name().to_owned())
}

fn endpoint(option: &'static str, text: Option<&str>, own: &str) -> Result<Endpoint, Error> {
    Endpoint::parse(text.unwrap_or(own)).map_err(|error| Error::Option {
        option,
        why: error.to_string(),
    })
}

fn endpoint_of_authority(options: &IdentityOptions, cloud: AzureCloud) -> Result<Endpoint, Error> {
    let text = options.authority.as_deref();
    endpoint("--authority", text, cloud.authority())
}

/// Makes a way to an endpoint; none is one whose address the operator knows by itself.
fn transport(
    ca_file: &Option<PathBuf>,
    to: Option<&Endpoint>,
    leap: Option<&Leap>,
    telemetry: &Telemetry,
) -> Result<Arc<dyn Transport>, Error> {
    let trusted = match ca_file {
        None => None,
        Some(path) => Some(read(path)?),
    };
    let roots = trusted.as_deref().map_or(Roots::System, Roots::Only);
    let transport = HttpsTransport::new(roots).map_err(|error| Error::Option {
        option: "the certificates",
        why: error.to_string(),
    })?;
    let mut transport: Arc<dyn Transport> = Arc::new(transport);
    if let Some(leap) = leap {
        if let Some(to) = to.filter(|own| !is_this_machine(own.host())) {
            return Err(Error::NotHere(to.host().to_owned()));
        }
        transport = leap.transport(transport);
    }
    Ok(Arc::new(MeteredTransport::new(
        transport,
        telemetry.clone(),
    )))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read {
        path: path.display().to_string(),
        source,
    })
}

fn allowed(options: &IdentityOptions) -> Allowed {
    let names = &options.allow_operator_identity;
    if names.iter().any(|name| name == "*") {
        return Allowed::All;
    }
    Allowed::Only(names.iter().cloned().collect())
}

/// Reads what the webhook of Azure Workload Identity puts into the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "by clap's `env` it could not be told from an option that was given, and is refused"
)]
fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|own| !own.is_empty())
}

fn own(options: &IdentityOptions, cloud: AzureCloud) -> Result<Own, Error> {
    let missing = |option| Error::Missing {
        option,
        source_name: word(options.identity),
    };
    let login = || -> Result<Login, Error> {
        let tenant = options.tenant_id.clone();
        let tenant = tenant.or_else(|| of_environment("AZURE_TENANT_ID"));
        let client = options.client_id.clone();
        let client = client.or_else(|| of_environment("AZURE_CLIENT_ID"));
        let tenant = tenant.ok_or_else(|| missing("--tenant-id"))?;
        let client = client.ok_or_else(|| missing("--client-id"))?;
        Ok(Login::new(&tenant, &client)?)
    };
    let file = |given: &Option<PathBuf>, option| given.clone().ok_or_else(|| missing(option));
    Ok(match options.identity {
        Source::Fleet | Source::StaticToken => Own::StaticToken {
            file: file(&options.token_file, "--token-file")?,
        },
        Source::ManagedIdentity => {
            let imds = Imds::new(options.client_id.as_deref(), cloud)?;
            Own::ManagedIdentity(match options.imds_endpoint.as_deref() {
                None => imds,
                Some(base) => imds.at(base).ok_or_else(|| Error::Option {
                    option: "--imds-endpoint",
                    why: "it must be http://host:port on this machine".to_owned(),
                })?,
            })
        }
        Source::ClientSecret => Own::ClientSecret {
            login: login()?,
            file: file(&options.client_secret_file, "--client-secret-file")?,
        },
        Source::FederatedToken => Own::FederatedToken {
            login: login()?,
            file: options
                .federated_token_file
                .clone()
                .or_else(|| of_environment("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from))
                .ok_or_else(|| missing("--federated-token-file"))?,
        },
    })
}
