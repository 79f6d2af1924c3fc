//! Answers Resource Graph queries: scopes, paging, quota headers (azure.md 4).

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::graph::tables::Table;
use crate::graph::{Seen, assigned};
use crate::http::reply::{ArmError, Reply};
use crate::http::request::Call;
use crate::http::spoil;
use crate::kql;
use crate::world::World;

const DEFAULT_TOP: usize = 100;
const MAX_TOP: usize = 1000;
/// Queries of one user in one quota period.
const QUOTA: usize = 15;
const QUOTA_PERIOD: TimeDelta = TimeDelta::seconds(5);
/// Answers kept at most.
const KEPT_ANSWERS: usize = 8;

/// Answers one query.
pub(crate) fn query(world: &mut World, call: &Call) -> Result<Reply, ArmError> {
    if call.method != "POST" {
        return Err(ArmError::method_not_allowed());
    }
    let (remaining, resets) = quota(world, &call.caller)?;
    let body = call.json()?;
    let text = body["query"]
        .as_str()
        .ok_or_else(|| bad("InvalidQuery", "The query is missing."))?;
    let mut page = Page::read(&body, text)?;
    let mut rows = answer(world, call, &body, text, &page.digest)?;
    if let Some(missing) = &call.bends.missing {
        // Of a copy: what is kept for the next page misses nothing.
        spoil::lose(world, missing, Arc::make_mut(&mut rows));
    }
    if call.bends.repeats {
        page.from = spoil::repeat_from(page.from, page.top);
    }
    let total = rows.len();
    let paged = rows
        .iter()
        .all(|row| row.get("id").is_some_and(Value::is_string));
    let end = total.min(page.from.saturating_add(page.top));
    let mut data = &rows[page.from.min(total)..end];
    let next = page.from + data.len();
    let more = next < total;
    let is_cut = call.bends.truncates && spoil::cut(&mut data);
    let mut out = json!({
        "totalRecords": total,
        "count": data.len(),
        // Without ids there is no token, and the rest of the rows is lost.
        "resultTruncated": if is_cut || (more && !paged) { "true" } else { "false" },
        "facets": [],
    });
    if more && paged && !is_cut {
        out["$skipToken"] = json!(page.token(next));
    }
    let table = body["options"]["resultFormat"]
        .as_str()
        .unwrap_or("objectArray");
    out["data"] = if table.eq_ignore_ascii_case("table") {
        as_table(data)
    } else {
        json!(data)
    };
    Ok(Reply::ok(out)
        .with("x-ms-user-quota-remaining", remaining)
        .with("x-ms-user-quota-resets-after", resets))
}

fn bad(code: &str, message: &str) -> ArmError {
    ArmError::new(400, "BadRequest")
        .saying("Please provide below info when asking for support: timestamp, correlationId.")
        .detail(code, message)
}

/// An answer that is kept: who asks the same again while nothing changed gets the same rows, for
/// the next page of them or when polling.
#[derive(Debug)]
pub(crate) struct KeptAnswer {
    digest: String,
    caller: String,
    /// What the caller could read.
    seen: Option<BTreeSet<String>>,
    lag: TimeDelta,
    changes: u64,
    /// From when to when nothing that the rows show changes by time alone.
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    rows: Arc<Vec<Arc<Value>>>,
}

/// Gives all rows of a query.
fn answer(
    world: &mut World,
    call: &Call,
    body: &Value,
    text: &str,
    digest: &str,
) -> Result<Arc<Vec<Arc<Value>>>, ArmError> {
    let (now, changes) = (world.now, world.graph.changes());
    let bent = call.bends.graph_lag_minutes;
    let bent = bent.map(|minutes| TimeDelta::minutes(minutes.into()));
    let lag = bent.unwrap_or_else(|| world.graph_lag());
    let identity = world.entra.named(&call.caller);
    let seen = identity.map(|own| own.subscriptions.clone());
    world.kept_answers.retain(|kept| kept.changes == changes);
    let same = world.kept_answers.iter().find(|kept| {
        (kept.digest.as_str(), &kept.caller, &kept.seen) == (digest, &call.caller, &seen)
            && kept.lag == lag
            && (kept.from..kept.until).contains(&now)
    });
    if let Some(kept) = same {
        let rows = Arc::clone(&kept.rows);
        // Whatever makes an answer change by time has to be among what is asked below.
        debug_assert_eq!(
            run(
                world,
                &mut kql::Memory::default(),
                &call.caller,
                lag,
                body,
                text
            )
            .ok()
            .as_ref(),
            Some(&*rows)
        );
        return Ok(rows);
    }
    let mut memory = std::mem::take(&mut world.queries);
    let rows = run(world, &mut memory, &call.caller, lag, body, text);
    world.queries = memory;
    let rows = Arc::new(rows?);
    if ["now(", "ago("].iter().any(|word| text.contains(word)) {
        return Ok(rows);
    }
    world.kept_answers.truncate(KEPT_ANSWERS - 1);
    world.kept_answers.push_front(KeptAnswer {
        digest: digest.to_owned(),
        caller: call.caller.clone(),
        seen,
        lag,
        changes,
        from: now,
        until: world.graph.same_until(now, lag),
        rows: Arc::clone(&rows),
    });
    Ok(rows)
}

/// Runs the query over the machines in scope, as the graph knows them.
fn run(
    world: &World,
    memory: &mut kql::Memory,
    caller: &str,
    lag: TimeDelta,
    body: &Value,
    text: &str,
) -> Result<Vec<Arc<Value>>, ArmError> {
    let names = |key: &str| -> Vec<String> {
        let list = body[key].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .filter_map(Value::as_str)
            .map(str::to_lowercase)
            .collect()
    };
    let subscriptions = names("subscriptions");
    if !subscriptions.is_empty() && !names("managementGroups").is_empty() {
        return Err(bad(
            "InvalidScope",
            "Use subscriptions or managementGroups, not both.",
        ));
    }
    // Rows that the caller may not read are left out. That a query is refused where it may read
    // nothing is assumed, not documented.
    let sees = |id: &String| world.entra.sees(caller, id);
    if !subscriptions.is_empty() && !subscriptions.iter().any(sees) {
        let scope = format!("/subscriptions/{}", subscriptions[0]);
        let action = "Microsoft.ResourceGraph/resources/read";
        return Err(super::entra::denied(caller, action, &scope));
    }
    // Management groups hold every subscription of the emulated tenant.
    let in_scope = |seen: &&Seen| {
        let own = seen.machine.subscription.to_lowercase();
        (subscriptions.is_empty() || subscriptions.contains(&own)) && sees(&own)
    };
    let machines: Vec<&Seen> = world
        .graph
        .machines(world.now, lag)
        .filter(in_scope)
        .collect();
    let is_seen = |own: &str| {
        (subscriptions.is_empty() || subscriptions.iter().any(|one| one == own))
            && sees(&own.to_owned())
    };
    let is_tenant = subscriptions.is_empty();
    let tables = |name: &str| {
        let table = Table::parse(name)?;
        let mut rows = table.rows(&machines, world.now);
        let assigned = assigned::rows(world, table, &machines, &is_seen, is_tenant);
        rows.extend(assigned.into_iter().map(Arc::new));
        if !world.withheld.is_empty() {
            rows.retain(|row| !is_withheld(world, row["type"].as_str().unwrap_or_default()));
        }
        Some(rows)
    };
    let limits = kql::Limits {
        remote_tables: world.options.assumptions.graph_remote_tables,
    };
    let found = memory.run(text, world.now, limits, &tables);
    found.map_err(|error| {
        let code = match error {
            kql::KqlError::TooMuch(_) => "DisallowedMaxNumberOfRemoteTables",
            _ => "InvalidQuery",
        };
        bad(code, &error.to_string())
    })
}

/// Tells whether nobody may read rows of a type: they are missing then, and nothing says so.
fn is_withheld(world: &World, kind: &str) -> bool {
    let operation = match kind {
        "microsoft.policyinsights/policystates" => "/queryresults",
        _ => "",
    };
    world.withheld.contains(&format!("{kind}{operation}/read"))
}

/// Which part of the rows is asked for.
struct Page {
    from: usize,
    top: usize,
    digest: String,
}

impl Page {
    fn read(body: &Value, text: &str) -> Result<Self, ArmError> {
        let options = &body["options"];
        let number = |name: &str| options[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let top = number("$top").unwrap_or(DEFAULT_TOP);
        if top == 0 || top > MAX_TOP {
            return Err(bad("InvalidParameter", "$top must be between 1 and 1000."));
        }
        let scope = format!(
            "{text}/{}/{}",
            body["subscriptions"], body["managementGroups"]
        );
        let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, scope.as_bytes())
            .simple()
            .to_string();
        let mut page = Self {
            from: number("$skip").unwrap_or(0),
            top,
            digest,
        };
        if let Some(token) = options["$skipToken"].as_str() {
            let parts = token
                .split_once('-')
                .filter(|(digest, _)| *digest == page.digest);
            let from = parts.and_then(|(_, from)| from.parse().ok());
            page.from = from.ok_or_else(|| {
                bad(
                    "InvalidSkipToken",
                    "The token does not belong to this query and scope.",
                )
            })?;
        }
        Ok(page)
    }

    fn token(&self, next: usize) -> String {
        format!("{}-{next}", self.digest)
    }
}

fn as_table(data: &[Arc<Value>]) -> Value {
    let columns: Vec<String> = data
        .first()
        .and_then(|row| row.as_object())
        .map(|row| row.keys().cloned().collect())
        .unwrap_or_default();
    let rows: Vec<Value> = data
        .iter()
        .map(|row| columns.iter().map(|column| row[column].clone()).collect())
        .collect();
    let columns: Vec<Value> = columns
        .iter()
        .map(|name| json!({"name": name, "type": "object"}))
        .collect();
    json!({"columns": columns, "rows": rows})
}

/// Counts the query against the caller's quota, and refuses it beyond where limits hold
/// (azure.md 4: 15 queries in 5 seconds).
fn quota(world: &mut World, caller: &str) -> Result<(String, String), ArmError> {
    let now = world.now;
    let enforced = world.options.buckets.enforced;
    let queries = world.graph_queries.entry(caller.to_owned()).or_default();
    queries.retain(|at| now - *at < QUOTA_PERIOD);
    let is_beyond = queries.len() >= QUOTA;
    if !(enforced && is_beyond) {
        queries.push(now);
    }
    let remaining = QUOTA.saturating_sub(queries.len());
    let oldest = queries.first().copied().unwrap_or(now);
    let left = (QUOTA_PERIOD - (now - oldest)).num_milliseconds().max(0);
    // Rounded up: whoever waits that long is let in.
    let seconds = (left + 999) / 1000;
    let resets = format!("00:00:{seconds:02}");
    if enforced && is_beyond {
        return Err(ArmError::new(429, "RateLimiting")
            .saying("Please provide below info when asking for support: timestamp, correlationId.")
            .detail("RateLimiting", "Client application has been throttled.")
            .with("retry-after", seconds.max(1).to_string())
            .with("x-ms-user-quota-remaining", "0")
            .with("x-ms-user-quota-resets-after", resets));
    }
    Ok((remaining.to_string(), resets))
}
