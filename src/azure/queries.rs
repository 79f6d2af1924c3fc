//! What is asked of Resource Graph: all that is known of machines, in as few queries as the tenant
//! allows.
//!
//! One row a machine, with its assessment, installs and health in lists, costs one query per 1,000
//! machines; a row for each update costs one per 1,000 updates. A query may have three joins, and
//! only one of them to another table (azure-docs, governance/resource-graph/concepts/
//! query-language.md, "Supported tabular operators"); Microsoft raises both for a tenant on
//! request. So the widest is tried first, and what is refused is asked for in narrower queries.
//! The queries are constants. The only thing ever written into one is a list of machine ids, each
//! parsed and escaped.

use std::sync::{Mutex, PoisonError};

use crate::domain::machine::MachineId;

/// How many tables one query reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them: three joins.
    #[default]
    All,
    /// Two: one join, as documented.
    Two,
    /// One: rows are joined here.
    One,
}

impl Reach {
    /// Returns the next narrower one.
    pub(super) fn narrower(self) -> Option<Self> {
        match self {
            Self::All => Some(Self::Two),
            Self::Two => Some(Self::One),
            Self::One => None,
        }
    }
}

/// The widest reach that Azure did not refuse to an identity. It can be lost.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<Reach>);

impl Learned {
    pub(super) fn reach(&self) -> Reach {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, reach: Reach) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }
}

/// One query, by what its rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// Machines with all there is, and the licence profiles and scale sets that belong to them.
    Everything,
    /// The same with no more than their last assessment.
    Assessed,
    /// Machines with their installs.
    Installed,
    /// The same as [`Table::Everything`] without anything joined.
    Resources,
    /// Azure Local: the instances, whose machines do not tell their power, and the update state
    /// of clusters.
    Local,
    Offers,
    Assessments,
    Patches,
    Installs,
    Health,
}

/// The queries of a reach, in the order in which they are sent. Patches come before the installs
/// they belong to, and offers before their assessments: an install seen between the two has no
/// updates yet, which proves nothing, rather than updates without an install, which would be lost.
pub(super) fn tables(reach: Reach) -> &'static [Table] {
    match reach {
        Reach::All => &[Table::Everything, Table::Local],
        Reach::Two => &[
            Table::Assessed,
            Table::Local,
            Table::Installed,
            Table::Health,
        ],
        Reach::One => &[
            Table::Resources,
            Table::Local,
            Table::Offers,
            Table::Assessments,
            Table::Patches,
            Table::Installs,
            Table::Health,
        ],
    }
}

/// The columns of machines: name, and where it is found.
const COLUMNS: [(&str, &str); 29] = [
    ("id", "id"),
    ("name", "name"),
    ("type", "type"),
    ("kind", "kind"),
    ("location", "location"),
    ("zones", "zones"),
    ("tags", "tags"),
    ("vmId", "properties.vmId"),
    ("vmUuid", "properties.vmUuid"),
    ("provisioning", "properties.provisioningState"),
    ("disk", "properties.storageProfile.osDisk.managedDisk.id"),
    ("diskOs", "properties.storageProfile.osDisk.osType"),
    ("image", "properties.storageProfile.imageReference"),
    ("windows", "properties.osProfile.windowsConfiguration"),
    (
        "extensions",
        "properties.osProfile.allowExtensionOperations",
    ),
    ("availabilitySet", "properties.availabilitySet.id"),
    ("scaleSet", "properties.virtualMachineScaleSet.id"),
    ("faultDomain", "properties.platformFaultDomain"),
    ("view", "properties.extended.instanceView"),
    ("status", "properties.status"),
    ("changed", "properties.lastStatusChange"),
    ("agent", "properties.agentVersion"),
    ("osType", "properties.osType"),
    ("osVersion", "properties.osVersion"),
    ("osSku", "properties.osSku"),
    ("osEdition", "properties.osEdition"),
    ("cluster", "properties.parentClusterResourceId"),
    ("licence", "properties.licenseProfile.productProfile"),
    ("product", "properties.productProfile"),
];

/// What only scale sets have.
const MODE: (&str, &str) = ("mode", "properties.orchestrationMode");

const MACHINES: &str = "resources
| where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines')
| extend machine = tolower(id)";

const RESOURCES: &str = "resources
| where type in~ ('microsoft.compute/virtualmachines', 'microsoft.hybridcompute/machines', \
'microsoft.hybridcompute/machines/licenseprofiles', \
'microsoft.compute/virtualmachinescalesets')
| extend machine = tolower(id)";

const LOCAL: &str = "extensibilityresources
| where type in~ ('microsoft.azurestackhci/virtualmachineinstances', \
'microsoft.azurestackhci/clusters/updatesummaries')
| extend machine = tostring(split(tolower(id), '/providers/microsoft.azurestackhci/virtual')[0])";

const OR_CLUSTER: &str = " or type =~ 'microsoft.azurestackhci/clusters/updatesummaries'";

const LOCAL_TAKE: &str = "| project id, type, power = tostring(properties.status.powerState), \
provisioning = tostring(properties.provisioningState), state = tostring(properties.state)
| order by id asc";

const ASSESSMENTS: &str = "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults', \
'microsoft.hybridcompute/machines/patchassessmentresults')
| extend machine = tostring(split(tolower(id), '/patchassessmentresults/')[0])";

const ASSESSMENTS_TAKE: &str = "| project id, status = tostring(properties.status), \
rebootPending = tobool(properties.rebootPending), \
started = tostring(properties.startDateTime), \
modified = tostring(properties.lastModifiedDateTime), \
service = tostring(properties.patchServiceUsed)
| order by id asc";

const OFFERS: &str = "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches')
| where isnotempty(properties.kbId)
| extend machine = tostring(split(tolower(id), '/patchassessmentresults/')[0])";

const OFFERS_TAKE: &str = "| project id, kb = tostring(properties.kbId), \
title = tostring(properties.patchName), reboot = tostring(properties.rebootBehavior), \
classifications = properties.classifications, \
published = tostring(properties.publishedDateTime)
| order by id asc";

const INSTALLS: &str = "patchinstallationresources
| where type in~ ('microsoft.compute/virtualmachines/patchinstallationresults', \
'microsoft.hybridcompute/machines/patchinstallationresults')
| extend machine = tostring(split(tolower(id), '/patchinstallationresults/')[0])";

const INSTALLS_TAKE: &str =
    "| project id, activity = tostring(properties.installationActivityId), \
status = tostring(properties.status), reboot = tostring(properties.rebootStatus), \
exceeded = tobool(properties.maintenanceWindowExceeded), \
started = tostring(properties.startDateTime), \
modified = tostring(properties.lastModifiedDateTime)
| order by id asc";

const PATCHES: &str = "patchinstallationresources
| where type in~ ('microsoft.compute/virtualmachines/patchinstallationresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchinstallationresults/softwarepatches')
| where isnotempty(properties.kbId)
| where tostring(properties.installationState) in~ ('Installed', 'Failed')
| extend machine = tostring(split(tolower(id), '/patchinstallationresults/')[0])";

const PATCHES_TAKE: &str = "| project id, kb = tostring(properties.kbId), \
state = tostring(properties.installationState)
| order by id asc";

const HEALTH: &str = "healthresources
| where type =~ 'microsoft.resourcehealth/availabilitystatuses'
| extend machine = tolower(tostring(properties.targetResourceId))
| where machine contains '/microsoft.compute/virtualmachines/' \
or machine contains '/microsoft.hybridcompute/machines/'";

const HEALTH_TAKE: &str = "| project id, target = machine, \
state = tostring(properties.availabilityState)
| order by id asc";

/// The last assessment of each machine and what it offers, as one list.
const ASSESSED_LIST: &str = "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults', \
'microsoft.hybridcompute/machines/patchassessmentresults', \
'microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches')
| where type !endswith '/softwarepatches' or isnotempty(properties.kbId)
| extend path = split(tolower(id), '/patchassessmentresults/')
| extend part = iff(type endswith '/softwarepatches', \
bag_pack('part', path[1], 'kb', properties.kbId, 'title', properties.patchName, \
'reboot', properties.rebootBehavior, 'classifications', properties.classifications, \
'published', properties.publishedDateTime), \
bag_pack('part', path[1], 'status', properties.status, \
'rebootPending', tobool(properties.rebootPending), 'started', properties.startDateTime, \
'modified', properties.lastModifiedDateTime, \
'service', properties.patchServiceUsed))
| summarize assessed = make_list(part) by machine = tostring(path[0])";

/// The same without what is offered.
const ASSESSED_BRIEF: &str = "patchassessmentresources
| where type in~ ('microsoft.compute/virtualmachines/patchassessmentresults', \
'microsoft.hybridcompute/machines/patchassessmentresults')
| extend path = split(tolower(id), '/patchassessmentresults/')
| extend part = bag_pack('part', path[1], 'status', properties.status, \
'rebootPending', tobool(properties.rebootPending), 'started', properties.startDateTime, \
'modified', properties.lastModifiedDateTime, \
'service', properties.patchServiceUsed)
| summarize assessed = make_list(part) by machine = tostring(path[0])";

/// The installs of each machine and what they did, as one list.
const INSTALLED_LIST: &str = "patchinstallationresources
| where type in~ ('microsoft.compute/virtualmachines/patchinstallationresults', \
'microsoft.hybridcompute/machines/patchinstallationresults', \
'microsoft.compute/virtualmachines/patchinstallationresults/softwarepatches', \
'microsoft.hybridcompute/machines/patchinstallationresults/softwarepatches')
| where type !endswith '/softwarepatches' or (isnotempty(properties.kbId) \
and tostring(properties.installationState) in~ ('Installed', 'Failed'))
| extend path = split(tolower(id), '/patchinstallationresults/')
| extend part = iff(type endswith '/softwarepatches', \
bag_pack('part', path[1], 'kb', properties.kbId, 'state', properties.installationState), \
bag_pack('part', path[1], 'activity', properties.installationActivityId, \
'status', properties.status, 'reboot', properties.rebootStatus, \
'exceeded', tobool(properties.maintenanceWindowExceeded), \
'started', properties.startDateTime, 'modified', properties.lastModifiedDateTime))
| summarize installed = make_list(part) by machine = tostring(path[0])";

/// What Resource Health says of each machine.
const HEALTH_LIST: &str = "healthresources
| where type =~ 'microsoft.resourcehealth/availabilitystatuses'
| extend machine = tolower(tostring(properties.targetResourceId))
| summarize states = make_list(tostring(properties.availabilityState)) by machine";

impl Table {
    /// Names it for messages.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Everything | Self::Assessed | Self::Resources => "the query for machines",
            Self::Installed => "the query for machines with installs",
            Self::Local => "the query for Azure Local",
            Self::Offers => "the query for offered updates",
            Self::Assessments => "the query for assessments",
            Self::Patches => "the query for installed updates",
            Self::Installs => "the query for installs",
            Self::Health => "the query for health",
        }
    }

    /// Writes its text: for all machines, or for some, of which no offers are asked.
    pub(super) fn text(self, machines: Option<&[MachineId]>) -> String {
        let only = filter(machines);
        let assessed = if machines.is_some() {
            ASSESSED_BRIEF
        } else {
            ASSESSED_LIST
        };
        let plain = |from: &str, take: &str| format!("{from}{only}\n{take}");
        // Clusters belong to no machine: there are few, and all come.
        let clusters = if only.is_empty() { "" } else { OR_CLUSTER };
        match self {
            Self::Everything => machines_with(
                &only,
                &[
                    ("assessed", assessed),
                    ("installed", INSTALLED_LIST),
                    ("states", HEALTH_LIST),
                ],
            ),
            Self::Assessed => machines_with(&only, &[("assessed", assessed)]),
            Self::Resources => machines_with(&only, &[]),
            Self::Installed => format!(
                "{MACHINES}{only}\n| project id, machine\n\
                 | join kind=inner ({INSTALLED_LIST}) on machine\n\
                 | project id, installed\n| order by id asc"
            ),
            Self::Local => format!("{LOCAL}{only}{clusters}\n{LOCAL_TAKE}"),
            Self::Offers => plain(OFFERS, OFFERS_TAKE),
            Self::Assessments => plain(ASSESSMENTS, ASSESSMENTS_TAKE),
            Self::Patches => plain(PATCHES, PATCHES_TAKE),
            Self::Installs => plain(INSTALLS, INSTALLS_TAKE),
            Self::Health => plain(HEALTH, HEALTH_TAKE),
        }
    }
}

/// Writes the query for machines, each with the lists of some other tables.
fn machines_with(only: &str, lists: &[(&str, &str)]) -> String {
    let columns = COLUMNS.iter().chain([&MODE]);
    let found: Vec<String> = columns
        .clone()
        .map(|(name, place)| {
            if name == place {
                (*name).to_owned()
            } else {
                format!("{name} = {place}")
            }
        })
        .collect();
    let mut names: Vec<&str> = columns.map(|(name, _)| *name).collect();
    let mut text = format!("{RESOURCES}{only}\n| project machine, {}", found.join(", "));
    for (name, list) in lists {
        text.push_str(&format!("\n| join kind=leftouter ({list}) on machine"));
        names.push(name);
    }
    text.push_str(&format!(
        "\n| project {}\n| order by id asc",
        names.join(", ")
    ));
    text
}

/// Writes the restriction to some machines.
fn filter(machines: Option<&[MachineId]>) -> String {
    let Some(machines) = machines else {
        return String::new();
    };
    let list: Vec<String> = machines.iter().map(|id| quoted(id.as_str())).collect();
    format!("\n| where machine in ({})", list.join(", "))
}

/// Writes a KQL string literal. The domain's id may hold any character between its slashes, and
/// none may end the literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                literal.push('\\');
                literal.push(c);
            }
            // No resource name holds one; a literal may not span lines.
            c if c.is_control() => literal.push(' '),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may unwrap")]
    use super::*;

    const REACHES: [Reach; 3] = [Reach::All, Reach::Two, Reach::One];

    #[test]
    fn an_id_cannot_end_its_literal() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/\
                  virtualMachines/x') | union resources | where ('1'=='1\\";
        let id = MachineId::parse(id).unwrap();
        for table in REACHES.into_iter().flat_map(tables) {
            let text = table.text(Some(std::slice::from_ref(&id)));
            let text = text.replace(OR_CLUSTER, "");
            let list = text.split("| where machine in (").nth(1).unwrap();
            let mut inside = false;
            let mut escaped = false;
            let mut ends = Vec::new();
            for (at, c) in list.char_indices() {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if inside => escaped = true,
                    '\'' => {
                        inside = !inside;
                        if !inside {
                            ends.push(at);
                        }
                    }
                    '\n' => break,
                    _ => {}
                }
            }
            assert_eq!(ends.len(), 1, "one literal and nothing beside it: {text}");
            assert!(list[ends[0]..].starts_with("')\n| project "), "{text}");
        }
    }

    #[test]
    fn a_query_for_everything_is_a_constant_that_can_be_paged() {
        for table in REACHES.into_iter().flat_map(tables) {
            let text = table.text(None);
            assert!(
                text.contains("| project id,"),
                "paging needs the id: {text}"
            );
            assert!(text.ends_with("| order by id asc"), "{text}");
            assert!(!text.contains("machine in ("), "{text}");
        }
    }

    #[test]
    fn no_query_asks_for_more_joins_than_its_reach() {
        let joins = |reach: Reach| {
            let texts = tables(reach).iter().map(|table| table.text(None));
            texts.map(|text| text.matches("| join ").count()).max()
        };
        assert_eq!(REACHES.map(joins), [Some(3), Some(1), Some(0)]);
    }
}
