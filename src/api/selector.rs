//! The selector for Azure tags, shaped like a label selector. Says what matches; matches nothing
//! itself.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Most entries of one selector list or map.
const MAX_TERMS: u32 = 32;
/// Azure's bound for the name of a tag (Azure Resource Manager, tag limitations).
const MAX_TAG_NAME: u32 = 512;
/// Azure's bound for the value of a tag.
const MAX_TAG_VALUE: u32 = 256;

/// Selects machines by their Azure tags; all terms must hold, and no terms select everything.
///
/// Tag names compare without regard to case, tag values exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.matchLabels) || self.matchLabels.all(k, size(k) >= 1 && size(k) <= 512)",
    "matchLabels: the name of a tag has 1 to 512 characters",
))]
pub struct TagSelector {
    /// Tags that the machine must carry, each with exactly this value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "tag_values")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements on tags; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_TERMS))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_expressions: Vec<TagRequirement>,
}

/// One requirement on one tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
    "operators In and NotIn need at least one entry in values",
))]
#[x_kube(validation = (
    "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
    "operators Exists and DoesNotExist take no values: remove them",
))]
pub struct TagRequirement {
    /// Name of the tag; compares without regard to case.
    #[schemars(length(min = 1, max = MAX_TAG_NAME))]
    pub key: String,
    /// How the tag is compared: `In` or `NotIn` the values, or `Exists` or `DoesNotExist`. A
    /// machine without the tag satisfies `NotIn`.
    pub operator: TagOperator,
    /// Values for `In` and `NotIn`; they compare exactly. Empty for the other operators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_TERMS), inner(length(max = MAX_TAG_VALUE)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub values: Vec<String>,
}

/// How a requirement compares a tag.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum TagOperator {
    /// The tag exists with one of the values.
    In,
    /// The tag is missing or has none of the values.
    NotIn,
    /// The tag exists, with any value.
    Exists,
    /// The tag is missing.
    DoesNotExist,
}

fn tag_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MAX_TERMS,
        "additionalProperties": {"type": "string", "maxLength": MAX_TAG_VALUE},
    })
}
