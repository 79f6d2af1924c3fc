//! Own writes: nothing is decided from a view that is older than the operator's own last write.

use std::collections::BTreeMap;

use super::{Fault, Invariant};
use crate::controller::mirror::version;
use crate::rehearsal::shelf::Name;
use crate::rehearsal::world::{Happening, World};
use kube::ResourceExt;

/// Checks that no write of a run's log meets a conflict with an earlier one by the same leader.
#[derive(Default)]
pub(super) struct OwnWrites {
    /// The epoch of the leader who wrote a run's log last, and the version that this made.
    last: BTreeMap<Name, (i64, u64)>,
}

/// Returns the path under which a run's log is written.
pub(super) fn log_path((namespace, name): &Name) -> String {
    format!("/apis/hotpatch.dev/v1alpha1/namespaces/{namespace}/hotpatchruns/{name}/status")
}

impl Invariant for OwnWrites {
    fn name(&self) -> &'static str {
        "own-writes"
    }

    fn states(&self) -> &'static str {
        "no decision from a view that is older than the operator's own last write"
    }

    fn check(&mut self, world: &World) -> Result<u64, Fault> {
        let Some(Happening::Logged(put)) = &world.latest else {
            return Ok(0);
        };
        if !world.astray.was_heard(&log_path(&put.run)) {
            // Nobody can know of a write whose answer was lost.
            self.last.remove(&put.run);
            return Ok(1);
        }
        if put.status < 300 {
            let stored = world.runs.get(&put.run).map(|run| run.resource_version());
            let made = stored.map_or(0, version);
            self.last.insert(put.run.clone(), (put.epoch, made));
            return Ok(1);
        }
        let known = self.last.get(&put.run);
        match known {
            Some((epoch, made)) if *epoch == put.epoch && put.version < *made => Err(Fault {
                machine: None,
                expected: format!("run {} to be read anew after its last write", put.run.1),
                found: format!("a write over version {}, which made {made}", put.version),
            }),
            _ => Ok(1),
        }
    }
}
