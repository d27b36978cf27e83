//! Registered names, each written once.

/// `grant_type` of RFC 6749 section 4.1.3.
pub const AUTHORIZATION_CODE: &str = "authorization_code";
/// `grant_type` of RFC 6749 section 6.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// `grant_type` of RFC 6749 section 4.4.2.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
/// `grant_type` of RFC 8628 section 3.4.
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// `grant_type` of RFC 8693 section 2.1.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Token type of an ID token (RFC 8693 section 3).
pub const TYPE_ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// Token type of an access token (RFC 8693 section 3).
pub const TYPE_ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Token type of a device secret (Native SSO 1.0 draft 08 section 4.2).
pub const TYPE_DEVICE_SECRET: &str = "urn:openid:params:token-type:device-secret";
/// Token type of a device secret before draft 07, still sent by the Okta SDKs.
pub const TYPE_DEVICE_SECRET_LEGACY: &str = "urn:x-oath:params:oauth:token-type:device-secret";
/// ID token type as printed in the example of draft 07 and sent by clients that copied it.
pub const TYPE_ID_TOKEN_ALIASES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:id-token", "urn:openid:params:token-type:id_token"];
/// Device secret types accepted beside the two above (Connect2id's spelling of draft 07).
pub const TYPE_DEVICE_SECRET_ALIASES: [&str; 1] = ["urn:openid:params:token-type:device_secret"];

/// Token type of a session transfer token as Auth0 and its SDKs call it.
pub const TYPE_SESSION_TRANSFER: &str = "urn:auth0:params:oauth:token-type:session_transfer_token";
/// The same by a name of our own.
pub const TYPE_SESSION_TRANSFER_OWN: &str = "urn:symbolon:params:oauth:token-type:session_transfer_token";
/// Token type of an interclient token as Okta calls it.
pub const TYPE_INTERCLIENT: &str = "urn:okta:params:oauth:token-type:interclient_token";
/// The `audience` of an interclient token begins so; the target's `client_id` follows.
pub const INTERCLIENT_TARGET: &str = "urn:okta:apps:";
/// The `token_type` of what is no access token (RFC 8693 section 2.2.1).
pub const NOT_APPLICABLE: &str = "N_A";

/// Whether a token type is that of a device secret, by any of its names.
#[must_use]
pub fn is_device_secret(token_type: &str) -> bool {
    [TYPE_DEVICE_SECRET, TYPE_DEVICE_SECRET_LEGACY].contains(&token_type) || TYPE_DEVICE_SECRET_ALIASES.contains(&token_type)
}

/// `client_assertion_type` of RFC 7523 section 2.2.
pub const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Scope that makes a request an OpenID Connect one.
pub const OPENID: &str = "openid";
/// Scope that asks for a refresh token (OpenID Connect Core section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// Scope that asks for a device secret (Native SSO 1.0 draft 08 section 3.1).
pub const DEVICE_SSO: &str = "device_sso";
/// Scope that lets an app see and end a person's sessions and consents (ours).
pub const ACCOUNT: &str = "symbolon:account";
/// Scope that lets an app have interclient tokens made (Okta).
pub const INTERCLIENT_ACCESS: &str = "interclient_access";
/// Scope with which a service sees clients through the management API (the name is Auth0's).
pub const READ_CLIENTS: &str = "read:clients";
/// Scope with which it changes them.
pub const UPDATE_CLIENTS: &str = "update:clients";
/// Where the management API is, below the issuer.
pub const MANAGEMENT_PATH: &str = "/api/v2/";
