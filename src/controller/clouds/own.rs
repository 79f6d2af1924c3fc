//! The operator's own identity, for the namespaces that the installation lets use it.
//!
//! One source, chosen by the installation. Must never act for a namespace that is not allowed, nor
//! stand in where a fleet's own identity is what the installation chose.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use super::{Clouds, Ways, named};
use crate::azure::identity::{
    Fault, Imds, Issued, Login, Proof, Refusal, SECRET_BYTES_MAX, Secret, Stamp, Tokens,
};
use crate::azure::{Cloud, Error};

/// Where the operator's own identity comes from.
#[derive(Debug)]
pub enum Own {
    /// The managed identity of the machine.
    ManagedIdentity(Imds),
    /// A client secret in a file, which is read before each use.
    ClientSecret {
        /// Who asks.
        login: Login,
        /// The file.
        file: PathBuf,
    },
    /// A federated token in a file, which something else keeps fresh.
    FederatedToken {
        /// Who asks.
        login: Login,
        /// The file.
        file: PathBuf,
    },
    /// A token for Azure Resource Manager in a file, which something else keeps fresh.
    StaticToken {
        /// The file.
        file: PathBuf,
    },
}

/// The namespaces that may use the operator's own identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Every namespace that is looked after.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Allowed {
    fn has(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }
}

/// One identity for all allowed namespaces.
pub struct OwnClouds {
    own: Own,
    allowed: Allowed,
    ways: Ways,
    tokens: Tokens<()>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    cloud: Option<Cloud>,
    /// The client secret as it was last read, and how often it was another one.
    secret: Option<Secret>,
    changes: u64,
}

impl OwnClouds {
    /// Makes the clouds of one identity.
    pub fn new(own: Own, allowed: Allowed, ways: Ways) -> Self {
        Self {
            own,
            allowed,
            ways,
            tokens: Tokens::default(),
            kept: Mutex::default(),
        }
    }

    async fn look(&self, namespace: &str, now: DateTime<Utc>) -> Result<Cloud, Refusal> {
        if !self.allowed.has(namespace) {
            let text = "the installation does not let this namespace use the operator's own \
                        identity (--allow-operator-identity)";
            return Err(Refusal::new(Fault::OperatorIdentityNotAllowed, text));
        }
        let token = match &self.own {
            Own::StaticToken { file } => {
                let text = secret(file)?;
                let token = text.token();
                token.ok_or_else(|| unreadable(file, "holds no token"))?
            }
            own => {
                let stamp = self.stamp()?;
                self.tokens.get((), stamp, now, || self.fetch(own)).await?
            }
        };
        // What is kept is whole between any two statements that could panic.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let cloud = match &kept.cloud {
            Some(cloud) => cloud.with_token(token),
            None => self.ways.cloud("operator", token),
        };
        kept.cloud = Some(cloud.clone());
        Ok(cloud)
    }

    /// Returns what a token stands for: it goes when the client secret is another one.
    fn stamp(&self) -> Result<Stamp, Refusal> {
        let Own::ClientSecret { file, .. } = &self.own else {
            return Ok(Stamp::new());
        };
        let now = secret(file)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.secret.as_ref() != Some(&now) {
            kept.secret = Some(now);
            kept.changes += 1;
        }
        Ok(vec![kept.changes.to_string()])
    }

    async fn fetch(&self, own: &Own) -> Result<Issued, Refusal> {
        let way = self.ways.login.as_ref();
        let (login, proof) = match own {
            Own::ManagedIdentity(imds) => return imds.token(way).await,
            Own::ClientSecret { login, file } => (login, Proof::ClientSecret(secret(file)?)),
            Own::FederatedToken { login, file } => (login, Proof::Assertion(secret(file)?)),
            Own::StaticToken { file } => {
                return Err(unreadable(file, "is no proof"));
            }
        };
        self.ways.authority.token(way, login, &proof).await
    }
}

fn unreadable(file: &Path, why: &str) -> Refusal {
    let text = format!("the operator's credential {} {why}", file.display());
    Refusal::new(Fault::CredentialUnreadable, text)
}

/// Reads a secret from a file.
fn secret(file: &Path) -> Result<Secret, Refusal> {
    let size = std::fs::metadata(file).map(|own| own.len());
    let size =
        size.map_err(|error| unreadable(file, &format!("cannot be read: {}", error.kind())))?;
    if size > SECRET_BYTES_MAX as u64 {
        return Err(unreadable(file, "is too large"));
    }
    let text = std::fs::read_to_string(file)
        .map_err(|error| unreadable(file, &format!("cannot be read: {}", error.kind())))?;
    Secret::new(text).ok_or_else(|| unreadable(file, "is empty"))
}

impl Clouds for OwnClouds {
    fn principal<'a>(&self, _service_account: &'a str) -> &'a str {
        ""
    }

    fn cloud<'a>(
        &'a self,
        namespace: &'a str,
        service_account: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Cloud, Error>> {
        Box::pin(async move {
            named(service_account)?;
            Ok(self.look(namespace, now).await?)
        })
    }
}
