//! Turns a request's URL into a route. Pure text work: it must never look at stored state, so a
//! route may name a resource that does not exist.

use std::collections::BTreeMap;

/// Where a request points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/version`.
    Version,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    GroupVersion { group: String, version: String },
    /// `/`.
    Root,
    /// `/healthz`, `/livez`, `/readyz` and their single checks; holds the first part.
    Health(String),
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`, or the document of `api/VERSION` or `apis/GROUP/VERSION`.
    OpenApiV3(Option<String>),
    /// A collection, an object or a subresource.
    Resource(ResourcePath),
    /// Anything else.
    Unknown,
}

/// The parts of a resource URL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Parses the path of a URL.
pub(crate) fn parse(path: &str) -> Route {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| decode(part, false))
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => Route::Root,
        [check @ ("healthz" | "livez" | "readyz"), ..] => Route::Health((*check).to_owned()),
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3(None),
        ["openapi", "v3", rest @ ..] => Route::OpenApiV3(Some(rest.join("/"))),
        ["version"] => Route::Version,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Route::Unknown,
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Route {
    let mut path = ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        ..ResourcePath::default()
    };
    let own = |text: &&str| Some((**text).to_owned());
    let tail = match rest {
        [] => {
            return Route::GroupVersion {
                group: path.group,
                version: path.version,
            };
        }
        // A namespace is itself an object with subresources of its own.
        ["namespaces", name, sub @ ("status" | "finalize")] if group.is_empty() => {
            path.plural = "namespaces".to_owned();
            path.name = Some((*name).to_owned());
            path.subresource = Some((*sub).to_owned());
            return Route::Resource(path);
        }
        ["namespaces", namespace, tail @ ..] if !tail.is_empty() => {
            path.namespace = Some((*namespace).to_owned());
            tail
        }
        tail => tail,
    };
    match tail {
        [plural] => path.plural = (*plural).to_owned(),
        [plural, name] => {
            path.plural = (*plural).to_owned();
            path.name = own(name);
        }
        [plural, name, subresource] => {
            path.plural = (*plural).to_owned();
            path.name = own(name);
            path.subresource = own(subresource);
        }
        _ => return Route::Unknown,
    }
    Route::Resource(path)
}

/// Query parameters; the last of a repeated key wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Parses the part of a URL behind `?`.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(key, true), decode(value, true))
            });
        Self(pairs.collect())
    }

    /// The value of a parameter, when it is there and not empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter is there at all.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether a parameter is there and not false.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.0
            .get(key)
            .is_some_and(|value| !matches!(value.as_str(), "false" | "0"))
    }
}

/// Undoes percent encoding; `plus` says whether `+` stands for a blank, as in a query.
fn decode(text: &str, plus: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) if plus => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;

    fn at(path: &str) -> ResourcePath {
        match parse(path) {
            Route::Resource(found) => found,
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn a_url_is_split_into_group_version_namespace_resource_name_and_subresource() {
        let table: [(&str, [&str; 6]); 7] = [
            ("/api/v1/namespaces", ["", "v1", "namespaces", "", "", ""]),
            (
                "/api/v1/namespaces/a",
                ["", "v1", "namespaces", "", "a", ""],
            ),
            (
                "/api/v1/namespaces/a/status",
                ["", "v1", "namespaces", "", "a", "status"],
            ),
            (
                "/api/v1/namespaces/a/configmaps",
                ["", "v1", "configmaps", "a", "", ""],
            ),
            (
                "/apis/g.io/v2/widgets",
                ["g.io", "v2", "widgets", "", "", ""],
            ),
            (
                "/apis/g.io/v2/namespaces/a/widgets/x",
                ["g.io", "v2", "widgets", "a", "x", ""],
            ),
            (
                "/apis/g.io/v2/namespaces/a/widgets/x/status",
                ["g.io", "v2", "widgets", "a", "x", "status"],
            ),
        ];
        for (path, want) in table {
            let got = at(path);
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            let got = [
                got.group.clone(),
                got.version.clone(),
                got.plural.clone(),
                text(&got.namespace),
                text(&got.name),
                text(&got.subresource),
            ];
            assert_eq!(got, want.map(str::to_owned), "{path}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc+in+%28d%29&watch=true&x=");
        assert_eq!(query.get("labelSelector"), Some("a=b,c in (d)"));
        assert!(query.flag("watch") && !query.flag("other"));
        assert_eq!(query.get("x"), None);
    }
}
