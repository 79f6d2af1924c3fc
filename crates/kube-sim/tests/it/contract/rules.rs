//! CEL rules: messages, reasons, paths, transitions and ratcheting.

use serde_json::{Value, json};

use super::answer::{Differs, Outcome};
use super::cases;
use super::fixtures::{crd, spec_schema, version};
use super::world::{CRDS, World};

cases![
    a_broken_rule_answers_with_its_message,
    a_rule_without_message_shows_itself,
    a_message_expression_speaks_of_the_value,
    a_rule_can_name_field_and_reason,
    a_transition_rule_waits_for_a_change,
    a_transition_rule_skips_a_new_field,
    an_optional_old_value_is_there_or_not,
    several_broken_rules_are_named_together,
    a_rule_sees_the_objects_name,
    a_rule_of_an_element_names_its_index,
    a_rule_of_a_map_value_names_its_key,
    an_unchanged_value_is_not_judged_by_a_new_rule,
    a_changed_value_is_judged_by_a_new_rule,
    a_root_rule_has_no_field,
    rules_hold_for_the_status_too,
];

async fn refused(w: &World, spec: Value, causes: &[(&str, &str, &str)]) -> Outcome {
    let refused = w
        .post(w.custom("gadgets"), w.gadget_body("a", spec))
        .await?;
    refused.invalid(("Gadget", &w.group, "a"), causes)?;
    Ok(())
}

async fn a_broken_rule_answers_with_its_message(w: World) -> Outcome {
    w.make_gadget("a", json!({"serial": "x"})).await?;
    let refused = w
        .merge(w.gadget("a"), json!({"spec": {"serial": "y"}}))
        .await?;
    let cause = (
        "FieldValueInvalid",
        "spec.serial",
        "Invalid value: \"y\": serial cannot change",
    );
    refused.invalid(("Gadget", &w.group, "a"), &[cause])?;
    Ok(())
}

async fn a_rule_without_message_shows_itself(w: World) -> Outcome {
    let message = "Invalid value: 3: failed rule: self % 2 == 0";
    refused(
        &w,
        json!({"rank": 3}),
        &[("FieldValueInvalid", "spec.rank", message)],
    )
    .await
}

async fn a_message_expression_speaks_of_the_value(w: World) -> Outcome {
    for (to, message) in [(1, "the end is early"), (-1, "the end is negative")] {
        let message = format!("Forbidden: {message}");
        let cause = ("FieldValueForbidden", "spec.span.from", message.as_str());
        refused(&w, json!({"span": {"from": 3, "to": to}}), &[cause]).await?;
    }
    Ok(())
}

async fn a_rule_can_name_field_and_reason(w: World) -> Outcome {
    w.make_gadget("a", json!({"span": {"from": 1, "to": 2}}))
        .await?;
    let refused = w
        .merge(w.gadget("a"), json!({"spec": {"span": {"from": 5}}}))
        .await?;
    let cause = (
        "FieldValueForbidden",
        "spec.span.from",
        "Forbidden: the end is early",
    );
    refused.invalid(("Gadget", &w.group, "a"), &[cause])?;
    Ok(())
}

async fn a_transition_rule_waits_for_a_change(w: World) -> Outcome {
    w.make_gadget("a", json!({"serial": "x"})).await?;
    w.merge(w.gadget("a"), json!({"spec": {"size": 3}}))
        .await?
        .code(200)?;
    w.merge(w.gadget("a"), json!({"spec": {"serial": null}}))
        .await?
        .code(200)?;
    w.merge(w.gadget("a"), json!({"spec": {"serial": "z"}}))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_transition_rule_skips_a_new_field(w: World) -> Outcome {
    w.make_gadget("a", json!({})).await?;
    w.merge(w.gadget("a"), json!({"spec": {"serial": "x"}}))
        .await?
        .code(200)?;
    w.merge(w.gadget("a"), json!({"spec": {"serial": "y"}}))
        .await?
        .code(422)?;
    Ok(())
}

async fn an_optional_old_value_is_there_or_not(w: World) -> Outcome {
    w.make_gadget("a", json!({"grade": 5})).await?;
    w.merge(w.gadget("a"), json!({"spec": {"grade": 6}}))
        .await?
        .code(200)?;
    let refused = w
        .merge(w.gadget("a"), json!({"spec": {"grade": 2}}))
        .await?;
    let cause = (
        "FieldValueInvalid",
        "spec.grade",
        "Invalid value: 2: grade cannot fall",
    );
    refused.invalid(("Gadget", &w.group, "a"), &[cause])?;
    Ok(())
}

async fn several_broken_rules_are_named_together(w: World) -> Outcome {
    let spec = json!({"rank": 3, "span": {"from": 2, "to": 1}});
    let causes = [
        (
            "FieldValueInvalid",
            "spec.rank",
            "Invalid value: 3: failed rule: self % 2 == 0",
        ),
        (
            "FieldValueForbidden",
            "spec.span.from",
            "Forbidden: the end is early",
        ),
    ];
    refused(&w, spec, &causes).await
}

/// Defines a type of the case's own with spec properties and rules at the root.
pub(super) async fn define(w: &World, properties: Value, rules: Value) -> Result<Thing, Differs> {
    let group = format!("rules.{}.dev", w.ns);
    let mut schema = spec_schema(properties);
    schema["properties"]["status"] =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    if !rules.is_null() {
        schema["x-kubernetes-validations"] = rules;
    }
    let path = w.of(&format!("{group}/v1"), "things");
    let status = json!({"status": {}});
    let crd = crd(
        &group,
        "Thing",
        "Namespaced",
        vec![version("v1", schema, status)],
    );
    w.define(&crd, &path).await?;
    Ok(Thing { group, path })
}

/// A type of a case's own.
pub(super) struct Thing {
    pub group: String,
    pub path: String,
}

impl Thing {
    pub(super) fn body(&self, name: &str, spec: Value) -> Value {
        json!({
            "apiVersion": format!("{}/v1", self.group), "kind": "Thing",
            "metadata": {"name": name}, "spec": spec,
        })
    }

    pub(super) async fn refuses(
        &self,
        w: &World,
        (name, spec): (&str, Value),
        causes: &[(&str, &str, &str)],
    ) -> Outcome {
        let refused = w.post(&self.path, self.body(name, spec)).await?;
        refused.invalid(("Thing", &self.group, name), causes)?;
        Ok(())
    }
}

async fn a_rule_sees_the_objects_name(w: World) -> Outcome {
    let rules = json!([{"rule": "self.metadata.name.startsWith('t')", "message": "t first"}]);
    let thing = define(&w, json!({}), rules).await?;
    let cause = ("FieldValueInvalid", "<nil>", "Invalid value: t first");
    thing.refuses(&w, ("a", json!({})), &[cause]).await?;
    w.post(&thing.path, thing.body("t", json!({})))
        .await?
        .code(201)?;
    Ok(())
}

async fn a_rule_of_an_element_names_its_index(w: World) -> Outcome {
    let rule = json!([{"rule": "self > 0", "message": "above zero"}]);
    let items = json!({"type": "integer", "x-kubernetes-validations": rule});
    let list = json!({"ns": {"type": "array", "maxItems": 5, "items": items}});
    let thing = define(&w, list, json!(null)).await?;
    let cause = (
        "FieldValueInvalid",
        "spec.ns[1]",
        "Invalid value: 0: above zero",
    );
    thing
        .refuses(&w, ("a", json!({"ns": [1, 0, 2]})), &[cause])
        .await
}

async fn a_rule_of_a_map_value_names_its_key(w: World) -> Outcome {
    let rule = json!([{"rule": "self > 0", "message": "above zero"}]);
    let values = json!({"type": "integer", "x-kubernetes-validations": rule});
    let map = json!({"by": {"type": "object", "maxProperties": 5, "additionalProperties": values}});
    let thing = define(&w, map, json!(null)).await?;
    let cause = (
        "FieldValueInvalid",
        "spec.by[k]",
        "Invalid value: 0: above zero",
    );
    thing
        .refuses(&w, ("a", json!({"by": {"k": 0}})), &[cause])
        .await
}

/// A type that got a rule under an object that breaks it.
async fn tightened(w: &World) -> Result<Thing, Differs> {
    let number = json!({"n": {"type": "integer"}, "m": {"type": "integer"}});
    let thing = define(w, number, json!(null)).await?;
    w.post(&thing.path, thing.body("a", json!({"n": 0, "m": 1})))
        .await?
        .code(201)?;
    let rule = json!([{"rule": "self > 0", "message": "above zero"}]);
    let patch = json!([{
        "op": "add", "value": rule,
        "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/n\
                 /x-kubernetes-validations",
    }]);
    let path = format!("{CRDS}/things.{}", thing.group);
    w.patch(super::world::JSON_PATCH, path, patch)
        .await?
        .code(200)?;
    for _ in 0..100 {
        let mut probe = thing.body("", json!({"n": 0}));
        probe["metadata"] = json!({"generateName": "p-"});
        if w.post(&thing.path, probe).await?.code == 422 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(thing)
}

async fn an_unchanged_value_is_not_judged_by_a_new_rule(w: World) -> Outcome {
    let thing = tightened(&w).await?;
    let path = format!("{}/a", thing.path);
    w.merge(path, json!({"spec": {"m": 2}}))
        .await?
        .like(200, json!({"spec": {"n": 0, "m": 2}}))?;
    Ok(())
}

async fn a_changed_value_is_judged_by_a_new_rule(w: World) -> Outcome {
    let thing = tightened(&w).await?;
    let refused = w
        .merge(format!("{}/a", thing.path), json!({"spec": {"n": -1}}))
        .await?;
    let cause = (
        "FieldValueInvalid",
        "spec.n",
        "Invalid value: -1: above zero",
    );
    refused.invalid(("Thing", &thing.group, "a"), &[cause])?;
    Ok(())
}

async fn a_root_rule_has_no_field(w: World) -> Outcome {
    let rules =
        json!([{"rule": "has(self.spec.n) == has(self.spec.m)", "message": "both or none"}]);
    let numbers = json!({"n": {"type": "integer"}, "m": {"type": "integer"}});
    let thing = define(&w, numbers, rules).await?;
    let cause = ("FieldValueInvalid", "<nil>", "Invalid value: both or none");
    thing.refuses(&w, ("a", json!({"n": 1})), &[cause]).await?;
    w.post(&thing.path, thing.body("a", json!({"n": 1, "m": 1})))
        .await?
        .code(201)?;
    Ok(())
}

async fn rules_hold_for_the_status_too(w: World) -> Outcome {
    let rules = json!([{
        "rule": "!has(self.status) || !has(self.status.n) || self.status.n < 5",
        "message": "below five",
    }]);
    let thing = define(&w, json!({}), rules).await?;
    w.post(&thing.path, thing.body("a", json!({})))
        .await?
        .code(201)?;
    let path = format!("{}/a/status", thing.path);
    let refused = w.merge(&path, json!({"status": {"n": 5}})).await?;
    let cause = ("FieldValueInvalid", "<nil>", "Invalid value: below five");
    refused.invalid(("Thing", &thing.group, "a"), &[cause])?;
    w.merge(&path, json!({"status": {"n": 4}}))
        .await?
        .code(200)?;
    Ok(())
}
