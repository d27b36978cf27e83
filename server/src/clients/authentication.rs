//! Proves which client is asking: the presented method must be the registered one and must hold.
//! Must not know HTTP: the endpoint says what was presented and where.

use std::sync::Arc;

use super::assertion::{self, AssertionProblem};
use super::certificate::{self, CertificateProblem};
use super::client::{Client, ClientAuth};
use super::directory::Clients;
use crate::foundation::{Clock, Digest, Secret};
use crate::protocol::{ErrorCode, OAuthError};
use crate::storage::{SharedStore, StorageError};

/// What a request presented as client authentication. Exactly one; two at once are refused by the endpoint (RFC 6749 section 2.3).
#[derive(Debug)]
pub enum Presented {
    /// `client_id` alone, as a public client does.
    None {
        /// `client_id` of the form.
        client_id: String,
        /// The certificate of its TLS connection, as a trusted proxy forwards it: what a client without other credentials may show
        /// (RFC 8705 section 2).
        certificate: Option<String>,
    },
    /// The `Authorization: Basic` header, as `parse_basic` read it.
    Basic {
        /// The user of the header.
        client_id: String,
        /// The password of the header.
        secret: Secret<String>,
    },
    /// `client_id` and `client_secret` of the form.
    Post {
        /// `client_id` of the form.
        client_id: String,
        /// `client_secret` of the form.
        secret: Secret<String>,
    },
    /// `client_assertion` of type `jwt-bearer` (RFC 7523 section 2.2).
    Assertion {
        /// `client_id` of the form, if any.
        client_id: Option<String>,
        /// `client_assertion`: whoever holds it can use it once.
        assertion: Secret<String>,
    },
}

impl Presented {
    /// The name of the method, for the log.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::None { .. } => "none",
            Self::Basic { .. } => "client_secret_basic",
            Self::Post { .. } => "client_secret_post",
            Self::Assertion { .. } => "an assertion",
        }
    }
}

/// The proof that a client is who it says, or that it is public and says so. Made only by [`authenticate`].
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

/// Why a client was not authenticated. The wire says the same for all but a failing store.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// No client has this id.
    #[error("no such client")]
    Unknown,
    /// The client registered another method.
    #[error("the client registered {registered} and presented {presented}")]
    OtherMethod {
        /// The client, which exists.
        client_id: String,
        /// `token_endpoint_auth_method`.
        registered: &'static str,
        /// What was presented.
        presented: &'static str,
    },
    /// The secret is not the client's.
    #[error("the client presented a wrong secret")]
    WrongSecret(String),
    /// The assertion proves nothing.
    #[error("{problem}")]
    Assertion {
        /// The client that the assertion claims to come from, once it is known that there is one.
        client_id: Option<String>,
        /// Why.
        problem: AssertionProblem,
    },
    /// The certificate proves nothing.
    #[error("{problem}")]
    Certificate {
        /// The client, which exists.
        client_id: String,
        /// Why.
        problem: CertificateProblem,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl AuthenticationError {
    /// The client that failed, if there is such a client: what else a request names may be a secret in the wrong place.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Storage(_) => None,
            Self::OtherMethod { client_id, .. } | Self::WrongSecret(client_id) | Self::Certificate { client_id, .. } => {
                Some(client_id)
            }
            Self::Assertion { client_id, .. } => client_id.as_deref(),
        }
    }
}

impl From<AuthenticationError> for OAuthError {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Storage(error) => error.into(),
            refused => Self::new(ErrorCode::InvalidClient, "Client authentication failed.").because(refused.to_string()),
        }
    }
}

/// Authenticates the client of a request. `audiences` are what an assertion may be meant for: the issuer, the address of
/// the token endpoint and that of the endpoint called.
///
/// # Errors
/// When the client is unknown, presented another method than it registered, or failed it; when the store fails.
pub async fn authenticate(
    clients: &Clients,
    store: &SharedStore,
    clock: &Clock,
    audiences: &[&str],
    presented: Presented,
) -> Result<AuthenticatedClient, AuthenticationError> {
    let method = presented.method();
    match presented {
        Presented::None { client_id, certificate } => {
            let client = find(clients, &client_id).await?;
            match client.auth {
                ClientAuth::None => Ok(AuthenticatedClient { client }),
                ClientAuth::Tls(_) | ClientAuth::SelfSignedTls => {
                    match Box::pin(certificate::check(&client, certificate.as_deref(), clients.keys())).await {
                        Ok(()) => Ok(AuthenticatedClient { client }),
                        Err(problem) => Err(AuthenticationError::Certificate { client_id: client.id.clone(), problem }),
                    }
                }
                _ => Err(other_method(&client, method)),
            }
        }
        Presented::Basic { client_id, secret } => {
            // A `+` may have been a space in form encoding or, from a client that does not encode, itself.
            let readings = [Digest::of(secret.expose()), Digest::of(Secret::new(secret.expose().replace(' ', "+")).expose())];
            let client = find(clients, &client_id).await?;
            let ClientAuth::SecretBasic(own) = client.auth else { return Err(other_method(&client, method)) };
            with_secret(client, own, readings)
        }
        Presented::Post { client_id, secret } => {
            let digest = Digest::of(secret.expose());
            let client = find(clients, &client_id).await?;
            let ClientAuth::SecretPost(own) = client.auth else { return Err(other_method(&client, method)) };
            with_secret(client, own, [digest, digest])
        }
        Presented::Assertion { client_id, assertion } => {
            let jwt = assertion.expose();
            let failed = |client_id, problem| AuthenticationError::Assertion { client_id, problem };
            let claimed = assertion::claimed_client(jwt).map_err(|problem| failed(None, problem))?;
            if client_id.is_some_and(|named| named != claimed) {
                return Err(failed(None, AssertionProblem::OtherClient));
            }
            let client = find(clients, &claimed).await?;
            if !matches!(client.auth, ClientAuth::PrivateKeyJwt | ClientAuth::SecretJwt(_)) {
                return Err(other_method(&client, method));
            }
            match assertion::consume(&client, jwt, audiences, (clients.keys(), store), clock.now()).await? {
                Ok(()) => Ok(AuthenticatedClient { client }),
                Err(problem) => Err(failed(Some(client.id.clone()), problem)),
            }
        }
    }
}

/// The secret was digested before the look-up, so that an unknown client costs what a wrong secret costs.
async fn find(clients: &Clients, client_id: &str) -> Result<Arc<Client>, AuthenticationError> {
    clients.find(client_id).await?.ok_or(AuthenticationError::Unknown)
}

fn with_secret(client: Arc<Client>, own: Digest, readings: [Digest; 2]) -> Result<AuthenticatedClient, AuthenticationError> {
    // Both are compared whatever the first says, each in constant time.
    if readings.map(|reading| own == reading).contains(&true) {
        Ok(AuthenticatedClient { client })
    } else {
        Err(AuthenticationError::WrongSecret(client.id.clone()))
    }
}

fn other_method(client: &Client, presented: &'static str) -> AuthenticationError {
    AuthenticationError::OtherMethod { client_id: client.id.clone(), registered: client.auth.as_str(), presented }
}

#[cfg(test)]
mod tests;
