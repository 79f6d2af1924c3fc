//! Run commands as resources of a machine: scripts with a name (Microsoft.HybridCompute
//! `machines/runCommands`, api-version 2025-09-16-preview; Microsoft.Compute
//! `virtualMachines/runCommands`, 2024-11-01, has the same shape).

use serde::{Deserialize, Serialize};

/// A run command (`PUT`, `GET …/runCommands/{name}`).
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunCommand {
    /// Where the machine's record is kept.
    pub location: Option<String>,
    /// The rest.
    pub properties: Option<RunCommandProperties>,
}

/// `properties` of a run command.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunCommandProperties {
    /// The script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ScriptSource>,
    /// What it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<Parameter>>,
    /// Whether the operation ends when the script has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_execution: Option<bool>,
    /// How long the script may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<i64>,
    /// What ARM does with it: Creating, Updating, Deleting, Succeeded, Failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// How the script fares. A VM shows it with `$expand=instanceView` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_view: Option<RunCommandView>,
}

/// `source` of a run command.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScriptSource {
    /// The script's text.
    pub script: Option<String>,
}

/// One of `parameters`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// `instanceView` of a run command.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RunCommandView {
    /// Unknown, Pending, Running, Failed, Succeeded, TimedOut, Canceled.
    pub execution_state: Option<String>,
    /// What Azure says beside it.
    pub execution_message: Option<String>,
    /// The script's own word.
    pub exit_code: Option<i64>,
    /// What it wrote, the last 4 KiB (azure.md §2).
    pub output: Option<String>,
    /// What it wrote of errors, the last 4 KiB.
    pub error: Option<String>,
    /// When it began.
    pub start_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
}
