//! Holds assignments of Azure Policy. Must never act by them: what a policy changes, a test changes
//! as somebody else.

use serde_json::{Value, json};

use crate::machine::Machine;

/// An assignment of built-in policies, or of an initiative that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Its name.
    pub name: String,
    /// The resource id of its scope: a management group, a subscription or below.
    pub scope: String,
    /// What is taken out of the scope.
    pub not_scopes: Vec<String>,
    /// The ids of the built-in definitions.
    pub definitions: Vec<String>,
    /// The name of the initiative that holds them, if it is one.
    pub initiative: Option<String>,
    /// Whether it is enforced.
    pub enforced: bool,
    /// The effect that its parameters choose.
    pub effect: String,
}

impl Assigned {
    /// An enforced assignment of one built-in definition.
    #[must_use]
    pub fn new(name: &str, scope: &str, definition: &str) -> Self {
        Self {
            name: name.to_owned(),
            scope: scope.to_owned(),
            not_scopes: Vec::new(),
            definitions: vec![definition.to_owned()],
            initiative: None,
            enforced: true,
            effect: "DeployIfNotExists".to_owned(),
        }
    }

    /// Gives its resource id.
    pub(crate) fn id(&self) -> String {
        format!(
            "{}/providers/Microsoft.Authorization/policyAssignments/{}",
            self.scope, self.name
        )
    }

    /// Tells whether a machine lies under it. Management groups hold every subscription of the
    /// emulated tenant.
    pub(crate) fn takes(&self, key: &str) -> bool {
        let below = |scope: &str| {
            let rest = key.strip_prefix(&scope.to_lowercase());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_group = !self.scope.to_lowercase().starts_with("/subscriptions/");
        (is_group || below(&self.scope)) && !self.not_scopes.iter().any(|own| below(own))
    }

    fn definition(kind: &str, name: &str) -> String {
        format!("/providers/Microsoft.Authorization/{kind}/{name}")
    }

    /// Writes the properties of the assignment (Microsoft.Authorization, api-version 2022-06-01).
    pub(crate) fn properties(&self) -> Value {
        let definition = match (&self.initiative, self.definitions.first()) {
            (Some(name), _) => Self::definition("policySetDefinitions", name),
            (None, Some(name)) => Self::definition("policyDefinitions", name),
            (None, None) => String::new(),
        };
        json!({
            "displayName": self.name,
            "policyDefinitionId": definition,
            "scope": self.scope,
            "notScopes": self.not_scopes,
            "parameters": {"effect": {"value": self.effect}},
            "enforcementMode": if self.enforced { "Default" } else { "DoNotEnforce" },
        })
    }

    /// Writes the state of a machine under one of its definitions.
    pub(crate) fn state(&self, machine: &Machine, definition: &str) -> Value {
        let initiative = self.initiative.as_ref();
        json!({
            "resourceId": machine.key(),
            "resourceLocation": machine.location,
            "resourceGroup": machine.resource_group.to_lowercase(),
            "subscriptionId": machine.subscription,
            "policyAssignmentId": self.id().to_lowercase(),
            "policyAssignmentName": self.name,
            "policyAssignmentScope": self.scope.to_lowercase(),
            "policyDefinitionId": Self::definition("policyDefinitions", definition).to_lowercase(),
            "policyDefinitionName": definition,
            "policyDefinitionAction": self.effect.to_lowercase(),
            "policySetDefinitionId": initiative
                .map(|name| Self::definition("policySetDefinitions", name).to_lowercase()),
            "complianceState": "NonCompliant",
            "isDeleted": false,
        })
    }
}
