//! The two queries: constants, into which nothing is written but ids of built-in policies.

use crate::domain::authority::steering::Makes;

/// The built-in policies that matter here, by the id of their definition (azure.md §9).
pub(super) const POLICIES: [(&str, Makes); 4] = [
    ("9905ca54-1471-49c6-8291-7582c04cd4d4", Makes::Bypass),
    ("ba0df93e-e4ac-479a-aac2-134bbae39a1a", Makes::Schedule),
    ("59efceea-0c96-497e-a4a1-4eb2290dac15", Makes::Assessment),
    ("bfea026e-043f-4ff4-9d1b-bf301ca7ff46", Makes::Assessment),
];

/// Assignments of maintenance configurations, to machines and by filters, each with what its
/// configuration does (azure.md §4, §5). One join, to one other table, is what every tenant is
/// allowed.
pub(super) const ASSIGNMENTS: &str = "maintenanceresources
| where type =~ 'microsoft.maintenance/configurationassignments'
| extend configuration = tolower(tostring(properties.maintenanceConfigurationId))
| project id, configuration, filter = properties.filter
| join kind=leftouter (resources
| where type =~ 'microsoft.maintenance/maintenanceconfigurations'
| project configuration = tolower(id), scope = tostring(properties.maintenanceScope), \
reboot = tostring(properties.installPatches.rebootSetting)) on configuration
| project id, configuration, filter, scope, reboot
| order by id asc";

/// What precedes a definition's id in its resource id, in lower case.
const DEFINITIONS: &str = "/policydefinitions/";

/// Writes the query for assignments of [`POLICIES`], and for what the state of resources tells of
/// assignments that are inherited or part of an initiative, which is one row for each subscription
/// (Microsoft Learn, "Azure Resource Graph sample queries for Azure Policy").
pub(super) fn policies() -> String {
    let ids = POLICIES.map(|(id, _)| format!("'{id}'")).join(", ");
    format!(
        "policyresources
| where type in~ ('microsoft.authorization/policyassignments', \
'microsoft.policyinsights/policystates')
| extend definition = \
tostring(split(tolower(tostring(properties.policyDefinitionId)), '{DEFINITIONS}')[1])
| where definition in ({ids})
| extend isState = type =~ 'microsoft.policyinsights/policystates'
| extend assignment = tolower(iff(isState, tostring(properties.policyAssignmentId), id)), \
scope = tolower(iff(isState, tostring(properties.policyAssignmentScope), \
tostring(properties.scope))), \
effect = tolower(iff(isState, tostring(properties.policyDefinitionAction), \
tostring(properties.parameters.effect.value))), \
enforcement = tostring(properties.enforcementMode), \
except = iff(isState, '', tolower(tostring(properties.notScopes))), \
subscription = iff(isState, tolower(tostring(properties.subscriptionId)), '')
| summarize id = min(id) by assignment, definition, scope, effect, enforcement, except, \
subscription
| project id, assignment, definition, scope, effect, enforcement, except, subscription
| order by id asc"
    )
}
