//! The query parameters of lists and watches, checked as k8s.io/apimachinery
//! `apis/meta/internalversion/validation` checks them. Must never read stored objects.

use crate::path::Query;
use crate::status_error::{ApiError, Cause};

/// Checks the parameters that depend on each other; `watch` says which of the two it is.
pub(crate) fn check(query: &Query, watch: bool) -> Result<(), ApiError> {
    for name in ["limit", "timeoutSeconds"] {
        if let Some(text) = query.get(name)
            && text.parse::<i64>().is_err()
        {
            let message = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
            return Err(ApiError::bad_request(message));
        }
    }
    let version = query.get("resourceVersion");
    let matching = query.get("resourceVersionMatch");
    let initial = query.get("sendInitialEvents").is_some();
    let mut causes = Vec::new();
    if let Some(wanted) = matching {
        check_match(wanted, version, (watch, initial), &mut causes);
    }
    if initial {
        check_initial(matching, watch, &mut causes);
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid_options("ListOptions", causes))
}

fn check_match(
    wanted: &str,
    version: Option<&str>,
    (watch, initial): (bool, bool),
    causes: &mut Vec<Cause>,
) {
    let mut forbid = |detail: &str| causes.push(Cause::forbidden("resourceVersionMatch", detail));
    if watch {
        if !initial {
            forbid(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        return;
    }
    let Some(version) = version else {
        forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        return;
    };
    match wanted {
        "NotOlderThan" => {}
        "Exact" if version == "0" => {
            forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        "Exact" => {}
        other => {
            let known = ["Exact", "NotOlderThan", ""].map(str::to_owned);
            causes.push(Cause::unsupported(
                "resourceVersionMatch",
                &other.into(),
                &known,
            ));
        }
    }
}

fn check_initial(matching: Option<&str>, watch: bool, causes: &mut Vec<Cause>) {
    if !watch {
        let detail = "sendInitialEvents is forbidden for list";
        causes.push(Cause::forbidden("sendInitialEvents", detail));
        return;
    }
    if matching != Some("NotOlderThan") {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
}
