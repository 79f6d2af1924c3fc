//! Why there is no token, in words of the operator's own.
//!
//! What an endpoint answers is never quoted: only codes that are known, or look like codes, come
//! through. Must never hold a part of a secret.

/// Why there is no token: the reason of the condition `CredentialsValid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The ServiceAccount does not exist.
    ServiceAccountNotFound,
    /// The ServiceAccount does not let the operator use it.
    NotOptedIn,
    /// The ServiceAccount, or the fleet, names no identity.
    NoIdentity,
    /// The operator may not read the ServiceAccount or request its tokens.
    TokenRequestForbidden,
    /// The installation does not let this namespace use the operator's own identity.
    OperatorIdentityNotAllowed,
    /// The operator's own credential cannot be read.
    CredentialUnreadable,
    /// Entra ID knows no such application in that tenant.
    ApplicationNotFound,
    /// No federated credential of the identity matches the ServiceAccount.
    FederationMissing,
    /// The assertion is not valid at this time.
    AssertionExpired,
    /// The client secret is wrong or has expired.
    ClientSecretRefused,
    /// Entra ID issues no token for another reason.
    TokenRefused,
    /// Azure Resource Manager does not accept the token that was issued.
    TokenNotAccepted,
    /// No answer for now.
    TokenUnavailable,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ServiceAccountNotFound,
        Self::NotOptedIn,
        Self::NoIdentity,
        Self::TokenRequestForbidden,
        Self::OperatorIdentityNotAllowed,
        Self::CredentialUnreadable,
        Self::ApplicationNotFound,
        Self::FederationMissing,
        Self::AssertionExpired,
        Self::ClientSecretRefused,
        Self::TokenRefused,
        Self::TokenNotAccepted,
        Self::TokenUnavailable,
    ];

    /// Returns the word of the condition.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ServiceAccountNotFound => "ServiceAccountNotFound",
            Self::NotOptedIn => "NotOptedIn",
            Self::NoIdentity => "NoIdentity",
            Self::TokenRequestForbidden => "TokenRequestForbidden",
            Self::OperatorIdentityNotAllowed => "OperatorIdentityNotAllowed",
            Self::CredentialUnreadable => "CredentialUnreadable",
            Self::ApplicationNotFound => "ApplicationNotFound",
            Self::FederationMissing => "FederationMissing",
            Self::AssertionExpired => "AssertionExpired",
            Self::ClientSecretRefused => "ClientSecretRefused",
            Self::TokenRefused => "TokenRefused",
            Self::TokenNotAccepted => "TokenNotAccepted",
            Self::TokenUnavailable => "TokenUnavailable",
        }
    }

    /// Tells whether it says nothing of the identity: nobody answered.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::TokenUnavailable)
    }
}

/// Why there is no token, for a condition. Holds nothing that an endpoint worded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong.
    pub fault: Fault,
    /// The same for people, with the next step.
    pub message: String,
}

impl Refusal {
    /// Says why there is no token.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
        }
    }

    /// Says what Entra ID means by its codes; `error` is the word of OAuth 2.0 beside them.
    pub(super) fn of_codes(codes: &[u64], error: &str) -> Self {
        let known = codes
            .iter()
            .find_map(|code| Some((code, KNOWN.iter().find(|own| own.0 == *code)?)));
        if let Some((code, (_, fault, text))) = known {
            return Self::new(*fault, format!("AADSTS{code}: {text}"));
        }
        let word = match codes.first() {
            Some(code) => format!("AADSTS{code}"),
            None if is_word(error) => error.to_owned(),
            None => "an answer without a code".to_owned(),
        };
        let text = format!("Entra ID issues no token: {word}");
        Self::new(Fault::TokenRefused, text)
    }
}

/// Tells whether a text is one of the words by which OAuth 2.0 names errors (RFC 6749, 5.2).
fn is_word(text: &str) -> bool {
    let words = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_resource",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
    ];
    words.contains(&text)
}

const NO_FEDERATION: &str = "no federated credential of the identity matches; its issuer, its \
                             subject system:serviceaccount:<namespace>:<name> and its audience \
                             must be those of the token, and a new one takes minutes to spread";

/// Codes of Entra ID and what to do about them (learn.microsoft.com/entra/identity-platform/
/// reference-error-codes; 7002xx: workload-identity-federation-considerations).
const KNOWN: [(u64, Fault, &str); 15] = [
    (
        700_016,
        Fault::ApplicationNotFound,
        "the tenant has no application with this client id",
    ),
    (
        7_000_229,
        Fault::ApplicationNotFound,
        "the application has no service principal in the tenant",
    ),
    (
        7_000_112,
        Fault::ApplicationNotFound,
        "the application is disabled",
    ),
    (
        90_002,
        Fault::ApplicationNotFound,
        "there is no such tenant",
    ),
    (70_021, Fault::FederationMissing, NO_FEDERATION),
    (700_211, Fault::FederationMissing, NO_FEDERATION),
    (700_212, Fault::FederationMissing, NO_FEDERATION),
    (700_213, Fault::FederationMissing, NO_FEDERATION),
    (
        700_024,
        Fault::AssertionExpired,
        "the assertion is not valid at this time; compare the clock of the cluster",
    ),
    (
        700_027,
        Fault::FederationMissing,
        "the assertion's signature does not match the issuer's published keys",
    ),
    (
        7_000_215,
        Fault::ClientSecretRefused,
        "the client secret is wrong; the secret's value is needed, not its id",
    ),
    (
        7_000_222,
        Fault::ClientSecretRefused,
        "the client secret has expired; put a new one into the file",
    ),
    (
        500_011,
        Fault::TokenRefused,
        "the tenant does not know Azure Resource Manager of this cloud; compare --azure-cloud",
    ),
    (
        53_003,
        Fault::TokenRefused,
        "a Conditional Access policy blocks the identity",
    ),
    (
        900_382,
        Fault::TokenRefused,
        "the tenant is in another of Azure's clouds; compare --azure-cloud",
    ),
];
