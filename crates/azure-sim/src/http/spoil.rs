//! Spoils answers of Resource Graph as a fault says. Must never touch the world.

use std::sync::Arc;

use serde_json::Value;

use crate::strike::Rows;
use crate::world::World;

/// Segments of a machine's resource id.
const ID_SEGMENTS: usize = 8;

/// Takes out the rows that go missing.
pub(super) fn lose(world: &World, missing: &Rows, rows: &mut Vec<Arc<Value>>) {
    let mut dice = fastrand::Rng::with_seed(missing.seed);
    rows.retain(|row| {
        let machine = row["id"].as_str().and_then(machine_of);
        let found = machine.as_deref().and_then(|key| world.machines.get(key));
        let region = found.map(|own| own.location.to_lowercase());
        !missing.concern(machine.as_deref(), region.as_deref()) || dice.f64() >= missing.probability
    });
}

/// Gives the key of the machine that a resource id, of whatever is below it, names.
fn machine_of(id: &str) -> Option<String> {
    let id = id.to_lowercase();
    let segments: Vec<&str> = id.split('/').filter(|part| !part.is_empty()).collect();
    let key = segments.get(..ID_SEGMENTS)?;
    Some(format!("/{}", key.join("/")))
}

/// Makes a page begin with the last row of the one before. A page of one row would never end.
pub(super) fn repeat_from(from: usize, top: usize) -> usize {
    if top > 1 {
        from.saturating_sub(1)
    } else {
        from
    }
}

/// Cuts a page in half; tells whether anything was lost.
pub(super) fn cut(data: &mut &[Arc<Value>]) -> bool {
    let before = data.len();
    *data = &data[..before / 2];
    data.len() < before
}
