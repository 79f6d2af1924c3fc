//! Reads fleets with everything they refer to.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kube::Resource;

use super::faults::Faults;
use super::fields::{date, exclusions, release, tags};
use super::{Declared, Found, created_at, find, policy, request, window};
use crate::api::HotpatchFleet;
use crate::api::fleet as api;
use crate::api::machine::MachineKind as ApiKind;
use crate::domain::due::Installer;
use crate::domain::fleet::{
    ExcludedMachine, Fleet, FleetKey, FleetScope, FleetSelector, FleetWindow, HotpatchWhen, Mode,
    Wants, Word,
};
use crate::domain::machine::{MachineId, MachineKind};
use crate::domain::policy::Policy;
use crate::domain::region::normalise;
use crate::domain::snapshot::{Fault, FleetView};

/// Reads the fleets of a namespace with what they refer to and what requests say of them, oldest
/// first, then by name. A fleet that is being deleted is not among them.
pub fn fleets(declared: &Declared, now: DateTime<Utc>) -> Vec<FleetView> {
    let mut views = plain(declared);
    for view in &mut views {
        if let Ok(fleet) = &mut view.fleet {
            request::apply(declared, fleet, now);
        }
    }
    views
}

/// Reads the fleets without what requests say of them.
pub(super) fn plain(declared: &Declared) -> Vec<FleetView> {
    let found = declared.fleets.iter().filter(|found| !is_deleted(found));
    let mut views: Vec<FleetView> = found.map(|found| view(declared, found)).collect();
    views.sort_by(|a, b| (a.created_at, &a.key).cmp(&(b.created_at, &b.key)));
    views
}

/// Tells whether an object is being deleted; it then counts as absent.
pub fn is_deleted<K: Resource<DynamicType = ()>>(found: &Found<K>) -> bool {
    match found {
        Found::Object(object) => object.meta().deletion_timestamp.is_some(),
        Found::Unreadable { .. } => false,
    }
}

fn view(declared: &Declared, found: &Found<HotpatchFleet>) -> FleetView {
    let key = FleetKey {
        namespace: found.namespace().to_owned(),
        name: found.name().to_owned(),
    };
    match found {
        Found::Object(object) => FleetView {
            key: key.clone(),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            created_at: created_at(&object.metadata),
            wants: wants(&object.spec),
            fleet: fleet(declared, key, object),
        },
        Found::Unreadable {
            uid,
            created_at,
            why,
            ..
        } => FleetView {
            key,
            uid: uid.clone().unwrap_or_default(),
            created_at: created_at.unwrap_or(DateTime::UNIX_EPOCH),
            wants: None,
            fleet: Err(Fault {
                reason: "Unreadable",
                message: format!("the fleet cannot be read: {why}; correct it and apply it again"),
                stalls: true,
            }),
        },
    }
}

fn fleet(declared: &Declared, key: FleetKey, object: &HotpatchFleet) -> Result<Fleet, Fault> {
    let spec = &object.spec;
    let mut faults = Faults::default();
    scope(spec, &mut faults);
    if spec.service_account_name.is_empty() {
        let text = "spec.serviceAccountName: it is empty; name a ServiceAccount of this namespace";
        faults.spec("InvalidSpec", text.to_owned());
    }
    let selector = selector(&spec.selector, &mut faults);
    let exclusions = exclusions(&spec.exclusions, "InvalidSpec", &mut faults);
    let policy = policy_of(declared, &key, &spec.policy_ref.name, &mut faults);
    let windows = windows(declared, &key, spec, policy.as_ref(), &mut faults);
    let approvals = approvals(spec, policy.as_ref(), &mut faults);
    match policy {
        Some(policy) if faults.is_empty() => Ok(Fleet {
            key,
            uid: object.metadata.uid.clone().unwrap_or_default(),
            created_at: created_at(&object.metadata),
            mode: mode(spec.mode),
            suspended: spec.suspend,
            service_account: spec.service_account_name.clone(),
            selector,
            policy,
            windows,
            exclusions,
            installer: match spec.hotpatch.installer {
                api::HotpatchInstaller::Operator => Installer::Operator,
                api::HotpatchInstaller::Platform => Installer::Platform,
            },
            hotpatch_when: match spec.hotpatch.when {
                api::HotpatchWhen::AnyTime => HotpatchWhen::AnyTime,
                api::HotpatchWhen::InWindow => HotpatchWhen::InWindow,
            },
            restore_on_release: spec.on_release == api::OnRelease::Restore,
            approvals,
            pauses: Vec::new(),
            aborts: Vec::new(),
            retries: Vec::new(),
            stage_retries: Vec::new(),
        }),
        _ => Err(faults.expect("a fleet that is not made has a fault")),
    }
}

fn mode(mode: api::Mode) -> Mode {
    match mode {
        api::Mode::Observe => Mode::Observe,
        api::Mode::Enrol => Mode::Enrol,
        api::Mode::Enforce => Mode::Enforce,
    }
}

/// Reads which machines a fleet wants, whatever becomes of what it refers to.
fn wants(spec: &api::HotpatchFleetSpec) -> Option<Wants> {
    let mut faults = Faults::default();
    scope(spec, &mut faults);
    let selector = selector(&spec.selector, &mut faults);
    let subscriptions = spec.scope.subscriptions.iter();
    faults.is_empty().then(|| Wants {
        service_account: spec.service_account_name.clone(),
        mode: mode(spec.mode),
        suspended: spec.suspend,
        scope: FleetScope {
            subscriptions: subscriptions.map(|id| id.to_ascii_lowercase()).collect(),
            has_groups: !spec.scope.management_groups.is_empty(),
        },
        selector,
    })
}

fn scope(spec: &api::HotpatchFleetSpec, faults: &mut Faults) {
    let scope = &spec.scope;
    if scope.subscriptions.is_empty() && scope.management_groups.is_empty() {
        let text = "spec.scope: it is empty; name at least one subscription or management group";
        faults.spec("InvalidSpec", text.to_owned());
    }
    for id in scope
        .subscriptions
        .iter()
        .filter(|id| uuid::Uuid::try_parse(id).is_err())
    {
        let text =
            format!("spec.scope.subscriptions: {id:?} is no subscription id; write the GUID");
        faults.spec("InvalidSpec", text);
    }
}

fn selector(selector: &api::MachineSelector, faults: &mut Faults) -> FleetSelector {
    if selector.kinds.is_empty() {
        let text = "spec.selector.kinds: it is empty; name at least one of AzureVM, ArcServer and \
                    AzureLocalVM";
        faults.spec("InvalidSpec", text.to_owned());
    }
    let mut locations = BTreeSet::new();
    for location in &selector.locations {
        let region = normalise(location);
        if region.is_empty() {
            let text = "is no name of a region; write it like westeurope";
            faults.spec(
                "InvalidSpec",
                format!("spec.selector.locations: {location:?} {text}"),
            );
        }
        locations.insert(region);
    }
    FleetSelector {
        kinds: selector.kinds.iter().copied().map(kind).collect(),
        resource_groups: selector
            .resource_groups
            .iter()
            .map(|own| own.to_lowercase())
            .collect(),
        locations,
        tags: tags("spec.selector.tags", selector.tags.as_ref(), faults),
        exclude: excluded(&selector.exclude, faults),
    }
}

/// Reads a kind of machine.
pub(super) fn kind(kind: ApiKind) -> MachineKind {
    match kind {
        ApiKind::AzureVm => MachineKind::AzureVm,
        ApiKind::ArcServer => MachineKind::ArcServer,
        ApiKind::AzureLocalVm => MachineKind::AzureLocalVm,
    }
}

fn excluded(list: &[api::ExcludedMachine], faults: &mut Faults) -> Vec<ExcludedMachine> {
    let mut read = Vec::with_capacity(list.len());
    for (place, machine) in list.iter().enumerate() {
        let at = format!("spec.selector.exclude[{place}]");
        let id = MachineId::parse(&machine.resource_id);
        let id = id.map_err(|error| format!("{at}.resourceId: {error}; copy its id from Azure"));
        let id = faults.take(id);
        let through = machine
            .through
            .as_deref()
            .map(|text| date(&format!("{at}.through"), text));
        let through = through.map(|read| faults.take(read));
        if let (Some(id), None | Some(Some(_))) = (id, through) {
            let reason = machine.reason.clone();
            read.push(ExcludedMachine {
                id,
                reason,
                through: through.flatten(),
            });
        }
    }
    read
}

fn policy_of(
    declared: &Declared,
    fleet: &FleetKey,
    name: &str,
    faults: &mut Faults,
) -> Option<Policy> {
    match find(&declared.policies, &fleet.namespace, name) {
        None => {
            let text = format!(
                "spec.policyRef: there is no BaselinePolicy {name:?} in this namespace; create it \
                 or name another"
            );
            faults.elsewhere("PolicyNotFound", text);
            None
        }
        Some(Found::Unreadable { why, .. }) => {
            let text = format!(
                "spec.policyRef: BaselinePolicy {name:?} cannot be read: {why}; correct it and \
                 apply it again"
            );
            faults.elsewhere("PolicyInvalid", text);
            None
        }
        Some(Found::Object(object)) => policy(object)
            .map_err(|fault| {
                let text = format!("BaselinePolicy {name:?} is invalid: {}", fault.message);
                faults.elsewhere("PolicyInvalid", format!("spec.policyRef: {text}"));
            })
            .ok(),
    }
}

fn windows(
    declared: &Declared,
    fleet: &FleetKey,
    spec: &api::HotpatchFleetSpec,
    policy: Option<&Policy>,
    faults: &mut Faults,
) -> Vec<FleetWindow> {
    let mut windows: Vec<FleetWindow> = Vec::with_capacity(spec.window_refs.len());
    for own in &spec.window_refs {
        let (name, at) = (&own.name, format!("spec.windowRefs[{}]", own.name));
        if windows.iter().any(|window| &window.name == name) {
            faults.spec(
                "InvalidSpec",
                format!("{at}: it is named twice; remove one"),
            );
        }
        for stage in &own.stages {
            known_stage(&format!("{at}.stages"), stage, policy, faults);
        }
        let read = match find(&declared.windows, &fleet.namespace, name) {
            None => {
                let text = "there is no such MaintenanceWindow in this namespace; create it or \
                            name another";
                faults.elsewhere("WindowNotFound", format!("{at}: {text}"));
                continue;
            }
            Some(Found::Unreadable { why, .. }) => Err(format!(
                "it cannot be read: {why}; correct it and apply it again"
            )),
            Some(Found::Object(object)) => {
                window(object).map_err(|fault| format!("it is invalid: {}", fault.message))
            }
        };
        match read {
            Ok(window) => {
                let stages = own.stages.iter().cloned().collect();
                windows.push(FleetWindow {
                    name: name.clone(),
                    window,
                    stages,
                });
            }
            Err(text) => faults.elsewhere("WindowInvalid", format!("{at}: {text}")),
        }
    }
    windows
}

fn known_stage(field: &str, stage: &str, policy: Option<&Policy>, faults: &mut Faults) {
    let Some(policy) = policy else { return };
    if policy.stages.iter().all(|own| own.name != stage) {
        let text = format!(
            "{field}: BaselinePolicy {:?} has no stage {stage:?}; correct the name or add the \
             stage",
            policy.name
        );
        faults.elsewhere("StageNotFound", text);
    }
}

fn approvals(
    spec: &api::HotpatchFleetSpec,
    policy: Option<&Policy>,
    faults: &mut Faults,
) -> Vec<Word> {
    let mut words = Vec::with_capacity(spec.approvals.len());
    for approval in &spec.approvals {
        let at = format!("spec.approvals[{}]", approval.release);
        let stage = Some(approval.stage.clone()).filter(|stage| !stage.is_empty());
        if let Some(stage) = &stage {
            known_stage(&format!("{at}.stage"), stage, policy, faults);
        }
        if let Some(own) = faults.take(release(&at, &approval.release)) {
            let origin = "spec.approvals of the fleet".to_owned();
            words.push(Word {
                release: Some(own),
                stage,
                origin,
            });
        }
    }
    words
}
