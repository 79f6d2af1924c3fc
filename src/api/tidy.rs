//! The pass that every generated schema goes through before it is shown to an API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Tidies the schemas of a definition.
///
/// * `nullable` goes: an optional field is left out, an explicit `null` is not stored.
/// * Rust's unsigned formats become the ones the API server knows; the minimum of 0 stays.
/// * Line breaks inside a paragraph of a description go.
pub(crate) fn tidy(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut();
        if let Some(root) = schema.and_then(|s| s.open_api_v3_schema.as_mut()) {
            root.title = None;
            visit(root);
        }
    }
    crd
}

fn visit(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.format = schema.format.take().map(known_format);
    schema.description = schema.description.as_deref().map(unwrap_lines);
    for property in schema.properties.iter_mut().flatten() {
        visit(property.1);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        visit(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        visit(values);
    }
}

fn known_format(format: String) -> String {
    match format.as_str() {
        "uint8" | "uint16" => "int32".to_owned(),
        "uint32" | "uint64" => "int64".to_owned(),
        _ => format,
    }
}

fn unwrap_lines(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_are_joined_and_paragraphs_stay_apart() {
        assert_eq!(unwrap_lines("One\n two.\n\nThree."), "One two.\n\nThree.");
    }

    #[test]
    fn unsigned_formats_become_known_ones() {
        let cases = [
            ("uint8", "int32"),
            ("uint32", "int64"),
            ("date-time", "date-time"),
        ];
        for (given, expected) in cases {
            assert_eq!(known_format(given.to_owned()), expected);
        }
    }
}
