//! The reads of a pass: what is declared, what Azure shows, what runs ask.
//!
//! Reads only. A namespace whose inventory cannot be read is planned as unreadable and delays
//! nobody; a question without an answer allows nothing.

mod answers;
mod denials;
mod departed;
mod inventory;
mod readings;
mod retries;
mod sights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::answers::{Polls, answers};
pub use self::denials::{Answer, Asked, Denials};
pub use self::departed::{Departing, GivenUp};
pub use self::readings::Readings;
use self::retries::Retries;
use self::sights::look;
use super::Shell;
use super::mirror::Mirror;
use crate::api::{
    BaselinePolicy, HotpatchFleet, HotpatchMachine, HotpatchRequest, HotpatchRun, MaintenanceWindow,
};
use crate::azure::{Cloud, Error, Eyes, Scope};
use crate::domain::fleet::FleetKey;
use crate::domain::plan::questions;
use crate::domain::release::Catalogue;
use crate::domain::snapshot::{Domain, Inventory, Snapshot};
use crate::planted::{self, Bug};
use crate::status::machine_name;
use crate::validate::{self, Declared, QuarantinedRun};

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
    /// The runs as they were last read.
    pub readings: Readings,
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
    inventories: BTreeMap<Principal, Known>,
    polls: Polls,
    retries: Retries,
    /// How the access of each identity stands.
    pub access: BTreeMap<Principal, Access>,
    /// What Azure denied to each fleet beside the inventory, and when.
    pub denials: Denials,
    /// Fleets that were deleted, and whose settings go back.
    pub departing: Departing,
    /// When to come back for what Azure did not let out.
    pub again_at: Option<DateTime<Utc>>,
    /// Rows of Resource Graph that could not be read, by identity.
    pub unreadable: BTreeMap<Principal, Vec<String>>,
    /// The identities that this pass looked with.
    looked: BTreeSet<Principal>,
}

impl Memory {
    /// Returns when to look again for the identities that could not read what they should.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        self.retries.next()
    }

    /// Forgets the identities that nobody names any more.
    fn forget(&mut self) {
        let looked = std::mem::take(&mut self.looked);
        self.access.retain(|who, _| looked.contains(who));
        self.inventories.retain(|who, _| looked.contains(who));
        self.unreadable.retain(|who, _| looked.contains(who));
        self.retries.retain(&looked);
    }
}

/// A ServiceAccount: its namespace and its name.
pub type Account = (String, String);

/// Who acts: a namespace, and [`super::clouds::Clouds::principal`] in it.
pub type Principal = (String, String);

/// An inventory and what was read since of the machines that are worked on.
struct Known {
    eyes: Eyes,
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
    /// The cloud of each ServiceAccount that has one, by namespace and name.
    pub clouds: BTreeMap<Account, Cloud>,
    /// [`Mirrors::changes`] before anything of it was read.
    pub changes: u64,
}

impl Observed {
    /// Returns the cloud of a ServiceAccount.
    pub fn cloud(&self, namespace: &str, account: &str) -> Option<&Cloud> {
        let mut others = self.clouds.iter();
        let other = others.find(|((own, _), _)| own != namespace);
        let right = self.clouds.get(&(namespace.to_owned(), account.to_owned()));
        planted::pick(Bug::AnotherIdentity, right, other.map(|(_, cloud)| cloud))
    }

    /// Returns the cloud of a fleet's ServiceAccount.
    pub fn cloud_of(&self, fleet: &FleetKey) -> Option<&Cloud> {
        let domain = self.snapshot.domains.get(&fleet.namespace)?;
        let view = domain.fleets.iter().find(|own| own.key == *fleet)?;
        let account = &view.fleet.as_ref().ok()?.service_account;
        self.cloud(&fleet.namespace, account)
    }
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
    memory.again_at = None;
    memory
        .departing
        .learn(mirrors.fleets.take_removed(), shell.clock.now());
    let mut domains = BTreeMap::new();
    let mut clouds = BTreeMap::new();
    let mut all_declared = BTreeMap::new();
    let mut namespaces = mirrors.namespaces();
    namespaces.extend(memory.departing.namespaces());
    for namespace in namespaces {
        let mut declared = mirrors.declared(&namespace);
        let (domain, found) =
            domain(shell, &mirrors.readings, memory, &namespace, &mut declared).await;
        domains.insert(namespace.clone(), domain);
        let found = found.into_iter();
        clouds.extend(found.map(|(account, cloud)| ((namespace.clone(), account), cloud)));
        all_declared.insert(namespace, declared);
    }
    memory.forget();
    let mut fleets = domains.values().flat_map(|own: &Domain| &own.fleets);
    let all_are_known = fleets.all(|view| !view.uid.is_empty());
    let snapshot = Snapshot {
        catalogue: Arc::clone(catalogue),
        cluster_uid: cluster_uid.to_owned(),
        run_commands: shell.settings.run_commands,
        domains,
        sees_every_fleet: shell.settings.watched.is_none() && all_are_known,
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
    readings: &Readings,
    memory: &mut Memory,
    namespace: &str,
    declared: &mut Declared,
) -> (Domain, BTreeMap<String, Cloud>) {
    let now = shell.clock.now();
    let (runs, broken) = readings.read_all(namespace, declared);
    let mut domain = Domain {
        fleets: Vec::new(),
        runs,
        inventory: Err("no fleet names a scope".to_owned()),
        sights: BTreeMap::new(),
        departed: memory
            .departing
            .of(namespace)
            .map(departed::departed)
            .collect(),
        answers: BTreeMap::new(),
        held: BTreeMap::new(),
        unreadable_runs: Vec::new(),
        unread_deletions: BTreeMap::new(),
        identity_gone: None,
    };
    hold(&mut domain, broken);
    let clouds = look(shell, memory, namespace, declared, &mut domain).await;
    if let Ok(inventory) = &domain.inventory {
        let names = inventory.machines.values();
        declared.machine_names = names
            .map(|own| (machine_name(own), own.id.clone()))
            .collect();
    }
    domain.fleets = validate::fleets(declared, now);
    for (run, asked) in questions(&domain, shell.clock.now()) {
        let account = domain.runs.get(&run).map(|own| &own.terms.service_account);
        let Some((cloud, account)) = account.and_then(|own| Some((clouds.get(own)?, own))) else {
            continue;
        };
        let (seen, now) = (domain.seen_by(account).ok(), shell.clock.now());
        let answers = answers(cloud, seen, asked, &mut memory.polls, now).await;
        domain.answers.insert(run, answers);
    }
    (domain, clouds)
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
