//! What rules read, and which rules are refused with the definition.

use serde_json::{Value, json};

use super::answer::{Answer, Differs, Outcome};
use super::cases;
use super::fixtures::{crd, spec_schema, version};
use super::rules::define;
use super::world::{CRDS, World};

cases![
    a_rule_that_fails_to_run_refuses,
    a_rule_that_is_no_cel_is_no_schema,
    a_rule_that_misses_the_types_is_no_schema,
    a_rule_must_be_true_or_false,
    a_rule_reads_typed_formats,
    a_rule_reads_lists_and_maps,
];

const RULE_PATH: &str =
    "~properties\\[spec\\]\\.properties\\[n\\]\\.x-kubernetes-validations\\[0\\]";

async fn crd_refused(w: &World, rule: Value) -> Result<Answer, Differs> {
    let group = format!("bad.{}.dev", w.ns);
    let number = json!({"n": {"type": "integer", "x-kubernetes-validations": [rule]}});
    let version = version("v1", spec_schema(number), json!(null));
    w.post(CRDS, crd(&group, "Thing", "Namespaced", vec![version]))
        .await
}

async fn no_schema(w: &World, rule: &str) -> Outcome {
    let refused = crd_refused(w, json!({"rule": rule})).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "reason": "FieldValueInvalid",
            "field": format!("{RULE_PATH}\\.rule$"),
            "message": "~compilation failed: ",
        }]}}),
    )?;
    Ok(())
}

async fn a_rule_that_fails_to_run_refuses(w: World) -> Outcome {
    let rule = json!([{"rule": "10 / self == 1"}]);
    let number = json!({"n": {"type": "integer", "x-kubernetes-validations": rule}});
    let thing = define(&w, number, json!(null)).await?;
    let cause = (
        "FieldValueInvalid",
        "spec.n",
        "Invalid value: rule evaluation error: division by zero (rule: 10 / self == 1)",
    );
    let refused = w
        .post(&thing.path, thing.body("a", json!({"n": 0})))
        .await?;
    refused.like(
        422,
        json!({"details": {"causes": [{"field": "spec.n", "reason": cause.0}]}}),
    )?;
    Ok(())
}

async fn a_rule_that_is_no_cel_is_no_schema(w: World) -> Outcome {
    no_schema(&w, "self >").await
}

async fn a_rule_that_misses_the_types_is_no_schema(w: World) -> Outcome {
    no_schema(&w, "self.what == 1").await?;
    no_schema(&w, "other > 1").await
}

async fn a_rule_must_be_true_or_false(w: World) -> Outcome {
    let refused = crd_refused(&w, json!({"rule": "self + 1"})).await?;
    refused.like(
        422,
        json!({"details": {"causes": [{
            "reason": "FieldValueInvalid",
            "message": "~cel expression must evaluate to a bool$",
        }]}}),
    )?;
    Ok(())
}

async fn a_rule_reads_typed_formats(w: World) -> Outcome {
    let rule = json!([{
        "rule": "self.end - self.begin <= self.most", "message": "too long",
    }]);
    let time = json!({"type": "string", "format": "date-time"});
    let span = json!({"span": {
        "type": "object",
        "properties": {
            "begin": time, "end": time, "most": {"type": "string", "format": "duration"},
        },
        "x-kubernetes-validations": rule,
    }});
    let thing = define(&w, span, json!(null)).await?;
    let span = |most: &str| {
        json!({"span": {
            "begin": "2026-01-01T00:00:00Z", "end": "2026-01-01T02:00:00Z", "most": most,
        }})
    };
    let cause = ("FieldValueInvalid", "spec.span", "Invalid value: too long");
    thing.refuses(&w, ("a", span("1h59m")), &[cause]).await?;
    w.post(&thing.path, thing.body("b", span("2h")))
        .await?
        .code(201)?;
    Ok(())
}

async fn a_rule_reads_lists_and_maps(w: World) -> Outcome {
    let rule = json!([{
        "rule": "self.words.all(w, w.size() < 4) && self.by.all(k, self.by[k] > 0) && \
                 self.words.isSorted() && self.words.exists_one(w, w.matches('^a'))",
        "message": "not so",
    }]);
    let spec = json!({"in": {
        "type": "object",
        "properties": {
            "words": {"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 9}},
            "by": {"type": "object", "maxProperties": 5,
                   "additionalProperties": {"type": "integer"}},
        },
        "x-kubernetes-validations": rule,
    }});
    let thing = define(&w, spec, json!(null)).await?;
    let cause = ("FieldValueInvalid", "spec.in", "Invalid value: not so");
    for bad in [
        json!({"words": ["long", "a"], "by": {}}),
        json!({"words": ["b", "a"], "by": {}}),
        json!({"words": ["a", "b"], "by": {"k": 0}}),
        json!({"words": ["b", "c"], "by": {"k": 1}}),
    ] {
        thing
            .refuses(&w, ("a", json!({"in": bad})), &[cause])
            .await?;
    }
    let good = json!({"in": {"words": ["a", "b"], "by": {"k": 1}}});
    w.post(&thing.path, thing.body("b", good))
        .await?
        .code(201)?;
    Ok(())
}
