//! The stage on which a scenario plays: the rehearsal, and who starts again what died.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use kube::api::{Api, PostParams};

use super::act;
use super::scenario::Scenario;
use crate::api::{BaselinePolicy, HotpatchFleet, MaintenanceWindow};
use crate::rehearsal::weather::Weather;
use crate::rehearsal::world::World;
use crate::rehearsal::{Ended, NAMESPACE, Rehearsal};

/// The longest time until a dead process is started again.
const DOWN_MINUTES_MAX: u64 = 30;

/// The most lives of one story; a process that dies oftener is a finding.
const LIVES_MAX: u32 = 200;

/// How long a second replica waits at most before it is started again.
const BACK_OFF_SECONDS: u64 = 30;

/// The rehearsal with everything around it.
pub struct Stage {
    /// The rehearsal.
    pub rehearsal: Rehearsal,
    /// How many requests people wrote.
    pub requests: u32,
    weather: Arc<Mutex<dyn Weather>>,
    rng: Rng,
    manifests: Vec<String>,
    is_doubled: bool,
    calm_from: DateTime<Utc>,
    /// How often a process ended by itself.
    pub(super) stopped: u32,
    /// How many lives there were.
    pub(super) lives: u32,
}

impl Stage {
    pub(super) fn new(
        rehearsal: Rehearsal,
        weather: Arc<Mutex<dyn Weather>>,
        own: &Scenario,
    ) -> Self {
        let mut stage = Self {
            rehearsal,
            requests: 0,
            weather,
            rng: Rng::with_seed(!own.seed),
            manifests: own.manifests.clone(),
            is_doubled: own.is_doubled,
            calm_from: own.calm_from,
            stopped: 0,
            lives: 1,
        };
        stage.double();
        stage
    }

    /// Returns the id of a machine that is there.
    pub(super) fn machine(&self, one: usize) -> Option<String> {
        self.rehearsal.look(|world| {
            let there = |id: &&String| {
                let truth = world.machines.get(*id);
                truth.is_some_and(|own| own.exists)
            };
            let ids: Vec<&String> = world.facts.keys().filter(there).collect();
            let at = one.checked_rem(ids.len())?;
            Some(ids[at].clone())
        })
    }

    /// Returns the name of a run that is there.
    pub(super) fn run(&self, one: usize) -> Option<String> {
        self.rehearsal.look(|world| {
            let all = world.runs.keys();
            let there: Vec<_> = all
                .filter(|name| !world.deleted_runs.contains(*name))
                .collect();
            let at = one.checked_rem(there.len())?;
            Some(there[at].1.clone())
        })
    }

    /// Makes policy, window and fleet what they were at the beginning.
    pub(super) async fn restore(&self) {
        for text in &self.manifests {
            let kind = text.lines().find_map(|own| own.strip_prefix("kind: "));
            match kind {
                Some("BaselinePolicy") => self.write::<BaselinePolicy>(text).await,
                Some("MaintenanceWindow") => self.write::<MaintenanceWindow>(text).await,
                _ => self.write::<HotpatchFleet>(text).await,
            }
        }
    }

    async fn write<K>(&self, text: &str)
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
        K::DynamicType: Default,
    {
        let Ok(mut object) = serde_saphyr::from_str::<K>(text) else {
            return;
        };
        let namespace = object.meta().namespace.clone();
        let namespace = namespace.as_deref().unwrap_or(NAMESPACE);
        let api: Api<K> = Api::namespaced(self.rehearsal.kube.client(), namespace);
        let name = object.meta().name.clone().unwrap_or_default();
        let there = api.get_opt(&name).await.ok().flatten();
        let params = PostParams::default();
        // Refused where the old one is still being deleted; the next time it is there.
        let _ = match there {
            None => api.create(&params, &object).await,
            Some(there) => {
                object.meta_mut().resource_version = there.meta().resource_version.clone();
                api.replace(&name, &params, &object).await
            }
        };
    }

    /// Ends everything that people and clouds began.
    pub(super) async fn calm_down(&mut self) {
        let ids: Vec<String> = self
            .rehearsal
            .look(|world| world.facts.keys().cloned().collect());
        let azure = self.rehearsal.azure.clone();
        for id in &ids {
            azure.start(id);
            azure.reconnect(id);
            azure.set_health(id, None);
        }
        act::unask(self).await;
        self.restore().await;
        act::Act::Skews(0).happen(self).await;
    }

    /// A new version starts beside the old one, which then ends in good order.
    pub(super) async fn upgrade(&mut self) {
        self.double();
        self.rehearsal.join_unless_doubled();
        let until = self.rehearsal.now() + TimeDelta::minutes(1);
        self.pass(until, |_| false).await;
        self.rehearsal.hand_over().await;
        self.lives += 1;
        self.double();
    }

    /// Starts the second replica where there should be one.
    fn double(&mut self) {
        if self.is_doubled {
            self.lives += u32::from(self.rehearsal.join_unless_doubled());
        }
    }

    /// Lets time pass; what dies is started again. Returns whether the condition came true.
    pub(super) async fn pass(
        &mut self,
        until: DateTime<Utc>,
        mut is_reached: impl FnMut(&World) -> bool,
    ) -> bool {
        loop {
            let ended = self
                .rehearsal
                .run_until(|world, _| is_reached(world), until)
                .await;
            match ended {
                Ended::Reached => return true,
                Ended::TimeUp => return false,
                Ended::Killed => {}
                // In bad weather it may end for want of an answer; whoever runs it starts it again.
                Ended::Stopped => self.stopped += u32::from(self.rehearsal.now() > self.calm_from),
            }
            if self.lives >= LIVES_MAX || self.rehearsal.now() >= until {
                return false;
            }
            self.revive().await;
        }
    }

    async fn revive(&mut self) {
        let seconds = 1 + self.rng.u64(0..60 * DOWN_MINUTES_MAX);
        if self.rehearsal.promote() {
            self.lives += 1;
            // Whoever starts processes again waits between two starts.
            tokio::time::sleep(std::time::Duration::from_secs(
                seconds.min(BACK_OFF_SECONDS),
            ))
            .await;
            self.rehearsal.join_unless_doubled();
        } else {
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
            self.rehearsal.restart();
            self.lives += 1;
            self.double();
        }
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        weather.reborn();
    }
}
