//! Puts the questions of runs to Azure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};

use crate::azure::{Cloud, OperationState};
use crate::domain::command::Command;
use crate::domain::evidence::{Answer, Question};
use crate::domain::machine::{MachineId, MachineKind};
use crate::domain::snapshot::Inventory;

/// Questions asked at the same time.
const QUESTIONS_AT_ONCE: usize = 8;

/// How long an operation is remembered that is asked after no more.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::hours(1);

/// When each running operation may be asked after again, by its address, as Azure said with
/// `Retry-After`. It can be lost.
#[derive(Default)]
pub(super) struct Polls(BTreeMap<String, DateTime<Utc>>);

impl Polls {
    /// Returns how an operation stands that may not be asked after yet.
    fn standing(&self, url: &str, now: DateTime<Utc>) -> Option<OperationState> {
        let left = (*self.0.get(url)? - now).num_milliseconds();
        (left > 0).then(|| OperationState::Running {
            again_seconds: u64::try_from(left.div_euclid(1000) + 1).unwrap_or(1),
        })
    }

    fn note(&mut self, url: &str, state: &OperationState, now: DateTime<Utc>) {
        match state {
            OperationState::Running { again_seconds } => {
                let seconds = i64::try_from(*again_seconds).unwrap_or(i64::MAX);
                let at = now + TimeDelta::seconds(seconds.clamp(0, 3600));
                self.0.insert(url.to_owned(), at);
            }
            OperationState::Ended(_) | OperationState::Gone => {
                self.0.remove(url);
            }
        }
        self.0.retain(|_, at| now - *at < FORGOTTEN_AFTER);
    }
}

/// Asks Azure. What cannot be answered is missing.
pub(super) async fn answers(
    cloud: &Cloud,
    seen: Option<&Inventory>,
    asked: BTreeMap<MachineId, Question>,
    polls: &mut Polls,
    now: DateTime<Utc>,
) -> BTreeMap<MachineId, Answer> {
    let Some(inventory) = seen else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    let mut urls = BTreeMap::new();
    let mut left = Vec::new();
    for (id, question) in asked {
        if let Question::Operation(operation) = &question {
            if let Some(standing) = polls.standing(&operation.url, now) {
                found.insert(id, Answer::Operation(standing));
                continue;
            }
            urls.insert(id.clone(), operation.url.clone());
        }
        left.push((id, question));
    }
    let asking = left.into_iter().filter_map(|(id, question)| {
        let machine = inventory.machines.get(&id)?;
        let (kind, cloud) = (machine.kind, cloud.in_region(&machine.placement.region));
        Some(async move {
            let answer = match question {
                Question::Operation(operation) => {
                    cloud.operation(&operation).await.map(Answer::Operation)
                }
                Question::Reading => cloud
                    .read(&id, kind)
                    .await
                    .map(|reading| Answer::Reading(Box::new(reading))),
                Question::Log {
                    command,
                    request,
                    since,
                } => match (command, kind) {
                    (Command::Restart, MachineKind::ArcServer) => {
                        cloud.evidence_of_restart(&id, request, since, now).await
                    }
                    _ => cloud.evidence(&id, request, since, now).await,
                }
                .map(Answer::Log),
            };
            match answer {
                Ok(answer) => Some((id, answer)),
                Err(error) => {
                    tracing::info!(machine = %id, %error, "a question has no answer");
                    None
                }
            }
        })
    });
    let answered: Vec<(MachineId, Answer)> = stream::iter(asking)
        .buffered(QUESTIONS_AT_ONCE)
        .filter_map(futures::future::ready)
        .collect()
        .await;
    for (id, answer) in answered {
        if let (Some(url), Answer::Operation(state)) = (urls.get(&id), &answer) {
            polls.note(url, state, now);
        }
        found.insert(id, answer);
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    #[test]
    fn an_operation_is_not_asked_after_before_azure_said_so() {
        let start: DateTime<Utc> = "2026-11-22T03:00:00Z".parse().unwrap();
        let at = |seconds| start + TimeDelta::seconds(seconds);
        let running = |again_seconds| OperationState::Running { again_seconds };
        let mut polls = Polls::default();
        assert_eq!(polls.standing("u", start), None);
        polls.note("u", &running(15), start);
        let rows = [(0, Some(16)), (14, Some(2)), (15, None), (400, None)];
        for (seconds, left) in rows {
            assert_eq!(
                polls.standing("u", at(seconds)),
                left.map(running),
                "{seconds}"
            );
            assert_eq!(polls.standing("other", at(seconds)), None);
        }
        polls.note("u", &OperationState::Gone, at(1));
        assert_eq!(polls.standing("u", at(2)), None);
        polls.note("old", &running(1), start);
        polls.note("new", &running(1), at(7200));
        assert_eq!(polls.0.len(), 1, "what nobody asks after is forgotten");
    }
}
