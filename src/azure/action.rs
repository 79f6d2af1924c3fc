//! Which right a refused call lacked, by Azure's name for it.

use http::Method;

/// What stands before the action's name in the message of `AuthorizationFailed` (azure-docs,
/// role-based-access-control/troubleshooting).
const BEFORE_ACTION: &str = "to perform action '";

/// The longest name that is believed, in bytes.
const ACTION_BYTES_MAX: usize = 160;

/// Providers and types as the documents spell them; requests spell ids in lower case.
const SPELLINGS: [(&str, &str); 25] = [
    ("microsoft.compute", "Microsoft.Compute"),
    ("microsoft.hybridcompute", "Microsoft.HybridCompute"),
    ("microsoft.azurestackhci", "Microsoft.AzureStackHCI"),
    ("microsoft.resourcegraph", "Microsoft.ResourceGraph"),
    ("microsoft.insights", "Microsoft.Insights"),
    ("microsoft.resourcehealth", "Microsoft.ResourceHealth"),
    ("microsoft.maintenance", "Microsoft.Maintenance"),
    ("microsoft.authorization", "Microsoft.Authorization"),
    ("virtualmachines", "virtualMachines"),
    ("virtualmachineinstances", "virtualMachineInstances"),
    ("licenseprofiles", "licenseProfiles"),
    ("runcommands", "runCommands"),
    ("runcommand", "runCommand"),
    ("assesspatches", "assessPatches"),
    ("installpatches", "installPatches"),
    (
        "updatecenteroperationresults",
        "updateCenterOperationResults",
    ),
    ("operationstatus", "operationStatus"),
    ("operationstatuses", "operationStatuses"),
    ("operationresults", "operationResults"),
    ("operations", "operations"),
    ("machines", "machines"),
    ("locations", "locations"),
    ("eventtypes", "eventtypes"),
    ("configurationassignments", "configurationAssignments"),
    ("availabilitystatuses", "availabilityStatuses"),
];

/// Names the action that a 403 is about: as Azure's message says, or else the one that the call
/// needs.
pub(super) fn denied(message: &str, method: &Method, path: &str) -> String {
    told(message).unwrap_or_else(|| needed(method, path))
}

/// Reads the action out of a message of `AuthorizationFailed`.
fn told(message: &str) -> Option<String> {
    let rest = message.split_once(BEFORE_ACTION)?.1;
    let action = rest.split_once('\'')?.0;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | '*');
    let is_action =
        action.len() <= ACTION_BYTES_MAX && action.contains('/') && action.chars().all(is_name);
    is_action.then(|| action.to_owned())
}

/// Names the action that a call needs (Azure RBAC: provider, types without their names, verb).
fn needed(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let lower = |part: &&str| part.to_ascii_lowercase();
    // What counts is the last provider: an extension's, where there is one.
    let from = parts.iter().rposition(|part| lower(part) == "providers");
    let Some(from) = from else {
        let word = parts.last().map(lower).unwrap_or_default();
        return format!("Microsoft.Resources/subscriptions/{word}/read");
    };
    let own = &parts[from + 1..];
    let Some((provider, steps)) = own.split_first() else {
        return format!("{method} {path}");
    };
    let spelled = |part: &&str| {
        let part = lower(part);
        let found = SPELLINGS.iter().find(|(own, _)| *own == part);
        found.map_or(part, |(_, name)| (*name).to_owned())
    };
    if lower(provider) == "microsoft.insights" {
        return "Microsoft.Insights/eventtypes/values/read".to_owned();
    }
    let mut action = spelled(provider);
    // Types and names take turns; a POST ends with what is to be done.
    for step in steps.iter().step_by(2) {
        action.push('/');
        action.push_str(&spelled(step));
    }
    let is_graph = lower(provider) == "microsoft.resourcegraph";
    let verb = match *method {
        Method::POST if is_graph => "read",
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        Method::POST => "action",
        _ => "write",
    };
    format!("{action}/{verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_is_azures_own_word_for_it_or_what_the_call_needs() {
        let vm = "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/v";
        let arc = "/subscriptions/s/resourcegroups/g/providers/microsoft.hybridcompute/machines/a";
        let local =
            format!("{arc}/providers/Microsoft.AzureStackHCI/virtualMachineInstances/default");
        let said = |action: &str| {
            format!(
                "The client 'c' with object id 'o' does not have authorization to perform action \
                 '{action}' over scope '{vm}' or the scope is invalid."
            )
        };
        let install = "Microsoft.Compute/virtualMachines/installPatches/action";
        let rows = [
            (said(install), Method::POST, format!("{vm}/x"), install),
            (
                String::new(),
                Method::POST,
                format!("{vm}/installPatches"),
                install,
            ),
            (
                said("<b>/x</b>"),
                Method::POST,
                format!("{vm}/installPatches"),
                install,
            ),
            (
                said(&"a/".repeat(200)),
                Method::POST,
                format!("{vm}/installPatches"),
                install,
            ),
            (
                "no".to_owned(),
                Method::GET,
                vm.to_owned(),
                "Microsoft.Compute/virtualMachines/read",
            ),
            (
                String::new(),
                Method::PATCH,
                vm.to_owned(),
                "Microsoft.Compute/virtualMachines/write",
            ),
            (
                String::new(),
                Method::POST,
                format!("{vm}/restart"),
                "Microsoft.Compute/virtualMachines/restart/action",
            ),
            (
                String::new(),
                Method::GET,
                arc.to_owned(),
                "Microsoft.HybridCompute/machines/read",
            ),
            (
                String::new(),
                Method::PUT,
                format!("{arc}/licenseProfiles/default"),
                "Microsoft.HybridCompute/machines/licenseProfiles/write",
            ),
            (
                String::new(),
                Method::POST,
                format!("{local}/restart"),
                "Microsoft.AzureStackHCI/virtualMachineInstances/restart/action",
            ),
            (
                String::new(),
                Method::POST,
                "/providers/Microsoft.ResourceGraph/resources".to_owned(),
                "Microsoft.ResourceGraph/resources/read",
            ),
            (
                String::new(),
                Method::GET,
                "/subscriptions/s/locations".to_owned(),
                "Microsoft.Resources/subscriptions/locations/read",
            ),
            (
                String::new(),
                Method::GET,
                "/subscriptions/s/providers/Microsoft.Compute/locations/l/operations/o".to_owned(),
                "Microsoft.Compute/locations/operations/read",
            ),
            (
                String::new(),
                Method::GET,
                "/subscriptions/s/providers/Microsoft.Insights/eventtypes/management/values"
                    .to_owned(),
                "Microsoft.Insights/eventtypes/values/read",
            ),
        ];
        for (message, method, path, expected) in rows {
            assert_eq!(
                denied(&message, &method, &path),
                expected,
                "{method} {path}"
            );
        }
    }
}
