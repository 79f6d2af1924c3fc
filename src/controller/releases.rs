//! The releases that a pass knows: those embedded, and those that the installation adds. Must never
//! let what cannot be understood hide what can.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;

use crate::domain::release::Catalogue;

/// The ConfigMap in the operator's namespace that adds releases: keys `hotpatch-releases.csv` and
/// `standard-lcu-releases.csv`, with the columns of the embedded files.
pub const RELEASES_CONFIGMAP: &str = "hotpatch-releases";

/// Returns the embedded releases and those that the installation's ConfigMap adds. What cannot
/// be understood there is left out whole, loudly.
pub(super) async fn catalogue(kube: &Client, namespace: &str) -> Arc<Catalogue> {
    let api: Api<ConfigMap> = Api::namespaced(kube.clone(), namespace);
    let found = match api.get_opt(RELEASES_CONFIGMAP).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%error, "the ConfigMap of releases could not be read");
            None
        }
    };
    let embedded = Catalogue::embedded();
    let Some(data) = found.and_then(|own| own.data) else {
        return Arc::new(embedded.clone());
    };
    let mut catalogue = embedded.clone();
    if let Some(csv) = data.get("hotpatch-releases.csv") {
        match catalogue.with_releases(csv) {
            Ok(more) => catalogue = more,
            Err(error) => tracing::error!(%error, "hotpatch-releases.csv is left out"),
        }
    }
    if let Some(csv) = data.get("standard-lcu-releases.csv") {
        match catalogue.with_standard_updates(csv) {
            Ok(more) => catalogue = more,
            Err(error) => tracing::error!(%error, "standard-lcu-releases.csv is left out"),
        }
    }
    Arc::new(catalogue)
}
