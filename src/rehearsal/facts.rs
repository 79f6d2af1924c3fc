//! What is true of a machine from the start: where it stands and what it is. The checkers judge by
//! this, never by what the operator read. Must never change during a rehearsal.

use std::collections::BTreeMap;

use crate::api::fleet::MachineSelector;
use crate::api::machine::MachineKind;
use crate::api::selector::{TagOperator, TagRequirement, TagSelector};
use crate::domain::release::OsTrack;

/// An update domain of an availability set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdateDomain {
    /// The set's resource id, lower-cased.
    pub set: String,
    /// The number of the domain.
    pub number: u32,
}

/// What is true of a machine from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The resource id, lower-cased.
    pub id: String,
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: MachineKind,
    /// The resource group.
    pub resource_group: String,
    /// The Azure region.
    pub region: String,
    /// The physical zone; none where the machine stands in no zone.
    pub zone: Option<String>,
    /// The update domain of its availability set.
    pub set: Option<UpdateDomain>,
    /// The resource id of its Azure Local cluster, lower-cased.
    pub cluster: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The hotpatch track of its operating system.
    pub track: Option<OsTrack>,
    /// Why it cannot be hotpatched, as the operator should call it; none where it can.
    pub unfit: Option<&'static str>,
}

impl Facts {
    /// Returns the value of a tag; names compare without regard to case.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the site of a machine outside Azure.
    pub fn site(&self) -> Option<&str> {
        self.tag("site")
            .filter(|_| self.kind != MachineKind::AzureVm)
    }

    /// Tells whether a fleet's selector takes the machine, exclusions by name aside.
    pub fn is_selected(&self, selector: &MachineSelector) -> bool {
        let named = |list: &[String], own: &str| {
            list.is_empty() || list.iter().any(|name| name.eq_ignore_ascii_case(own))
        };
        selector.kinds.contains(&self.kind)
            && named(&selector.resource_groups, &self.resource_group)
            && named(&selector.locations, &self.region)
            && selector
                .tags
                .as_ref()
                .is_none_or(|tags| self.has_tags(tags))
    }

    /// Tells whether a tag selector matches.
    pub fn has_tags(&self, selector: &TagSelector) -> bool {
        let labels = &selector.match_labels;
        labels
            .iter()
            .all(|(name, value)| self.tag(name) == Some(value))
            && selector.match_expressions.iter().all(|own| self.meets(own))
    }

    fn meets(&self, requirement: &TagRequirement) -> bool {
        let value = self.tag(&requirement.key);
        let listed = || value.is_some_and(|own| requirement.values.iter().any(|one| one == own));
        match requirement.operator {
            TagOperator::In => listed(),
            TagOperator::NotIn => !listed(),
            TagOperator::Exists => value.is_some(),
            TagOperator::DoesNotExist => value.is_none(),
        }
    }
}
