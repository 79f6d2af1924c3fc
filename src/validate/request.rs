//! Judges requests and puts those in force into their fleet.
//!
//! What narrows and cannot be understood pauses: an unreadable request may have been a Pause.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Declared, Found, created_at, fleet::is_deleted, fleet::plain};
use crate::api::HotpatchRequest;
use crate::api::request::{HotpatchRequestSpec, Verb};
use crate::domain::fleet::{ExcludedMachine, Fleet, MachineWord, Word};
use crate::domain::machine::MachineId;
use crate::domain::release::ReleaseRef;
use crate::domain::snapshot::FleetView;

/// What the operator makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is in force.
    Accepted {
        /// What of it could not be followed to the letter, for people.
        note: Option<String>,
    },
    /// It cannot be followed.
    Refused {
        /// The CamelCase reason.
        reason: &'static str,
        /// The same for people, with the next step.
        message: String,
    },
    /// Its time has passed.
    Expired {
        /// When it did.
        at: DateTime<Utc>,
    },
    /// Its verb is one that this version does not do yet.
    NotYetSupported {
        /// What to do instead, for people.
        message: String,
    },
    /// Its fleet cannot be planned for; it waits.
    FleetNotReady {
        /// Why, for people.
        message: String,
    },
}

/// A request with what the operator makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestJudgement {
    /// Its name.
    pub name: String,
    /// The fleet that it names; none where it could not be read.
    pub fleet: Option<String>,
    /// What it asks for; none where it could not be read.
    pub verb: Option<Verb>,
    /// What the operator makes of it.
    pub ruling: Ruling,
}

/// What a request puts into its fleet.
#[derive(Default)]
struct Effect {
    approvals: Vec<Word>,
    pauses: Vec<Word>,
    aborts: Vec<Word>,
    exclude: Vec<ExcludedMachine>,
    retries: Vec<MachineWord>,
    stage_retries: Vec<(Word, DateTime<Utc>)>,
}

/// Judges the requests of a namespace, in order of their names. A request that is being deleted
/// is not among them: deleting it ends what it asked for.
pub fn requests(declared: &Declared, now: DateTime<Utc>) -> Vec<RequestJudgement> {
    let views = plain(declared);
    let mut judged: Vec<RequestJudgement> = declared
        .requests
        .iter()
        .filter(|found| !is_deleted(found))
        .map(|found| judge(declared, &views, found, now))
        .collect();
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    judged
}

/// Puts the requests in force into a fleet.
pub(super) fn apply(declared: &Declared, fleet: &mut Fleet, now: DateTime<Utc>) {
    let mut found: Vec<_> = declared
        .requests
        .iter()
        .filter(|found| !is_deleted(found) && found.namespace() == fleet.key.namespace)
        .collect();
    found.sort_by_key(|found| found.name());
    for request in found {
        match request {
            Found::Unreadable { name, .. } => fleet.pauses.push(Word {
                release: None,
                stage: None,
                origin: format!(
                    "HotpatchRequest {name:?} cannot be read and may be a Pause; delete it and \
                     create it again"
                ),
            }),
            Found::Object(request) if request.spec.fleet_ref.name == fleet.key.name => {
                let (effect, _) = effect(declared, fleet, request, now);
                fleet.approvals.extend(effect.approvals);
                fleet.pauses.extend(effect.pauses);
                fleet.aborts.extend(effect.aborts);
                fleet.selector.exclude.extend(effect.exclude);
                fleet.retries.extend(effect.retries);
                fleet.stage_retries.extend(effect.stage_retries);
            }
            Found::Object(_) => {}
        }
    }
}

fn judge(
    declared: &Declared,
    views: &[FleetView],
    found: &Found<HotpatchRequest>,
    now: DateTime<Utc>,
) -> RequestJudgement {
    let name = found.name().to_owned();
    let request = match found {
        Found::Unreadable { why, .. } => {
            let message = format!(
                "the request cannot be read: {why}; until it is deleted every fleet of the \
                 namespace is paused"
            );
            let ruling = Ruling::Refused {
                reason: "Unreadable",
                message,
            };
            return RequestJudgement {
                name,
                fleet: None,
                verb: None,
                ruling,
            };
        }
        Found::Object(request) => request,
    };
    let fleet = &request.spec.fleet_ref.name;
    let view = views
        .iter()
        .find(|view| &view.key.name == fleet && view.key.namespace == found.namespace());
    let ruling = match view.map(|view| &view.fleet) {
        None => Ruling::Refused {
            reason: "FleetNotFound",
            message: format!(
                "spec.fleetRef: there is no HotpatchFleet {fleet:?} in this namespace; delete the \
                 request and create one that names the right fleet"
            ),
        },
        Some(Err(fault)) => Ruling::FleetNotReady {
            message: format!("the fleet cannot be planned for: {}", fault.message),
        },
        Some(Ok(fleet)) => effect(declared, fleet, request, now).1,
    };
    let (fleet, verb) = (Some(fleet.clone()), Some(request.spec.verb));
    RequestJudgement {
        name,
        fleet,
        verb,
        ruling,
    }
}

/// A request as far as it could be read.
struct Asked<'a> {
    spec: &'a HotpatchRequestSpec,
    origin: String,
    at: DateTime<Utc>,
    machines: Vec<MachineId>,
    strangers: Vec<&'a str>,
}

fn effect(
    declared: &Declared,
    fleet: &Fleet,
    request: &HotpatchRequest,
    now: DateTime<Utc>,
) -> (Effect, Ruling) {
    let spec = &request.spec;
    if let Some(at) = spec.expires_at.filter(|at| *at <= now) {
        return (Effect::default(), Ruling::Expired { at });
    }
    if let Some(message) = not_yet(spec.verb) {
        return (
            Effect::default(),
            Ruling::NotYetSupported {
                message: message.to_owned(),
            },
        );
    }
    let (machines, strangers) = machines(declared, &spec.machines);
    let name = request.metadata.name.as_deref().unwrap_or_default();
    let at = created_at(&request.metadata);
    let asked = Asked {
        spec,
        origin: origin(name, spec),
        at,
        machines,
        strangers,
    };
    match spec
        .release
        .as_deref()
        .map(str::parse::<ReleaseRef>)
        .transpose()
    {
        Ok(release) => answer(fleet, &asked, release),
        Err(error) => not_understood(&asked, "ReleaseNotFound", format!("spec.release: {error}")),
    }
}

/// Says why a verb has no effect yet, for the verbs that have none.
pub(super) fn not_yet(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::AssessNow => Some(
            "AssessNow has no effect in this version: machines are assessed by themselves once a \
             release is out",
        ),
        Verb::InstallNow => {
            Some("InstallNow has no effect in this version: machines go in the order of the policy")
        }
        Verb::Rollback => {
            Some("Rollback has no effect in this version: uninstall on the machine itself")
        }
        Verb::Pause | Verb::Approve | Verb::Retry | Verb::Abort | Verb::Exclude => None,
    }
}

fn origin(name: &str, spec: &HotpatchRequestSpec) -> String {
    let by = spec
        .requested_by
        .as_deref()
        .map(|by| format!(", claimed: {by}"));
    let why = spec.reason.as_deref().map(|why| format!(": {why}"));
    format!(
        "HotpatchRequest {name}{}{}",
        by.unwrap_or_default(),
        why.unwrap_or_default()
    )
}

/// Reads the machines of a request; returns those that are meant and the names of no machine.
fn machines<'a>(declared: &Declared, names: &'a [String]) -> (Vec<MachineId>, Vec<&'a str>) {
    let (mut known, mut strangers) = (BTreeSet::new(), Vec::new());
    for name in names {
        let by_name = || declared.machine_names.get(name).cloned();
        match MachineId::parse(name).ok().or_else(by_name) {
            Some(id) => {
                known.insert(id);
            }
            None => strangers.push(name.as_str()),
        }
    }
    (known.into_iter().collect(), strangers)
}

/// Refuses a request that cannot be understood; one that narrows pauses its fleet instead.
fn not_understood(asked: &Asked<'_>, reason: &'static str, why: String) -> (Effect, Ruling) {
    let mut effect = Effect::default();
    let cure = "delete the request and create it anew";
    let narrows = matches!(asked.spec.verb, Verb::Pause | Verb::Abort | Verb::Exclude);
    let message = if narrows {
        let origin = format!("{}, which is not understood", asked.origin);
        effect.pauses.push(Word {
            release: None,
            stage: None,
            origin,
        });
        format!("{why}; until it is deleted the whole fleet is paused: {cure}")
    } else {
        format!("{why}; {cure}")
    };
    (effect, Ruling::Refused { reason, message })
}

fn answer(fleet: &Fleet, asked: &Asked<'_>, release: Option<ReleaseRef>) -> (Effect, Ruling) {
    let (spec, mut notes) = (asked.spec, Vec::new());
    let is_known = |name: &String| fleet.policy.stages.iter().any(|own| &own.name == name);
    if let Some(stage) = spec.stage.as_ref().filter(|name| !is_known(name)) {
        if matches!(spec.verb, Verb::Approve | Verb::Retry) {
            let why = format!("spec.stage: the policy of the fleet has no stage {stage:?}");
            return not_understood(asked, "StageNotFound", why);
        }
        // Runs that were made before the policy changed may still name it.
        notes.push(format!(
            "the policy of the fleet has no stage {stage:?} now"
        ));
    }
    let effect = match wanted(asked, release) {
        Ok(effect) => effect,
        Err(why) => return not_understood(asked, "InvalidSpec", why.to_owned()),
    };
    if matches!(spec.verb, Verb::Pause | Verb::Abort) && !spec.machines.is_empty() {
        let text = "with machines named, those are left out while the request exists and the \
                    others go on";
        notes.push(text.to_owned());
    }
    if !asked.strangers.is_empty() {
        let names: Vec<String> = asked
            .strangers
            .iter()
            .map(|own| format!("{own:?}"))
            .collect();
        let text = format!(
            "spec.machines: no machine is known as {}; name it by its Azure resource id",
            names.join(", ")
        );
        if asked.machines.is_empty() {
            let reason = "MachineNotFound";
            return (
                effect,
                Ruling::Refused {
                    reason,
                    message: text,
                },
            );
        }
        notes.push(text);
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    (effect, Ruling::Accepted { note })
}

/// Returns what a request puts into its fleet, or what it lacks.
fn wanted(asked: &Asked<'_>, release: Option<ReleaseRef>) -> Result<Effect, &'static str> {
    let spec = asked.spec;
    let has_machines = !spec.machines.is_empty();
    let word = Word {
        release,
        stage: spec.stage.clone(),
        origin: asked.origin.clone(),
    };
    let mut effect = Effect::default();
    match spec.verb {
        // A word on machines cannot be put into a word on releases: leaving them out does as much.
        Verb::Pause | Verb::Abort | Verb::Exclude if has_machines => {
            effect.exclude = exclude(asked);
        }
        Verb::Exclude => return Err("spec.machines: verb Exclude needs at least one"),
        Verb::Pause => effect.pauses.push(word),
        Verb::Abort => effect.aborts.push(word),
        Verb::Approve if has_machines => {
            return Err("spec.machines: an approval is for a release or stage, not for machines");
        }
        Verb::Approve if release.is_none() => {
            return Err("spec.release: verb Approve needs one, such as 2026-10");
        }
        Verb::Approve => effect.approvals.push(word),
        Verb::Retry if has_machines => effect.retries = retries(asked),
        Verb::Retry if release.is_none() || spec.stage.is_none() => {
            return Err(
                "spec: verb Retry needs machines, or the release and stage that were halted",
            );
        }
        Verb::Retry => effect.stage_retries.push((word, asked.at)),
        Verb::AssessNow | Verb::InstallNow | Verb::Rollback => {}
    }
    Ok(effect)
}

fn retries(asked: &Asked<'_>) -> Vec<MachineWord> {
    let word = |id: &MachineId| MachineWord {
        id: id.clone(),
        at: asked.at,
        origin: asked.origin.clone(),
    };
    asked.machines.iter().map(word).collect()
}

fn exclude(asked: &Asked<'_>) -> Vec<ExcludedMachine> {
    let through = asked.spec.expires_at.map(|at| at.date_naive());
    let machine = |id: &MachineId| ExcludedMachine {
        id: id.clone(),
        reason: asked.origin.clone(),
        through,
    };
    asked.machines.iter().map(machine).collect()
}
