//! Writes tags and KBs, whoever asks for it. Must never decide who may.

use std::collections::BTreeMap;

use serde_json::json;

use crate::effects::{Actor, What};
use crate::install::take_effect;
use crate::machine::Installed;
use crate::offer::from_release;
use crate::patches::KbKind;
use crate::world::World;

impl World {
    pub(crate) fn write_tags(
        &mut self,
        key: &str,
        by: Actor,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) {
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        let before = machine.tags.clone();
        change(&mut machine.tags);
        if before == machine.tags {
            return;
        }
        machine.revision += 1;
        let after = json!(machine.tags);
        self.effect(
            key,
            What::TagsChanged {
                by,
                before: json!(before),
                after,
            },
        );
    }

    /// Puts a KB into effect at once, by a foreign hand.
    pub(crate) fn put_kb(&mut self, key: &str, kb: &str) {
        let row = self.history.find(kb).cloned();
        let offered = row
            .as_ref()
            .map(|row| from_release(row, &self.options.assumptions));
        let installed = Installed {
            at: self.now,
            kind: offered.map_or(KbKind::Lcu, |offered| offered.kind),
            date: row.as_ref().map_or(self.now.date_naive(), |row| row.date),
            build: row.and_then(|row| row.build),
        };
        let activity = self.guid();
        let Some(machine) = self.machines.get_mut(key) else {
            return;
        };
        take_effect(machine, kb, installed);
        let kb = kb.to_owned();
        self.effect(
            key,
            What::KbInstalled {
                kb,
                activity,
                by: Actor::Foreign,
            },
        );
    }
}
