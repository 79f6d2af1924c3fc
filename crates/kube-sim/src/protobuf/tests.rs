#![allow(clippy::unwrap_used)] // tests may unwrap
use serde_json::json;

use super::*;

/// A field with bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80, "one byte of length");
    [&[number << 3 | 2, length], content].concat()
}

fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let types = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [
        MAGIC.to_vec(),
        bytes(1, &types),
        bytes(2, raw),
        bytes(3, b""),
    ]
    .concat()
}

#[test]
fn a_config_map_is_read_with_its_maps_and_without_what_is_empty() {
    let label = [bytes(1, b"k"), bytes(2, b"v")].concat();
    let meta = [
        bytes(1, b"m"),
        bytes(2, b""),
        bytes(8, b""),
        bytes(11, &label),
        bytes(14, b"a.b/c"),
        bytes(14, b"d.e/f"),
    ];
    let data = [bytes(1, b"x"), bytes(2, b"1")].concat();
    let binary = [bytes(1, b"y"), bytes(2, &[0xff, 0])].concat();
    let raw = [
        bytes(1, &meta.concat()),
        bytes(2, &data),
        bytes(3, &binary),
        vec![4 << 3, 1],
        bytes(9, b"a field of a later version"),
    ];
    let want = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "labels": {"k": "v"}, "finalizers": ["a.b/c", "d.e/f"]},
        "data": {"x": "1"},
        "binaryData": {"y": "/wA="},
        "immutable": true,
    });
    assert_eq!(to_json(&body("v1", "ConfigMap", &raw.concat())), Ok(want));
}

#[test]
fn a_lease_has_microseconds() {
    let time = [vec![1 << 3, 0x05], vec![2 << 3, 0xc0, 0x84, 0x3d]].concat();
    let spec = [bytes(1, b"me"), vec![2 << 3, 15], bytes(4, &time)].concat();
    let raw = bytes(2, &spec);
    let found = to_json(&body("coordination.k8s.io/v1", "Lease", &raw)).unwrap();
    let want = json!({
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "renewTime": "1970-01-01T00:00:05.001000Z",
    });
    assert_eq!(found["spec"], want);
}

#[test]
fn what_is_broken_or_not_known_is_refused() {
    let good = body("v1", "ConfigMap", &bytes(1, &bytes(1, b"m")));
    assert!(to_json(&good).is_ok());
    for cut in [1, 3, 5, 9, good.len() - 3] {
        assert!(to_json(&good[..cut]).is_err(), "cut at {cut}");
    }
    assert!(to_json(b"{}").unwrap_err().contains("magic"));
    assert!(
        to_json(&body("v1", "Pod", b""))
            .unwrap_err()
            .contains("Pod")
    );
    let number_for_text = body("v1", "ConfigMap", &bytes(1, &[1 << 3, 7]));
    assert!(to_json(&number_for_text).unwrap_err().contains("wire type"));
    let not_text = body("v1", "ConfigMap", &bytes(1, &bytes(1, &[0xff])));
    assert!(to_json(&not_text).unwrap_err().contains("UTF-8"));
}
