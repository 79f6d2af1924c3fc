//! Where the simulator is meant to differ from the real server, and why.

/// Why rules that miss the types of their schema are accepted.
const UNTYPED: &str = "kube-cel compiles rules without the types of the schema, so such a rule is \
                       refused when it runs, not when it is defined";

/// Cases that differ on the simulator by intent, with the reason.
pub(super) const NON_GOALS: &[(&str, &str)] = &[
    (
        "rule_values: a rule that misses the types is no schema",
        UNTYPED,
    ),
    ("rule_values: a rule must be true or false", UNTYPED),
];

/// Cases that the simulator does not meet yet. Temporary: every entry is work to do.
pub(super) const PENDING: &[&str] = &[
    "builtins: an event has two faces",
    "builtins: a core event is seen as the new one",
    "builtins: an events namespace is its subjects",
    "objects: a create of another kind is refused",
    "metadata: labels are checked",
    "metadata: finalizers are checked",
    "patches: a merge patch of the wrong type is refused",
    "selectors: a label selector checks its values",
    "selectors: a list says its kind and version",
    "serving: an unknown resource is not found",
    "serving: a type nobody writes is not acceptable",
    "serving: a deprecated version warns",
    "types: a definition needs one storage version",
    "types: a deleted definition waits for its objects",
    "updates: a status subresource exists only where declared",
];
