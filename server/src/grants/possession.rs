//! Proof of possession: the sender of a request shows that it holds a key, and what it is given is bound to that key (RFC 9449, RFC 8705). One place
//! for the endpoints at which clients ask for tokens, and for those at which tokens are presented.

use super::engine::Engine;
use super::pipeline::{Facts, TokenCall};
use crate::clients::Client;
use crate::foundation::Secret;
use crate::issuance::VerifiedAccessToken;
use crate::issuance::handler::TokenBinding;
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::Refresh;
use crate::storage::{Key, Kind};
use crate::telemetry::codes;
use crate::tokens::Confirmation;
use crate::tokens::certificate::ClientCertificate;
use crate::tokens::dpop::{self, Nonces, Proof, ProofError, Request};

/// What a request shows beside its parameters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The one `DPoP` header.
    pub proof: Option<&'a str>,
    /// The certificate of the TLS connection, in the header of a trusted proxy.
    pub certificate: Option<&'a str>,
}

impl Shown<'_> {
    /// The thumbprint of the certificate, if there is one that can be read.
    fn certificate_thumbprint(&self) -> Option<String> {
        let certificate = ClientCertificate::of_header(self.certificate?).ok()?;
        Some(certificate.thumbprint().to_owned())
    }
}

/// How an access token was presented (RFC 6750 section 2, RFC 9449 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// By the scheme `Bearer`, or in a form.
    Bearer,
    /// By the scheme `DPoP`.
    Dpop,
}

/// An access token at a protected resource of ours, and the request that presents it.
#[derive(Debug)]
pub struct Presentation<'a> {
    /// The token.
    pub token: Secret<String>,
    /// How it was presented.
    pub scheme: Scheme,
    /// The HTTP method.
    pub method: &'a str,
    /// The absolute address of the endpoint.
    pub endpoint: &'a str,
    /// What the request shows beside it.
    pub shown: Shown<'a>,
}

impl Engine {
    /// The keys that what a token request is given will be bound to.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`, or when the store fails.
    pub(super) async fn possession(
        &self,
        client: &Client,
        call: &TokenCall<'_>,
        facts: &mut Facts,
    ) -> Result<Confirmation, OAuthError> {
        let jkt = self.shown_key(call, facts).await?;
        if jkt.is_none() && client.dpop_bound_access_tokens {
            return Err(OAuthError::new(
                ErrorCode::InvalidDpopProof,
                "The client is registered with dpop_bound_access_tokens, and the request has no DPoP proof.",
            ));
        }
        // RFC 8705 section 3.4
        let certificate = if client.certificate_bound_access_tokens {
            Some(call.shown.certificate_thumbprint().ok_or_else(no_certificate)?)
        } else {
            None
        };
        Ok(Confirmation { jkt, certificate })
    }

    /// The thumbprint of the key that the sender of a POST by a client proves, if it proves one: of `/token`, and of every other endpoint
    /// that takes a proof (`/par`: RFC 9449 section 10.1).
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`, or when the store fails.
    pub async fn shown_key(&self, call: &TokenCall<'_>, facts: &mut Facts) -> Result<Option<String>, OAuthError> {
        let Some(proof) = call.shown.proof else { return Ok(None) };
        let request = Request { method: "POST", address: call.endpoint, access_token: None };
        match self.accept_proof(proof, &request).await {
            Ok(thumbprint) => Ok(Some(thumbprint)),
            Err(refusal) => {
                facts.note = refusal.is_replay.then_some(codes::PROOF_REPLAYED);
                Err(refusal.error)
            }
        }
    }

    /// Checks a presented access token together with the keys that it is bound to.
    ///
    /// # Errors
    /// `invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`, each with status 401 (RFC 9449 section 7.1), or when the store fails;
    /// and the scheme by which the token may be presented.
    pub async fn presented_token(&self, presentation: &Presentation<'_>) -> Result<VerifiedAccessToken, (Scheme, OAuthError)> {
        let Presentation { scheme, .. } = *presentation;
        let token = self.verify_access_token(presentation.token.expose()).await.map_err(|error| (scheme, error))?;
        let invalid = |sentence| OAuthError::new(ErrorCode::InvalidToken, sentence);
        let token = token.ok_or_else(|| (scheme, invalid("The access token is unknown, expired or revoked.")))?;
        let bound = token.claims().confirmation();
        match (scheme, bound.jkt.is_some()) {
            (Scheme::Bearer, true) => {
                return Err((
                    Scheme::Dpop,
                    invalid("The access token is bound to a key, and was presented without proof of it."),
                ));
            }
            // Its holder would think it safe.
            (Scheme::Dpop, false) => return Err((Scheme::Bearer, invalid("The access token is not bound to a key."))),
            _ => {}
        }
        let proven = self.presented_key(presentation).await.map_err(|error| (scheme, error))?;
        // Of a request with a token that is not bound to one no certificate is read.
        let certificate = bound.certificate.as_ref().and_then(|_| presentation.shown.certificate_thumbprint());
        let shown = Confirmation { jkt: proven, certificate };
        if bound.is_met_by(&shown) {
            Ok(token)
        } else {
            Err((scheme, invalid("The access token is bound to another key than the request proves.")))
        }
    }

    /// The thumbprint of the key that a request at a protected resource proves.
    async fn presented_key(&self, presentation: &Presentation<'_>) -> Result<Option<String>, OAuthError> {
        if presentation.scheme == Scheme::Bearer {
            return Ok(None);
        }
        let unauthorized = |error| OAuthError { status: Some(401), ..error };
        let Some(proof) = presentation.shown.proof else {
            return Err(unauthorized(OAuthError::new(ErrorCode::InvalidDpopProof, "The request has no DPoP proof.")));
        };
        let access_token = Some(presentation.token.expose().as_str());
        let request = Request { method: presentation.method, address: presentation.endpoint, access_token };
        let jkt = self.accept_proof(proof, &request).await.map_err(|Refusal { error, .. }| match error.code {
            ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce => unauthorized(error),
            _ => error,
        })?;
        Ok(Some(jkt))
    }

    /// The nonce that proofs must repeat from now on, if they must repeat one.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        let now = self.clock().now();
        self.settings().tokens.dpop.nonce_required.then(|| self.nonces().current(now))
    }

    fn nonces(&self) -> Nonces<'_> {
        Nonces::new(self.issuer().keys(), self.settings().tokens.dpop.nonce_lifetime)
    }

    /// Accepts a proof, once; gives the thumbprint of its key (RFC 9449 section 4.3).
    async fn accept_proof(&self, proof: &str, request: &Request<'_>) -> Result<String, Refusal> {
        let settings = self.settings().tokens.dpop;
        let now = self.clock().now();
        let proof = Proof::verify(proof, request)?;
        let until = if settings.nonce_required {
            // The nonce says when the proof was made, whatever the sender's clock says.
            if !proof.nonce().is_some_and(|nonce| self.nonces().accepts(nonce, now)) {
                return Err(
                    OAuthError::new(ErrorCode::UseDpopNonce, "The DPoP proof must repeat the nonce of this answer.").into()
                );
            }
            now.plus(settings.nonce_lifetime.saturating_mul(3))
        } else {
            proof.check_age(settings.max_age, now)?;
            proof.remembered_until(settings.max_age, now)
        };
        let first = self.store().insert(Key::new(Kind::UsedAssertion, proof.name().as_bytes()), Vec::new(), Some(until)).await;
        if first.map_err(OAuthError::from)? {
            Ok(proof.thumbprint().to_owned())
        } else {
            let error = OAuthError::new(ErrorCode::InvalidDpopProof, "The DPoP proof was used before.");
            Err(Refusal { error, is_replay: true })
        }
    }
}

/// Why a proof was not accepted.
struct Refusal {
    error: OAuthError,
    is_replay: bool,
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self { error, is_replay: false }
    }
}

impl From<ProofError> for Refusal {
    fn from(error: ProofError) -> Self {
        OAuthError::new(ErrorCode::InvalidDpopProof, error.sentence()).into()
    }
}

fn no_certificate() -> OAuthError {
    OAuthError::invalid_request(
        "The client is registered with tls_client_certificate_bound_access_tokens, and the request has no client certificate.",
    )
}

/// Reads the parameter `dpop_jkt` (RFC 9449 section 10).
pub(super) fn parse_thumbprint(text: &str) -> Result<String, OAuthError> {
    if dpop::is_thumbprint(text) {
        Ok(text.to_owned())
    } else {
        Err(OAuthError::invalid_request("dpop_jkt must be the base64url SHA-256 thumbprint of a JWK."))
    }
}

/// A code that was asked for with a key is given to its holder alone (RFC 9449 section 10).
pub(super) fn check_code(bound: Option<&str>, shown: &Confirmation) -> Result<(), OAuthError> {
    match (bound, &shown.jkt) {
        (None, _) => Ok(()),
        (Some(bound), Some(shown)) if bound == shown => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::invalid_grant("the code is bound to another key than the one proven")),
        (Some(_), None) => Err(OAuthError::new(
            ErrorCode::InvalidDpopProof,
            "The authorization request had a dpop_jkt, and this request has no DPoP proof.",
        )),
    }
}

/// A refresh token that was issued with a key is good for its holder alone (RFC 9449 section 5).
pub(super) fn check_refresh(refresh: &Refresh, shown: &Confirmation) -> Result<(), OAuthError> {
    match &refresh.bound {
        Some(bound) if !bound.is_met_by(shown) => {
            Err(OAuthError::invalid_grant("the refresh token is bound to a key that the request does not prove"))
        }
        _ => Ok(()),
    }
}

/// What a handler is told about the keys.
pub(super) const fn token_binding(bound: &Confirmation) -> TokenBinding {
    match bound {
        Confirmation { jkt: Some(_), .. } => TokenBinding::Dpop,
        Confirmation { certificate: Some(_), .. } => TokenBinding::MutualTls,
        _ => TokenBinding::None,
    }
}
