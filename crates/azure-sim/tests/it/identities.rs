//! Entra ID, the metadata service, and what Azure Resource Manager makes of their tokens.

use azure_sim::{Assertion, AzureSim, Federated, Identity, Options, VmSpec};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, Response};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const TENANT: &str = "99999999-0000-0000-0000-000000000000";
const CLIENT: &str = "aaaaaaaa-0000-0000-0000-000000000000";
const SUB: &str = "00000000-0000-0000-0000-00000000000a";
const ISSUER: &str = "https://issuer.example";

struct Scene {
    azure: AzureSim,
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl Scene {
    fn new() -> Self {
        let start: DateTime<Utc> = "2025-07-08T16:00:00Z".parse().unwrap();
        let now = Arc::new(Mutex::new(start));
        let shown = Arc::clone(&now);
        let azure = AzureSim::new(Arc::new(move || *shown.lock().unwrap()), Options::default());
        azure.add_vm(VmSpec::ws2025_azure_edition("vm-a").subscription(SUB));
        azure.add_vm(VmSpec::ws2025_azure_edition("vm-b"));
        azure.register(Identity {
            tenant: TENANT.to_owned(),
            client: CLIENT.to_owned(),
            name: "app".to_owned(),
            subscriptions: [SUB.to_owned()].into(),
            federated: vec![Federated {
                issuer: ISSUER.to_owned(),
                subject: "me".to_owned(),
            }],
            secret: Some("a secret/+&".to_owned()),
            managed: true,
        });
        // An assertion is its own content here: issuer, subject, audience, minutes it is good for.
        azure.trust_issuers(move |text| {
            let parts: Vec<&str> = text.split(' ').collect();
            let [issuer, subject, audience, minutes] = parts[..] else {
                return None;
            };
            Some(Assertion {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
                audiences: vec![audience.to_owned()],
                expires: start + TimeDelta::minutes(minutes.parse().ok()?),
            })
        });
        Self { azure, now }
    }

    fn pass(&self, minutes: i64) {
        *self.now.lock().unwrap() += TimeDelta::minutes(minutes);
    }

    fn exchange(&self, tenant: &str, client: &str, proof: (&str, &str)) -> (u16, Value) {
        let (name, value) = proof;
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let kind = if name == "client_assertion" { kind } else { "" };
        let value = value
            .replace('+', "%2B")
            .replace('&', "%26")
            .replace(' ', "+");
        let body = format!(
            "grant_type=client_credentials&client_id={client}&client_assertion_type={kind}&\
             scope=https%3A%2F%2Fmanagement.azure.com%2F.default&{name}={value}"
        );
        let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        self.answer(Request::post(url).body(Bytes::from(body)).unwrap())
    }

    fn token(&self) -> String {
        let (status, body) = self.exchange(TENANT, CLIENT, ("client_secret", "a secret/+&"));
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["expires_in"], 3600);
        body["access_token"].as_str().unwrap().to_owned()
    }

    fn list(&self, subscription: &str, token: &str) -> (u16, Value) {
        let url = format!(
            "https://management.azure.com/subscriptions/{subscription}/providers/\
             Microsoft.Compute/virtualMachines?api-version=2024-11-01"
        );
        let request = Request::get(url).header("authorization", format!("Bearer {token}"));
        self.answer(request.body(Bytes::new()).unwrap())
    }

    fn answer(&self, request: Request<Bytes>) -> (u16, Value) {
        let response: Response<Bytes> = self.azure.handle(request);
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        (response.status().as_u16(), body)
    }
}

#[test]
fn a_token_is_issued_for_a_proof_and_for_nothing_else() {
    let scene = Scene::new();
    let good = format!("{ISSUER} me api://AzureADTokenExchange 10");
    let other = format!("{ISSUER} you api://AzureADTokenExchange 10");
    let audience = format!("{ISSUER} me https://kubernetes.default.svc 10");
    let old = format!("{ISSUER} me api://AzureADTokenExchange 0");
    let stranger = "https://evil.example me api://AzureADTokenExchange 10".to_owned();
    let no_tenant = "11111111-0000-0000-0000-000000000000";
    let rows = [
        (TENANT, CLIENT, ("client_assertion", good.as_str()), None),
        (
            TENANT,
            CLIENT,
            ("client_assertion", other.as_str()),
            Some(700_213),
        ),
        (
            TENANT,
            CLIENT,
            ("client_assertion", stranger.as_str()),
            Some(700_211),
        ),
        (
            TENANT,
            CLIENT,
            ("client_assertion", audience.as_str()),
            Some(700_212),
        ),
        (
            TENANT,
            CLIENT,
            ("client_assertion", old.as_str()),
            Some(700_024),
        ),
        (
            TENANT,
            CLIENT,
            ("client_assertion", "forged"),
            Some(700_027),
        ),
        (TENANT, CLIENT, ("client_secret", "a secret/+&"), None),
        (TENANT, CLIENT, ("client_secret", ""), Some(7_000_215)),
        (TENANT, CLIENT, ("client_secret", "wrong"), Some(7_000_215)),
        (
            TENANT,
            no_tenant,
            ("client_secret", "a secret/+&"),
            Some(700_016),
        ),
        (
            no_tenant,
            CLIENT,
            ("client_secret", "a secret/+&"),
            Some(90_002),
        ),
    ];
    for (tenant, client, proof, code) in rows {
        let (status, body) = scene.exchange(tenant, client, proof);
        assert_eq!(status == 200, code.is_none(), "{proof:?}: {body}");
        if let Some(code) = code {
            assert_eq!(body["error_codes"], json!([code]), "{proof:?}");
        }
    }
    scene.azure.revoke(CLIENT);
    let (_, body) = scene.exchange(TENANT, CLIENT, ("client_assertion", &good));
    assert_eq!(body["error_codes"], json!([700_016]));
    scene.azure.set_login_down(true);
    assert_eq!(
        scene
            .exchange(TENANT, CLIENT, ("client_assertion", &good))
            .0,
        503
    );
}

#[test]
fn a_token_is_good_for_its_time_and_for_the_rights_of_its_identity() {
    let scene = Scene::new();
    let token = scene.token();
    let (status, body) = scene.list(SUB, &token);
    assert_eq!(
        (status, body["value"].as_array().map(Vec::len)),
        (200, Some(1))
    );
    let (status, body) = scene.list(azure_sim::DEFAULT_SUBSCRIPTION, &token);
    assert_eq!(
        (status, &body["error"]["code"]),
        (403, &json!("AuthorizationFailed"))
    );
    let forged = scene.list(SUB, "made-up");
    assert_eq!(forged.1["error"]["code"], "InvalidAuthenticationToken");
    scene.pass(59);
    assert_eq!(scene.list(SUB, &token).0, 200);
    scene.pass(1);
    let (status, body) = scene.list(SUB, &token);
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &json!("ExpiredAuthenticationToken"))
    );
    let newer = scene.token();
    assert_eq!(scene.list(SUB, &newer).0, 200);
    scene.azure.revoke(CLIENT);
    assert_eq!(scene.list(SUB, &newer).0, 401);
    assert_eq!(scene.azure.issued_tokens().len(), 2);
}

#[test]
fn the_metadata_service_wants_its_header_and_one_identity() {
    let scene = Scene::new();
    let ask = |query: &str, header: Option<&str>| {
        let url = format!("http://169.254.169.254/metadata/identity/oauth2/token?{query}");
        let mut request = Request::get(url);
        if let Some(value) = header {
            request = request.header("metadata", value);
        }
        scene.answer(request.body(Bytes::new()).unwrap())
    };
    let resource = "api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    let (status, body) = ask(resource, Some("true"));
    assert_eq!((status, &body["expires_in"]), (200, &json!("3600")));
    assert_eq!(
        scene.list(SUB, body["access_token"].as_str().unwrap()).0,
        200
    );
    assert_eq!(ask(resource, None).0, 400);
    assert_eq!(
        ask("resource=https%3A%2F%2Fvault.azure.net", Some("true")).0,
        400
    );
    let other = format!("{resource}&client_id=cccccccc-0000-0000-0000-000000000000");
    assert_eq!(ask(&other, Some("true")).0, 400);
    scene.azure.register(Identity {
        client: "dddddddd-0000-0000-0000-000000000000".to_owned(),
        managed: true,
        ..Identity::default()
    });
    assert_eq!(ask(resource, Some("true")).0, 400, "which of the two?");
    assert_eq!(
        ask(&format!("{resource}&client_id={CLIENT}"), Some("true")).0,
        200
    );
}
