//! The conditions of all kinds but `HotpatchFleet`.

use super::{ConditionType, Polarity, Reason, no, unknown, yes};

const fn row(
    kind: &'static str,
    name: &'static str,
    polarity: Polarity,
    meaning: &'static str,
    reasons: &'static [Reason],
) -> ConditionType {
    ConditionType {
        kind,
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

const READY_REASONS: &[Reason] = &[
    yes("Working", "The object is read and reported."),
    no("NotAccepted", "Condition Accepted says why."),
    unknown("Starting", "The object was not read yet."),
];

const fn ready(kind: &'static str) -> ConditionType {
    row(
        kind,
        "Ready",
        Polarity::Positive,
        "The operator read the object and can use it.",
        READY_REASONS,
    )
}

const RECONCILING_REASONS: &[Reason] = &[
    yes("NewGeneration", "The spec changed and was not read yet."),
    yes(
        "Waiting",
        "Something beside the spec is missing; condition Accepted says what.",
    ),
    no("UpToDate", "The spec is read as it stands."),
];

const fn reconciling(kind: &'static str) -> ConditionType {
    row(
        kind,
        "Reconciling",
        Polarity::Negative,
        "The operator has not yet caught up with the spec.",
        RECONCILING_REASONS,
    )
}

const STALLED_REASONS: &[Reason] = &[
    yes(
        "InvalidSpec",
        "The spec breaks a rule that the API server cannot check.",
    ),
    no("NotStalled", "Nothing in the spec stands in the way."),
];

const fn stalled(kind: &'static str) -> ConditionType {
    row(
        kind,
        "Stalled",
        Polarity::Negative,
        "Only an edit of the spec can help.",
        STALLED_REASONS,
    )
}

const W: &str = "MaintenanceWindow";

pub(super) const WINDOW: &[ConditionType] = &[
    ready(W),
    reconciling(W),
    stalled(W),
    feeds(row(
        W,
        "Accepted",
        Polarity::Positive,
        "The schedule can be used.",
        &[
            yes("Accepted", "Time zone and schedule are valid."),
            no(
                "UnknownTimeZone",
                "The time zone is not in the tz database.",
            ),
            no(
                "InvalidSchedule",
                "A date or time does not exist; the message names it.",
            ),
            no(
                "Unreadable",
                "The object could not be read at all; the message says where.",
            ),
        ],
    )),
    row(
        W,
        "Upcoming",
        Polarity::Neutral,
        "The window opens again.",
        &[
            yes(
                "Scheduled",
                "The window is open or opens again; see status.next.",
            ),
            no(
                "NeverOpens",
                "The window does not open again within the horizon.",
            ),
            unknown("NotAccepted", "Condition Accepted says why."),
        ],
    ),
];

const P: &str = "BaselinePolicy";

pub(super) const POLICY: &[ConditionType] = &[
    ready(P),
    reconciling(P),
    stalled(P),
    feeds(row(
        P,
        "Accepted",
        Polarity::Positive,
        "The policy can be used.",
        &[
            yes("Accepted", "Stages, budgets and checks are valid."),
            no(
                "InvalidSpec",
                "A field has a value that cannot be used; the message names it.",
            ),
            no(
                "EndpointNotFound",
                "A health check names an endpoint that is not configured.",
            ),
            no(
                "Unreadable",
                "The object could not be read at all; the message says where.",
            ),
        ],
    )),
    row(
        P,
        "NotYetSupported",
        Polarity::Negative,
        "The policy asks for something that this version does not do yet.",
        &[
            yes(
                "FieldsIgnored",
                "Fields are read and have no effect; the message names them.",
            ),
            no("AllSupported", "Every field of the policy has its effect."),
        ],
    ),
];

const Q: &str = "HotpatchRequest";

pub(super) const REQUEST: &[ConditionType] = &[
    row(
        Q,
        "Accepted",
        Polarity::Positive,
        "The operator acts on the request.",
        &[
            yes("Accepted", "The request is valid and the fleet allows it."),
            no(
                "FleetNotFound",
                "The fleet does not exist in this namespace.",
            ),
            no(
                "MachineNotFound",
                "A machine is not in the fleet; the message names it.",
            ),
            no("ReleaseNotFound", "The release is not known."),
            no("StageNotFound", "The policy has no such stage."),
            no(
                "ModeForbids",
                "The mode of the fleet does not allow the verb.",
            ),
            no(
                "RightsMissing",
                "The identity of the fleet lacks a right that the verb needs.",
            ),
            no("Expired", "expiresAt has passed."),
            no(
                "NotYetSupported",
                "This version does not do yet what the verb asks for.",
            ),
            no(
                "InvalidSpec",
                "A field has a value that cannot be used; the message names it.",
            ),
            no(
                "Unreadable",
                "The object could not be read at all; the message says where.",
            ),
            unknown(
                "FleetNotReady",
                "The fleet could not be read; the request waits.",
            ),
        ],
    ),
    row(
        Q,
        "Complete",
        Polarity::Neutral,
        "Nothing more comes of the request.",
        &[
            yes("Done", "What was asked for is done."),
            yes(
                "PartlyDone",
                "Some machines could not be served; the message says which and why.",
            ),
            yes("Refused", "Condition Accepted says why."),
            yes("Expired", "expiresAt has passed."),
            no("InEffect", "The request holds as long as it exists."),
            no("InProgress", "Work for the request is under way."),
            no(
                "Waiting",
                "The request waits for a window, budget or the fleet.",
            ),
        ],
    ),
];

const R: &str = "HotpatchRun";

pub(super) const RUN: &[ConditionType] = &[
    row(
        R,
        "Complete",
        Polarity::Neutral,
        "The run has reached its end, well or not; its reason tells how far it has come.",
        &[
            yes(
                "Succeeded",
                "Every machine succeeded or no longer needed the release.",
            ),
            yes(
                "PartlySucceeded",
                "Some machines failed or were not reached.",
            ),
            yes(
                "Aborted",
                "The run was deleted or aborted; nothing is under way any more.",
            ),
            yes(
                "WindowClosed",
                "The window closed before anything was sent.",
            ),
            yes(
                "Orphaned",
                "The identity is gone; the end of commanded work was not seen.",
            ),
            no("Announced", "The run waits for its window or its gates."),
            no("Running", "Machines are worked on."),
            no(
                "Draining",
                "Nothing new is sent; work under way is followed to its end.",
            ),
            no("Held", "A machine waits for evidence or a person."),
        ],
    ),
    row(
        R,
        "Failed",
        Polarity::Negative,
        "At least one machine failed.",
        &[
            yes("MachinesFailed", "Machines failed; the message names them."),
            yes(
                "ForeignContent",
                "An installation brought an update that the run did not allow.",
            ),
            no("NotFailed", "No machine failed."),
        ],
    ),
    row(
        R,
        "Announced",
        Polarity::Neutral,
        "The run is visible to others before it touches a machine.",
        &[
            yes("Announced", "Other controllers can prepare now."),
            no("TooEarly", "The time for the announcement has not come."),
        ],
    ),
    row(
        R,
        "Claimed",
        Polarity::Neutral,
        "Gates are passed and the window is open: the run may command.",
        &[
            yes("Claimed", "The run may command."),
            no("WaitingForWindow", "The window is not open."),
            no(
                "WaitingForGate",
                "A run gate is not True; the message names it.",
            ),
            no("Released", "The run has ended."),
        ],
    ),
    row(
        R,
        "Held",
        Polarity::Negative,
        "Something must be cleared up before the run goes on.",
        &[
            yes(
                "MachineUnknown",
                "The state of a machine cannot be told; the message names it.",
            ),
            yes(
                "NotUnderstood",
                "A stored field or step is not known to this version.",
            ),
            yes("DigestMismatch", "The spec does not fit its digest."),
            no("NotHeld", "Nothing is held."),
        ],
    ),
    row(
        R,
        "Orphaned",
        Polarity::Negative,
        "The identity is gone while work was under way.",
        &[
            yes("IdentityGone", "Commanded work can no longer be followed."),
            no("NotOrphaned", "Commanded work can be followed."),
        ],
    ),
];

const M: &str = "HotpatchMachine";

pub(super) const MACHINE: &[ConditionType] = &[
    row(
        M,
        "Eligible",
        Polarity::Positive,
        "The machine can be hotpatched.",
        &[
            yes("Eligible", "Every requirement is met."),
            no("Ineligible", "status.reasons has every reason."),
            unknown("NotKnown", "A requirement could not be checked."),
        ],
    ),
    row(
        M,
        "Enrolled",
        Polarity::Positive,
        "Hotpatching is turned on.",
        &[
            yes("Enrolled", "Azure reports hotpatching as turned on."),
            no("NotEnrolled", "Hotpatching is not turned on."),
            no("SettingsRefused", "Azure refused the settings."),
            unknown("NotKnown", "The settings could not be read."),
        ],
    ),
    row(
        M,
        "Current",
        Polarity::Positive,
        "The machine has the newest release of its track.",
        &[
            yes(
                "Current",
                "The newest release is installed and no reboot is owed.",
            ),
            no("HotpatchDue", "A hotpatch is missing."),
            no("BaselineDue", "A baseline is missing."),
            no("RebootOwed", "An installed update waits for a reboot."),
            no(
                "OffTrack",
                "The machine left its hotpatch track until the next baseline.",
            ),
            no(
                "Waiting",
                "The release is missing and the machine waits; status.message says why.",
            ),
            unknown("NotKnown", "What is installed could not be read."),
        ],
    ),
    row(
        M,
        "Healthy",
        Polarity::Positive,
        "The machine counts as available.",
        &[
            yes("Healthy", "All signs of health are good and recent."),
            no(
                "Unhealthy",
                "A sign of health is bad; the message names it.",
            ),
            no(
                "Dormant",
                "The owner switched it off, or it is silent for long.",
            ),
            unknown("NotKnown", "No recent sign of health."),
        ],
    ),
    row(
        M,
        "SoleAuthority",
        Polarity::Positive,
        "Nobody but the operator is found that could reboot the machine for updates.",
        &[
            yes("SoleAuthority", "Nothing else was found."),
            no(
                "OtherAuthority",
                "Somebody else can reboot it; the message says who.",
            ),
            unknown("NotVisible", "A source could not be read."),
            unknown(
                "NotChecked",
                "This version does not look everywhere yet; the message names where not.",
            ),
        ],
    ),
];
