//! What comes back from a handler, whatever ran it, and what it means to the core: a proposal or a refusal. Fails closed.

use std::time::Duration;

use symbolon_sdk::host::HandlerFault;
use symbolon_sdk::{ClaimsTransport, DeviceSsoAuthorization, Encoding, HandlerError, RefreshLifetime as SdkRefreshLifetime};

use crate::issuance::proposal::{IdTokenProposal, Proposal, RefreshLifetime, RefreshProposal};
use crate::protocol::{ErrorCode, OAuthError, Scope};
use crate::sessions::AccessTemplate;

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// The handler said no, panicked, or answered nonsense.
    Handler(HandlerFault),
    /// It took longer than this.
    Late(Duration),
    /// The process that hosts it ended, in these words.
    Crashed(String),
    /// Nobody was free to ask it within its deadline.
    Busy,
    /// It failed again and again and is left alone for so long.
    Suspended(Duration),
}

impl Trouble {
    /// What it is called in metrics, beside `allowed`: a fixed list.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Handler(HandlerFault::Refused(error)) if error.code() == "interaction_required" => "interaction_required",
            Self::Handler(HandlerFault::Refused(_)) => "refused",
            Self::Handler(HandlerFault::Panicked(_)) => "panicked",
            Self::Handler(HandlerFault::Malformed(_)) => "malformed",
            Self::Late(_) => "late",
            Self::Crashed(_) => "crashed",
            Self::Busy => "busy",
            Self::Suspended(_) => "suspended",
        }
    }

    /// Whether the handler is to blame: a refusal is a decision like any other.
    pub(super) const fn is_failure(&self) -> bool {
        matches!(self, Self::Handler(HandlerFault::Panicked(_) | HandlerFault::Malformed(_)) | Self::Late(_) | Self::Crashed(_))
    }

    /// The context classes of which a refusal wants one, when nobody can come back with any of them.
    pub(super) fn out_of_reach(&self, reached: &str) -> Option<&str> {
        let Self::Handler(HandlerFault::Refused(error)) = self else { return None };
        let values = error.members().get("acr_values")?.as_str()?;
        values.split_ascii_whitespace().all(|value| value != reached).then_some(values)
    }

    /// One sentence for the log; `name` is the handler's.
    pub(super) fn sentence(&self, name: &str) -> String {
        match self {
            Self::Handler(HandlerFault::Refused(error)) => format!("handler {name} refused: {}", error.log_message()),
            Self::Handler(HandlerFault::Panicked(message)) => format!("handler {name} panicked: {message}"),
            Self::Handler(HandlerFault::Malformed(reason)) => format!("handler {name} answered nonsense: {reason}"),
            Self::Late(deadline) => format!("handler {name} took longer than {deadline:?}"),
            Self::Crashed(how) => format!("the process of handler {name} {how}"),
            Self::Busy => format!("nobody was free to ask handler {name}"),
            Self::Suspended(left) => format!("handler {name} failed too often and is left alone for another {left:?}"),
        }
    }

    /// What the client is told.
    pub(super) fn refusal(&self, name: &str) -> OAuthError {
        let unavailable = |seconds: u64| {
            let mut error = OAuthError::new(
                ErrorCode::TemporarilyUnavailable,
                "The sign-on policy could not be evaluated in time; try again later.",
            );
            error.retry_after = Some(seconds);
            error
        };
        let error = match self {
            Self::Handler(HandlerFault::Refused(error)) => refused(error),
            Self::Handler(HandlerFault::Panicked(_) | HandlerFault::Malformed(_)) | Self::Crashed(_) => {
                OAuthError::server_error("")
            }
            Self::Late(_) | Self::Busy => unavailable(1),
            Self::Suspended(left) => unavailable(left.as_secs() + 1),
        };
        error.because(self.sentence(name))
    }
}

fn refused(error: &HandlerError) -> OAuthError {
    let code = match error.code() {
        "invalid_scope" => ErrorCode::InvalidScope,
        "interaction_required" => ErrorCode::InteractionRequired,
        "access_denied" => ErrorCode::AccessDenied,
        "invalid_grant" => ErrorCode::InvalidGrant,
        "invalid_request" => ErrorCode::InvalidRequest,
        "invalid_target" => ErrorCode::InvalidTarget,
        "unauthorized_client" => ErrorCode::UnauthorizedClient,
        "server_error" => ErrorCode::ServerError,
        "temporarily_unavailable" => ErrorCode::TemporarilyUnavailable,
        other => ErrorCode::Handler(other.to_owned()),
    };
    let mut refusal = OAuthError::new(code, "The sign-on policy refused the request.");
    if let Some(description) = error.description() {
        refusal.description = description.to_owned().into();
    }
    refusal.status = error.status();
    refusal.members.clone_from(error.members());
    refusal
}

/// What a handler would like to be issued.
pub(super) fn proposal(answer: DeviceSsoAuthorization) -> Proposal {
    let access = answer.access_token;
    let refresh = answer.refresh_token;
    // A value that is no scope value cannot have been registered, so the guard would drop it anyway.
    let scope = answer.scope.iter().filter_map(|value| Scope::parse(value).ok()).fold(Scope::default(), |mut all, one| {
        one.iter().for_each(|value| all.insert(value));
        all
    });
    Proposal {
        scope,
        access: AccessTemplate {
            lifetime: access.lifetime.map(|life| life.as_secs()),
            opaque: match access.encoding {
                Encoding::Identifier => Some(true),
                Encoding::SelfContained => Some(false),
                _ => None,
            },
            encrypt: access.encrypt,
            audience: access.audience,
            data: access.data,
        },
        id_token: answer
            .id_token
            .issue
            .then_some(IdTokenProposal { lifetime: answer.id_token.lifetime, claims: answer.id_token.claims }),
        refresh: refresh.issue.then_some(RefreshProposal {
            lifetime: match refresh.lifetime {
                SdkRefreshLifetime::Never => RefreshLifetime::Never,
                SdkRefreshLifetime::For(life) => RefreshLifetime::For(life),
                _ => RefreshLifetime::Default,
            },
            // To a handler, silence means no limit; the server's own setting is for grants that none decided.
            max_idle: Some(refresh.max_idle.unwrap_or_default()),
            rotate: refresh.rotate,
        }),
        claims: with_locales(answer.claims.names, &answer.claims.locales),
        claims_in_id_token: answer.claims.transport == ClaimsTransport::IdToken,
        id_token_claims: Vec::new(),
        data: answer.data,
    }
}

/// Beside each claim its translations (OpenID Connect Core section 5.2): `family_name#ja` for the locale `ja`.
fn with_locales(names: Vec<String>, locales: &[String]) -> Vec<String> {
    if locales.is_empty() {
        return names;
    }
    let of = |name: String| {
        let translated: Vec<String> = locales.iter().map(|locale| format!("{name}#{locale}")).collect();
        std::iter::once(name).chain(translated)
    };
    names.into_iter().flat_map(of).collect()
}
