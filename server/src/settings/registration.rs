//! What `[registration]` says, with the files of `registration.software_statement_issuers`.

use serde_json::Value;

use super::layers::Layers;
use super::meaning::{Registration, RegistrationMode, StatementIssuer};
use super::{document, sections};

const KEY: &str = "registration.software_statement_issuers";

/// Reads those files; what is wrong is a finding.
pub(super) fn issuers(layers: &mut Layers) -> Vec<StatementIssuer> {
    let place = layers.origin(KEY).map(|origin| origin.place.clone()).unwrap_or_default();
    let mut out = Vec::new();
    for path in layers.paths(KEY).unwrap_or_default() {
        let read = document::read_text(&path)
            .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| format!("not JSON ({error})")));
        let keys = match read {
            Ok(keys) => keys,
            Err(why) => {
                let seen = format!("{KEY}: {why}");
                layers.find("config.unreadable_file", &place, seen, "a file that can be read", "correct the path or the file");
                continue;
            }
        };
        let issuer = keys.get("issuer").and_then(Value::as_str).filter(|issuer| !issuer.is_empty()).map(str::to_owned);
        let Some(issuer) = issuer else {
            let seen = format!("{KEY}: a file without issuer");
            layers.find("config.missing", &place, seen, "the iss of the statements as member issuer", "add it beside keys");
            continue;
        };
        if let Some(jwks) = sections::check_jwks(keys, &place, layers) {
            out.push(StatementIssuer { issuer, jwks });
        }
    }
    out
}

/// The rest. `None` only when a setting used here is missing from the built-in list.
pub(super) fn read(layers: &Layers, software_statement_issuers: Vec<StatementIssuer>) -> Option<Registration> {
    Some(Registration {
        mode: match layers.text("registration.mode")?.as_str() {
            "off" => RegistrationMode::Off,
            "token" => RegistrationMode::Token,
            "open" => RegistrationMode::Open,
            _ => return None,
        },
        scopes: layers.texts("registration.scopes")?,
        grant_types: layers.texts("registration.grant_types")?,
        address_limit: layers.number("registration.address_limit")?,
        total_limit: layers.number("registration.total_limit")?,
        unused_lifetime: layers.limit("registration.unused_lifetime")?,
        software_statement_issuers,
    })
}
