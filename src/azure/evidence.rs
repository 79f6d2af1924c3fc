//! Azure's Activity Log as a witness: did a command arrive? (Azure REST reference, "Activity
//! Logs - List"; the log keeps 90 days and lags by minutes.)

use chrono::{DateTime, SecondsFormat, Utc};

use super::act::{LOCAL_INSTANCE, encoded, segment};
use super::arm::Arm;
use super::error::{Error, bounded};
use super::port::LogEvidence;
use super::read_as::{instant, is, some};
use super::wire::API_ACTIVITY;
use super::wire::activity::{Event, Events, Localizable};
use crate::domain::command::RequestId;
use crate::domain::machine::MachineId;

/// Pages read of one search at most.
const PAGES_MAX: usize = 50;

pub(super) async fn evidence(
    arm: &Arm,
    machine: &MachineId,
    request: &RequestId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<LogEvidence, Error> {
    let what = format!("the Activity Log of {machine}");
    let mut found = Found::default();
    found
        .search(arm, &what, machine, machine.as_str(), request, since, now)
        .await?;
    if found.is_empty() && machine.as_str().contains("/microsoft.hybridcompute/") {
        // An Azure Local VM is restarted through its instance, whose events bear its own id.
        let instance = format!("{machine}{LOCAL_INSTANCE}");
        found
            .search(arm, &what, machine, &instance, request, since, now)
            .await?;
    }
    Ok(found.judge(now))
}

/// Searches the log for a command whose events bear the id of a resource of the machine.
pub(super) async fn of_resource(
    arm: &Arm,
    machine: &MachineId,
    resource: &str,
    request: &RequestId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<LogEvidence, Error> {
    let what = format!("the Activity Log of {machine}");
    let mut found = Found::default();
    found
        .search(arm, &what, machine, resource, request, since, now)
        .await?;
    Ok(found.judge(now))
}

/// The events of one command.
#[derive(Debug, Default)]
struct Found {
    arrived: Option<DateTime<Utc>>,
    accepted: Option<DateTime<Utc>>,
    refused: Option<(DateTime<Utc>, String)>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.arrived.is_none() && self.accepted.is_none() && self.refused.is_none()
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a search is its terms; all are distinct types"
    )]
    async fn search(
        &mut self,
        arm: &Arm,
        what: &str,
        machine: &MachineId,
        resource: &str,
        request: &RequestId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let subscription = segment(what, machine.subscription())?;
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let filter = format!(
            "eventTimestamp ge '{}' and eventTimestamp le '{}' and resourceUri eq '{}'",
            time(since),
            time(now),
            resource.replace('\'', "''"),
        );
        let path = format!(
            "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/\
             values?api-version={API_ACTIVITY}&$filter={}",
            encoded(&filter),
        );
        let mut page: Events = arm.get(what, &path).await?.json(what)?;
        for _ in 0..PAGES_MAX {
            for event in &page.value {
                self.take(what, event, request)?;
            }
            let Some(next) = some(page.next_link.as_ref()) else {
                return Ok(());
            };
            page = arm.follow(what, next).await?.json(what)?;
        }
        Err(Error::malformed(
            what,
            format!("more than {PAGES_MAX} pages"),
        ))
    }

    fn take(&mut self, what: &str, event: &Event, request: &RequestId) -> Result<(), Error> {
        let id = event
            .http_request
            .as_ref()
            .and_then(|http| http.client_request_id.as_deref());
        if !is(id, &request.0) {
            return Ok(());
        }
        let Some(at) = some(event.event_timestamp.as_ref()).and_then(instant) else {
            return Err(Error::malformed(what, "our event has no time"));
        };
        self.arrived = Some(self.arrived.map_or(at, |old| old.min(at)));
        let status = event.status.as_ref().and_then(|s| s.value.as_deref());
        if is(status, "Accepted") || is(status, "Succeeded") {
            self.accepted = Some(self.accepted.map_or(at, |old| old.min(at)));
        } else if is(status, "Failed")
            && let Some(word) = event.sub_status.as_ref().and_then(refusal)
        {
            self.refused.get_or_insert((at, word));
        }
        Ok(())
    }

    /// Any sign that it was accepted outweighs a failure, which then is the operation's own. A
    /// command that only shows as begun, or failed in a way that is no refusal, counts as
    /// accepted: only a refusal frees the machine.
    fn judge(self, now: DateTime<Utc>) -> LogEvidence {
        match (self.accepted, self.refused, self.arrived) {
            (Some(at), _, _) => LogEvidence::Accepted {
                at,
                operation: None,
            },
            (None, Some((at, status)), _) => LogEvidence::Refused { at, status },
            (None, None, Some(at)) => LogEvidence::Accepted {
                at,
                operation: None,
            },
            (None, None, None) => LogEvidence::Absent {
                searched_until: now,
            },
        }
    }
}

/// The words the log has for statuses that are sure refusals.
const REFUSALS: [(&str, u16); 9] = [
    ("BadRequest", 400),
    ("Unauthorized", 401),
    ("Forbidden", 403),
    ("NotFound", 404),
    ("Conflict", 409),
    ("PreconditionFailed", 412),
    ("UnprocessableEntity", 422),
    ("Locked", 423),
    ("TooManyRequests", 429),
];

/// Returns the word of a sure refusal, or none for any other status.
fn refusal(sub_status: &Localizable) -> Option<String> {
    let word = some(sub_status.value.as_ref())?;
    let number = word.parse::<u16>().ok();
    let sure = REFUSALS
        .iter()
        .any(|(name, code)| is(Some(word), name) || number == Some(*code));
    sure.then(|| bounded(word))
}
