//! What a user would apply: one fleet of all machines, its policy and its nights.

/// What differs between the worlds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fleet {
    /// `Operator` or `Platform`.
    pub(super) installer: &'static str,
    /// `All` or `None`.
    pub(super) records: &'static str,
    /// The share of the machines that may be down at once.
    pub(super) max_unavailable: &'static str,
    /// `AnyTime` or `InWindow`.
    pub(super) when: &'static str,
    /// The days on which the window opens.
    pub(super) days: &'static str,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            installer: "Operator",
            records: "None",
            max_unavailable: "100%",
            when: "AnyTime",
            days: "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
        }
    }
}

impl Fleet {
    /// Returns the manifests.
    pub(super) fn manifests(&self) -> Vec<String> {
        let policy = format!(
            "apiVersion: hotpatch.dev/v1alpha1
kind: BaselinePolicy
metadata: {{name: broad}}
spec:
  stages:
  - {{name: all, maxUnavailable: {}}}
  availability: {{spread: []}}
",
            self.max_unavailable
        );
        let window = format!(
            "apiVersion: hotpatch.dev/v1alpha1
kind: MaintenanceWindow
metadata: {{name: nights}}
spec:
  timeZone: Europe/Berlin
  schedule:
    weekly: {{days: [{}]}}
  startTime: \"20:00\"
  duration: 8h
",
            self.days
        );
        let fleet = format!(
            "apiVersion: hotpatch.dev/v1alpha1
kind: HotpatchFleet
metadata: {{name: all}}
spec:
  mode: Enforce
  serviceAccountName: hotpatch
  scope: {{subscriptions: [00000000-0000-0000-0000-000000000001]}}
  selector: {{kinds: [AzureVM], tags: {{matchLabels: {{patching: hotpatch}}}}}}
  policyRef: {{name: broad}}
  windowRefs: [{{name: nights}}]
  machineRecords: {}
  hotpatch: {{installer: {}, when: {}}}
",
            self.records, self.installer, self.when
        );
        vec![policy, window, fleet]
    }
}
