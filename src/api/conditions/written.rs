//! The conditions of what the operator writes: runs and machine records.

use super::others::row;
use super::{ConditionType, Polarity, no, unknown, yes};

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
                "Nobody has looked everywhere yet; the message names where not.",
            ),
        ],
    ),
];
