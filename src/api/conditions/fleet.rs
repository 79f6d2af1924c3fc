//! The conditions of `HotpatchFleet`.

use super::{ConditionType, Polarity, Reason, no, unknown, yes};

const fn row(
    name: &'static str,
    polarity: Polarity,
    meaning: &'static str,
    reasons: &'static [Reason],
) -> ConditionType {
    ConditionType {
        kind: "HotpatchFleet",
        name,
        polarity,
        feeds_ready: false,
        meaning,
        reasons,
    }
}

const fn feeds(row: ConditionType) -> ConditionType {
    ConditionType {
        feeds_ready: true,
        ..row
    }
}

pub(super) const CONDITIONS: &[ConditionType] = &[
    row(
        "Ready",
        Polarity::Positive,
        "The operator does its work for the fleet; says nothing of patches.",
        &[
            yes("Working", "The fleet is read, planned and reported."),
            no("NotAccepted", "Condition Accepted says why."),
            no("RefsNotResolved", "Condition ResolvedRefs says why."),
            no(
                "CredentialsNotValid",
                "Condition CredentialsValid says why.",
            ),
            no("NotDiscovered", "Condition Discovered says why."),
            unknown("Starting", "The first pass over the fleet is not over."),
        ],
    ),
    row(
        "Reconciling",
        Polarity::Negative,
        "The operator has not yet caught up with the spec.",
        &[
            yes("NewGeneration", "The spec changed and was not planned yet."),
            yes(
                "WaitingForReference",
                "A policy or window that the spec names is missing.",
            ),
            yes(
                "WaitingForCredentials",
                "The Azure identity cannot be used yet.",
            ),
            yes("WaitingForInventory", "Azure could not be read yet."),
            yes(
                "WaitingForInstallation",
                "The installation does not allow the fleet; its owner can.",
            ),
            no("UpToDate", "The spec is planned as it stands."),
        ],
    ),
    row(
        "Stalled",
        Polarity::Negative,
        "Only an edit of the spec can help.",
        &[
            yes(
                "InvalidSpec",
                "The spec breaks a rule that the API server cannot check.",
            ),
            no("NotStalled", "Nothing in the spec stands in the way."),
        ],
    ),
    feeds(row(
        "Accepted",
        Polarity::Positive,
        "The operator takes the fleet on.",
        &[
            yes(
                "Accepted",
                "The spec is valid and the installation allows it.",
            ),
            no(
                "InvalidSpec",
                "A field has a value that cannot be used; the message names it.",
            ),
            no(
                "NamespaceNotAllowed",
                "The installation does not serve this namespace.",
            ),
            no(
                "ModeNotAllowed",
                "The installation does not allow this mode here.",
            ),
            no(
                "Unreadable",
                "The object could not be read at all; the message says where.",
            ),
        ],
    )),
    feeds(row(
        "ResolvedRefs",
        Polarity::Positive,
        "Everything that the spec names exists and is valid.",
        &[
            yes(
                "Resolved",
                "The policy, all windows and all endpoints were found.",
            ),
            no(
                "PolicyNotFound",
                "The BaselinePolicy does not exist in this namespace.",
            ),
            no("PolicyInvalid", "The BaselinePolicy is not accepted."),
            no(
                "WindowNotFound",
                "A MaintenanceWindow does not exist in this namespace.",
            ),
            no("WindowInvalid", "A MaintenanceWindow is not accepted."),
            no(
                "StageNotFound",
                "A window or approval names a stage that the policy lacks.",
            ),
            no(
                "EndpointNotFound",
                "A health check names an endpoint that is not configured.",
            ),
            unknown("Unreadable", "What the spec names could not be read."),
        ],
    )),
    feeds(row(
        "CredentialsValid",
        Polarity::Positive,
        "The Azure identity of the fleet can be used for what the mode needs.",
        super::credentials::REASONS,
    )),
    feeds(row(
        "Discovered",
        Polarity::Positive,
        "The machines of the fleet are known from a recent reading of Azure.",
        &[
            yes("Discovered", "The whole scope was read."),
            yes(
                "NoMachines",
                "The whole scope was read and nothing matches the selector.",
            ),
            no(
                "Unreadable",
                "The scope could not be read; nothing is planned.",
            ),
            no(
                "Partial",
                "A part of the scope could not be read; the message names it.",
            ),
            no(
                "Stale",
                "The last whole reading is too old; nothing new is started.",
            ),
            unknown("NotRead", "The scope was not read yet."),
            unknown(
                "NotPlanned",
                "The fleet cannot be planned; Accepted and ResolvedRefs say why.",
            ),
        ],
    )),
    row(
        "Enrolled",
        Polarity::Positive,
        "Hotpatching is turned on for every eligible machine.",
        &[
            yes("AllEnrolled", "Every eligible machine is enrolled."),
            no(
                "NotEnrolled",
                "Some eligible machines are not enrolled yet.",
            ),
            no(
                "ObserveOnly",
                "Some are not enrolled and mode Observe changes no settings.",
            ),
            no(
                "SettingsRefused",
                "Azure refused the settings of some machines.",
            ),
            unknown(
                "NotKnown",
                "The settings of some machines could not be read.",
            ),
        ],
    ),
    row(
        "Compliant",
        Polarity::Positive,
        "Every eligible machine has the newest release of its track or is within the deadline.",
        &[
            yes("Compliant", "Every eligible machine is current."),
            yes("WithinDeadline", "Some machines are due, none overdue."),
            no(
                "Overdue",
                "Some machines are past the deadline of the policy.",
            ),
            no(
                "RebootOwed",
                "Some machines wait for a reboot past the deadline.",
            ),
            unknown(
                "NotKnown",
                "The patch state of some machines could not be told.",
            ),
        ],
    ),
    row(
        "RolloutComplete",
        Polarity::Positive,
        "Every stage of the present releases is done.",
        &[
            yes("Complete", "Every stage is done."),
            yes("NothingDue", "No release is due."),
            no("InProgress", "A run is under way."),
            no(
                "Waiting",
                "The next run waits for its window, soak or budget.",
            ),
            no("WaitingForApproval", "The next run needs an approval."),
            no(
                "Blocked",
                "Due machines wait for somebody; the message says for what.",
            ),
            unknown("NotKnown", "What is due could not be told."),
        ],
    ),
    row(
        "WindowOpen",
        Polarity::Neutral,
        "A window of the fleet is open now.",
        &[
            yes("Open", "A window is open."),
            no(
                "Closed",
                "All windows are closed; the message has the next opening.",
            ),
            no(
                "Excluded",
                "A window would be open, but an exclusion closes it.",
            ),
            no(
                "NoWindow",
                "The spec names no window: nothing is ever rebooted.",
            ),
            no("NeverOpens", "No window opens again."),
            unknown("Unreadable", "A window could not be read."),
        ],
    ),
    row(
        "SoleAuthority",
        Polarity::Positive,
        "Nobody but the operator is found that could reboot the machines for updates; True only \
         where everything could be looked at.",
        &[
            yes("SoleAuthority", "Nothing else was found."),
            no(
                "PlatformStaging",
                "Azure's own patching can install and reboot.",
            ),
            no(
                "MaintenanceConfiguration",
                "A schedule of Azure Update Manager is assigned.",
            ),
            no(
                "PolicyAssignment",
                "An Azure Policy changes patch settings.",
            ),
            no(
                "GuestPolicy",
                "Windows Update or WSUS policy in the guest can reboot.",
            ),
            no("OtherCluster", "A tag claims machines for another cluster."),
            no(
                "OtherFleet",
                "An older fleet selects some of the same machines.",
            ),
            unknown(
                "NotVisible",
                "A source could not be read; the message names it.",
            ),
            unknown(
                "NotChecked",
                "Nobody has looked everywhere yet; the message names where not.",
            ),
        ],
    ),
    row(
        "Feasible",
        Polarity::Positive,
        "The forecast reaches every due machine before the deadline and before the next release.",
        &[
            yes("Feasible", "The windows suffice."),
            no("NoWindowInTime", "No window opens in time."),
            no(
                "TooLittleTime",
                "The windows are too short for so many machines under the budgets.",
            ),
            no(
                "BudgetNothing",
                "A budget of 0 keeps machines from ever being reached.",
            ),
            no("DeadlinePassed", "Some machines are past the deadline."),
            unknown("NotForecast", "There is no forecast yet."),
        ],
    ),
    row(
        "ObjectivesMet",
        Polarity::Positive,
        "The objectives of the policy were met for the present releases.",
        &[
            yes("Met", "Every objective is met."),
            yes("NoObjectives", "The policy has none."),
            no("AtRisk", "An objective will be missed by the forecast."),
            no("Missed", "An objective was missed."),
            unknown("NotKnown", "Too little is known."),
            unknown(
                "NotReported",
                "This version does not measure objectives yet.",
            ),
        ],
    ),
    row(
        "Halted",
        Polarity::Negative,
        "The rollout stopped itself; a Retry with a reason starts it again.",
        &[
            yes(
                "TooManyFailures",
                "More machines failed than the policy allows.",
            ),
            yes(
                "StageUnproven",
                "A stage that is not optional cannot reach minSucceeded.",
            ),
            yes(
                "ForeignContent",
                "An installation brought an update that no run allowed.",
            ),
            yes(
                "HealthCheckFailed",
                "A health check of the policy does not hold.",
            ),
            yes(
                "ClockSkewed",
                "The clock differs from Azure's by more than 30 seconds.",
            ),
            no("NotHalted", "Nothing stopped the rollout."),
            unknown("NotKnown", "The rollout could not be judged."),
        ],
    ),
    row(
        "Paused",
        Polarity::Neutral,
        "A person stopped everything new.",
        &[
            yes("Suspended", "spec.suspend is true."),
            yes(
                "PauseRequested",
                "A HotpatchRequest with verb Pause exists.",
            ),
            no("NotPaused", "Nobody paused the fleet."),
            unknown("NotKnown", "The fleet could not be understood."),
        ],
    ),
    row(
        "RecordsComplete",
        Polarity::Positive,
        "HotpatchMachine objects exist as machineRecords asks.",
        &[
            yes("Complete", "All records that were asked for exist."),
            yes("SwitchedOff", "machineRecords is None."),
            no(
                "LimitExceeded",
                "The installation has too many machines: only exceptions have one.",
            ),
        ],
    ),
    row(
        "NotYetSupported",
        Polarity::Negative,
        "The spec asks for something that this version does not do yet.",
        &[
            yes(
                "FieldsIgnored",
                "Fields are read and have no effect; the message names them.",
            ),
            no("AllSupported", "Every field of the spec has its effect."),
        ],
    ),
];
