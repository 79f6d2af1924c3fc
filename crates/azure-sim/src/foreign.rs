//! Holds what tests do behind the API's back: other people's acts and failures of machines.
//! An id nobody has is ignored.

use serde_json::Value;

use crate::effects::{Actor, RebootCause, What};
use crate::job::{InstallRequest, Work};
use crate::machine::{Facts, Machine, Power};
use crate::patches::{PatchError, RebootSetting};
use crate::sim::AzureSim;
use crate::views::Health;
use crate::world::World;

impl AzureSim {
    fn act(&self, id: &str, act: impl FnOnce(&mut World, &str)) {
        let key = id.to_lowercase();
        self.with(|world| {
            if world.machines.contains_key(&key) {
                act(world, &key);
            }
        });
    }

    fn alter(&self, id: &str, change: impl FnOnce(&mut Machine)) {
        self.act(id, |world, key| {
            if let Some(machine) = world.machines.get_mut(key) {
                change(machine);
            }
            world.touch(key);
        });
    }

    /// Reboots a guest from outside, also under a running install, which then fails.
    pub fn foreign_reboot(&self, id: &str) {
        self.act(id, |world, key| {
            world.reboot_from_outside(key, RebootCause::Foreign)
        });
    }

    /// Installs, by somebody's hand in the guest, a KB (digits only) or all there is, without
    /// a reboot; Azure sees an install run. Ignored while another job runs.
    pub fn foreign_install(&self, id: &str, kb: Option<&str>) {
        self.act(id, |world, key| {
            if world.busy(key) {
                return;
            }
            let mut request = InstallRequest::everything(RebootSetting::Never);
            if let Some(kb) = kb {
                request.classifications = Vec::new();
                request.include = vec![kb.to_owned()];
            }
            let activity = world.guid();
            world.submit(
                key,
                None,
                Actor::Foreign,
                Work::Install { activity, request },
            );
        });
    }

    /// Puts a KB (digits only) into effect at once, as an out-of-band update by hand does.
    pub fn foreign_kb(&self, id: &str, kb: &str) {
        self.act(id, |world, key| world.put_kb(key, kb));
    }

    /// Writes patch settings as somebody else: a body like that of a PATCH's `patchSettings`.
    pub fn foreign_settings(&self, id: &str, patch: &Value) {
        self.act(id, |world, key| {
            world.write_settings(key, Actor::Foreign, |settings| {
                crate::http::settings::merge(settings, patch);
            });
        });
    }

    /// Deallocates a VM, or stops a machine of another kind.
    pub fn deallocate(&self, id: &str) {
        self.act(id, |world, key| world.power_off(key, Power::Deallocated));
    }

    /// Starts a machine that is stopped, deallocated or hung.
    pub fn start(&self, id: &str) {
        self.act(id, World::power_on);
    }

    /// Stops the heartbeats of an Arc agent whose guest runs on.
    pub fn disconnect(&self, id: &str) {
        self.act(id, |world, key| world.set_agent_up(key, false));
    }

    /// Resumes the heartbeats of an Arc agent.
    pub fn reconnect(&self, id: &str) {
        self.act(id, |world, key| world.set_agent_up(key, true));
    }

    /// Deletes a machine.
    pub fn delete_machine(&self, id: &str) {
        self.act(id, World::delete);
    }

    /// Deletes a machine and makes it anew under the same id, with another `vmId`.
    pub fn recreate(&self, id: &str) {
        self.act(id, World::recreate);
    }

    /// Makes the next reboot of a guest never end.
    pub fn hang(&self, id: &str) {
        self.alter(id, |machine| machine.hang_next = true);
    }

    /// Makes the next reboot that an install wants not come about, as when something in the guest
    /// vetoes it: the install ends well, and its reboot as failed.
    pub fn keep_up(&self, id: &str) {
        self.alter(id, |machine| machine.keep_up_next = true);
    }

    /// Makes the next install on a machine fail as a whole with this code and message.
    pub fn fail_next_install(&self, id: &str, code: &str, message: &str) {
        let error = PatchError {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self.alter(id, |machine| machine.fail_next = Some(error));
    }

    /// Makes Resource Health show this for a machine; `None` shows the truth again.
    pub fn set_health(&self, id: &str, health: Option<Health>) {
        self.act(id, |world, key| {
            let now = world.now;
            if let Some(machine) = world.machines.get_mut(key) {
                machine.health = health;
                machine.health_since = now;
            }
            match health {
                None | Some(Health::Available) => world.effect(key, What::BecameHealthy),
                Some(bad) => {
                    let why = format!("resource health {}", bad.as_str());
                    world.effect(key, What::WentUnhealthy { why });
                }
            }
        });
    }

    /// Sets a tag as somebody else; `None` removes it.
    pub fn retag(&self, id: &str, tag: &str, value: Option<&str>) {
        self.act(id, |world, key| {
            world.write_tags(key, Actor::Foreign, |tags| {
                match value {
                    Some(value) => tags.insert(tag.to_owned(), value.to_owned()),
                    None => tags.remove(tag),
                };
            });
        });
    }

    /// Sets how an Azure Local cluster, by its id, stands with its own updates
    /// (`updateSummaries/default`, `properties.state`); `None` takes the summary away.
    pub fn set_cluster_update(&self, cluster: &str, state: Option<&str>) {
        self.with(|world| {
            let mut changed = Vec::new();
            for (key, machine) in &mut world.machines {
                if let Facts::Local(_, local) = &mut machine.facts
                    && local.cluster.eq_ignore_ascii_case(cluster)
                {
                    local.cluster_state = state.map(str::to_owned);
                    changed.push(key.clone());
                }
            }
            for key in changed {
                world.touch(&key);
            }
        });
    }

    /// Switches virtualization-based security of a guest.
    pub fn set_vbs(&self, id: &str, on: bool) {
        self.alter(id, |machine| machine.guest.vbs = on);
    }
}
