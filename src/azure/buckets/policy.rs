//! Which buckets a request draws on, and how large they are as documented.

use http::Method;

use super::bucket::Rate;

/// A kind of bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Policy {
    /// Reads of Azure Resource Manager, per subscription and principal (azure-docs,
    /// azure-resource-manager/management/request-limits-and-throttling; azure.md §6).
    ArmReads,
    /// Writes, POST among them; as the reads.
    ArmWrites,
    /// Deletes; as the reads.
    ArmDeletes,
    /// Queries of Resource Graph, per principal (azure-docs, governance/resource-graph/concepts/
    /// guidance-for-throttled-requests).
    Graph,
    /// Assess and install, per subscription and region, and per VM (azure-compute-docs,
    /// compute-throttling-limits; azure.md §6). This and all below are buckets of Compute, which
    /// all principals share.
    GuestPatch,
    /// PATCH, restart, run commands of a VM.
    UpdateVm,
    /// GET of a VM.
    GetVm,
    /// Lists of VMs.
    ListVms,
    /// Asking after operations.
    Operations,
}

impl Policy {
    /// The bucket that all machines share, and the one that each VM has.
    pub(super) const fn rates(self) -> (Rate, Option<Rate>) {
        match self {
            Self::ArmReads => (Rate::new(250, 1500), None),
            Self::ArmWrites | Self::ArmDeletes => (Rate::new(200, 600), None),
            Self::Graph => (Rate::new(15, 180), None),
            Self::GuestPatch => (Rate::new(600, 200), Some(Rate::new(6, 2))),
            Self::UpdateVm => (Rate::new(1500, 500), Some(Rate::new(12, 4))),
            Self::GetVm => (Rate::new(24_000, 8000), Some(Rate::new(36, 12))),
            Self::ListVms => (Rate::new(900, 300), None),
            Self::Operations => (Rate::new(15_000, 5000), None),
        }
    }

    /// Tells whether a name in `x-ms-ratelimit-remaining-resource` is this bucket's. The names
    /// are not documented in full: they are known by what they contain.
    pub(super) fn is_named(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match self {
            Self::GuestPatch => has(&["guestpatch"]),
            Self::UpdateVm => has(&["updatevm"]),
            Self::GetVm => has(&["lowcostget"]),
            Self::ListVms => has(&["highcostget"]),
            Self::Operations => has(&["getoperation"]),
            Self::ArmReads | Self::ArmWrites | Self::ArmDeletes | Self::Graph => false,
        }
    }
}

/// What a request draws on: at most one bucket of Resource Manager and one of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draw {
    pub(super) arm: Option<Policy>,
    pub(super) provider: Option<Policy>,
    /// Lower-cased; empty for what belongs to no subscription.
    pub(super) subscription: String,
    /// The VM, by lower-cased name and resource group.
    pub(super) vm: Option<String>,
    /// Where the address says where it goes.
    pub(super) region: Option<String>,
}

/// Reads from a request what it draws on.
pub(super) fn draw(method: &Method, path: &str) -> Draw {
    let path = path.to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut draw = Draw {
        arm: None,
        provider: None,
        subscription: String::new(),
        vm: None,
        region: None,
    };
    if parts.starts_with(&["providers", "microsoft.resourcegraph"]) {
        draw.provider = Some(Policy::Graph);
        return draw;
    }
    draw.arm = Some(match *method {
        Method::GET | Method::HEAD => Policy::ArmReads,
        Method::DELETE => Policy::ArmDeletes,
        _ => Policy::ArmWrites,
    });
    let ["subscriptions", subscription, rest @ ..] = parts.as_slice() else {
        return draw;
    };
    draw.subscription = (*subscription).to_owned();
    let is_read = draw.arm == Some(Policy::ArmReads);
    match rest {
        [
            "resourcegroups",
            group,
            "providers",
            "microsoft.compute",
            "virtualmachines",
            vm,
            act @ ..,
        ] => {
            draw.vm = Some(format!("{group}/{vm}"));
            draw.provider = Some(match act {
                ["assesspatches" | "installpatches"] => Policy::GuestPatch,
                _ if is_read => Policy::GetVm,
                _ => Policy::UpdateVm,
            });
        }
        ["providers", "microsoft.compute", "virtualmachines"] => {
            draw.provider = Some(Policy::ListVms);
        }
        [
            "providers",
            "microsoft.compute",
            "locations",
            region,
            "operations",
            ..,
        ] => {
            draw.provider = Some(Policy::Operations);
            draw.region = Some((*region).to_owned());
        }
        _ => {}
    }
    draw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_draws_on_the_documented_buckets() {
        use Policy as P;
        let vm =
            "/subscriptions/S1/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/V";
        let arc =
            "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/a";
        let poll =
            "/subscriptions/s1/providers/Microsoft.Compute/locations/westeurope/operations/x";
        let list = "/subscriptions/s1/providers/Microsoft.Compute/virtualMachines";
        let graph = "/providers/Microsoft.ResourceGraph/resources";
        let rows = [
            (
                Method::GET,
                vm.to_owned(),
                Some(P::ArmReads),
                Some(P::GetVm),
            ),
            (
                Method::PATCH,
                vm.to_owned(),
                Some(P::ArmWrites),
                Some(P::UpdateVm),
            ),
            (
                Method::POST,
                format!("{vm}/installPatches"),
                Some(P::ArmWrites),
                Some(P::GuestPatch),
            ),
            (
                Method::POST,
                format!("{vm}/assessPatches"),
                Some(P::ArmWrites),
                Some(P::GuestPatch),
            ),
            (
                Method::POST,
                format!("{vm}/restart"),
                Some(P::ArmWrites),
                Some(P::UpdateVm),
            ),
            (
                Method::DELETE,
                format!("{vm}/runCommands/r"),
                Some(P::ArmDeletes),
                Some(P::UpdateVm),
            ),
            (
                Method::POST,
                format!("{arc}/installPatches"),
                Some(P::ArmWrites),
                None,
            ),
            (Method::GET, arc.to_owned(), Some(P::ArmReads), None),
            (
                Method::GET,
                poll.to_owned(),
                Some(P::ArmReads),
                Some(P::Operations),
            ),
            (
                Method::GET,
                list.to_owned(),
                Some(P::ArmReads),
                Some(P::ListVms),
            ),
            (Method::POST, graph.to_owned(), None, Some(P::Graph)),
        ];
        for (method, path, arm, provider) in rows {
            let found = draw(&method, &path);
            assert_eq!(
                (found.arm, found.provider),
                (arm, provider),
                "{method} {path}"
            );
            let one = path.contains("virtualMachines/V");
            assert_eq!(found.vm.as_deref(), one.then_some("rg/v"), "{path}");
            assert_eq!(
                found.subscription,
                if path == graph { "" } else { "s1" },
                "{path}"
            );
        }
        assert_eq!(
            draw(&Method::GET, poll).region.as_deref(),
            Some("westeurope")
        );
    }
}
