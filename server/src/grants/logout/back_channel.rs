//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): posts a logout token to each client that a notice waits for. Every server
//! looks into the queue, and each notice is claimed by one of them; one that dies in between loses its claim.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::clients::Client;
use crate::foundation::{Timestamp, encoding, random};
use crate::grants::engine::Engine;
use crate::sessions::Notices;
use crate::sessions::notice::{Claimed, Notice};
use crate::storage::StorageError;
use crate::telemetry::{AuditEvent, codes};
use crate::tokens::session_id::SessionId;

/// `typ` of a logout token (Back-Channel Logout section 2.4).
const TYP: &str = "logout+jwt";
/// The member of `events` that makes it one.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long a logout token is good for (section 4 of the specification advises two minutes at most).
const LIFETIME: Duration = Duration::from_mins(2);
/// How often the queue is looked into when nobody rings.
const TICK: Duration = Duration::from_secs(1);
/// Clients that are told at the same time.
const AT_ONCE: usize = 64;
/// The longest pause between two attempts; they begin with two seconds.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// What a claim lasts beyond the time that a client may take: signing and storing.
const MARGIN: Duration = Duration::from_secs(5);

/// The claims of a logout token.
#[derive(Debug, Serialize)]
struct LogoutToken<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
    sid: SessionId,
    events: serde_json::Value,
}

/// What became of one attempt.
enum Attempt {
    /// The client was told.
    Delivered,
    /// Not this time.
    Failed(String),
    /// It will never work.
    Hopeless(String),
    /// Nobody is there to be told any more.
    Nobody,
}

impl Engine {
    /// Delivers logout notices as long as the server runs.
    pub async fn deliver_logout_notices(self: Arc<Self>) {
        let Some(notices) = self.sessions().notices().cloned() else { return };
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            match notices.claim_due(self.settings().sessions.logout_timeout + MARGIN).await {
                Ok(due) => {
                    for claimed in due {
                        // A client that is slow keeps its place, and no other client from its own.
                        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                        let (engine, notices) = (Arc::clone(&self), notices.clone());
                        tokio::spawn(async move {
                            if let Err(error) = engine.deliver(&notices, claimed).await {
                                tracing::warn!(%error, "a logout notice is tried again when its claim is over");
                            }
                            drop(place);
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "the logout notices cannot be read"),
            }
            // Whichever comes first.
            drop(tokio::time::timeout(TICK, notices.woken()).await);
        }
    }

    async fn deliver(&self, notices: &Notices, claimed: Claimed) -> Result<(), StorageError> {
        let notice = claimed.notice.clone();
        let attempt = self.attempt(&notice).await?;
        // The last attempt is made when the time is over, however long the pause before it would have been.
        let left = self.left_for(&notice);
        let pause = left.min(LONGEST_PAUSE).min(Duration::from_secs(2) * 2_u32.saturating_pow(notice.attempts));
        let attempt = match attempt {
            Attempt::Failed(reason) if left.is_zero() => Attempt::Hopeless(reason),
            attempt => attempt,
        };
        if matches!(attempt, Attempt::Failed(_)) {
            notices.again(claimed, pause).await?;
        } else {
            notices.finish(claimed).await?;
        }
        let event = match &attempt {
            Attempt::Nobody => return Ok(()),
            Attempt::Delivered => AuditEvent::granted(codes::LOGOUT_DELIVERED),
            Attempt::Failed(reason) => AuditEvent::refused(codes::LOGOUT_NOT_DELIVERED).reason(reason),
            Attempt::Hopeless(reason) => AuditEvent::refused(codes::LOGOUT_GIVEN_UP).reason(reason),
        };
        event.client_id(&notice.client_id).subject(&notice.sub).sid(&notice.sid).emit();
        Ok(())
    }

    /// For how long a notice is still to be tried.
    fn left_for(&self, notice: &Notice) -> Duration {
        notice.since.plus(self.settings().sessions.logout_retry_for).since(self.clock().now())
    }

    /// Posts one logout token (section 2.5) and judges the answer (section 2.8).
    async fn attempt(&self, notice: &Notice) -> Result<Attempt, StorageError> {
        let client = self.clients().find(&notice.client_id).await?.filter(|client| client.stood_at(notice.since));
        let Some((client, uri)) = client.as_ref().and_then(|client| Some((client, client.logout.back_channel.as_ref()?))) else {
            return Ok(Attempt::Nobody);
        };
        let token = match self.logout_token(client, notice) {
            Ok(token) => token,
            Err(reason) => return Ok(Attempt::Failed(reason)),
        };
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        Ok(match self.outbound().post_form(uri, form, self.settings().sessions.logout_timeout).await {
            Ok(200..=299) => Attempt::Delivered,
            Ok(400) => Attempt::Hopeless("the client answered with status 400".to_owned()),
            Ok(status) => Attempt::Failed(format!("the client answered with status {status}")),
            Err(error) => Attempt::Failed(error.to_string()),
        })
    }

    fn logout_token(&self, client: &Client, notice: &Notice) -> Result<String, String> {
        let settings = self.settings();
        let now = self.clock().now();
        let claims = LogoutToken {
            iss: &settings.server.issuer.text,
            sub: &self.issuer().subject_for(client, &notice.sub),
            aud: &client.id,
            iat: now,
            exp: now.plus(LIFETIME),
            jti: encoding::encode(random::bytes::<16>()),
            sid: notice.sid,
            events: json!({ EVENT: {} }),
        };
        // As the client's ID tokens are (section 2.6).
        let alg = client.id_token_signed_response_alg.unwrap_or(settings.tokens.signing_alg);
        self.issuer().keys().sign(alg, TYP, &claims).map_err(|error| error.to_string())
    }
}
