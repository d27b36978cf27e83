//! Names of claims that are nobody's but the server's.

/// Claims that only the server sets (OpenID Connect Core section 2, RFC 7519 section 4.1, RFC 9068, Native SSO section 3.3).
const RESERVED: [&str; 21] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "ds_hash",
    "sid",
    "cnf",
    "act",
    "may_act",
    "client_id",
];

/// What an access token or an introspection answer says of itself (RFC 9068 section 2.2, RFC 7662 section 2.2).
const RESERVED_IN_TOKEN: [&str; 7] = ["active", "data", "grant_data", "scope", "token_type", "typ", "username"];

/// Whether a claim is the server's own to set.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether a token says something else by this name than what a claim of a person says.
#[must_use]
pub fn is_reserved_in_token(name: &str) -> bool {
    is_reserved(name) || RESERVED_IN_TOKEN.contains(&name)
}
