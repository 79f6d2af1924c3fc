//! Whom a machine waits for, by the reason of its note.

/// Whom a machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// Nobody: it comes when its time comes, or there is nothing to do.
    Nobody,
    /// Somebody's word on the whole fleet, a release or a stage.
    Word,
    /// Somebody who looks at this machine.
    Person,
}

/// Reasons that pass by themselves, or with the fleet's own state that its conditions tell.
const PASSING: [&str; 47] = [
    "Aborted",
    "AlreadyCurrent",
    "AssessmentFromFuture",
    "AssessmentOlderThanRelease",
    "AssessmentStale",
    "AwaitsRun",
    "AwaitsStage",
    "AwaitsWindow",
    "BudgetExhausted",
    "Busy",
    "Current",
    "Dormant",
    "Due",
    "Excluded",
    "ForeignRun",
    "GateClosed",
    "GroupOrder",
    "InAnotherRun",
    "InstallInProgress",
    "InventoryStale",
    "KeptApart",
    "LetGo",
    "ModeForbids",
    "NeverArrived",
    "NoAssessment",
    "NoRelease",
    "NotDue",
    "NotEnrolled",
    "NotSent",
    "OwnedByAnotherFleet",
    "Paced",
    "Paused",
    "Planned",
    "PlatformInstalls",
    "RebootOwed",
    "RebootUnconfirmed",
    "RunGone",
    "Running",
    "Skipped",
    "Soaking",
    "Starting",
    "Succeeded",
    "Suspended",
    "UntilBaseline",
    "Verifying",
    "WindowClosed",
    "WindowTooShort",
];

/// Reasons that a word on the fleet, a release or a stage ends.
const WORDED: [&str; 8] = [
    "FleetGone",
    "FleetUnresolved",
    "Halted",
    "LateBaselineHeld",
    "NoWindow",
    "NotApproved",
    "StageUnproven",
    "UnplannedBaseline",
];

/// Tells whom a machine waits for. A reason that is not known waits for a person.
pub(super) fn waits_for(reason: &str) -> WaitsFor {
    if PASSING.contains(&reason) {
        WaitsFor::Nobody
    } else if WORDED.contains(&reason) {
        WaitsFor::Word
    } else {
        WaitsFor::Person
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_place() {
        for reason in WORDED {
            assert!(!PASSING.contains(&reason), "{reason}");
        }
    }

    #[test]
    fn who_is_waited_for() {
        let cases = [
            ("AwaitsWindow", WaitsFor::Nobody),
            ("NotApproved", WaitsFor::Word),
            ("OutcomeUnknown", WaitsFor::Person),
            ("NoStage", WaitsFor::Person),
            ("AwaitsRetry", WaitsFor::Person),
            ("NeighbourUnread", WaitsFor::Person),
            ("WordOfALaterVersion", WaitsFor::Person),
        ];
        for (reason, expected) in cases {
            assert_eq!(waits_for(reason), expected, "{reason}");
        }
    }
}
