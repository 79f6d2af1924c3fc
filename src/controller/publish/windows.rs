//! The status of windows: it changes when they open and close, though nothing else happens.
//! Must never decide anything: plans read windows from their specs.

use chrono::{DateTime, Utc};

use super::{unreadable, write};
use crate::api::MaintenanceWindow;
use crate::controller::Shell;
use crate::controller::mirror::Mirror;
use crate::controller::observe::Mirrors;
use crate::status;
use crate::validate::{self, Found};

/// Writes the status of windows. (writes)
pub async fn windows(
    shell: &Shell,
    mirrors: &Mirrors,
    all: impl IntoIterator<Item = Found<MaintenanceWindow>>,
    now: DateTime<Utc>,
) {
    for found in all {
        unreadable(shell, "MaintenanceWindow", &found, now).await;
        let Some(object) = found.object() else {
            continue;
        };
        let spec = validate::window(object);
        let wanted = status::window(
            object.status.as_ref(),
            object.metadata.generation,
            spec.as_ref(),
            now,
        );
        write(&shell.kube, &mirrors.windows, object, wanted).await;
    }
}

/// Returns when the next of the windows opens or closes, by their status; where that is behind,
/// it was already.
pub fn next_edge(windows: &Mirror<MaintenanceWindow>) -> Option<DateTime<Utc>> {
    let all = windows.objects();
    let edges = all.values().filter_map(|found| {
        let status = found.object()?.status.as_ref()?;
        let opens = status.next.first().map(|own| own.start);
        status.open_until.or(opens)
    });
    edges.min()
}
