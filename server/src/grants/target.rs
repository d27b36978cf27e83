//! The targets of access tokens (RFC 8707): only APIs that the settings name.

use url::Url;

use crate::protocol::{ErrorCode, OAuthError, names};
use crate::settings::Settings;

/// Checks the `resource` values of a request against the registered resource servers.
///
/// # Errors
/// `invalid_target` when one is no absolute URI, has a fragment, or is neither registered nor this server (RFC 8707 section 2).
pub fn check(resources: Vec<String>, settings: &Settings) -> Result<Vec<String>, OAuthError> {
    for resource in &resources {
        if Url::parse(resource).map_or(true, |url| url.fragment().is_some()) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "A resource must be an absolute URI without a fragment."));
        }
        // What this server offers itself: the account API and the management API.
        let issuer = &settings.server.issuer;
        let own = *resource == issuer.text || *resource == issuer.endpoint(names::MANAGEMENT_PATH);
        if !own && !settings.resource_servers.iter().any(|server| server.identifier == *resource) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "The server issues no tokens for this resource."));
        }
    }
    Ok(resources)
}

/// The targets of one request within those of its grant: all of them, or the named subset.
///
/// # Errors
/// `invalid_target` when one is named that the grant does not have (RFC 8707 section 2.2).
pub fn narrow(requested: Vec<String>, granted: &[String]) -> Result<Vec<String>, OAuthError> {
    if requested.is_empty() {
        return Ok(granted.to_vec());
    }
    if requested.iter().all(|resource| granted.contains(resource)) {
        Ok(requested)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidTarget, "A resource was requested that was not granted."))
    }
}
