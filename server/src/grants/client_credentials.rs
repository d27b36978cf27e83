//! `client_credentials` (RFC 6749 section 4.4): a client acts for itself. No person, no session, no refresh token.

use super::engine::Engine;
use super::request::ClientCredentials;
use super::target;
use crate::clients::AuthenticatedClient;
use crate::issuance::guard::{self, AudienceLimit, Limits};
use crate::issuance::mint::Bearer;
use crate::issuance::{Proposal, TokenResponse};
use crate::protocol::{ErrorCode, OAuthError, Scope, names};
use crate::sessions::AccessTemplate;
use crate::tokens::Confirmation;

/// Scope values that speak of a person.
const OF_PERSONS: [&str; 4] = [names::OPENID, names::OFFLINE_ACCESS, names::DEVICE_SSO, names::ACCOUNT];

impl Engine {
    pub(super) async fn client_credentials(
        &self,
        client: &AuthenticatedClient,
        request: ClientCredentials,
        confirmation: &Confirmation,
    ) -> Result<TokenResponse, OAuthError> {
        let client = client.client();
        let grantable: Scope = client.scope.iter().filter(|value| !OF_PERSONS.contains(value)).collect();
        let scope = request.scope.unwrap_or_else(|| grantable.clone());
        if !scope.is_subset(&grantable) {
            return Err(OAuthError::new(
                ErrorCode::InvalidScope,
                "The scope is beyond what this client is registered for, or speaks of a person.",
            ));
        }
        let proposal = Proposal {
            scope,
            access: AccessTemplate { audience: target::check(request.resources, self.settings())?, ..AccessTemplate::default() },
            id_token: None,
            refresh: None,
            claims: Vec::new(),
            claims_in_id_token: false,
            id_token_claims: Vec::new(),
            data: None,
        };
        let limits = Limits {
            client,
            grantable: &grantable,
            session: None,
            offline: false,
            audience: AudienceLimit::default(),
            now: self.clock().now(),
        };
        let plan = guard::clamp(proposal, &limits, self.settings());
        let bearer = Bearer { sub: &client.id, session: None, grant: None, nonce: None, device_secret: None, confirmation };
        let minted = self.issuer().mint(&plan, &bearer).await?;
        self.issuer().record(&minted).await?;
        Ok(TokenResponse::new(minted))
    }
}
