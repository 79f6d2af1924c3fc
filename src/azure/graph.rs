//! Resource Graph: one page of an answer at a time, and what is wrong with it.
//!
//! Scopes travel in the request's body, never in a query's text. Must never return a part of an
//! answer as the whole.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::arm::{Arm, RETRY_AFTER_SECONDS_DEFAULT};
use super::error::{Error, bounded};
use super::port::{Scope, UnreadableRow};
use super::wire::API_GRAPH;
use super::wire::graph::Answer;

/// Rows asked for per page: the most that Resource Graph gives (azure.md §4).
pub(super) const PAGE_ROWS: u32 = 1000;

/// Pages read of one query at most: 2,000,000 rows, twenty updates for each of 100,000 machines.
pub(super) const PAGES_MAX: u32 = 2000;

/// Subscriptions, management groups or machine ids named in one query at most (azure.md §4,
/// grouping).
pub(super) const NAMES_PER_QUERY: usize = 300;

/// Where a query looks: part of a [`Scope`] that fits one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Subscriptions(Vec<String>),
    ManagementGroups(Vec<String>),
}

/// Divides a scope into what fits one request each.
///
/// # Errors
/// [`Error::Invalid`] for an empty scope or an empty name in it: Resource Graph would take that
/// to mean everything.
pub(super) fn targets(scope: &Scope) -> Result<Vec<Target>, Error> {
    let names = || scope.subscriptions.iter().chain(&scope.management_groups);
    if names().next().is_none() || names().any(|name| name.trim().is_empty()) {
        return Err(Error::Invalid {
            what: "the scope".to_owned(),
            code: "EmptyScope".to_owned(),
            target: Some("scope".to_owned()),
            message: "a scope names at least one subscription or management group".to_owned(),
        });
    }
    let mut targets = Vec::new();
    for part in scope.subscriptions.chunks(NAMES_PER_QUERY) {
        targets.push(Target::Subscriptions(part.to_vec()));
    }
    for part in scope.management_groups.chunks(NAMES_PER_QUERY) {
        targets.push(Target::ManagementGroups(part.to_vec()));
    }
    Ok(targets)
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<Result<T, UnreadableRow>>,
    /// Where the next page begins; none for the last.
    pub(super) next: Option<String>,
    /// Seconds until the next query may be sent, where the quota is spent with this one.
    pub(super) wait_seconds: Option<u64>,
}

/// What is asked for: a query, where it looks, and which page of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// For messages.
    pub(super) what: &'a str,
    pub(super) target: &'a Target,
    pub(super) text: &'a str,
    pub(super) rows: u32,
    pub(super) token: Option<&'a str>,
}

/// Why there is no page, as far as another query may help.
#[derive(Debug)]
pub(super) enum PageError {
    /// The query itself was refused: it may ask for more than this tenant is allowed.
    Refused(Error),
    /// The answer would be larger than Resource Graph gives: fewer rows may do.
    TooLarge(Error),
    /// Rows were cut off and no token leads to them.
    CutShort(Error),
    /// Anything else.
    Other(Error),
}

impl From<PageError> for Error {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Refused(error)
            | PageError::TooLarge(error)
            | PageError::CutShort(error)
            | PageError::Other(error) => error,
        }
    }
}

/// The code of an answer that would be larger than Resource Graph gives (azure.md §4).
const TOO_LARGE: &str = "ResponsePayloadTooLarge";

/// Reads one page.
///
/// # Errors
/// [`Error::Malformed`] where rows are lost: cut short without a token, a count that does not
/// match, a token that leads back, or subscriptions left out.
pub(super) async fn page<T: DeserializeOwned>(
    arm: &Arm,
    asked: &Asked<'_>,
) -> Result<Page<T>, PageError> {
    let Asked {
        what,
        target,
        text,
        token,
        ..
    } = *asked;
    let mut options = json!({"$top": asked.rows, "resultFormat": "objectArray"});
    if let Some(token) = token {
        options["$skipToken"] = json!(token);
    }
    let mut body = json!({"query": text, "options": options});
    match target {
        Target::Subscriptions(names) => body["subscriptions"] = json!(names),
        Target::ManagementGroups(names) => body["managementGroups"] = json!(names),
    }
    let path = format!("/providers/Microsoft.ResourceGraph/resources?api-version={API_GRAPH}");
    let reply = arm
        .query(what, &path, &body)
        .await
        .map_err(PageError::Other)?;
    let resets = reply
        .header("x-ms-user-quota-resets-after")
        .and_then(clock_seconds);
    if !reply.status.is_success() {
        let mut error = arm.refused_read(what, &reply);
        if let Error::Throttled { until_seconds, .. } = &mut error
            && reply.retry_after().is_none()
            && let Some(seconds) = resets
        {
            *until_seconds = seconds.max(1);
        }
        return Err(match error {
            Error::Invalid { ref code, .. } if code == TOO_LARGE => PageError::TooLarge(error),
            Error::Invalid { .. } => PageError::Refused(error),
            error => PageError::Other(error),
        });
    }
    if reply
        .header("x-ms-tenant-subscription-limit-hit")
        .is_some_and(|hit| hit.trim().eq_ignore_ascii_case("true"))
    {
        let error = Error::malformed(what, "subscriptions were left out of it");
        return Err(PageError::Other(error));
    }
    let spent = reply.header("x-ms-user-quota-remaining").map(str::trim) == Some("0");
    let wait_seconds = spent.then(|| resets.unwrap_or(RETRY_AFTER_SECONDS_DEFAULT).max(1));
    let (rows, next) = rows::<T>(what, &reply.body, token)?;
    Ok(Page {
        rows,
        next,
        wait_seconds,
    })
}

/// A page's rows, each parsed or named, and the token of the next page.
type Rows<T> = (Vec<Result<T, UnreadableRow>>, Option<String>);

fn rows<T: DeserializeOwned>(
    what: &str,
    body: &[u8],
    token: Option<&str>,
) -> Result<Rows<T>, PageError> {
    // All rows parse as a rule; only where one does not is the page taken apart.
    if let Ok(mut answer) = serde_json::from_slice::<Answer<Vec<T>>>(body) {
        let data = std::mem::take(&mut answer.data);
        let next = next(what, &answer, data.len(), token)?;
        return Ok((data.into_iter().map(Ok).collect(), next));
    }
    let mut answer = serde_json::from_slice::<Answer<Vec<Value>>>(body)
        .map_err(|error| PageError::Other(Error::malformed(what, format!("its body: {error}"))))?;
    let data = std::mem::take(&mut answer.data);
    let next = next(what, &answer, data.len(), token)?;
    let parse = |row: Value| {
        let id = row
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_ascii_lowercase();
        serde_json::from_value(row).map_err(|error| UnreadableRow {
            id: bounded(&id),
            why: bounded(&format!("{what} gave a row that does not parse: {error}")),
        })
    };
    Ok((data.into_iter().map(parse).collect(), next))
}

fn next<T>(
    what: &str,
    answer: &Answer<Vec<T>>,
    rows: usize,
    token: Option<&str>,
) -> Result<Option<String>, PageError> {
    let other = |why: &str| PageError::Other(Error::malformed(what, why));
    let next = answer.skip_token.clone().filter(|next| !next.is_empty());
    if answer
        .count
        .is_some_and(|count| usize::try_from(count) != Ok(rows))
    {
        return Err(other("its count is not the number of its rows"));
    }
    if answer.is_truncated() && next.is_none() {
        let why = "it is cut short and names no next page";
        return Err(PageError::CutShort(Error::malformed(what, why)));
    }
    if next.is_some() && next.as_deref() == token {
        return Err(other("its next page is the same page"));
    }
    Ok(next)
}

/// Reads `hh:mm:ss`.
pub(super) fn clock_seconds(text: &str) -> Option<u64> {
    let mut parts = text.trim().split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || hours > 24 {
        return None;
    }
    Some(hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    #[test]
    fn a_scope_is_divided_and_never_empty() {
        assert!(targets(&Scope::default()).is_err());
        let blank = Scope {
            subscriptions: vec![" ".into()],
            management_groups: vec![],
        };
        assert!(targets(&blank).is_err());
        let scope = Scope {
            subscriptions: (0..301).map(|n| format!("{n:03}")).collect(),
            management_groups: vec!["root".into()],
        };
        let sizes: Vec<usize> = targets(&scope)
            .unwrap()
            .iter()
            .map(|target| match target {
                Target::Subscriptions(names) | Target::ManagementGroups(names) => names.len(),
            })
            .collect();
        assert_eq!(sizes, [300, 1, 1]);
    }

    #[test]
    fn the_quotas_clock_is_read() {
        let cases = [
            ("00:00:05", Some(5)),
            ("01:02:03", Some(3723)),
            ("5", None),
            ("", None),
            ("00:00:00:01", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(clock_seconds(text), seconds, "{text}");
        }
    }
}
