//! What tests of the planner are made of: machines that are due, fleets, runs and snapshots, each
//! plain until a test changes it.
//!
//! Machines come from the builder of [`track::fixture`](super::track::fixture). Must never hold an
//! expectation: those stand in the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc, Weekday};

use super::due::{Action, Cause, Installer, LateBaseline, OffTrackRule, UnplannedRule};
use super::fleet::{
    Fleet, FleetKey, FleetScope, FleetSelector, FleetWindow, HotpatchWhen, MachineWord, Mode,
    Wants, Word,
};
use super::machine::{
    AvailabilitySetPlace, Health, Machine, MachineId, MachineKind, RebootBehavior, Tags, ZonePlace,
};
use super::plan::Draft;
use super::policy::{
    ApprovalRule, Estimates, FailureRule, GroupRule, HealthRule, Limit, Policy, Spread, Stage,
    TagRule, TagSelector,
};
use super::release::{Catalogue, ReleaseId};
use super::run::{Progress, Run, RunMachine, RunWindow, Runs, Step, Terms};
use super::snapshot::{Domain, Fault, FleetView, Inventory, Snapshot};
pub(crate) use super::track::fixture::{Builder, arc, at, kb, local, vm};
use super::window::{Exclusion, Schedule, Weekdays, WindowSpec};
use super::zone::Zone;

/// The namespace of all tests that need only one.
pub(crate) const NAMESPACE: &str = "shop";

/// The planned baseline of July 2026 for Windows Server 2025.
pub(crate) const BASELINE_KB: &str = "KB5099536";

/// The hotpatch of August 2026 for Windows Server 2025.
pub(crate) const HOTPATCH_KB: &str = "KB5120228";

/// Returns the baseline of July 2026.
pub(crate) fn baseline() -> ReleaseId {
    "ws2025-2026-07-14".parse().expect("well written")
}

/// Returns the hotpatch of August 2026.
pub(crate) fn hotpatch() -> ReleaseId {
    "ws2025-2026-08-11".parse().expect("well written")
}

/// Returns when the window after the baseline of July 2026 opens: a Saturday, 22:00 UTC.
pub(crate) fn opens() -> DateTime<Utc> {
    at("2026-07-18T22:00:00Z")
}

/// Returns when that window closes, four hours later.
pub(crate) fn closes() -> DateTime<Utc> {
    opens() + hours(4)
}

/// So many hours.
pub(crate) fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// So many minutes.
pub(crate) fn minutes(count: i64) -> TimeDelta {
    TimeDelta::minutes(count)
}

/// What the builder of machines lacks for the planner.
pub(crate) trait Placed: Sized {
    /// Changes the machine.
    fn change(self, change: impl FnOnce(&mut Machine)) -> Self;

    /// Was assessed shortly before the window of July, which offers the baseline.
    fn baseline_due(self) -> Self;

    /// Was assessed on the eve of 2026-08-15, which offers the hotpatch.
    fn hotpatch_due(self) -> Self;

    /// Stands in a region.
    fn region(self, region: &str) -> Self {
        self.change(|machine| machine.placement.region = region.to_owned())
    }

    /// Stands in a physical zone; `?` for one that is not known.
    fn zone(self, zone: &str) -> Self {
        self.change(|machine| {
            machine.placement.zone = match zone {
                "?" => ZonePlace::Unknown,
                "" => ZonePlace::Regional,
                known => ZonePlace::Physical(known.to_owned()),
            };
        })
    }

    /// Stands in an availability set.
    fn set(self, id: &str, update_domain: Option<u32>) -> Self {
        let place = AvailabilitySetPlace {
            id: id.to_owned(),
            update_domain,
        };
        self.change(|machine| machine.placement.availability_set = Some(place))
    }

    /// Stands in a Flexible scale set.
    fn flex(self, id: &str, fault_domain: Option<u32>) -> Self {
        let place = (id.to_owned(), fault_domain);
        self.change(|machine| machine.placement.flexible_scale_set = Some(place))
    }

    /// Stands at a site.
    fn site(self, site: &str) -> Self {
        self.change(|machine| machine.placement.site = Some(site.to_owned()))
    }

    /// Is a guest of an Azure Local cluster.
    fn cluster(self, cluster: &str) -> Self {
        self.change(|machine| machine.placement.cluster = Some(cluster.to_owned()))
    }

    /// Bears these tags and no others.
    fn tags(self, tags: &[(&str, &str)]) -> Self {
        let tags = tags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let tags = Tags::new(tags);
        self.change(|machine| machine.tags = tags)
    }

    /// Does not serve.
    fn sick(self) -> Self {
        self.change(|machine| machine.health = Health::Unhealthy("stopped answering".into()))
    }
}

impl Placed for Builder {
    fn change(self, change: impl FnOnce(&mut Machine)) -> Self {
        self.with(change)
    }

    fn baseline_due(self) -> Self {
        self.assessed("2026-07-18T20:00:00Z")
            .offered(BASELINE_KB, RebootBehavior::Always)
    }

    fn hotpatch_due(self) -> Self {
        self.assessed("2026-08-15T20:00:00Z")
            .offered(HOTPATCH_KB, RebootBehavior::Never)
    }
}

/// A VM in no zone on which the baseline of July is due.
pub(crate) fn due_vm(name: &str) -> Builder {
    vm(name).baseline_due()
}

/// So many.
pub(crate) fn count(count: u32) -> Limit {
    Limit::Count(count)
}

/// So many of a hundred.
pub(crate) fn percent(share: u8) -> Limit {
    Limit::Percent(NonZeroU8::new(share).expect("tests write no 0%"))
}

/// A stage of all machines, or of those that bear `ring=<name>` if it is told `of_ring`.
pub(crate) fn stage(name: &str, max_unavailable: Limit) -> Stage {
    Stage {
        name: name.to_owned(),
        selector: TagSelector::default(),
        max_unavailable,
        soak: TimeDelta::zero(),
        min_succeeded: 1,
        optional: false,
    }
}

/// A stage of the machines that bear `ring=<name>`.
pub(crate) fn ring(name: &str, max_unavailable: Limit) -> Stage {
    let selector = TagSelector(vec![TagRule::Equals("ring".into(), name.into())]);
    Stage {
        selector,
        ..stage(name, max_unavailable)
    }
}

/// A group limit, ordered by the tag `patch-order`.
pub(crate) fn group(tag: &str, max_unavailable: Limit) -> GroupRule {
    GroupRule {
        tag: tag.to_owned(),
        max_unavailable,
        order_tag: Some("patch-order".to_owned()),
    }
}

/// A policy of one stage that lets all machines of a zone go at once.
pub(crate) fn policy() -> Policy {
    Policy {
        name: "availability-first".into(),
        deadline_days: 21,
        late_baseline: LateBaseline::LatestCumulative,
        stages: vec![stage("all", percent(100))],
        spread: Spread::ALL,
        groups: Vec::new(),
        health: HealthRule {
            settle: minutes(10),
            unknown_after: hours(2),
        },
        run_gates: Vec::new(),
        failures: FailureRule {
            max: count(2),
            per_release: false,
            retries: 1,
        },
        approval: ApprovalRule::Never,
        unplanned: UnplannedRule::NextWindow,
        off_track: OffTrackRule::NextWindow,
        estimates: Estimates {
            baseline: minutes(60),
            reserve: minutes(15),
        },
    }
}

/// A window that opens every Saturday at 22:00 for four hours.
pub(crate) fn saturdays(zone: &str) -> WindowSpec {
    window(zone, Weekday::Sat, "22:00", hours(4))
}

/// A weekly window.
pub(crate) fn window(zone: &str, day: Weekday, start: &str, duration: TimeDelta) -> WindowSpec {
    let days = Weekdays::new([day]).expect("not empty");
    let start: NaiveTime = format!("{start}:00").parse().expect("well written");
    let zone = Zone::parse(zone).expect("a zone");
    WindowSpec::new(zone, Schedule::Weekly { days }, start, duration, Vec::new())
        .expect("within bounds")
}

/// A window under a name, for all stages.
pub(crate) fn named(name: &str, window: WindowSpec) -> FleetWindow {
    FleetWindow {
        name: name.to_owned(),
        window,
        stages: BTreeSet::new(),
    }
}

/// An exclusion of local dates, both inclusive.
pub(crate) fn freeze(from: &str, through: &str) -> Exclusion {
    let day = |text: &str| text.parse().expect("well written");
    Exclusion::new("freeze", day(from), day(through)).expect("in order")
}

/// A fleet of all machines of the namespace in Enforce, with the window of [`saturdays`] in UTC.
pub(crate) fn fleet(name: &str) -> Fleet {
    use MachineKind::{ArcServer, AzureLocalVm, AzureVm};
    Fleet {
        key: FleetKey {
            namespace: NAMESPACE.into(),
            name: name.into(),
        },
        uid: format!("uid-{name}"),
        created_at: at("2026-01-01"),
        mode: Mode::Enforce,
        suspended: false,
        service_account: "hotpatch".into(),
        selector: FleetSelector {
            kinds: BTreeSet::from([AzureVm, ArcServer, AzureLocalVm]),
            resource_groups: BTreeSet::new(),
            locations: BTreeSet::new(),
            tags: TagSelector::default(),
            exclude: Vec::new(),
        },
        policy: policy(),
        windows: vec![named("saturday-night", saturdays("UTC"))],
        exclusions: Vec::new(),
        installer: Installer::Operator,
        hotpatch_when: HotpatchWhen::AnyTime,
        restore_on_release: true,
        approvals: Vec::new(),
        pauses: Vec::new(),
        aborts: Vec::new(),
        retries: Vec::new(),
        stage_retries: Vec::new(),
    }
}

/// The fleet `web` with another policy.
pub(crate) fn web(change: impl FnOnce(&mut Policy)) -> Fleet {
    let mut own = fleet("web");
    change(&mut own.policy);
    own
}

/// A word on all releases, or on one, and on all stages, or on one.
pub(crate) fn word(release: Option<&str>, stage: Option<&str>) -> Word {
    Word {
        release: release.map(|text| text.parse().expect("well written")),
        stage: stage.map(str::to_owned),
        origin: "ada: looks odd".into(),
    }
}

/// A request to try a machine again, or to let go of it.
pub(crate) fn retry(machine: &Machine, at: DateTime<Utc>) -> MachineWord {
    MachineWord {
        id: machine.id.clone(),
        at,
        origin: "ada: the disk was full".into(),
    }
}

/// The machine as a run names it.
pub(crate) fn run_machine(fleet: &Fleet, machine: &Machine) -> RunMachine {
    let groups = fleet.policy.groups.iter().filter_map(|rule| {
        Some((
            rule.tag.to_ascii_lowercase(),
            machine.tags.get(&rule.tag)?.to_owned(),
        ))
    });
    RunMachine {
        id: machine.id.clone(),
        name: machine.name.clone(),
        kind: machine.kind,
        incarnation: machine.incarnation.clone(),
        placement: machine.placement.clone(),
        groups: groups.collect(),
    }
}

/// The terms of the first run of a fleet's first stage for the baseline of July, without limits.
pub(crate) fn terms(fleet: &Fleet, machines: &[&Machine]) -> Terms {
    Terms {
        fleet: fleet.key.name.clone(),
        fleet_uid: fleet.uid.clone(),
        service_account: fleet.service_account.clone(),
        release: baseline(),
        kbs: BTreeSet::from([kb(BASELINE_KB)]),
        published_until: baseline().date(),
        action: Action::Baseline,
        cause: Cause::Planned,
        stage: fleet.policy.stages[0].name.clone(),
        ordinal: 1,
        window: RunWindow {
            name: "saturday-night".into(),
            start: opens(),
            end: closes(),
        },
        limits: Vec::new(),
        spread: fleet.policy.spread,
        health: fleet.policy.health,
        retries: fleet.policy.failures.retries,
        max_failed: None,
        failed_per_release: false,
        gates: fleet.policy.run_gates.clone(),
        estimates: fleet.policy.estimates,
        machines: machines
            .iter()
            .map(|machine| (machine.id.clone(), run_machine(fleet, machine)))
            .collect(),
    }
}

/// A run of these terms as it stands when it was just made.
pub(crate) fn run_of(fleet: &FleetKey, terms: Terms, now: DateTime<Utc>) -> Run {
    let name = format!(
        "{}-{}-{}-{}",
        terms.fleet, terms.release, terms.stage, terms.ordinal
    );
    Run {
        fleet: fleet.clone(),
        uid: format!("uid-{name}"),
        name,
        created_at: now,
        progress: terms
            .machines
            .keys()
            .map(|id| (id.clone(), Progress::planned(now)))
            .collect(),
        terms: Arc::new(terms),
        end: None,
        deleted_at: None,
        orphaned: None,
        gates_open: BTreeSet::new(),
        epoch: 1,
        quarantined: None,
    }
}

/// A run of a fleet's first stage that was announced when the window of July opened.
pub(crate) fn run(fleet: &Fleet, machines: &[&Machine]) -> Run {
    run_of(&fleet.key, terms(fleet, machines), opens())
}

/// The run that an announcement makes.
pub(crate) fn announced(draft: &Draft, now: DateTime<Utc>) -> Run {
    run_of(&draft.fleet, draft.terms.clone(), now)
}

/// Puts a machine of a run at a step, as a Finish with one attempt whose intent was written then.
pub(crate) fn put(run: &mut Run, machine: &Machine, step: Step, since: DateTime<Utc>) {
    let progress = run.progress.get_mut(&machine.id).expect("the run names it");
    *progress = working(step, since);
}

/// A machine's progress at a step, with a Finish whose intent was written then.
pub(crate) fn working(step: Step, since: DateTime<Utc>) -> Progress {
    use super::command::{Command, RequestId};
    Progress {
        attempts: 1,
        command: Some(Command::Finish),
        request: Some(RequestId("request-1".into())),
        intent_at: Some(since),
        ..Progress::planned(since).at(step, since, None, "")
    }
}

/// A fleet as found.
pub(crate) fn view(fleet: Fleet) -> FleetView {
    FleetView {
        key: fleet.key.clone(),
        uid: fleet.uid.clone(),
        created_at: fleet.created_at,
        wants: Some(Wants {
            service_account: fleet.service_account.clone(),
            mode: fleet.mode,
            suspended: fleet.suspended,
            scope: FleetScope {
                subscriptions: BTreeSet::from(["s1".to_owned()]),
                has_groups: false,
            },
            selector: fleet.selector.clone(),
        }),
        fleet: Ok(fleet),
    }
}

/// A fleet that cannot be resolved.
pub(crate) fn faulty(fleet: &Fleet) -> FleetView {
    let message = "BaselinePolicy availability-first is not there".to_owned();
    let fault = Fault {
        reason: "PolicyNotFound",
        message,
        stalls: false,
    };
    FleetView {
        fleet: Err(fault),
        ..view(fleet.clone())
    }
}

/// A domain whose machines were read at that instant.
pub(crate) fn domain(
    fleets: impl IntoIterator<Item = Fleet>,
    machines: impl IntoIterator<Item = Machine>,
    read_at: DateTime<Utc>,
) -> Domain {
    Domain {
        fleets: fleets.into_iter().map(view).collect(),
        runs: Runs::new(),
        inventory: Ok(Inventory::of(read_at, by_id(machines))),
        answers: BTreeMap::new(),
        held: BTreeMap::new(),
        unreadable_runs: Vec::new(),
        unread_deletions: BTreeMap::new(),
        identity_gone: None,
        sights: BTreeMap::new(),
        departed: Vec::new(),
    }
}

/// Machines by id.
pub(crate) fn by_id(
    machines: impl IntoIterator<Item = Machine>,
) -> BTreeMap<MachineId, Arc<Machine>> {
    machines
        .into_iter()
        .map(|machine| (machine.id.clone(), Arc::new(machine)))
        .collect()
}

/// A snapshot of one domain.
pub(crate) fn snapshot(domain: Domain) -> Snapshot {
    Snapshot {
        catalogue: Arc::new(Catalogue::embedded().clone()),
        cluster_uid: "cluster-1".into(),
        run_commands: false,
        domains: BTreeMap::from([(NAMESPACE.to_owned(), domain)]),
        sees_every_fleet: false,
    }
}
