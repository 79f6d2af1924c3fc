//! Every call of the client, and the action behind it. A call that is missing here is found by the
//! test that plays rehearsals and derives the actions from method and path (`tests/it/rights.rs`).

use super::{Asked, Call};

const fn request(
    made_by: &'static str,
    method: &'static str,
    path: &'static str,
    action: &'static str,
) -> Call {
    Call {
        made_by,
        asked: Asked::Request(method, path),
        action,
    }
}

const fn rows(kind: &'static str, action: &'static str) -> Call {
    Call {
        made_by: "graph.rs",
        asked: Asked::Rows(kind),
        action,
    }
}

macro_rules! in_group {
    ($rest:literal) => {
        concat!("/subscriptions/*/resourceGroups/*/providers/", $rest)
    };
}

/// Every call of the client.
pub const CALLS: &[Call] = &[
    request(
        "graph.rs",
        "POST",
        "/providers/Microsoft.ResourceGraph/resources",
        "Microsoft.ResourceGraph/resources/read",
    ),
    rows(
        "microsoft.compute/virtualmachines",
        "Microsoft.Compute/virtualMachines/read",
    ),
    rows(
        "microsoft.compute/virtualmachinescalesets",
        "Microsoft.Compute/virtualMachineScaleSets/read",
    ),
    rows(
        "microsoft.compute/virtualmachines/patchassessmentresults",
        "Microsoft.Compute/virtualMachines/patchAssessmentResults/latest/read",
    ),
    rows(
        "microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches",
        "Microsoft.Compute/virtualMachines/patchAssessmentResults/latest/softwarePatches/read",
    ),
    rows(
        "microsoft.compute/virtualmachines/patchinstallationresults",
        "Microsoft.Compute/virtualMachines/patchInstallationResults/read",
    ),
    rows(
        "microsoft.compute/virtualmachines/patchinstallationresults/softwarepatches",
        "Microsoft.Compute/virtualMachines/patchInstallationResults/softwarePatches/read",
    ),
    rows(
        "microsoft.hybridcompute/machines",
        "Microsoft.HybridCompute/machines/read",
    ),
    rows(
        "microsoft.hybridcompute/machines/licenseprofiles",
        "Microsoft.HybridCompute/machines/licenseProfiles/read",
    ),
    rows(
        "microsoft.hybridcompute/machines/patchassessmentresults",
        "Microsoft.HybridCompute/machines/patchAssessmentResults/read",
    ),
    rows(
        "microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches",
        "Microsoft.HybridCompute/machines/patchAssessmentResults/softwarePatches/read",
    ),
    rows(
        "microsoft.hybridcompute/machines/patchinstallationresults",
        "Microsoft.HybridCompute/machines/patchInstallationResults/read",
    ),
    rows(
        "microsoft.hybridcompute/machines/patchinstallationresults/softwarepatches",
        "Microsoft.HybridCompute/machines/patchInstallationResults/softwarePatches/read",
    ),
    rows(
        "microsoft.azurestackhci/virtualmachineinstances",
        "Microsoft.AzureStackHCI/virtualMachineInstances/read",
    ),
    rows(
        "microsoft.azurestackhci/clusters/updatesummaries",
        "Microsoft.AzureStackHCI/clusters/updateSummaries/read",
    ),
    rows(
        "microsoft.resourcehealth/availabilitystatuses",
        "Microsoft.ResourceHealth/availabilityStatuses/read",
    ),
    rows(
        "microsoft.maintenance/configurationassignments",
        "Microsoft.Maintenance/configurationAssignments/read",
    ),
    rows(
        "microsoft.maintenance/maintenanceconfigurations",
        "Microsoft.Maintenance/maintenanceConfigurations/read",
    ),
    rows(
        "microsoft.authorization/policyassignments",
        "Microsoft.Authorization/policyAssignments/read",
    ),
    rows(
        "microsoft.policyinsights/policystates",
        "Microsoft.PolicyInsights/policyStates/queryResults/read",
    ),
    request(
        "permitted.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.Authorization/permissions",
        "Microsoft.Authorization/permissions/read",
    ),
    request(
        "read.rs",
        "GET",
        in_group!("Microsoft.Compute/virtualMachines/*"),
        "Microsoft.Compute/virtualMachines/read",
    ),
    request(
        "read.rs",
        "GET",
        in_group!("Microsoft.HybridCompute/machines/*"),
        "Microsoft.HybridCompute/machines/read",
    ),
    request(
        "places.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.Compute/virtualMachines",
        "Microsoft.Compute/virtualMachines/read",
    ),
    request(
        "places.rs",
        "GET",
        "/subscriptions/*/locations",
        "Microsoft.Resources/subscriptions/locations/read",
    ),
    request(
        "act.rs",
        "PATCH",
        in_group!("Microsoft.Compute/virtualMachines/*"),
        "Microsoft.Compute/virtualMachines/write",
    ),
    request(
        "act.rs",
        "PATCH",
        in_group!("Microsoft.HybridCompute/machines/*"),
        "Microsoft.HybridCompute/machines/write",
    ),
    request(
        "act.rs",
        "PATCH",
        in_group!("Microsoft.HybridCompute/machines/*/licenseProfiles/*"),
        "Microsoft.HybridCompute/machines/licenseProfiles/write",
    ),
    request(
        "act.rs",
        "PUT",
        in_group!("Microsoft.HybridCompute/machines/*/licenseProfiles/*"),
        "Microsoft.HybridCompute/machines/licenseProfiles/write",
    ),
    request(
        "act.rs",
        "POST",
        in_group!("Microsoft.Compute/virtualMachines/*/assessPatches"),
        "Microsoft.Compute/virtualMachines/assessPatches/action",
    ),
    request(
        "act.rs",
        "POST",
        in_group!("Microsoft.Compute/virtualMachines/*/installPatches"),
        "Microsoft.Compute/virtualMachines/installPatches/action",
    ),
    request(
        "act.rs",
        "POST",
        in_group!("Microsoft.Compute/virtualMachines/*/restart"),
        "Microsoft.Compute/virtualMachines/restart/action",
    ),
    request(
        "act.rs",
        "POST",
        in_group!("Microsoft.HybridCompute/machines/*/assessPatches"),
        "Microsoft.HybridCompute/machines/assessPatches/action",
    ),
    request(
        "act.rs",
        "POST",
        in_group!("Microsoft.HybridCompute/machines/*/installPatches"),
        "Microsoft.HybridCompute/machines/installPatches/action",
    ),
    request(
        "act.rs",
        "POST",
        in_group!(
            "Microsoft.HybridCompute/machines/*/providers/Microsoft.AzureStackHCI/\
             virtualMachineInstances/*/restart"
        ),
        "Microsoft.AzureStackHCI/virtualMachineInstances/restart/action",
    ),
    request(
        "run_command.rs",
        "PUT",
        in_group!("Microsoft.HybridCompute/machines/*/runCommands/*"),
        "Microsoft.HybridCompute/machines/runCommands/write",
    ),
    request(
        "run_command.rs",
        "GET",
        in_group!("Microsoft.HybridCompute/machines/*/runCommands/*"),
        "Microsoft.HybridCompute/machines/runCommands/read",
    ),
    request(
        "run_command.rs",
        "DELETE",
        in_group!("Microsoft.HybridCompute/machines/*/runCommands/*"),
        "Microsoft.HybridCompute/machines/runCommands/delete",
    ),
    request(
        "operation.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.Compute/locations/*/operations/*",
        "Microsoft.Compute/locations/operations/read",
    ),
    request(
        "operation.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.HybridCompute/locations/*/\
         updateCenterOperationResults/*",
        "Microsoft.HybridCompute/locations/updateCenterOperationResults/read",
    ),
    request(
        "operation.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.AzureStackHCI/locations/*/operationStatuses/*",
        "Microsoft.AzureStackHCI/locations/operationStatuses/read",
    ),
    request(
        "evidence.rs",
        "GET",
        "/subscriptions/*/providers/Microsoft.Insights/eventtypes/management/values",
        "Microsoft.Insights/eventtypes/values/read",
    ),
];
