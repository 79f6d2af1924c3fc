//! The conditions of windows, policies and requests: of what people write beside fleets.

use super::{ConditionType, Polarity, Reason, no, unknown, yes};

pub(super) const fn row(
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
