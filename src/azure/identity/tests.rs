//! Tests of the identities: what is asked, what answers mean, how long tokens are kept.

#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use http::{Request, Response};

use super::*;
use crate::azure::endpoint::{Endpoint, Token};
use crate::azure::transport::{Transport, TransportError};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee";
const CANARY: &str = "canary/+=&secret";

/// Answers in turn, and remembers what it was asked.
#[derive(Default)]
struct Fake {
    answers: Mutex<VecDeque<Result<Response<Bytes>, TransportError>>>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl Fake {
    fn answering(status: u16, body: &str) -> Self {
        let fake = Self::default();
        let answer = Response::builder().status(status);
        let answer = answer.body(Bytes::from(body.to_owned())).unwrap();
        fake.answers.lock().unwrap().push_back(Ok(answer));
        fake
    }

    fn silent(error: TransportError) -> Self {
        let fake = Self::default();
        fake.answers.lock().unwrap().push_back(Err(error));
        fake
    }
}

impl Transport for Fake {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front().unwrap();
        Box::pin(std::future::ready(answer))
    }
}

fn authority(cloud: AzureCloud) -> Authority {
    Authority::new(Endpoint::parse(cloud.authority()).unwrap(), cloud)
}

fn login() -> Login {
    Login::new(TENANT, CLIENT).unwrap()
}

fn assertion() -> Proof {
    Proof::Assertion(Secret::new(format!(" {CANARY}\n")).unwrap())
}

#[test]
fn each_cloud_has_hosts_of_its_own() {
    let mut hosts = std::collections::BTreeSet::new();
    for cloud in AzureCloud::ALL {
        for text in [cloud.authority(), cloud.resource_manager()] {
            assert!(hosts.insert(Endpoint::parse(text).unwrap().host().to_owned()));
        }
        let of_audience = Endpoint::parse(cloud.audience()).unwrap();
        let manager = Endpoint::parse(cloud.resource_manager()).unwrap();
        assert_eq!(of_audience.host(), manager.host(), "{cloud:?}");
    }
    assert_eq!(hosts.len(), 6);
}

#[test]
fn what_is_no_guid_names_nobody() {
    let rows = [
        ("", CLIENT, "the tenant id"),
        (TENANT, "", "the client id"),
        ("common", CLIENT, "the tenant id"),
        ("../other", CLIENT, "the tenant id"),
        (
            TENANT,
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee&",
            "the client id",
        ),
        ("11111111222233334444555555555555", CLIENT, "the tenant id"),
    ];
    for (tenant, client, expected) in rows {
        let refusal = Login::new(tenant, client).unwrap_err();
        assert_eq!(refusal.fault, Fault::NoIdentity, "{tenant} {client}");
        assert!(refusal.message.contains(expected), "{}", refusal.message);
    }
}

#[tokio::test]
async fn a_proof_is_posted_to_the_tenant_at_the_authority_of_its_cloud() {
    let good = r#"{"access_token":"t","expires_in":3599}"#;
    for cloud in AzureCloud::ALL {
        let fake = Fake::answering(200, good);
        let issued = authority(cloud).token(&fake, &login(), &assertion()).await;
        assert_eq!(issued.unwrap().life_seconds, 3599);
        let asked = fake.asked.lock().unwrap();
        let url = format!("{}/{TENANT}/oauth2/v2.0/token", cloud.authority());
        assert_eq!(
            (asked[0].method().as_str(), asked[0].uri().to_string()),
            ("POST", url)
        );
        assert!(asked[0].headers().get("authorization").is_none());
        let scope = format!("{}.default", cloud.audience());
        let scope = scope.replace(':', "%3A").replace('/', "%2F");
        let expected = format!(
            "grant_type=client_credentials&client_id={}&scope={scope}&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=\
             canary%2F%2B%3D%26secret",
            CLIENT.to_lowercase()
        );
        assert_eq!(String::from_utf8_lossy(asked[0].body()), expected);
    }
    let fake = Fake::answering(200, good);
    let proof = Proof::ClientSecret(Secret::new(CANARY.to_owned()).unwrap());
    let public = authority(AzureCloud::Public);
    public.token(&fake, &login(), &proof).await.unwrap();
    let asked = fake.asked.lock().unwrap();
    let body = String::from_utf8_lossy(asked[0].body()).into_owned();
    assert!(
        body.ends_with("&client_secret=canary%2F%2B%3D%26secret"),
        "{body}"
    );
    assert!(!body.contains("assertion"), "{body}");
}

/// An answer that echoes the secret wherever a text can stand.
fn echoing(code: u64, error: &str) -> String {
    serde_json::json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {CANARY} was wrong"),
        "error_codes": [code],
        "trace_id": CANARY, "error_uri": CANARY,
    })
    .to_string()
}

#[tokio::test]
async fn every_refusal_has_a_name_and_quotes_nothing() {
    use Fault::{
        ApplicationNotFound, AssertionExpired, ClientSecretRefused, FederationMissing,
        TokenRefused, TokenUnavailable,
    };
    let codes = [
        (700_016, ApplicationNotFound),
        (7_000_229, ApplicationNotFound),
        (90_002, ApplicationNotFound),
        (70_021, FederationMissing),
        (700_211, FederationMissing),
        (700_212, FederationMissing),
        (700_213, FederationMissing),
        (700_024, AssertionExpired),
        (7_000_215, ClientSecretRefused),
        (7_000_222, ClientSecretRefused),
        (500_011, TokenRefused),
        (50_034, TokenRefused),
    ];
    let of_code = codes.map(|(code, fault)| (401, echoing(code, CANARY), fault, code.to_string()));
    let word = r#"{"error":"invalid_client"}"#.to_owned();
    let page = format!("<html>{CANARY}</html>");
    let no_code = r#"{"error_description":"AADSTS700016: gone"}"#.to_owned();
    let bad = |body: &str| body.to_owned();
    let others = [
        (400, word, TokenRefused, "invalid_client"),
        (400, page.clone(), TokenRefused, "answered 400"),
        (400, no_code, ApplicationNotFound, "AADSTS700016"),
        (408, page.clone(), TokenUnavailable, "answered 408"),
        (429, page.clone(), TokenUnavailable, "answered 429"),
        (503, page.clone(), TokenUnavailable, "answered 503"),
        (302, page.clone(), TokenUnavailable, "answered 302"),
        (200, page, TokenUnavailable, "without a token"),
        (
            200,
            bad(r#"{"access_token":"","expires_in":1}"#),
            TokenUnavailable,
            "without a token",
        ),
        (
            200,
            bad(r#"{"access_token":"a b","expires_in":1}"#),
            TokenUnavailable,
            "without",
        ),
        (
            200,
            bad(r#"{"access_token":"t","expires_in":0}"#),
            TokenUnavailable,
            "without",
        ),
        (
            200,
            bad(r#"{"access_token":"t"}"#),
            TokenUnavailable,
            "without",
        ),
    ];
    let others = others.map(|(status, body, fault, text)| (status, body, fault, text.to_owned()));
    for (status, body, fault, text) in of_code.into_iter().chain(others) {
        let fake = Fake::answering(status, &body);
        let public = authority(AzureCloud::Public);
        let refusal = public
            .token(&fake, &login(), &assertion())
            .await
            .unwrap_err();
        assert_eq!(refusal.fault, fault, "{status} {body}");
        assert!(refusal.message.contains(&text), "{}", refusal.message);
        let shown = format!("{refusal} {refusal:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    let why = || format!("broke while it sent {CANARY}");
    for error in [
        TransportError::NotSent(why()),
        TransportError::AnswerLost(why()),
    ] {
        let fake = Fake::silent(error);
        let public = authority(AzureCloud::Public);
        let refusal = public
            .token(&fake, &login(), &assertion())
            .await
            .unwrap_err();
        assert!(refusal.fault.is_passing());
        assert!(!format!("{refusal:?}").contains("canary"));
    }
}

#[tokio::test]
async fn the_metadata_service_is_asked_as_it_wants_to_be() {
    let good = r#"{"access_token":"t","expires_in":"86399","token_type":"Bearer"}"#;
    let fake = Fake::answering(200, good);
    let imds = Imds::new(Some(CLIENT), AzureCloud::China).unwrap();
    assert_eq!(imds.token(&fake).await.unwrap().life_seconds, 86_399);
    let asked = fake.asked.lock().unwrap();
    assert_eq!(
        asked[0].uri().to_string(),
        format!(
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=\
             https%3A%2F%2Fmanagement.chinacloudapi.cn%2F&client_id={}",
            CLIENT.to_lowercase()
        )
    );
    assert_eq!(asked[0].headers()["metadata"], "true");
    assert!(Imds::new(Some("me&resource=x"), AzureCloud::Public).is_err());
    for (base, is_taken) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost/", true),
        ("http://169.254.169.254", false),
        ("http://evil.example", false),
        ("http://127.0.0.1@evil.example", false),
        ("http://me@127.0.0.1", false),
        ("https://localhost", false),
        ("http://localhost/x", false),
    ] {
        let imds = Imds::new(None, AzureCloud::Public).unwrap();
        assert_eq!(imds.at(base).is_some(), is_taken, "{base}");
    }
}

#[test]
fn no_secret_shows_itself() {
    let secret = Secret::new(CANARY.to_owned()).unwrap();
    let token = Token::new("canary-token").unwrap();
    let issued = Issued {
        token: token.clone(),
        life_seconds: 1,
    };
    let proof = Proof::Assertion(secret.clone());
    let shown = format!(
        "{secret:?} {token:?} {issued:?} {proof:?} {:?}",
        token.header()
    );
    assert!(!shown.contains("canary"), "{shown}");
    assert!(Secret::new(" \n".to_owned()).is_none());
    assert!(Secret::new("x".repeat(SECRET_BYTES_MAX + 1)).is_none());
}

fn at(minutes: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-10-13T17:00:00Z".parse().unwrap();
    start + TimeDelta::minutes(minutes)
}

/// A cache, and how often something was fetched into it.
#[derive(Default)]
struct Kept {
    tokens: Tokens<&'static str>,
    fetched: Mutex<u32>,
}

impl Kept {
    /// Asks at a minute; what is fetched lives for an hour and is named by its number.
    async fn get(&self, minute: i64, fault: Option<Fault>) -> Result<Token, Refusal> {
        self.get_as("me", minute, fault).await
    }

    async fn get_as(&self, who: &str, minute: i64, fault: Option<Fault>) -> Result<Token, Refusal> {
        let stamp = vec![who.to_owned()];
        let fetch = || async {
            let number = {
                let mut fetched = self.fetched.lock().unwrap();
                *fetched += 1;
                *fetched
            };
            tokio::task::yield_now().await;
            match fault {
                Some(fault) => Err(Refusal::new(fault, "refused")),
                None => Ok(Issued {
                    token: Token::new(&format!("token-{number}")).unwrap(),
                    life_seconds: 3600,
                }),
            }
        };
        self.tokens.get("key", stamp, at(minute), fetch).await
    }

    fn fetched(&self) -> u32 {
        *self.fetched.lock().unwrap()
    }
}

fn text(token: &Token) -> String {
    token.header().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_kept_and_refreshed_early() {
    let kept = Kept::default();
    // When it is asked for, and how many were fetched by then.
    for (minute, expected) in [
        (0, 1),
        (30, 1),
        (49, 1),
        (50, 2),
        (99, 2),
        (100, 3),
        (500, 4),
    ] {
        let token = kept.get(minute, None).await.unwrap();
        assert_eq!(kept.fetched(), expected, "at {minute}");
        assert_eq!(text(&token), format!("Bearer token-{expected}"));
    }
}

#[tokio::test]
async fn a_failed_refresh_is_not_repeated_at_once_and_a_good_token_serves_on() {
    let kept = Kept::default();
    let down = Some(Fault::TokenUnavailable);
    kept.get(0, None).await.unwrap();
    // When, whether there is a token all the same, and how many were asked for by then.
    for (minute, serves, expected) in [(50, true, 2), (50, true, 2), (57, true, 3), (58, false, 4)]
    {
        let found = kept.get(minute, down).await;
        assert_eq!(
            (found.is_ok(), kept.fetched()),
            (serves, expected),
            "at {minute}"
        );
    }
    assert_eq!(
        kept.get(58, None).await.unwrap_err().fault,
        Fault::TokenUnavailable
    );
    assert_eq!(kept.fetched(), 4);
    assert!(kept.get(59, None).await.is_ok());
}

#[tokio::test]
async fn one_refresh_serves_all_who_ask() {
    let kept = Kept::default();
    let found = tokio::join!(kept.get(0, None), kept.get(0, None), kept.get(0, None));
    for token in [found.0, found.1, found.2] {
        assert_eq!(text(&token.unwrap()), "Bearer token-1");
    }
    assert_eq!(kept.fetched(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_replaced_once_in_a_while() {
    let kept = Kept::default();
    kept.get(0, None).await.unwrap().note_unaccepted();
    // The next pass fetches another, and that is not accepted either.
    kept.get(1, None).await.unwrap().note_unaccepted();
    for minute in [2, 3, 10] {
        let refusal = kept.get(minute, None).await.unwrap_err();
        assert_eq!(refusal.fault, Fault::TokenNotAccepted, "at {minute}");
    }
    assert_eq!(kept.fetched(), 2);
    assert!(kept.get(11, None).await.is_ok());
    assert_eq!(kept.fetched(), 3);
}

#[tokio::test]
async fn what_one_was_given_nobody_else_gets() {
    let kept = Kept::default();
    kept.get_as("uid-1 client-a", 0, None).await.unwrap();
    let refused = kept
        .get_as("uid-2 client-a", 0, Some(Fault::FederationMissing))
        .await;
    assert_eq!(refused.unwrap_err().fault, Fault::FederationMissing);
    // Nor does the first one get it back: it asks anew.
    kept.get_as("uid-1 client-a", 0, None).await.unwrap();
    assert_eq!(kept.fetched(), 3);
}
