//! The identity of each fleet: its own ServiceAccount, in its own namespace.
//!
//! Kubernetes vouches for the ServiceAccount by a short-lived token, and Entra ID takes that for a
//! token of the identity which trusts this namespace and this name. So naming another team's client
//! id gains nothing: its federated credential does not match. Must never request a token in another
//! namespace than the fleet's, and never let the answer into a log: kube's own request functions
//! print a body that does not parse.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::Api;
use kube::client::Body;
use serde::Deserialize;
use serde_json::json;

use super::{Clouds, Ways, named};
use crate::azure::identity::{
    FEDERATION_AUDIENCE, Fault, Login, Proof, Refusal, SECRET_BYTES_MAX, Secret, Stamp, Tokens,
    wipe,
};
use crate::azure::{Cloud, Error, Token};

/// The annotation by which a ServiceAccount lets the operator act as its Azure identity: `"true"`.
pub const OPT_IN_ANNOTATION: &str = "hotpatch.dev/allow-operator";

/// The annotation that names the client id (Azure Workload Identity, "Service account").
pub const CLIENT_ANNOTATION: &str = "azure.workload.identity/client-id";

/// The annotation that names the tenant (the same).
pub const TENANT_ANNOTATION: &str = "azure.workload.identity/tenant-id";

/// How long a ServiceAccount's token lives, in seconds: the shortest that Kubernetes issues, since
/// it is traded at once.
const ASSERTION_SECONDS: i64 = 600;

/// The longest the API server may take for one answer.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// Identities whose clouds are kept at once.
const CLOUDS_MAX: usize = 4096;

/// A ServiceAccount: namespace and name.
type Account = (String, String);

/// The clouds of fleets, each as its own ServiceAccount sees it.
pub struct FleetClouds {
    kube: Client,
    ways: Ways,
    tokens: Tokens<Account>,
    clouds: Mutex<BTreeMap<Account, (Stamp, Cloud)>>,
}

impl FleetClouds {
    /// Makes the clouds of the ServiceAccounts that `kube` may request tokens for.
    pub fn new(kube: Client, ways: Ways) -> Self {
        Self {
            kube,
            ways,
            tokens: Tokens::default(),
            clouds: Mutex::default(),
        }
    }

    async fn look(&self, account: &Account, now: DateTime<Utc>) -> Result<Cloud, Refusal> {
        named(&account.1)?;
        let found = self.read(account).await?;
        let login = login(&found, &account.1)?;
        let uid = found.metadata.uid.unwrap_or_default();
        let stamp = vec![uid, login.tenant().to_owned(), login.client().to_owned()];
        let fetch = || async {
            let assertion = self.assertion(account).await?;
            let proof = Proof::Assertion(assertion);
            let login_way = self.ways.login.as_ref();
            self.ways.authority.token(login_way, &login, &proof).await
        };
        let token = self
            .tokens
            .get(account.clone(), stamp.clone(), now, fetch)
            .await?;
        // Azure counts by principal, whichever ServiceAccounts stand for it.
        let principal = format!("{}/{}", login.tenant(), login.client());
        Ok(self.cloud_of(account, &principal, stamp, token))
    }

    /// Returns the cloud of an identity, which keeps what it learned as long as it is the same one.
    fn cloud_of(&self, account: &Account, principal: &str, stamp: Stamp, token: Token) -> Cloud {
        // The map is whole between any two statements that could panic.
        let mut clouds = self.clouds.lock().unwrap_or_else(PoisonError::into_inner);
        if clouds.len() >= CLOUDS_MAX {
            clouds.clear();
        }
        let cloud = match clouds.get(account) {
            Some((own, cloud)) if *own == stamp => cloud.with_token(token),
            _ => self.ways.cloud(principal, token),
        };
        clouds.insert(account.clone(), (stamp, cloud.clone()));
        cloud
    }

    async fn read(&self, (namespace, name): &Account) -> Result<ServiceAccount, Refusal> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.kube.clone(), namespace);
        let found = tokio::time::timeout(API_TIMEOUT, accounts.get(name)).await;
        match found {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(kube::Error::Api(status))) => Err(unanswered(status.code, "read", name)),
            Ok(Err(_)) | Err(_) => Err(unanswered(0, "read", name)),
        }
    }

    /// Requests a token of the ServiceAccount for Entra ID.
    async fn assertion(&self, (namespace, name): &Account) -> Result<Secret, Refusal> {
        let asked = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [FEDERATION_AUDIENCE],
                "expirationSeconds": ASSERTION_SECONDS,
            },
        });
        let request = http::Request::post(format!(
            "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        ))
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .body(Body::from(asked.to_string().into_bytes()))
        .map_err(|_| unanswered(404, "request a token of", name))?;
        let answer = async {
            let answer = self.kube.send(request).await.ok()?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), 2 * SECRET_BYTES_MAX);
            let body = body.collect().await.ok()?.to_bytes();
            Some((status, body))
        };
        let answer = tokio::time::timeout(API_TIMEOUT, answer).await;
        let Some((status, body)) = answer.ok().flatten() else {
            return Err(unanswered(0, "request a token of", name));
        };
        let read = serde_json::from_slice::<Requested>(&body).ok();
        wipe(body);
        match (status, read) {
            (200..=299, Some(Requested { status })) => {
                Secret::new(status.token).ok_or_else(|| unanswered(0, "request a token of", name))
            }
            (200..=299, None) => Err(unanswered(0, "request a token of", name)),
            _ => Err(unanswered(status, "request a token of", name)),
        }
    }
}

/// A TokenRequest as it is answered. Its text goes into a [`Secret`] at once.
#[derive(Deserialize)]
struct Requested {
    status: Granted,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
}

/// Says what the API server's not giving what was asked for means.
fn unanswered(status: u16, act: &str, name: &str) -> Refusal {
    match status {
        401 | 403 => Refusal::new(
            Fault::TokenRequestForbidden,
            format!(
                "the operator may not {act} ServiceAccount {name:?}: add the name to \
                 rbac.tokenServiceAccounts of the installation, or name one that is there"
            ),
        ),
        404 => Refusal::new(
            Fault::ServiceAccountNotFound,
            format!("there is no ServiceAccount {name:?} in this namespace; create it"),
        ),
        _ => Refusal::new(
            Fault::TokenUnavailable,
            format!("the API server did not let the operator {act} ServiceAccount {name:?} yet"),
        ),
    }
}

/// Reads which Azure identity a ServiceAccount stands for, if it lets the operator use it.
fn login(found: &ServiceAccount, name: &str) -> Result<Login, Refusal> {
    let annotation = |key: &str| {
        let all = found.metadata.annotations.as_ref();
        let value = all.and_then(|all| all.get(key)).map(String::as_str);
        value.unwrap_or_default().trim()
    };
    if annotation(OPT_IN_ANNOTATION) != "true" {
        let text = format!(
            "ServiceAccount {name:?} does not let the operator use it; annotate it with \
             {OPT_IN_ANNOTATION}: \"true\""
        );
        return Err(Refusal::new(Fault::NotOptedIn, text));
    }
    let login = Login::new(annotation(TENANT_ANNOTATION), annotation(CLIENT_ANNOTATION));
    login.map_err(|refusal| {
        let text = format!(
            "ServiceAccount {name:?}: {}; annotate it with {TENANT_ANNOTATION} and \
             {CLIENT_ANNOTATION}",
            refusal.message
        );
        Refusal::new(Fault::NoIdentity, text)
    })
}

impl Clouds for FleetClouds {
    fn principal<'a>(&self, service_account: &'a str) -> &'a str {
        service_account
    }

    fn cloud<'a>(
        &'a self,
        namespace: &'a str,
        service_account: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Cloud, Error>> {
        Box::pin(async move {
            let account = (namespace.to_owned(), service_account.to_owned());
            Ok(self.look(&account, now).await?)
        })
    }
}
