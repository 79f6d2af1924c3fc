//! Whether a rollout stopped itself, and why.

use super::FleetInput;
use super::picture::Picture;
use crate::domain::due::{Verdict, WaitReason};
use crate::domain::release::ReleaseId;
use crate::domain::rollout::{StageProgress, StageState};
use crate::domain::run::{Run, Step, StepReason};

/// Returns a stage that is unproven for good while machines of later stages wait for it.
fn unproven<'a>(picture: &'a Picture<'_>, release: ReleaseId) -> Option<&'a StageProgress> {
    let rollout = picture.outlook.rollouts.get(&release)?;
    let (place, stage) = rollout
        .stages
        .iter()
        .enumerate()
        .find(|(_, own)| matches!(own.state, StageState::Unproven { .. }))?;
    let awaited = rollout.stages.iter().skip(place + 1).any(|own| own.due > 0);
    // A stage whose machines are still to be assessed may prove itself yet.
    let pending = picture.machines.iter().any(|own| {
        own.member.stage == Some(place)
            && own.member.is_actionable()
            && match &own.member.verdict {
                Verdict::Wait(wait) => {
                    wait.reason.assessing_may_help()
                        || wait.reason == WaitReason::InstallInProgress
                        || wait.reason == WaitReason::PlatformInstalls
                }
                Verdict::Due(due) => due.release == release,
                Verdict::Current { .. } => false,
            }
    });
    (awaited && !pending).then_some(stage)
}

/// Returns reason and message of what halts the fleet, if anything does.
pub(super) fn halt(
    input: &FleetInput<'_>,
    picture: &Picture<'_>,
) -> Option<(&'static str, String)> {
    let rollouts = picture.outlook.rollouts.values();
    let failed = rollouts
        .clone()
        .flat_map(|own| own.stages.iter().map(move |stage| (own.release, stage)))
        .find_map(|(release, stage)| Some((release, stage.name.as_str(), stage.halt()?)));
    if let Some((release, stage, why)) = failed {
        let foreign = input
            .domain
            .runs
            .values()
            .filter(|run| run.fleet == input.view.key && run.terms.release == release)
            .filter(|run| run.terms.stage == stage)
            .any(has_foreign_content);
        let reason = if foreign {
            "ForeignContent"
        } else {
            "TooManyFailures"
        };
        return Some((reason, format!("{release}: {why}")));
    }
    rollouts.into_iter().find_map(|own| {
        let stage = unproven(picture, own.release)?;
        let StageState::Unproven { succeeded, needed } = stage.state else {
            return None;
        };
        let text = format!(
            "{}: stage {} has {succeeded} of the {needed} machines that must prove it; give it \
             machines, lower minSucceeded or set optional: true",
            own.release, stage.name
        );
        Some(("StageUnproven", text))
    })
}

fn has_foreign_content(run: &Run) -> bool {
    run.progress
        .values()
        .any(|own| own.step == Step::Failed && own.reason == Some(StepReason::ForeignContent))
}
