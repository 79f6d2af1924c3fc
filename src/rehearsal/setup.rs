//! What a user does before the operator starts: definitions, namespaces, a ServiceAccount, and
//! the manifests. All through an ordinary client.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ObjectMeta, PostParams};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::{Client, ResourceExt};

use super::Error;
use crate::api;

/// Where the fleets of a rehearsal are.
pub(crate) const NAMESPACE: &str = "web";

/// Where another team has its fleets, with an identity of its own.
pub(crate) const OTHER_NAMESPACE: &str = "tills";

/// Where the operator of a rehearsal is.
pub(crate) const OPERATOR_NAMESPACE: &str = "hotpatch-system";

/// The ServiceAccount that the example fleet names.
const SERVICE_ACCOUNT: &str = "hotpatch";

/// What opens a document of a YAML stream.
const SEPARATOR: &str = "\n---\n";

/// Sets everything up.
///
/// # Errors
/// [`Error`] where a manifest cannot be read or is refused.
pub async fn set_up(client: &Client, manifests: &[String]) -> Result<(), Error> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in api::all_crds() {
        create(&crds, &crd).await?;
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [OPERATOR_NAMESPACE, NAMESPACE, OTHER_NAMESPACE] {
        create(
            &namespaces,
            &Namespace {
                metadata: named(name),
                ..Namespace::default()
            },
        )
        .await?;
    }
    for namespace in [NAMESPACE, OTHER_NAMESPACE] {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let account = ServiceAccount {
            metadata: named(SERVICE_ACCOUNT),
            ..ServiceAccount::default()
        };
        create(&accounts, &account).await?;
    }
    let documents = manifests.iter().flat_map(|text| text.split(SEPARATOR));
    for (index, text) in documents.enumerate() {
        apply(client, index + 1, text).await?;
    }
    Ok(())
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

async fn apply(client: &Client, number: usize, text: &str) -> Result<(), Error> {
    let wrong = |why: String| Error::Manifest { number, why };
    let object: DynamicObject =
        serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let types: TypeMeta = object
        .types
        .clone()
        .ok_or_else(|| wrong("it has no kind".to_owned()))?;
    let kind = GroupVersionKind::try_from(&types).map_err(|error| wrong(error.to_string()))?;
    let resource = ApiResource::from_gvk(&kind);
    let namespace = object.namespace().unwrap_or_else(|| NAMESPACE.to_owned());
    let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    create(&objects, &object).await
}

async fn create<K>(objects: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize + ResourceExt,
{
    let made = objects.create(&PostParams::default(), object).await;
    made.map(|_| ()).map_err(|source| Error::Kube {
        act: format!("create {}", object.name_any()),
        source: Box::new(source),
    })
}
