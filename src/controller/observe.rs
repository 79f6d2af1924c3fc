//! The reads of a pass: what is declared, what Azure shows, what runs ask.
//!
//! Reads only. A namespace whose inventory cannot be read is planned as unreadable and delays
//! nobody; a question without an answer allows nothing.

mod inventory;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use self::inventory::inventory;
use super::Shell;
use super::mirror::Mirror;
use crate::api::{
    BaselinePolicy, HotpatchFleet, HotpatchMachine, HotpatchRequest, HotpatchRun, MaintenanceWindow,
};
use crate::azure::{Cloud, Error, Scope};
use crate::domain::evidence::{Answer, Question};
use crate::domain::machine::MachineId;
use crate::domain::plan::questions;
use crate::domain::release::Catalogue;
use crate::domain::run::Run;
use crate::domain::snapshot::{Domain, Inventory, Snapshot};
use crate::status::machine_name;
use crate::validate::{self, Declared, Found, QuarantinedRun};

/// Questions asked at the same time.
const QUESTIONS_AT_ONCE: usize = 8;

/// Local views of all kinds.
#[derive(Default)]
pub struct Mirrors {
    /// Fleets.
    pub fleets: Arc<Mirror<HotpatchFleet>>,
    /// Windows.
    pub windows: Arc<Mirror<MaintenanceWindow>>,
    /// Policies.
    pub policies: Arc<Mirror<BaselinePolicy>>,
    /// Requests.
    pub requests: Arc<Mirror<HotpatchRequest>>,
    /// Runs.
    pub runs: Arc<Mirror<HotpatchRun>>,
    /// Machine records.
    pub machines: Arc<Mirror<HotpatchMachine>>,
}

impl Mirrors {
    /// Waits until every view has come as far as our last write of its kind.
    pub async fn fresh(&self) {
        self.fleets.fresh().await;
        self.windows.fresh().await;
        self.policies.fresh().await;
        self.requests.fresh().await;
        self.runs.fresh().await;
        self.machines.fresh().await;
    }

    /// Returns how often somebody else's change of what is declared or run came in.
    pub fn changes(&self) -> u64 {
        self.fleets.changes()
            + self.windows.changes()
            + self.policies.changes()
            + self.requests.changes()
            + self.runs.changes()
    }

    /// Returns what is declared in a namespace.
    pub fn declared(&self, namespace: &str) -> Declared {
        Declared {
            fleets: self.fleets.of_namespace(namespace),
            windows: self.windows.of_namespace(namespace),
            policies: self.policies.of_namespace(namespace),
            requests: self.requests.of_namespace(namespace),
            runs: self.runs.of_namespace(namespace),
            machine_names: BTreeMap::new(),
        }
    }

    /// Returns every namespace in which anything of ours stands.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let fleets = self.fleets.objects().into_keys();
        let runs = self.runs.objects().into_keys();
        let windows = self.windows.objects().into_keys();
        let policies = self.policies.objects().into_keys();
        let requests = self.requests.objects().into_keys();
        fleets
            .chain(runs)
            .chain(windows)
            .chain(policies)
            .chain(requests)
            .map(|key| key.0)
            .collect()
    }
}

/// What a pass has learned of a namespace's access to Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing was asked yet.
    Unknown,
    /// The last read went well.
    Valid,
    /// The last read failed.
    Failed(Error),
}

/// What is kept between passes; all of it can be lost.
#[derive(Default)]
pub struct Memory {
    inventories: BTreeMap<String, Known>,
    /// How each namespace's access stands.
    pub access: BTreeMap<String, Access>,
    /// Rows of Resource Graph that could not be read, by namespace.
    pub unreadable: BTreeMap<String, Vec<String>>,
}

/// An inventory and what was read since of the machines that are worked on.
struct Known {
    scope: Scope,
    inventory: Inventory,
    glimpsed_at: DateTime<Utc>,
}

/// What a pass has read.
pub struct Observed {
    /// What is known.
    pub snapshot: Snapshot,
    /// What is declared, by namespace.
    pub declared: BTreeMap<String, Declared>,
    /// The cloud of each namespace that has one.
    pub clouds: BTreeMap<String, Cloud>,
    /// [`Mirrors::changes`] before anything of it was read.
    pub changes: u64,
}

/// Reads everything one pass needs. (reads)
pub async fn observe(
    shell: &Shell,
    mirrors: &Mirrors,
    memory: &mut Memory,
    cluster_uid: &str,
    catalogue: &Arc<Catalogue>,
) -> Observed {
    let changes = mirrors.changes();
    let mut domains = BTreeMap::new();
    let mut clouds = BTreeMap::new();
    let mut all_declared = BTreeMap::new();
    for namespace in mirrors.namespaces() {
        let mut declared = mirrors.declared(&namespace);
        let (domain, cloud) = domain(shell, memory, &namespace, &mut declared).await;
        domains.insert(namespace.clone(), domain);
        if let Some(cloud) = cloud {
            clouds.insert(namespace.clone(), cloud);
        }
        all_declared.insert(namespace, declared);
    }
    let snapshot = Snapshot {
        catalogue: Arc::clone(catalogue),
        cluster_uid: cluster_uid.to_owned(),
        domains,
    };
    Observed {
        snapshot,
        declared: all_declared,
        clouds,
        changes,
    }
}

async fn domain(
    shell: &Shell,
    memory: &mut Memory,
    namespace: &str,
    declared: &mut Declared,
) -> (Domain, Option<Cloud>) {
    let now = shell.clock.now();
    let (runs, broken) = validate::runs(declared);
    let scope = scope(declared, runs.values());
    let account = service_account(declared, runs.values());
    let mut domain = Domain {
        fleets: Vec::new(),
        runs,
        inventory: Err("no fleet names a scope".to_owned()),
        answers: BTreeMap::new(),
        held: BTreeMap::new(),
        unreadable_runs: Vec::new(),
        unread_deletions: BTreeMap::new(),
        identity_gone: None,
        sights: BTreeMap::new(),
    };
    hold(&mut domain, broken);
    let mut cloud = None;
    if !scope.subscriptions.is_empty() || !scope.management_groups.is_empty() {
        match shell.clouds.cloud(namespace, &account).await {
            Ok(own) => {
                let engaged = engaged(domain.runs.values());
                domain.inventory = inventory(memory, namespace, &own, &scope, &engaged, now).await;
                cloud = Some(own);
            }
            Err(error) => {
                domain.inventory = Err(error.to_string());
                memory
                    .access
                    .insert(namespace.to_owned(), Access::Failed(error));
            }
        }
    }
    domain.identity_gone = identity_gone(memory.access.get(namespace));
    if let Ok(inventory) = &domain.inventory {
        let names = inventory.machines.values();
        declared.machine_names = names
            .map(|own| (machine_name(own), own.id.clone()))
            .collect();
    }
    domain.fleets = validate::fleets(declared, now);
    if let Some(cloud) = &cloud {
        for (run, asked) in questions(&domain, shell.clock.now()) {
            let answers = answers(cloud, &domain, asked, shell.clock.now()).await;
            domain.answers.insert(run, answers);
        }
    }
    (domain, cloud)
}

/// Tells whether Azure refused the identity, in whichever way.
fn identity_gone(access: Option<&Access>) -> Option<String> {
    match access {
        Some(Access::Failed(error @ (Error::Unauthorised { .. } | Error::Denied { .. }))) => {
            Some(error.to_string())
        }
        _ => None,
    }
}

/// Puts runs that cannot be read into a domain, in place of those that it has of them: their
/// machines are held.
pub(super) fn hold(domain: &mut Domain, broken: Vec<QuarantinedRun>) {
    domain.held.clear();
    domain.unreadable_runs.clear();
    domain.unread_deletions.clear();
    for run in broken {
        let deleted = run.deleted_at.map(|at| (run.name.clone(), at));
        domain.unread_deletions.extend(deleted);
        if run.machines.is_empty() {
            domain.unreadable_runs.push(run.name.clone());
        }
        let why = format!("run {} cannot be understood: {}", run.name, run.why);
        domain
            .held
            .extend(run.machines.into_iter().map(|id| (id, why.clone())));
    }
}

/// Returns where the machines of a namespace are: the scopes of its fleets, and the subscriptions
/// of the machines that its open runs name, though their fleet be gone.
fn scope<'a>(declared: &Declared, runs: impl Iterator<Item = &'a Run>) -> Scope {
    let mut subscriptions = BTreeSet::new();
    let mut groups = BTreeSet::new();
    for fleet in declared.fleets.iter().filter_map(Found::object) {
        if fleet.metadata.deletion_timestamp.is_none() {
            let scope = &fleet.spec.scope;
            subscriptions.extend(scope.subscriptions.iter().map(|id| id.to_ascii_lowercase()));
            groups.extend(scope.management_groups.iter().cloned());
        }
    }
    for run in runs.filter(|run| run.is_open()) {
        let ids = run.terms.machines.keys();
        subscriptions.extend(ids.map(|id| id.subscription().to_owned()));
    }
    Scope {
        subscriptions: subscriptions.into_iter().collect(),
        management_groups: groups.into_iter().collect(),
    }
}

fn service_account<'a>(declared: &Declared, runs: impl Iterator<Item = &'a Run>) -> String {
    let of_fleets = declared.fleets.iter().filter_map(Found::object);
    let of_runs = runs
        .filter(|run| run.is_open())
        .map(|run| run.terms.service_account.clone());
    of_fleets
        .map(|fleet| fleet.spec.service_account_name.clone())
        .chain(of_runs)
        .next()
        .unwrap_or_default()
}

/// Returns the machines that open runs command or hold.
fn engaged<'a>(runs: impl Iterator<Item = &'a Run>) -> BTreeSet<MachineId> {
    runs.filter(|run| run.is_open())
        .flat_map(|run| run.engaged().map(|(machine, _)| machine.id.clone()))
        .collect()
}

async fn answers(
    cloud: &Cloud,
    domain: &Domain,
    asked: BTreeMap<MachineId, Question>,
    now: DateTime<Utc>,
) -> BTreeMap<MachineId, Answer> {
    let Ok(inventory) = &domain.inventory else {
        return BTreeMap::new();
    };
    let asking = asked.into_iter().filter_map(|(id, question)| {
        let kind = inventory.machines.get(&id)?.kind;
        let cloud = cloud.clone();
        Some(async move {
            let answer = match question {
                Question::Operation(operation) => {
                    cloud.operation(&operation).await.map(Answer::Operation)
                }
                Question::Reading => cloud
                    .read(&id, kind)
                    .await
                    .map(|reading| Answer::Reading(Box::new(reading))),
                Question::Log { request, since } => cloud
                    .evidence(&id, request, since, now)
                    .await
                    .map(Answer::Log),
            };
            match answer {
                Ok(answer) => Some((id, answer)),
                Err(error) => {
                    tracing::info!(machine = %id, %error, "a question has no answer");
                    None
                }
            }
        })
    });
    stream::iter(asking)
        .buffered(QUESTIONS_AT_ONCE)
        .filter_map(futures::future::ready)
        .collect()
        .await
}
