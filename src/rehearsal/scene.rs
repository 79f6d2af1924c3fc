//! The watch over both simulators: after every request, what happened is taken in and judged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use azure_sim::{AzureSim, What};
use kube_sim::{Call, KubeSim, Verb};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::invariants::Invariants;
use super::story::Story;
use super::summary::Peaks;
use super::world::{Happening, Put, World, Write};
use crate::controller::audit::Audit;

/// Everything that is watched, behind one lock.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) invariants: Invariants,
    pub(super) story: Story,
    pub(super) peaks: Peaks,
    pub(super) seq: u64,
    pub(super) rv: u64,
    pub(super) steps: u64,
    /// Everything that happened, digested.
    pub(super) log: Sha256,
}

impl Scene {
    pub(super) fn take_in(&mut self, happening: Happening) {
        happening.digest(&mut self.log);
        self.world.apply(happening);
        self.invariants.check(&self.world);
        self.peaks.note(&self.world);
        self.story.note(&self.world);
    }

    /// Returns the digest of everything that happened, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        let bytes = self.log.clone().finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The scene, shared with the hooks.
pub(super) type Watched = Arc<Mutex<Scene>>;

/// Locks the scene; what another holder left after a panic is still worth reading.
pub(super) fn locked(scene: &Watched) -> MutexGuard<'_, Scene> {
    scene.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Audit lines go into the world.
pub(super) struct AuditLines(pub(super) Watched);

impl Audit for AuditLines {
    fn write(&self, line: &Value) {
        locked(&self.0).world.audit.push(line.clone());
    }
}

/// Looks at both simulators after every request from now on.
pub(super) fn watch(kube: &KubeSim, azure: &AzureSim, scene: &Watched) {
    let parts = (kube.clone(), azure.clone(), Arc::clone(scene));
    kube.on_response(move |call, status| {
        observe(&parts.0, &parts.1, &parts.2, true);
        if let Some(holder) = renewal(call, status) {
            locked(&parts.2).take_in(Happening::Renewed(holder));
        }
        if let Some(put) = put(call, status) {
            locked(&parts.2).take_in(Happening::Logged(put));
        }
    });
    let parts = (kube.clone(), azure.clone(), Arc::clone(scene));
    azure.after_call(move |method, path, status| {
        observe(&parts.0, &parts.1, &parts.2, true);
        // A fault that is switched on refuses for no limit.
        let is_throttled = status == 429 && parts.1.switchboard().standing().is_empty();
        let asked = Happening::Asked {
            at: parts.1.now(),
            call: format!("{method} {path}"),
            is_throttled,
        };
        locked(&parts.2).take_in(asked);
    });
}

/// Returns the holder that a write of the lease names, if it is one and went well.
fn renewal(call: &Call, status: u16) -> Option<Option<String>> {
    let is_write = matches!(call.verb, Verb::Create | Verb::Update);
    if !is_write || call.resource != "leases.coordination.k8s.io" || status >= 300 {
        return None;
    }
    let holder = call.body.as_ref()?["spec"]["holderIdentity"].as_str();
    Some(holder.map(str::to_owned))
}

/// Returns the put of a run's log, if it is one and was applied or met a conflict.
fn put(call: &Call, status: u16) -> Option<Put> {
    let is_log = call.verb == Verb::Update && call.resource == "hotpatchruns.hotpatch.dev";
    if !is_log || call.subresource.as_deref() != Some("status") {
        return None;
    }
    if status != 409 && status >= 300 {
        return None;
    }
    let body = call.body.as_ref()?;
    let version = body["metadata"]["resourceVersion"].as_str()?;
    Some(Put {
        run: (call.namespace.clone()?, call.name.clone()?),
        epoch: body["status"]["epoch"].as_i64()?,
        version: version.parse().ok()?,
        status,
    })
}

/// Takes in what both simulators have seen since the last look, and judges it.
pub(super) fn observe(kube: &KubeSim, azure: &AzureSim, scene: &Watched, is_step: bool) {
    let mut scene = locked(scene);
    scene.steps += u64::from(is_step);
    for commit in kube.history_since(scene.rv) {
        scene.rv = commit.rv;
        scene.take_in(Happening::Written(Write::from(commit.as_ref())));
    }
    for effect in azure.effects_since(scene.seq) {
        scene.seq = effect.seq + 1;
        let made_anew = matches!(effect.what, What::Recreated).then(|| effect.machine_id.clone());
        scene.take_in(Happening::Effect(effect));
        // What its image brings, nothing else tells.
        let view = made_anew.and_then(|id| azure.machine(&id));
        if let Some(view) = view {
            let id = view.id.to_ascii_lowercase();
            if let Some(truth) = scene.world.machines.get_mut(&id) {
                truth.installed = view.installed;
            }
        }
    }
}
