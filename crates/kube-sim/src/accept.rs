//! Content negotiation: from an `Accept` header to what the client is shown. Follows
//! k8s.io/apiserver `pkg/endpoints/handlers/negotiation`; this server speaks JSON only.

use crate::path::Query;
use crate::status_error::ApiError;
use crate::view::{Include, View};

/// Clauses of a header that are looked at.
const CLAUSES_MAX: usize = 32;

/// One clause of an `Accept` header: media type and parameters.
pub(crate) struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Clause<'a> {
    /// The clauses of a header, in their order; an empty header takes anything.
    pub(crate) fn all(accept: &'a str) -> impl Iterator<Item = Self> {
        let accept = if accept.trim().is_empty() {
            "*/*"
        } else {
            accept
        };
        accept.split(',').take(CLAUSES_MAX).map(|clause| {
            let mut parts = clause.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            let pair = |part: &'a str| part.split_once('=').unwrap_or((part, ""));
            Self {
                media_type,
                parameters: parts.map(pair).collect(),
            }
        })
    }

    /// Whether JSON is welcome.
    pub(crate) fn takes_json(&self) -> bool {
        ["application/json", "application/*", "*/*"].contains(&self.media_type)
    }

    /// The group, version and kind into which the object is to be converted.
    pub(crate) fn conversion(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let get = |name: &str| {
            let mut found = self.parameters.iter().filter(|(key, _)| *key == name);
            found.next().map(|(_, value)| *value)
        };
        let part = |name| get(name).unwrap_or_default();
        get("as").map(|kind| (part("g"), part("v"), kind))
    }
}

/// Reads what a client of a resource wants to see: the first clause that can be served.
pub(crate) fn view(accept: &str, query: &Query) -> Result<View, ApiError> {
    for clause in Clause::all(accept).filter(Clause::takes_json) {
        match clause.conversion() {
            None => return Ok(View::Whole),
            Some(("meta.k8s.io", "v1", "Table")) => return include(query).map(View::Table),
            Some(("meta.k8s.io", "v1", "PartialObjectMetadata" | "PartialObjectMetadataList")) => {
                return Ok(View::MetadataOnly);
            }
            Some(_) => {}
        }
    }
    Err(not_acceptable())
}

/// The answer to a client that takes nothing this server has.
pub(crate) fn not_acceptable() -> ApiError {
    let message = "only the following media types are accepted: application/json";
    ApiError::new(406, "NotAcceptable", message)
}

fn include(query: &Query) -> Result<Include, ApiError> {
    match query.get("includeObject") {
        None | Some("Metadata") => Ok(Include::Metadata),
        Some("None") => Ok(Include::None),
        Some("Object") => Ok(Include::Object),
        Some(other) => Err(ApiError::bad_request(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: \
             must be 'Metadata', 'Object', 'None', or empty"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests may unwrap
    use super::*;

    #[test]
    fn the_first_clause_that_can_be_served_counts() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let cases = [
            (String::new(), Some(View::Whole)),
            ("*/*".to_owned(), Some(View::Whole)),
            (
                format!("{table},application/json"),
                Some(View::Table(Include::Metadata)),
            ),
            (
                format!("application/vnd.kubernetes.protobuf, {table}"),
                Some(View::Table(Include::Metadata)),
            ),
            (
                "application/json; as=Table; v=v9; g=meta.k8s.io, application/json".to_owned(),
                Some(View::Whole),
            ),
            (
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1".to_owned(),
                Some(View::MetadataOnly),
            ),
            ("text/html".to_owned(), None),
            (
                "application/json;as=Table;v=v9;g=meta.k8s.io".to_owned(),
                None,
            ),
        ];
        for (accept, want) in cases {
            let got = view(&accept, &Query::parse(""));
            assert_eq!(got.ok(), want, "{accept}");
        }
        let query = |text| view(table, &Query::parse(text)).ok();
        assert_eq!(
            query("includeObject=None"),
            Some(View::Table(Include::None))
        );
        assert_eq!(query("includeObject=Foo"), None);
    }
}
