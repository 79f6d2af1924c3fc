//! What sources show that lag.

use super::state::{Install, Job, Machine, Record};

/// Returns a machine as a source shows it that lags: nothing of this hour.
pub(super) fn hidden(machine: Machine, hour: u8) -> Machine {
    let mut shown = machine;
    for own in &mut shown.records {
        if own.install != Install::None && own.started == hour {
            *own = Record::default();
        } else if own.changed == hour && own.install != Install::None {
            own.install = Install::InProgress;
            own.changed = own.started;
        }
    }
    let runs = shown
        .records
        .iter()
        .any(|own| own.install == Install::InProgress);
    if machine.job != Job::Idle && machine.since < hour {
        return shown;
    }
    let has = |install| shown.records.iter().any(|own| own.install == install);
    if machine.since == hour {
        shown.job = if runs { Job::Installs } else { Job::Idle };
        shown.is_current = has(Install::Completed) || has(Install::Owed);
        shown.owes = has(Install::Owed) && !has(Install::Completed);
        shown.since = 0;
    }
    shown
}
