//! Field numbers of the messages that clients send.

use chrono::SecondsFormat::{Micros, Secs};

use super::{Kind, Message};

const TEXTS: Kind = Kind::List(&Kind::Text);
const TEXT_MAP: Kind = Kind::Map(&Kind::Text);

/// The fields of a kind, where it is known.
pub(super) fn of(kind: &str) -> Option<Message> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Lease" => LEASE,
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SelfSubjectReview" => META_ONLY,
        "TokenReview" => TOKEN_REVIEW,
        "TokenRequest" => TOKEN_REQUEST,
        "DeleteOptions" => DELETE_OPTIONS,
        _ => return None,
    })
}

const META: Kind = Kind::Message(&[
    (1, "name", Kind::Text),
    (2, "generateName", Kind::Text),
    (3, "namespace", Kind::Text),
    (5, "uid", Kind::Text),
    (6, "resourceVersion", Kind::Text),
    (7, "generation", Kind::Int),
    (8, "creationTimestamp", Kind::Time(Secs)),
    (9, "deletionTimestamp", Kind::Time(Secs)),
    (10, "deletionGracePeriodSeconds", Kind::Int),
    (11, "labels", TEXT_MAP),
    (12, "annotations", TEXT_MAP),
    (13, "ownerReferences", Kind::List(&Kind::Message(OWNER))),
    (14, "finalizers", TEXTS),
]);

const OWNER: Message = &[
    (1, "kind", Kind::Text),
    (3, "name", Kind::Text),
    (4, "uid", Kind::Text),
    (5, "apiVersion", Kind::Text),
    (6, "controller", Kind::Bool),
    (7, "blockOwnerDeletion", Kind::Bool),
];

const META_ONLY: Message = &[(1, "metadata", META)];

const NAMESPACE: Message = &[
    (1, "metadata", META),
    (2, "spec", Kind::Message(&[(1, "finalizers", TEXTS)])),
    (3, "status", Kind::Message(&[(1, "phase", Kind::Text)])),
];

const CONFIG_MAP: Message = &[
    (1, "metadata", META),
    (2, "data", TEXT_MAP),
    (3, "binaryData", Kind::Map(&Kind::Bytes)),
    (4, "immutable", Kind::Bool),
];

const NAMED: Kind = Kind::Message(&[(1, "name", Kind::Text)]);

const SERVICE_ACCOUNT: Message = &[
    (1, "metadata", META),
    (3, "imagePullSecrets", Kind::List(&NAMED)),
    (4, "automountServiceAccountToken", Kind::Bool),
];

const LEASE: Message = &[
    (1, "metadata", META),
    (2, "spec", Kind::Message(LEASE_SPEC)),
];

const LEASE_SPEC: Message = &[
    (1, "holderIdentity", Kind::Text),
    (2, "leaseDurationSeconds", Kind::Int),
    (3, "acquireTime", Kind::Time(Micros)),
    (4, "renewTime", Kind::Time(Micros)),
    (5, "leaseTransitions", Kind::Int),
    (6, "strategy", Kind::Text),
    (7, "preferredHolder", Kind::Text),
];

const REVIEW: Message = &[
    (1, "metadata", META),
    (2, "spec", Kind::Message(REVIEW_SPEC)),
];

const REVIEW_SPEC: Message = &[
    (1, "resourceAttributes", Kind::Message(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", Kind::Message(PATH_ATTRIBUTES)),
    (3, "user", Kind::Text),
    (4, "groups", TEXTS),
    (6, "uid", Kind::Text),
];

const RESOURCE_ATTRIBUTES: Message = &[
    (1, "namespace", Kind::Text),
    (2, "verb", Kind::Text),
    (3, "group", Kind::Text),
    (4, "version", Kind::Text),
    (5, "resource", Kind::Text),
    (6, "subresource", Kind::Text),
    (7, "name", Kind::Text),
];

const PATH_ATTRIBUTES: Message = &[(1, "path", Kind::Text), (2, "verb", Kind::Text)];

const RULES_REVIEW: Message = &[
    (1, "metadata", META),
    (2, "spec", Kind::Message(&[(1, "namespace", Kind::Text)])),
];

const TOKEN_REVIEW: Message = &[
    (1, "metadata", META),
    (
        2,
        "spec",
        Kind::Message(&[(1, "token", Kind::Text), (2, "audiences", TEXTS)]),
    ),
];

const TOKEN_REQUEST: Message = &[
    (1, "metadata", META),
    (2, "spec", Kind::Message(TOKEN_REQUEST_SPEC)),
];

const TOKEN_REQUEST_SPEC: Message = &[
    (1, "audiences", TEXTS),
    (3, "boundObjectRef", Kind::Message(BOUND_OBJECT)),
    (4, "expirationSeconds", Kind::Int),
];

const BOUND_OBJECT: Message = &[
    (1, "kind", Kind::Text),
    (2, "apiVersion", Kind::Text),
    (3, "name", Kind::Text),
    (4, "uid", Kind::Text),
];

const DELETE_OPTIONS: Message = &[
    (1, "gracePeriodSeconds", Kind::Int),
    (2, "preconditions", Kind::Message(PRECONDITIONS)),
    (3, "orphanDependents", Kind::Bool),
    (4, "propagationPolicy", Kind::Text),
    (5, "dryRun", TEXTS),
];

const PRECONDITIONS: Message = &[(1, "uid", Kind::Text), (2, "resourceVersion", Kind::Text)];
