//! The reasons of `CredentialsValid`. Those that are False have the names of the faults in
//! `azure/identity`, and `RightsMissing`.

use super::{Reason, no, unknown, yes};

pub(super) const REASONS: &[Reason] = &[
    yes(
        "Valid",
        "A token was issued and the rights suffice for the mode.",
    ),
    no(
        "ServiceAccountNotFound",
        "The ServiceAccount does not exist in this namespace.",
    ),
    no(
        "NotOptedIn",
        "The ServiceAccount lacks the annotation that lets the operator use it.",
    ),
    no(
        "NoIdentity",
        "The ServiceAccount names no Azure client id or tenant id.",
    ),
    no(
        "TokenRequestForbidden",
        "The operator may not read the ServiceAccount or request its tokens.",
    ),
    no(
        "OperatorIdentityNotAllowed",
        "The installation does not let the namespace use the operator's own identity.",
    ),
    no(
        "CredentialUnreadable",
        "The file with the operator's own credential cannot be used.",
    ),
    no(
        "ApplicationNotFound",
        "Entra ID knows no such application in the tenant, or it is disabled.",
    ),
    no(
        "FederationMissing",
        "No federated credential of the Azure identity trusts the ServiceAccount.",
    ),
    no(
        "AssertionExpired",
        "Entra ID found the ServiceAccount's token not valid at this time.",
    ),
    no(
        "ClientSecretRefused",
        "The operator's client secret is wrong or has expired.",
    ),
    no(
        "TokenRefused",
        "Entra ID issued no token; the message has its error code.",
    ),
    no(
        "TokenNotAccepted",
        "Azure Resource Manager does not accept the token that was issued.",
    ),
    no(
        "TokenUnavailable",
        "Nobody answered the request for a token; it is asked for again.",
    ),
    no(
        "RightsMissing",
        "Azure refuses an action that the mode needs; the message names it.",
    ),
    unknown("NotChecked", "Azure was not reached yet."),
];
