//! `client_secret_jwt` (OpenID Connect Core section 9): the secret keys a MAC and is never sent. The server keeps it sealed, for clients of this
//! method alone, and no other method opens what this one does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::harness::app::now;
use crate::harness::cast::{BACKEND, BACKEND_JWT, BACKEND_POST, SECRET, SERVICE, client_key};
use crate::harness::person::unique;
use crate::harness::server::http;
use crate::harness::{Answer, Form, Server, Setup, shared};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// [`SERVICE`] and [`BACKEND_POST`] have the method, the second for HS256 alone.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Setup::new()
            .client(SERVICE.id, "token_endpoint_auth_method", "client_secret_jwt")
            .client(SERVICE.id, "client_secret", "x".repeat(64))
            .client(BACKEND_POST.id, "token_endpoint_auth_method", "client_secret_jwt")
            .client(BACKEND_POST.id, "token_endpoint_auth_signing_alg", "HS256")
            .client(BACKEND_POST.id, "grant_types", json!(["authorization_code", "client_credentials"]))
            .start()
    })
}

fn claims(server: &Server, id: &str) -> Value {
    json!({ "iss": id, "sub": id, "aud": server.issuer, "jti": unique("jti"), "exp": now() + 60 })
}

fn assertion(server: &Server, id: &str, alg: Algorithm, secret: &str) -> String {
    encode(&Header::new(alg), &claims(server, id), &EncodingKey::from_secret(secret.as_bytes())).expect("an assertion")
}

#[track_caller]
fn post(server: &Server, path: &str, form: &Form) -> Answer {
    let request = http().post(server.url(path)).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    Server::send(request.body(form.encoded()))
}

fn form(assertion: &str) -> Form {
    Form::of(&[("client_assertion_type", TYPE), ("client_assertion", assertion)])
}

#[track_caller]
fn ask(server: &Server, assertion: &str) -> Answer {
    post(server, "/token", &form(assertion).and("grant_type", "client_credentials").and("scope", "read"))
}

#[test]
fn each_algorithm_is_accepted_where_the_secret_is_long_enough() {
    let server = server();
    for alg in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let secret = "x".repeat(64);
        let used = assertion(server, SERVICE.id, alg, &secret);
        ask(server, &used).ok();
        ask(server, &used).refused(401, "invalid_client");
    }
    ask(server, &assertion(server, BACKEND_POST.id, Algorithm::HS256, SECRET)).ok();
    // Another one than registered.
    ask(server, &assertion(server, BACKEND_POST.id, Algorithm::HS384, SECRET)).refused(401, "invalid_client");
}

#[test]
fn it_opens_every_endpoint_of_clients() {
    let server = server();
    let token = ask(server, &assertion(server, SERVICE.id, Algorithm::HS256, &"x".repeat(64))).ok();
    let token = token["access_token"].as_str().expect("a token").to_owned();
    for path in ["/introspect", "/revoke"] {
        let with = |secret: &str| form(&assertion(server, SERVICE.id, Algorithm::HS256, secret)).and("token", &token);
        assert_eq!(post(server, path, &with(&"x".repeat(64))).status, 200, "{path}");
        post(server, path, &with(&"y".repeat(64))).refused(401, "invalid_client");
    }
}

#[test]
fn no_other_method_does() {
    let server = server();
    let secret = "x".repeat(64);
    let grant = Form::of(&[("grant_type", "client_credentials"), ("scope", "read")]);
    let named = grant.clone().and("client_id", SERVICE.id);
    post(server, "/token", &named.clone().and("client_secret", &secret)).refused(401, "invalid_client");
    post(server, "/token", &named).refused(401, "invalid_client");
    let basic = http().post(server.url("/token")).basic_auth(SERVICE.id, Some(&secret));
    Server::send(basic.form(&grant.0)).refused(401, "invalid_client");
    // Signed with a key, be it the key of somebody whom the server knows.
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("client-key".to_owned());
    let signed = encode(&header, &claims(server, SERVICE.id), &client_key().0).expect("an assertion");
    ask(server, &signed).refused(401, "invalid_client");
    for wrong in ["y".repeat(64), SECRET.to_owned(), "x".repeat(63)] {
        ask(server, &assertion(server, SERVICE.id, Algorithm::HS256, &wrong)).refused(401, "invalid_client");
    }
}

#[test]
fn it_opens_no_client_of_another_method() {
    let server = shared::usual();
    let public = serde_json::to_string(&client_key().1).expect("a JWK");
    for (client, secret) in [(BACKEND, SECRET), (BACKEND_POST, SECRET), (BACKEND_JWT, public.as_str()), (BACKEND_JWT, SECRET)] {
        ask(server, &assertion(server, client.id, Algorithm::HS256, secret)).refused(401, "invalid_client");
    }
}

#[test]
fn discovery_says_so() {
    let document = server().get("/.well-known/openid-configuration").ok();
    for endpoint in ["token", "introspection", "revocation"] {
        let listed = |name: &str, value: &str| {
            document[format!("{endpoint}_endpoint_auth_{name}")].as_array().is_some_and(|all| all.contains(&json!(value)))
        };
        assert!(listed("methods_supported", "client_secret_jwt"), "{endpoint}");
        assert!(listed("signing_alg_values_supported", "HS256") && listed("signing_alg_values_supported", "ES256"), "{endpoint}");
    }
    let objects = document["request_object_signing_alg_values_supported"].as_array().expect("a list");
    assert!(!objects.contains(&json!("HS256")));
}

#[test]
fn a_secret_that_is_too_short_is_refused_at_start() {
    let said = Setup::new()
        .client(SERVICE.id, "token_endpoint_auth_method", "client_secret_jwt")
        .client(SERVICE.id, "token_endpoint_auth_signing_alg", "HS512")
        .refused();
    assert!(said.contains("client_secret") && said.contains("64") && !said.contains(SECRET), "{said}");
}

fn path_of(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Whether a text stands anywhere in the data folder.
fn is_stored(server: &Server, text: &str) -> bool {
    let files = fs::read_dir(server.folder().join("var")).expect("the data folder").flatten();
    let contents = files.filter(|file| file.path().is_file()).map(|file| fs::read(file.path()).expect("a file"));
    contents.into_iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[test]
fn a_stored_client_has_its_secret_sealed() {
    let server = Setup::new().start();
    let id = unique("mac");
    let mut metadata = json!({
        "client_id": id, "token_endpoint_auth_method": "client_secret_jwt", "grant_types": ["client_credentials"], "scope": "read",
    });
    let file = server.folder().join("client.json");
    let from = path_of(&file);
    fs::write(&file, metadata.to_string()).expect("the metadata");
    let added = server.command(&["client", "add", "--from", from]).fine().json();
    let secret = added["client_secret"].as_str().expect("a secret is made").to_owned();
    for alg in [Algorithm::HS256, Algorithm::HS512] {
        ask(&server, &assertion(&server, &id, alg, &secret)).ok();
    }
    // What was registered is changed without a new secret.
    metadata["client_name"] = "Changed".into();
    fs::write(&file, metadata.to_string()).expect("the metadata");
    assert!(server.command(&["client", "update", &id, "--from", from]).fine().json()["client_secret"].is_null());
    ask(&server, &assertion(&server, &id, Algorithm::HS256, &secret)).ok();
    server.command(&["store", "check"]).fine();
    assert_eq!(server.stop(), Some(0));
    assert!(is_stored(&server, &id) && !is_stored(&server, &secret), "the name is there, the secret is not");
    // Another sealing key: what was sealed with the old one is known to be lost before it is needed.
    let (old, fresh) = (server.folder().join("var/sealing.key"), server.folder().join("fresh.key"));
    fs::write(&fresh, "5a".repeat(32)).expect("a key");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).expect("its mode");
    let fresh = format!("storage.sealing_key_file={}", path_of(&fresh));
    let previous = format!("storage.previous_sealing_keys={}", path_of(&old));
    server.command(&["key", "reseal", "-D", &fresh, "-D", &previous]).fine();
    server.command(&["store", "check", "-D", &fresh]).fine();
    let said = server.command(&["store", "check"]).refused();
    assert!(!said.contains(&secret), "{said}");
    fs::copy(server.folder().join("fresh.key"), &old).expect("the new key in the place of the old");
    server.start_again();
    ask(&server, &assertion(&server, &id, Algorithm::HS256, &secret)).ok();
    assert!(!server.log().contains(&secret));
}
