//! Scopes, resource servers and clients in the settings file.

use super::*;

#[test]
fn scopes_extend_and_replace_the_standard_ones() {
    let loaded = good(
        "[scopes.payments]\ndescription = \"Pay.\"\nclaims = [\"iban\"]\n[scopes.\"a:b\"]\n[scopes.profile]\nclaims = [\"name\"]\n",
        &[],
        &[],
    );
    let scopes = &loaded.settings.scopes;
    assert_eq!(
        (scopes["payments"].claims.as_slice(), scopes["payments"].description.as_str()),
        (&["iban".to_owned()][..], "Pay.")
    );
    assert_eq!(scopes["a:b"].description, "a:b");
    assert_eq!(scopes["profile"].claims, ["name"]);
    assert!(scopes["profile"].description.starts_with("See your name"));
    assert_eq!(origin(&loaded, "scopes.payments"), "/etc/symbolon/symbolon.toml:1");
    let wrong = "[scopes]\na = 1\n\"b c\" = {}\n[scopes.d]\nclaims = \"x\"\nother = 1\n";
    assert_eq!(
        findings(wrong, &[], &[]),
        [
            found("symbolon.toml:2", "config.wrong_type"),
            found("symbolon.toml:3", "config.scope_name"),
            found("symbolon.toml:5", "config.wrong_type"),
            found("symbolon.toml:6", "config.unknown_key"),
        ]
    );
    assert_eq!(findings("scopes = 1", &[], &[]), [found("symbolon.toml:1", "config.wrong_type")]);
}

#[test]
fn resource_servers_have_an_identifier_and_public_keys() {
    let folder = folder(&[
        ("jwks.json", r#"{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]}"#),
        ("private.json", r#"[{"kty":"OKP","d":"hunter2"}]"#),
        ("broken.json", "{"),
        (
            "s.toml",
            "[[resource_servers]]\nidentifier = \"https://a.example\"\njwks_file = \"jwks.json\"\n\
             [[resource_servers]]\nidentifier = \"urn:b\"\njwks = [{ kty = \"RSA\", n = \"x\", e = \"AQAB\" }]\n",
        ),
    ]);
    let loaded = load(Some(&folder.path().join("s.toml")), &[], std::iter::empty()).unwrap();
    let servers = &loaded.settings.resource_servers;
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0].jwks.as_ref().unwrap()["keys"][0]["kty"], "EC");
    assert_eq!(servers[1].jwks.as_ref().unwrap()["keys"][0]["kty"], "RSA");
    let wrong = format!(
        "[[resource_servers]]\n\n[[resource_servers]]\nidentifier = \"/a\"\n[[resource_servers]]\nidentifier = \"urn:c\"\njwks = 5\n\
         [[resource_servers]]\nidentifier = \"urn:c\"\njwks_file = \"{0}/private.json\"\n\
         [[resource_servers]]\nidentifier = \"urn:d\"\njwks_file = \"{0}/broken.json\"\njwk = 1\n\
         [[resource_servers]]\nidentifier = \"urn:e\"\njwks = []\njwks_file = \"{0}/jwks.json\"\n",
        folder.path().display()
    );
    let text = in_memory(&wrong, &[], &[]).unwrap_err().to_string();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(
        findings(&wrong, &[], &[]),
        [
            found("symbolon.toml:1", "config.missing"),
            found("symbolon.toml:4", "config.resource_identifier"),
            found("symbolon.toml:7", "config.jwks"),
            found("symbolon.toml:10", "config.jwks"),
            found("symbolon.toml:8", "config.duplicate"),
            found("symbolon.toml:14", "config.unknown_key"),
            found("symbolon.toml:13", "config.unreadable_file"),
            found("symbolon.toml:18", "config.conflict"),
        ]
    );
}

#[test]
fn clients_are_carried_over_as_json_with_their_place() {
    let folder = folder(&[
        ("secret", "s3cret\n"),
        ("empty", "\n"),
        (
            "s.toml",
            "# a\n\n[[clients]]\nclient_id = \"one\"\nredirect_uris = [\"app://cb\"]\nclient_secret_file = \"secret\"\nx = { y = 1, z = 1.5, b = true, n = -2 }\n\n[[clients]]\nclient_id = \"two\"\n",
        ),
    ]);
    let loaded = load(Some(&folder.path().join("s.toml")), &[], std::iter::empty()).unwrap();
    let clients = &loaded.settings.clients;
    assert_eq!(
        serde_json::Value::Object(clients[0].metadata.clone()),
        serde_json::json!({"client_id": "one", "redirect_uris": ["app://cb"], "client_secret": "s3cret", "x": {"y": 1, "z": 1.5, "b": true, "n": -2}})
    );
    assert!(clients[0].place.ends_with("s.toml:3") && clients[1].place.ends_with("s.toml:9"), "{clients:?}");
    assert!(!format!("{loaded:?}").contains("s3cret"));
    let wrong = format!(
        "[[clients]]\nclient_id = \"a\"\ncreated = 2024-01-01\nx = [inf]\n[[clients]]\nclient_secret = \"x\"\nclient_secret_file = \"y\"\n\
         [[clients]]\nclient_secret_file = \"/nonexistent\"\n[[clients]]\nclient_secret_file = 5\n[[clients]]\nclient_secret_file = \"{}/empty\"\n",
        folder.path().display()
    );
    assert_eq!(
        findings(&wrong, &[], &[]),
        [
            found("symbolon.toml:3", "config.wrong_type"),
            found("symbolon.toml:4", "config.wrong_type"),
            found("symbolon.toml:7", "config.conflict"),
            found("symbolon.toml:9", "config.unreadable_file"),
            found("symbolon.toml:11", "config.wrong_type"),
            found("symbolon.toml:13", "config.unreadable_file"),
        ]
    );
    assert_eq!(findings("clients = [1]\n", &[], &[]), [found("symbolon.toml:1", "config.wrong_type")]);
    assert_eq!(findings("[clients]\n", &[], &[]), [found("symbolon.toml:1", "config.wrong_type")]);
}
