//! Structural schemas of CRD versions, parsed and compiled once.
use crate::status_error::Cause;
use serde_json::Value;
#[derive(Debug)]
pub(crate) struct Schema;
impl Schema {
    pub(crate) fn parse_root(_: &Value, _: &str, _: &mut Vec<Cause>) -> Option<Self> {
        Some(Self)
    }
    pub(crate) fn prune(&self, _: &mut Value) -> Vec<String> {
        Vec::new()
    }
    pub(crate) fn fill_defaults(&self, _: &mut Value) {}
    pub(crate) fn validate(&self, _: &Value, _: Option<&Value>, _: &mut Vec<Cause>) {}
}
