//! `config reference`: every setting in Markdown, from the list that also reads them.

use std::fmt::Write as _;

use super::leaves::{ALIASES, LEAVES, OTHER_ENVIRONMENT, OTHER_SECTIONS};
use super::scopes;

const HEAD: &str = "\
# Settings

Written by `symbolon config reference`; edit the list in the program, not this page.

Settings come from four layers, each stronger than the one before: built-in values, the settings file (TOML), the environment,
and `-D name=value` on the command line. `symbolon config show` tells the value and the origin of each, `symbolon config check`
everything that is wrong at once.

- Durations need a unit: `90s`, `15m`, `1h 30m`, `30d`. Some may be `never`.
- Relative paths in the settings file are taken from its folder; in the environment and in `-D`, from the working directory.
- In the environment and in `-D`, lists stand with commas between the values.
- A default that is empty means: not set.
";

const SECTIONS: &str = "
## `[scopes.NAME]`

A scope value that may be registered. What is written about a standard scope replaces that part of its meaning.

| member | kind | meaning |
|---|---|---|
| `claims` | a list of claim names | The claims that the scope releases at the UserInfo endpoint. |
| `id_token_claims` | a list of claim names | The claims that it puts into ID tokens, beside or instead of that. |
| `access_token_claims` | a list of claim names | The claims that it puts into access tokens, such as `roles` and `groups` (RFC 9068 section 2.2.3), and into what introspection says of them. Whoever is handed the token can read them. |
| `description` | a sentence | What the consent page says. |

The standard scopes:

";

const REST: &str = "
## `[[resource_servers]]`

An API that access tokens may be meant for.

| member | kind | meaning |
|---|---|---|
| `identifier` | an absolute URI without fragment | The `aud` of its tokens (RFC 8707). Required. |
| `jwks` | a key set, or a list of keys | Its public keys, for encrypted access tokens. |
| `jwks_file` | a path | The same, from a JSON file. |

## `[[clients]]`

A client, as the metadata of RFC 7591 with its `client_id`, read-only at run time. `client_secret_file` names a file that holds
the client's secret. Members beyond RFC 7591 and OpenID Connect registration, here and in `symbolon client add`:

| member | kind | meaning |
|---|---|---|
| `device_sso_family` | text | The family that the client shares device sessions with. Absent: none. |
| `device_sso_sources` | a list | Which clients of the family may sign this one in: each a `client_id`, or an object with `client_id`, `scope` (the most it may be granted) and `offline_access` (whether it may be given a refresh token). Absent: all of the family. |
| `first_party` | true or false | `true`: no consent page. |
| `introspection` | true or false | Whether the client may ask about every token and device secret at the introspection endpoint, and not only about its own and those meant for it. Absent: it may not. A client that does not authenticate never may. |
| `access_token_format` | `jwt`, `opaque` | How its access tokens are written. Absent: as `tokens.access_token.format` says. |
| `access_token_encrypted_response_alg` | `RSA-OAEP-256`, `ECDH-ES`, `ECDH-ES+A128KW`, `ECDH-ES+A256KW` | How an access token is encrypted to the client's `jwks`, which needs a key for it. By itself it encrypts nothing: a handler decides that (`op.deviceSSOHandler.accessToken.encrypt`), and the keys of a resource server come first. |
| `access_token_encrypted_response_enc` | `A256GCM`, `A128GCM`, `A128CBC-HS256`, `A256CBC-HS512` | The content encryption that goes with it. Absent: `A256GCM`. |
| `compat_device_token` | true or false | `true`: the device secret is repeated as `device_token`. |
| `allow_dotless_redirect_schemes` | true or false | `true`: redirect URIs such as `appname://oauth/callback`. |
| `require_pkce` | true or false | `false`: a confidential client may leave PKCE out. |

## Handler properties

`handlers.properties` names Java properties files. The same names may be given in the environment, `SYMBOLON_PROPERTY_` and the name
with `_` for `.` (`SYMBOLON_PROPERTY_op_deviceSSOHandler_enable=true`), and as `-D op.deviceSSOHandler.enable=true`. A later file is
stronger than an earlier one, the environment stronger than files, `-D` stronger than both.

Each handler's names begin with its own prefix; `symbolon handler inspect FILE.so` prints them. These below the prefix are the
server's own, whatever the handler is:

| name | values | left out |
|---|---|---|
| `PREFIXisolation` | `inline`: on the server's worker; `pool`: on threads of its own; `process`: in processes of its own | as the handler says it works: `inline`, or `pool` where it may wait |
| `PREFIXisolation.deadline` | as `handlers.deadline` | `handlers.deadline` |
| `PREFIXisolation.threads` | as `handlers.threads`, for `pool` | `handlers.threads` |
| `PREFIXisolation.processes` | as `handlers.processes`, for `process` | `handlers.processes` |
| `PREFIXisolation.memory` | as `handlers.memory`, for each process | `handlers.memory` |

Two names known from Connect2id set lifetimes of this server, in seconds:

";

/// The reference of all settings, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for leaf in LEAVES {
        let own = leaf.key.split('.').next().unwrap_or(leaf.key);
        if own != section {
            section = own;
            // Writing into a String cannot fail, here and below.
            let _ = write!(
                page,
                "\n## `[{section}]`\n\n| setting | kind | default | environment | meaning |\n|---|---|---|---|---|\n"
            );
        }
        let default = if leaf.default.is_empty() { String::new() } else { format!("`{}`", leaf.default) };
        let doc = if leaf.secret { format!("{} Environment only.", leaf.doc) } else { leaf.doc.to_owned() };
        let environment = leaf.environment_name();
        let _ = writeln!(page, "| `{}` | {} | {default} | `{environment}` | {doc} |", leaf.key, leaf.kind.expected());
    }
    page.push_str(SECTIONS);
    page.push_str("| scope | claims | description |\n|---|---|---|\n");
    for (name, meaning) in scopes::standard() {
        let claims = meaning.claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| `{name}` | {claims} | {} |", meaning.description);
    }
    page.push_str(REST);
    page.push_str("| name | setting |\n|---|---|\n");
    for (alias, key) in ALIASES {
        let _ = writeln!(page, "| `{alias}` | `{key}` |");
    }
    page.push_str(
        "\nIn files such a name wins over the setting; in the environment and in `-D` the setting wins over the name.\n\n\
         ## Other names in the environment\n\n| name | meaning |\n|---|---|\n",
    );
    for (name, doc) in OTHER_ENVIRONMENT {
        let _ = writeln!(page, "| `{name}` | {doc} |");
    }
    page
}

/// The one-line meaning of a section that holds more than single values.
pub(super) fn section_doc(section: &str) -> &'static str {
    OTHER_SECTIONS.iter().find(|(name, _)| *name == section).map_or("", |(_, doc)| doc)
}
