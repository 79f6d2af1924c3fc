//! The words of a run's record, each way: what is written is read back to the same value, and what
//! was never written is read as nothing.

use crate::api::machine::MachineKind as ApiKind;
use crate::api::policy::Spread as Part;
use crate::api::run::RunAction;
use crate::domain::command::Command;
use crate::domain::due::{Action, Cause};
use crate::domain::machine::{MachineKind, ZonePlace};
use crate::domain::policy::Spread;
use crate::domain::run::LimitKey;

/// The zone of a machine that stands in one that is not known.
const UNKNOWN_ZONE: &str = "unknown";

const STAGE: &str = "stage";
const GROUP: &str = "group";
const AVAILABILITY_SET: &str = "availabilitySet";
const CLUSTER: &str = "cluster";

/// Reads which failure domains keep machines apart.
pub(crate) fn spread(parts: &[Part]) -> Spread {
    Spread {
        geo_pair: parts.contains(&Part::GeoPair),
        region: parts.contains(&Part::Region),
        zone: parts.contains(&Part::Zone),
        availability_set: parts.contains(&Part::AvailabilitySet),
        site: parts.contains(&Part::Site),
        cluster: parts.contains(&Part::Cluster),
    }
}

/// Writes which failure domains keep machines apart.
pub(crate) fn spread_list(own: Spread) -> Vec<Part> {
    Part::ALL
        .into_iter()
        .filter(|part| is_kept_apart(own, *part))
        .collect()
}

fn is_kept_apart(own: Spread, part: Part) -> bool {
    match part {
        Part::GeoPair => own.geo_pair,
        Part::Region => own.region,
        Part::Zone => own.zone,
        Part::AvailabilitySet => own.availability_set,
        Part::Site => own.site,
        Part::Cluster => own.cluster,
    }
}

/// Writes the action of a run.
pub(crate) fn action(own: Action) -> RunAction {
    match own {
        Action::Hotpatch => RunAction::Hotpatch,
        Action::Baseline => RunAction::Baseline,
    }
}

/// Reads the cause of a run.
pub(crate) fn cause_of(word: &str) -> Option<Cause> {
    const CAUSES: [Cause; 6] = [
        Cause::Planned,
        Cause::Unplanned,
        Cause::LateBaseline,
        Cause::OffTrack,
        Cause::RebootOwed,
        Cause::OutOfBand,
    ];
    CAUSES.into_iter().find(|cause| cause.to_string() == word)
}

/// Writes the kind of a machine.
pub(crate) fn kind(own: MachineKind) -> ApiKind {
    match own {
        MachineKind::AzureVm => ApiKind::AzureVm,
        MachineKind::ArcServer => ApiKind::ArcServer,
        MachineKind::AzureLocalVm => ApiKind::AzureLocalVm,
    }
}

/// Writes the zone of a machine.
pub(crate) fn zone(own: &ZonePlace) -> Option<String> {
    match own {
        ZonePlace::Regional => None,
        ZonePlace::Physical(zone) => Some(zone.clone()),
        ZonePlace::Unknown => Some(UNKNOWN_ZONE.to_owned()),
    }
}

/// Reads the zone of a machine.
pub(crate) fn zone_of(word: Option<&str>) -> ZonePlace {
    match word {
        None => ZonePlace::Regional,
        Some(UNKNOWN_ZONE) => ZonePlace::Unknown,
        Some(zone) => ZonePlace::Physical(zone.to_owned()),
    }
}

/// Writes a group as `tag=value`. Azure forbids `%` in names of tags and allows `=`.
pub(crate) fn group(tag: &str, value: &str) -> String {
    format!("{}={value}", tag.replace('%', "%25").replace('=', "%3D"))
}

/// Reads a group.
pub(crate) fn group_of(text: &str) -> Option<(String, String)> {
    let (tag, value) = text.split_once('=')?;
    let tag = tag.replace("%3D", "=").replace("%25", "%");
    (!tag.is_empty()).then(|| (tag, value.to_owned()))
}

/// Writes what a limit counts, as scope and key. A stage of the run's own fleet goes by its name
/// alone, one of another fleet by `<fleet>/<stage>`.
pub(crate) fn limit_key(key: &LimitKey, fleet: &str) -> (&'static str, String) {
    match key {
        LimitKey::Stage { fleet: own, stage } if own == fleet => (STAGE, stage.clone()),
        LimitKey::Stage { fleet, stage } => (STAGE, format!("{fleet}/{stage}")),
        LimitKey::Group { tag, value } => (GROUP, group(tag, value)),
        LimitKey::AvailabilitySet(id) => (AVAILABILITY_SET, id.clone()),
        LimitKey::Cluster(id) => (CLUSTER, id.clone()),
    }
}

/// Reads what a limit counts.
pub(crate) fn limit_key_of(scope: &str, key: &str, fleet: &str) -> Option<LimitKey> {
    match scope {
        STAGE => {
            let (fleet, stage) = key.split_once('/').unwrap_or((fleet, key));
            Some(LimitKey::Stage {
                fleet: fleet.to_owned(),
                stage: stage.to_owned(),
            })
        }
        GROUP => group_of(key).map(|(tag, value)| LimitKey::Group { tag, value }),
        AVAILABILITY_SET => Some(LimitKey::AvailabilitySet(key.to_owned())),
        CLUSTER => Some(LimitKey::Cluster(key.to_owned())),
        _ => None,
    }
}

/// Writes a command.
pub(crate) fn command(own: Command) -> &'static str {
    match own {
        Command::Stage => "Stage",
        Command::Finish => "Finish",
        Command::Restart => "Restart",
    }
}

/// Reads a command.
pub(crate) fn command_of(word: &str) -> Option<Command> {
    let all = [Command::Stage, Command::Finish, Command::Restart];
    all.into_iter().find(|own| command(*own) == word)
}
