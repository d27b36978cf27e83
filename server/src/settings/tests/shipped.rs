//! The files in `config/` are right, and what they show as defaults are the defaults.

use super::*;
use crate::settings::layers::Layers;
use crate::settings::properties::Properties;

const TOUR: &str = include_str!("../../../../config/symbolon.toml");
const PROPERTIES: &str = include_str!("../../../../config/deviceSSOHandler.properties");

/// The value of each setting, scope and so on; the properties files lie elsewhere in these tests.
fn values(toml: &str) -> Vec<(String, String)> {
    good(toml, &["handlers.properties="], &[]).show().into_iter().map(|shown| (shown.key, shown.value)).collect()
}

#[test]
fn the_tour_serves_the_demo() {
    let settings = good(TOUR, &["handlers.properties="], &[]).settings;
    assert_eq!(settings.server.issuer.text, "http://127.0.0.1:8080");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.storage.path, Path::new("/etc/symbolon/../var"));
    assert_eq!(settings.handlers.folder.as_deref(), Some(Path::new("/etc/symbolon/../target/handlers")));
    assert!(settings.scopes.contains_key("payments") && settings.clients.is_empty());
}

#[test]
fn what_the_tour_shows_as_defaults_are_the_defaults() {
    let is_setting = |line: &str| {
        line.starts_with("[[") || line.split(" = ").next().is_some_and(|name| !name.is_empty() && !name.contains(' '))
    };
    let uncommented: Vec<&str> = TOUR
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.contains(" = ") || rest.starts_with("[["))
                .filter(|rest| is_setting(rest))
                .unwrap_or(line)
        })
        // Files that are not here, and the examples of a proxy, which are no defaults.
        .filter(|line| {
            !line.contains("_file = ") && !["trusted", "client_certificate", "mtls"].iter().any(|name| line.starts_with(name))
        })
        .collect();
    let mut all = values(&uncommented.join("\n"));
    let before = all.len();
    all.retain(|(key, _)| !key.starts_with("clients.") && !key.starts_with("resource_servers."));
    assert_eq!(before - all.len(), 2, "the examples of a client and a resource server are read");
    assert_eq!(all, values(TOUR));
    // Every setting but the ones below stands in the tour.
    let missing: Vec<&str> = leaves::LEAVES
        .iter()
        .map(|leaf| leaf.key)
        .filter(|key| !TOUR.contains(&format!("{} =", key.rsplit('.').next().unwrap_or(key))))
        .collect();
    assert_eq!(missing, ["storage.sealing_key", "tokens.access_token.audience", "audit.webhook.secret"]);
}

#[test]
fn the_properties_are_read_without_a_finding() {
    let mut layers = Layers::built_in(Path::new(""));
    let mut properties = Properties::default();
    properties.read_bytes(PROPERTIES.as_bytes(), "f", &mut layers);
    assert_eq!(layers.findings, []);
    let all = properties.into_map();
    assert!(all.keys().all(|name| name.starts_with("op.deviceSSOHandler.")));
    assert_eq!(all.len(), 12);
    assert_eq!(all["op.deviceSSOHandler.enable"].value, "true");
    assert_eq!(all["op.deviceSSOHandler.scopeRequiringInteraction"].value, "payments");
}
