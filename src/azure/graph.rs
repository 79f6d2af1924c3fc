//! Resource Graph: the queries, and one page of an answer at a time.
//!
//! The queries are constants; scopes travel in the request's body. The only thing ever written
//! into a query is a list of machine ids, each parsed and escaped. Must never return a part of an
//! answer as the whole.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::arm::{Arm, RETRY_AFTER_SECONDS_DEFAULT};
use super::error::{Error, bounded};
use super::port::{Scope, UnreadableRow};
use super::wire::API_GRAPH;
use super::wire::graph::Answer;
use crate::domain::machine::MachineId;

/// Rows asked for per page: the most that Resource Graph gives (azure.md §4).
pub(super) const PAGE_ROWS: u32 = 1000;

/// Pages read of one query at most: 2,000,000 rows, twenty updates for each of 100,000 machines.
pub(super) const PAGES_MAX: u32 = 2000;

/// Subscriptions, management groups or machine ids named in one query at most (azure.md §4,
/// grouping).
pub(super) const NAMES_PER_QUERY: usize = 300;

/// A query: where its rows come from, and what is taken of them. A filter by machine goes
/// between the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    /// For messages.
    pub(super) what: &'static str,
    from: &'static str,
    take: &'static str,
}

/// Machines, with the licence profiles and scale sets that belong to them.
pub(super) const RESOURCES: Query = Query {
    what: "the query for machines",
    from: "resources
| where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines', \
'microsoft.hybridcompute/machines/licenseprofiles', \
'microsoft.compute/virtualmachinescalesets')
| extend machine = tolower(id)",
    take: "| project id, name, type, kind, location, zones, tags, \
vmId = properties.vmId, vmUuid = properties.vmUuid, \
provisioning = properties.provisioningState, \
disk = properties.storageProfile.osDisk.managedDisk.id, \
diskOs = properties.storageProfile.osDisk.osType, \
image = properties.storageProfile.imageReference, \
windows = properties.osProfile.windowsConfiguration, \
extensions = properties.osProfile.allowExtensionOperations, \
availabilitySet = properties.availabilitySet.id, \
scaleSet = properties.virtualMachineScaleSet.id, \
faultDomain = properties.platformFaultDomain, \
view = properties.extended.instanceView, \
status = properties.status, changed = properties.lastStatusChange, \
agent = properties.agentVersion, osType = properties.osType, \
osVersion = properties.osVersion, osSku = properties.osSku, \
osEdition = properties.osEdition, cluster = properties.parentClusterResourceId, \
licence = properties.licenseProfile.productProfile, product = properties.productProfile, \
mode = properties.orchestrationMode
| order by id asc",
};

/// The instances of Azure Local VMs: their machines do not tell their power.
pub(super) const INSTANCES: Query = Query {
    what: "the query for Azure Local instances",
    from: "extensibilityresources
| where type =~ 'microsoft.azurestackhci/virtualmachineinstances'
| extend machine = tostring(split(tolower(id), '/providers/microsoft.azurestackhci/')[0])",
    take: "| project id, power = tostring(properties.status.powerState), \
provisioning = tostring(properties.provisioningState)
| order by id asc",
};

/// The last assessment of each machine.
pub(super) const ASSESSMENTS: Query = Query {
    what: "the query for assessments",
    from: "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults', \
'microsoft.hybridcompute/machines/patchassessmentresults')
| extend machine = tostring(split(tolower(id), '/patchassessmentresults/')[0])",
    take: "| project id, status = tostring(properties.status), \
rebootPending = tobool(properties.rebootPending), \
started = tostring(properties.startDateTime), \
modified = tostring(properties.lastModifiedDateTime)
| order by id asc",
};

/// What each last assessment offers.
pub(super) const OFFERS: Query = Query {
    what: "the query for offered updates",
    from: "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches')
| where isnotempty(properties.kbId)
| extend machine = tostring(split(tolower(id), '/patchassessmentresults/')[0])",
    take: "| project id, kb = tostring(properties.kbId), title = tostring(properties.patchName), \
reboot = tostring(properties.rebootBehavior), classifications = properties.classifications, \
published = tostring(properties.publishedDateTime)
| order by id asc",
};

/// The installs of each machine.
pub(super) const INSTALLS: Query = Query {
    what: "the query for installs",
    from: "patchinstallationresources
| where type in~ ('microsoft.compute/virtualmachines/patchinstallationresults', \
'microsoft.hybridcompute/machines/patchinstallationresults')
| extend machine = tostring(split(tolower(id), '/patchinstallationresults/')[0])",
    take: "| project id, activity = tostring(properties.installationActivityId), \
status = tostring(properties.status), reboot = tostring(properties.rebootStatus), \
exceeded = tobool(properties.maintenanceWindowExceeded), \
started = tostring(properties.startDateTime), \
modified = tostring(properties.lastModifiedDateTime)
| order by id asc",
};

/// What each install installed, or could not.
pub(super) const PATCHES: Query = Query {
    what: "the query for installed updates",
    from: "patchinstallationresources
| where type in~ ('microsoft.compute/virtualmachines/patchinstallationresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchinstallationresults/softwarepatches')
| where isnotempty(properties.kbId)
| where tostring(properties.installationState) in~ ('Installed', 'Failed')
| extend machine = tostring(split(tolower(id), '/patchinstallationresults/')[0])",
    take: "| project id, kb = tostring(properties.kbId), \
state = tostring(properties.installationState)
| order by id asc",
};

/// Resource Health of each machine.
pub(super) const HEALTH: Query = Query {
    what: "the query for health",
    from: "healthresources
| where type =~ 'microsoft.resourcehealth/availabilitystatuses'
| extend machine = tolower(tostring(properties.targetResourceId))
| where machine contains '/microsoft.compute/virtualmachines/' \
or machine contains '/microsoft.hybridcompute/machines/'",
    take: "| project id, target = machine, state = tostring(properties.availabilityState)
| order by id asc",
};

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

/// Writes a query's text, for all machines or for some.
pub(super) fn text(query: Query, machines: Option<&[MachineId]>) -> String {
    let Some(machines) = machines else {
        return format!("{}\n{}", query.from, query.take);
    };
    let list: Vec<String> = machines.iter().map(|id| quoted(id.as_str())).collect();
    format!(
        "{}\n| where machine in ({})\n{}",
        query.from,
        list.join(", "),
        query.take
    )
}

/// Writes a KQL string literal. The domain's id may hold any character between its slashes, and
/// none may end the literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                literal.push('\\');
                literal.push(c);
            }
            // No resource name holds one; a literal may not span lines.
            c if c.is_control() => literal.push(' '),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
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

/// Reads one page.
///
/// # Errors
/// [`Error::Malformed`] where rows are lost: cut short without a token, a count that does not
/// match, a token that leads back, or subscriptions left out.
pub(super) async fn page<T: DeserializeOwned>(
    arm: &Arm,
    what: &str,
    target: &Target,
    text: &str,
    token: Option<&str>,
) -> Result<Page<T>, Error> {
    let mut options = json!({"$top": PAGE_ROWS, "resultFormat": "objectArray"});
    if let Some(token) = token {
        options["$skipToken"] = json!(token);
    }
    let mut body = json!({"query": text, "options": options});
    match target {
        Target::Subscriptions(names) => body["subscriptions"] = json!(names),
        Target::ManagementGroups(names) => body["managementGroups"] = json!(names),
    }
    let path = format!("/providers/Microsoft.ResourceGraph/resources?api-version={API_GRAPH}");
    let reply = arm.query(what, &path, &body).await?;
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
        return Err(error);
    }
    if reply
        .header("x-ms-tenant-subscription-limit-hit")
        .is_some_and(|hit| hit.trim().eq_ignore_ascii_case("true"))
    {
        return Err(Error::malformed(what, "subscriptions were left out of it"));
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
) -> Result<Rows<T>, Error> {
    // All rows parse as a rule; only where one does not is the page taken apart.
    if let Ok(mut answer) = serde_json::from_slice::<Answer<Vec<T>>>(body) {
        let data = std::mem::take(&mut answer.data);
        let next = next(what, &answer, data.len(), token)?;
        return Ok((data.into_iter().map(Ok).collect(), next));
    }
    let mut answer = serde_json::from_slice::<Answer<Vec<Value>>>(body)
        .map_err(|error| Error::malformed(what, format!("its body: {error}")))?;
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
) -> Result<Option<String>, Error> {
    let next = answer.skip_token.clone().filter(|next| !next.is_empty());
    if answer
        .count
        .is_some_and(|count| usize::try_from(count) != Ok(rows))
    {
        return Err(Error::malformed(
            what,
            "its count is not the number of its rows",
        ));
    }
    if answer.is_truncated() && next.is_none() {
        return Err(Error::malformed(
            what,
            "it is cut short and names no next page",
        ));
    }
    if next.is_some() && next.as_deref() == token {
        return Err(Error::malformed(what, "its next page is the same page"));
    }
    Ok(next)
}

/// Reads `hh:mm:ss`.
fn clock_seconds(text: &str) -> Option<u64> {
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
    fn an_id_cannot_end_its_literal() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/\
                  virtualMachines/x') | union resources | where ('1'=='1\\";
        let id = MachineId::parse(id).unwrap();
        let text = text(INSTALLS, Some(std::slice::from_ref(&id)));
        let list = text.split("| where machine in (").nth(1).unwrap();
        let mut inside = false;
        let mut escaped = false;
        let mut ends = Vec::new();
        for (at, c) in list.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if inside => escaped = true,
                '\'' => {
                    inside = !inside;
                    if !inside {
                        ends.push(at);
                    }
                }
                '\n' => break,
                _ => {}
            }
        }
        assert_eq!(ends.len(), 1, "one literal and nothing beside it: {text}");
        assert!(list[ends[0]..].starts_with("')\n| project id"), "{text}");
    }

    #[test]
    fn a_query_for_everything_is_a_constant() {
        for query in [RESOURCES, ASSESSMENTS, OFFERS, INSTALLS, PATCHES, HEALTH] {
            let text = text(query, None);
            assert!(text.contains("project id,"), "paging needs the id: {text}");
            assert!(text.ends_with("| order by id asc"), "{text}");
        }
    }

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
