// tests may unwrap
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn parts_of_a_name_are_labels() {
    for (text, expected) in [
        ("web", "web"),
        ("Web.Shop_1", "web-shop-1"),
        ("-a-", "a"),
        ("ä", "x"),
        ("", "x"),
    ] {
        assert_eq!(label(text), expected);
    }
    assert_eq!(cut("abc-def", 4), "abc");
    assert_eq!(cut("abc", 9), "abc");
}

#[test]
fn json_has_one_spelling() {
    let value: Value =
        serde_json::from_str(r#"{"b": [1, {"d": null, "c": "\n"}], "a": 1}"#).unwrap();
    let mut text = String::new();
    canonical(&value, &mut text);
    assert_eq!(text, r#"{"a":1,"b":[1,{"c":"\n","d":null}]}"#);
}

#[test]
fn the_value_of_a_label_is_cut_and_told_apart_by_its_hash() {
    let long = "a".repeat(70);
    let value = label_value(&long);
    assert_eq!(value.len(), NAME_BYTES_MAX);
    assert_ne!(value, label_value(&"a".repeat(71)));
    assert_eq!(label_value("web"), "web");
    assert!(label_value(&"é".repeat(40)).len() <= NAME_BYTES_MAX);
}

#[test]
fn a_hash_is_sha_256() {
    // The first digits of SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    assert_eq!(hash8("abc"), "ba7816bf");
}
