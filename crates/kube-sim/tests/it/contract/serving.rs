//! What is served besides objects: media types, tables, discovery, OpenAPI, warnings, errors of
//! HTTP.

use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::cases;
use super::world::{World, header};

cases![
    an_unknown_resource_is_not_found,
    an_unknown_group_is_not_found,
    an_unknown_path_is_not_found,
    a_method_nobody_serves_is_not_allowed,
    a_type_nobody_writes_is_not_acceptable,
    a_body_of_unknown_type_is_refused,
    a_body_too_large_is_refused,
    an_answer_says_its_type,
    a_strict_write_refuses_unknown_fields,
    a_strict_write_of_a_custom_object_refuses_unknown_fields,
    a_write_warns_of_unknown_fields,
    an_ignoring_write_does_not_warn,
    a_field_validation_must_be_known,
    a_deprecated_version_warns,
    the_server_is_alive_and_has_a_version,
];

async fn an_unknown_resource_is_not_found(w: World) -> Outcome {
    let found = w.get(w.custom("nothings")).await?;
    found
        .code(404)?
        .holds("404 page not found", found.text == "404 page not found\n")?;
    let found = w.get(w.core("nothings")).await?;
    let message = "the server could not find the requested resource";
    found.refused(404, "NotFound", message, json!({}))?;
    Ok(())
}

async fn an_unknown_group_is_not_found(w: World) -> Outcome {
    let found = w.get("/apis/no.such.group.dev/v1/things").await?;
    found
        .code(404)?
        .holds("404 page not found", found.text == "404 page not found\n")?;
    Ok(())
}

async fn an_unknown_path_is_not_found(w: World) -> Outcome {
    let found = w.get("/nowhere").await?;
    found
        .code(404)?
        .holds("404 page not found", found.text == "404 page not found\n")?;
    Ok(())
}

async fn a_method_nobody_serves_is_not_allowed(w: World) -> Outcome {
    let refused = w.put("/api/v1/namespaces", json!({})).await?;
    let message = "the server does not allow this method on the requested resource";
    refused.refused(405, "MethodNotAllowed", message, json!({}))?;
    Ok(())
}

async fn a_type_nobody_writes_is_not_acceptable(w: World) -> Outcome {
    let refused = w.get_as("text/html", w.core("configmaps")).await?;
    refused.refused(406, "NotAcceptable", "~^406: Not Acceptable", json!({}))?;
    w.get_as("text/html, */*", w.core("configmaps"))
        .await?
        .code(200)?;
    Ok(())
}

async fn a_body_of_unknown_type_is_refused(w: World) -> Outcome {
    let headers = [("content-type", "text/plain")];
    let refused = w.send("POST", &w.core("configmaps"), &headers, "x").await?;
    let message = "~^the body of the request was in an unknown format - accepted media types \
                   include: application/json, application/yaml";
    refused.refused(415, "UnsupportedMediaType", message, Value::Null)?;
    Ok(())
}

async fn a_body_too_large_is_refused(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}, "data": {"v": "x".repeat(3 * 1024 * 1024)}});
    let refused = w.post(w.core("configmaps"), body).await?;
    let message = "Request entity too large: limit is 3145728";
    refused.refused(413, "RequestEntityTooLarge", message, Value::Null)?;
    Ok(())
}

async fn an_answer_says_its_type(w: World) -> Outcome {
    w.make_map(json!({"name": "a"}), "1").await?;
    for path in [w.map("a"), w.map("none"), w.core("configmaps")] {
        let answer = w.get(path).await?;
        let good = header(&answer.headers, "content-type") == "application/json";
        answer.holds("content-type: application/json", good)?;
    }
    Ok(())
}

async fn a_strict_write_refuses_unknown_fields(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a", "colour": "x"}, "dat": {}});
    let refused = w
        .post(w.core("configmaps?fieldValidation=Strict"), body)
        .await?;
    let message = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding \
                   error: unknown field \"metadata.colour\", unknown field \"dat\"";
    let other = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding \
                 error: unknown field \"dat\", unknown field \"metadata.colour\"";
    let found = &refused.json["message"];
    refused
        .code(400)?
        .holds(message, found == message || found == other)?;
    w.get(w.map("a")).await?.code(404)?;
    Ok(())
}

async fn a_strict_write_of_a_custom_object_refuses_unknown_fields(w: World) -> Outcome {
    let body = w.gadget_body("a", json!({"sizes": 1}));
    let refused = w
        .post(w.custom("gadgets?fieldValidation=Strict"), body)
        .await?;
    let message = "Gadget in version \"v1\" cannot be handled as a Gadget: strict decoding \
                   error: unknown field \"spec.sizes\"";
    refused.refused(400, "BadRequest", message, Value::Null)?;
    Ok(())
}

fn warnings(answer: &Answer) -> Vec<String> {
    let found = answer.headers.get_all("warning").iter();
    found
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect()
}

async fn a_write_warns_of_unknown_fields(w: World) -> Outcome {
    let made = w
        .post(
            w.core("configmaps?fieldValidation=Warn"),
            json!({
                "metadata": {"name": "a"}, "dat": {},
            }),
        )
        .await?;
    let good = warnings(&made) == ["299 - \"unknown field \\\"dat\\\"\""];
    made.code(201)?.holds("a warning of \"dat\"", good)?;
    let made = w
        .post(w.custom("gadgets"), w.gadget_body("a", json!({"sizes": 1})))
        .await?;
    let good = warnings(&made) == ["299 - \"unknown field \\\"spec.sizes\\\"\""];
    made.code(201)?
        .holds("a warning of \"spec.sizes\", by default", good)?;
    Ok(())
}

async fn an_ignoring_write_does_not_warn(w: World) -> Outcome {
    let body = w.gadget_body("a", json!({"sizes": 1}));
    let made = w
        .post(w.custom("gadgets?fieldValidation=Ignore"), body)
        .await?;
    made.code(201)?
        .holds("no warning", warnings(&made).is_empty())?;
    Ok(())
}

async fn a_field_validation_must_be_known(w: World) -> Outcome {
    let body = json!({"metadata": {"name": "a"}});
    let refused = w
        .post(w.core("configmaps?fieldValidation=Odd"), body)
        .await?;
    let message = "Unsupported value: \"Odd\": supported values: \"\", \"Ignore\", \"Strict\", \
                   \"Warn\"";
    refused.invalid(
        ("CreateOptions", "meta.k8s.io", ""),
        &[("FieldValueNotSupported", "fieldValidation", message)],
    )?;
    Ok(())
}

async fn a_deprecated_version_warns(w: World) -> Outcome {
    let list = w
        .get(w.of(&format!("{}/v1beta1", w.group), "coins"))
        .await?;
    let wanted = format!(
        "299 - \"{}/v1beta1 Coin is deprecated; use {}/v1 Coin\"",
        w.group, w.group
    );
    list.code(200)?
        .holds(&wanted, warnings(&list) == [wanted.clone()])?;
    Ok(())
}

async fn the_server_is_alive_and_has_a_version(w: World) -> Outcome {
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = w.get(path).await?;
        answer.code(200)?.holds("ok", answer.text == "ok")?;
    }
    w.get("/version").await?.like(
        200,
        json!({
            "major": "1", "minor": "~^[0-9]+$", "gitVersion": "~^v", "platform": "*",
        }),
    )?;
    Ok(())
}
