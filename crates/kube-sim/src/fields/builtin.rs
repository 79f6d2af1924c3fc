//! Shapes of the built-in types, from the OpenAPI of Kubernetes 1.36 (list types and keys, atomic
//! structs). A table, not a schema: no text, no defaults, no rules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::shape::{Identity, Kind, Scalar, Shape};

/// One struct a line: `Name: field type, ...`. Types: `s` string or time, `i` number, `b` boolean,
/// `raw` anything, a struct's name, `{T}` map, `[T]` atomic list, `[T]#` set, `[T]@key` list by
/// key; `=` before a struct or map makes it atomic. A struct stands below those that it uses.
const TYPES: &str = "\
OwnerReference: apiVersion s, kind s, name s, uid s, controller b, blockOwnerDeletion b
ObjectMeta: name s, generateName s, namespace s, selfLink s, uid s, resourceVersion s, \
generation i, creationTimestamp s, deletionTimestamp s, deletionGracePeriodSeconds i, labels {s}, \
annotations {s}, ownerReferences [=OwnerReference]@uid, finalizers [s]#, managedFields [raw]
Condition: type s, status s, observedGeneration i, lastTransitionTime s, reason s, message s
ObjectReference: kind s, namespace s, name s, uid s, apiVersion s, resourceVersion s, fieldPath s
NamespaceSpec: finalizers [s]
NamespaceStatus: phase s, conditions [Condition]@type
Namespace: spec NamespaceSpec, status NamespaceStatus
ConfigMap: immutable b, data {s}, binaryData {s}
LocalObjectReference: name s
ServiceAccount: secrets [=ObjectReference]@name, imagePullSecrets [=LocalObjectReference], \
automountServiceAccountToken b
EventSource: component s, host s
EventSeries: count i, lastObservedTime s
Event: involvedObject =ObjectReference, reason s, message s, source EventSource, \
firstTimestamp s, lastTimestamp s, count i, type s, eventTime s, series EventSeries, action s, \
related ObjectReference, reportingComponent s, reportingInstance s
NewEvent: eventTime s, series EventSeries, reportingController s, reportingInstance s, action s, \
reason s, regarding =ObjectReference, related =ObjectReference, note s, type s, \
deprecatedSource EventSource, deprecatedFirstTimestamp s, deprecatedLastTimestamp s, \
deprecatedCount i
LeaseSpec: holderIdentity s, leaseDurationSeconds i, acquireTime s, renewTime s, \
leaseTransitions i, strategy s, preferredHolder s
Lease: spec LeaseSpec
PolicyRule: verbs [s], apiGroups [s], resources [s], resourceNames [s], nonResourceURLs [s]
Requirement: key s, operator s, values [s]
LabelSelector: matchLabels {s}, matchExpressions [Requirement]
AggregationRule: clusterRoleSelectors [LabelSelector]
Role: rules [PolicyRule]
ClusterRole: rules [PolicyRule], aggregationRule AggregationRule
RoleRef: apiGroup s, kind s, name s
Subject: kind s, apiGroup s, name s, namespace s
RoleBinding: subjects [Subject], roleRef =RoleRef
ClusterRoleBinding: subjects [Subject], roleRef =RoleRef
CrdNames: plural s, singular s, shortNames [s], kind s, listKind s, categories [s]
CrdScale: specReplicasPath s, statusReplicasPath s, labelSelectorPath s
CrdSubresources: status raw, scale CrdScale
CrdColumn: name s, type s, format s, description s, priority i, jsonPath s
CrdField: jsonPath s
CrdSchema: openAPIV3Schema raw
CrdVersion: name s, served b, storage b, deprecated b, deprecationWarning s, schema CrdSchema, \
subresources CrdSubresources, additionalPrinterColumns [CrdColumn], selectableFields [CrdField]
CrdConversion: strategy s, webhook raw
CrdSpec: group s, names CrdNames, scope s, versions [CrdVersion], conversion CrdConversion, \
preserveUnknownFields b
CrdStatus: conditions [Condition]@type, acceptedNames CrdNames, storedVersions [s], \
observedGeneration i
CustomResourceDefinition: spec CrdSpec, status CrdStatus
TokenRequestSpec: audiences [s], expirationSeconds i, boundObjectRef raw
TokenRequestStatus: token s, expirationTimestamp s
TokenRequest: spec TokenRequestSpec, status TokenRequestStatus
TokenReviewSpec: token s, audiences [s]
TokenReview: spec TokenReviewSpec, status raw
Resource: namespace s, verb s, group s, version s, resource s, subresource s, name s, \
fieldSelector raw, labelSelector raw
NonResource: path s, verb s
AccessSpec: resourceAttributes Resource, nonResourceAttributes NonResource, user s, groups [s], \
extra raw, uid s
SubjectAccessReview: spec AccessSpec, status raw
LocalSubjectAccessReview: spec AccessSpec, status raw
SelfAccessSpec: resourceAttributes Resource, nonResourceAttributes NonResource
SelfSubjectAccessReview: spec SelfAccessSpec, status raw
RulesSpec: namespace s
SelfSubjectRulesReview: spec RulesSpec, status raw
SelfSubjectReview: status raw";

/// Structs that are a part of others, hence without the fields that every object has.
fn is_object(name: &str) -> bool {
    const OBJECTS: [&str; 17] = [
        "Namespace",
        "ConfigMap",
        "ServiceAccount",
        "Event",
        "NewEvent",
        "Lease",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "TokenRequest",
        "TokenReview",
        "SubjectAccessReview",
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
    ];
    OBJECTS.contains(&name) || name == "SelfSubjectReview"
}

static SHAPES: LazyLock<BTreeMap<&'static str, Shape>> = LazyLock::new(|| {
    let mut shapes = BTreeMap::new();
    for line in TYPES.lines() {
        let (name, fields) = line.split_once(": ").unwrap_or((line, ""));
        let mut found = BTreeMap::new();
        for part in fields.split(", ").filter(|part| !part.is_empty()) {
            let (field, shape) = part.split_once(' ').unwrap_or((part, "raw"));
            found.insert(field.to_owned(), parse(shape, &shapes));
        }
        if is_object(name) {
            for (field, shape) in [
                ("apiVersion", "s"),
                ("kind", "s"),
                ("metadata", "ObjectMeta"),
            ] {
                found.insert(field.to_owned(), parse(shape, &shapes));
            }
        }
        shapes.insert(name, Shape::granular(Kind::Struct(found, false, name)));
    }
    shapes
});

/// The shape of a built-in type by the name of its row.
pub(crate) fn shape(name: &str) -> &'static Shape {
    SHAPES.get(name).unwrap_or(&super::shape::ANY)
}

/// The shape of the metadata of any object.
pub(crate) fn object_meta() -> &'static Shape {
    shape("ObjectMeta")
}

fn parse(text: &str, known: &BTreeMap<&str, Shape>) -> Shape {
    if let Some(rest) = text.strip_prefix('=') {
        return Shape {
            atomic: true,
            ..parse(rest, known)
        };
    }
    if let Some(inner) = text.strip_prefix('{') {
        let inner = inner.strip_suffix('}').unwrap_or(inner);
        return Shape::granular(Kind::Map(Box::new(parse(inner, known))));
    }
    if let Some((inner, how)) = text
        .strip_prefix('[')
        .and_then(|rest| rest.rsplit_once(']'))
    {
        let items = Box::new(parse(inner, known));
        return match how.strip_prefix('@') {
            Some(key) => {
                let keys = vec![(key.to_owned(), None)];
                Shape::granular(Kind::List(Identity::Keys(keys), items))
            }
            None if how == "#" => Shape::granular(Kind::List(Identity::Value, items)),
            None => Shape::atomic(Kind::List(Identity::Value, items)),
        };
    }
    match text {
        "s" => Shape::granular(Kind::Scalar(Scalar::String)),
        "i" => Shape::granular(Kind::Scalar(Scalar::Number)),
        "b" => Shape::granular(Kind::Scalar(Scalar::Boolean)),
        name => known.get(name).unwrap_or(&super::shape::ANY).clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_uses_rows_above_it() {
        let mut known: Vec<&str> = vec!["s", "i", "b", "raw"];
        for line in TYPES.lines() {
            let Some((name, fields)) = line.split_once(": ") else {
                panic!("{line} is no row");
            };
            for part in fields.split(", ") {
                let Some((_, shape)) = part.split_once(' ') else {
                    panic!("{part} of {name} has no type");
                };
                let base = shape.split(']').next().unwrap_or_default();
                let base = base.trim_matches(['=', '{', '}', '[']);
                assert!(known.contains(&base), "{name}: {part}");
            }
            known.push(name);
        }
    }
}
