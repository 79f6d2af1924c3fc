//! `probe-azure`: asks a live tenant how Azure behaves where its documents are silent, and says
//! which of the emulator's assumptions to pin.
//!
//! Only reads. Must never run unattended: it refuses in CI, and without a subscription.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::release::{inventory, on_runtime, reach};
use crate::azure::{Endpoint, Error as AzureError, Scope};
use crate::controller::clock::Clock;
use crate::domain::machine::{Machine, Offered, RebootBehavior};
use crate::domain::release::{Catalogue, Release};
use crate::domain::track::os_track;

/// Assumptions that only a command or a write on a test machine could answer, and what would show
/// it. Nothing here sends one.
pub const UNASKED: [(&str, &str); 11] = [
    (
        "model_never_overrides_if_required",
        "install a baseline with IfRequired on a VM under Never, and look whether it reboots",
    ),
    (
        "second_operation",
        "assess twice at once, and look whether the second is a 409",
    ),
    (
        "platform_stages_under_never",
        "leave a VM under Never over a baseline, and look whether a reboot is pending",
    ),
    (
        "assesses_after_install",
        "install, and look whether a new assessment follows by itself",
    ),
    (
        "baseline_reboots_twice",
        "install a baseline, and count the boots in the guest's log",
    ),
    (
        "dotnet_needs_reboot",
        "install the .NET update, and look at rebootStatus",
    ),
    (
        "graph_lag_minutes",
        "change a tag, and ask Resource Graph until it shows",
    ),
    (
        "graph_remote_tables",
        "join three tables in one query, and look whether it is refused",
    ),
    (
        "activity_log_delay_minutes",
        "assess, and ask the Activity Log until it shows",
    ),
    (
        "tags_patch",
        "PATCH one tag of two, and look whether the other stays",
    ),
    (
        "repeated_run_command_runs",
        "PUT the same run command twice, and look whether its script runs twice",
    ),
];

/// Where to look.
#[derive(Debug, Args)]
pub struct Options {
    /// A subscription to look in; may be given several times.
    #[arg(long, required = true)]
    subscription: Vec<String>,
    /// A file with a bearer token for the Azure Resource Manager endpoint; the role Hotpatch Read
    /// suffices.
    #[arg(long)]
    token_file: PathBuf,
    /// The Azure Resource Manager endpoint.
    #[arg(long, default_value = Endpoint::PUBLIC)]
    arm_endpoint: String,
    /// A file with certificates (PEM) to trust for that endpoint, instead of the system's.
    #[arg(long)]
    arm_ca_file: Option<PathBuf>,
}

/// What the machines of a tenant show of one assumption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The field of `azure_sim::Assumptions`.
    pub switch: &'static str,
    /// Its value as found; none where nothing shows it.
    pub value: Option<&'static str>,
    /// What was seen: machines and updates that speak for it.
    pub seen: String,
}

/// Runs the verb: exit code 1 where nothing could be asked.
pub fn main(options: &Options) -> ExitCode {
    if is_ci() {
        eprintln!("probe-azure asks a live tenant: it does not run in CI");
        return ExitCode::FAILURE;
    }
    on_runtime(async {
        let cloud = reach(
            &options.token_file,
            &options.arm_endpoint,
            options.arm_ca_file.as_deref(),
        )
        .map_err(|error| error.to_string())?;
        let mut subscriptions: Vec<String> = options
            .subscription
            .iter()
            .map(|own| own.to_ascii_lowercase())
            .collect();
        subscriptions.sort();
        let scope = Scope {
            subscriptions,
            management_groups: Vec::new(),
        };
        let told = |error: AzureError| error.to_string();
        let now = Clock::Wall.now();
        let found = inventory(&cloud, &scope, now).await.map_err(told)?;
        let machines: Vec<&Machine> = found.machines.iter().map(AsRef::as_ref).collect();
        print!("{}", text(&answers(&machines, Catalogue::embedded())));
        Ok(ExitCode::SUCCESS)
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "CI says of itself that it is CI in its environment and nowhere else"
)]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|own| !own.is_empty() && own != "false")
}

/// Answers what the machines show.
pub fn answers(machines: &[&Machine], catalogue: &Catalogue) -> Vec<Answer> {
    let mut hotpatches = Vec::new();
    let mut baselines = Vec::new();
    let mut several = Vec::new();
    let mut single = 0;
    for machine in machines {
        let offers = releases(machine, catalogue);
        for (offered, release) in &offers {
            let list = if release.is_baseline() {
                &mut baselines
            } else {
                &mut hotpatches
            };
            list.push((machine.name.as_str(), offered.kb, offered.reboot));
        }
        let count = |is_baseline: bool| {
            let same = |own: &&(&Offered, &Release)| own.1.is_baseline() == is_baseline;
            offers.iter().filter(same).count()
        };
        if count(true) > 1 || count(false) > 1 {
            several.push(machine.name.as_str());
        } else if !offers.is_empty() {
            single += 1;
        }
    }
    let superseded = match (several.first(), single) {
        (Some(name), _) => (
            Some("true"),
            format!(
                "machines offered an older one too: {}, such as {name}",
                several.len()
            ),
        ),
        (None, 0) => (None, "no machine is offered a release".to_owned()),
        (None, machines) => (
            Some("false"),
            format!(
                "machines offered a single one: {machines}; only one far behind could show more"
            ),
        ),
    };
    vec![
        reported("hotpatch_reports", &hotpatches),
        reported("baseline_reports", &baselines),
        Answer {
            switch: "superseded_offered",
            value: superseded.0,
            seen: superseded.1,
        },
    ]
}

/// Returns what a machine is offered of the releases that are known.
fn releases<'a>(machine: &'a Machine, catalogue: &'a Catalogue) -> Vec<(&'a Offered, &'a Release)> {
    let (Some(track), Some(assessment)) = (os_track(machine), &machine.assessment) else {
        return Vec::new();
    };
    let known = |own: &'a Offered| Some((own, catalogue.release_by_kb(track, own.kb)?));
    assessment.offered.iter().filter_map(known).collect()
}

/// Says which reboot behaviour is reported; none where nothing, or more than one, is.
fn reported(
    switch: &'static str,
    offers: &[(&str, crate::domain::release::Kb, RebootBehavior)],
) -> Answer {
    let word = |behaviour: RebootBehavior| match behaviour {
        RebootBehavior::Never => Some("NeverReboots"),
        RebootBehavior::CanRequest => Some("CanRequestReboot"),
        RebootBehavior::Always => Some("AlwaysRequiresReboot"),
        RebootBehavior::Unknown => None,
    };
    let Some((name, kb, first)) = offers.first() else {
        return Answer {
            switch,
            value: None,
            seen: "no machine is offered one".to_owned(),
        };
    };
    let agree = offers.iter().all(|(_, _, own)| own == first);
    let count = offers.len();
    let seen = if agree {
        format!("agreeing offers: {count}, such as {kb} on {name}")
    } else {
        format!("offers that differ: {count}, such as {kb} on {name}")
    };
    Answer {
        switch,
        value: word(*first).filter(|_| agree),
        seen,
    }
}

/// Writes the answers, and what was not asked.
pub fn text(answers: &[Answer]) -> String {
    let mut text = String::from("read only:\n");
    for own in answers {
        let value = own.value.unwrap_or("not shown");
        let _ = writeln!(text, "  {} = {value} ({})", own.switch, own.seen);
    }
    text.push_str("not asked, because it takes a write on a test machine:\n");
    for (switch, how) in UNASKED {
        let _ = writeln!(text, "  {switch}: {how}");
    }
    text
}
