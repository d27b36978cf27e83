//! A configured handler: how it is asked, and what of its answers is not even a proposal.

use std::fmt;
use std::time::Duration;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::RRef;
use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::described::told;
use super::request::Lent;
use super::{Described, HostRequest};
use crate::abi::action::ActionBox;
use crate::abi::decision::{DecisionBox, RefreshTokenRecord};
use crate::abi::handler::{Fault, HandlerBox};
use crate::abi::request::RequestObject_TO;
use crate::log::Level;
use crate::{
    AccessTokenSpec, ClaimsSpec, ClaimsTransport, DeviceSsoAuthorization, Encoding, HandlerError, IdTokenSpec, RefreshLifetime,
    RefreshTokenSpec, Verdict,
};

/// An instance that can be asked, from any number of threads. Put it in an `Arc`: when the last one goes, the handler is shut down and dropped.
pub struct Configured(Inner);

pub(super) struct Inner {
    pub(super) described: Described,
    pub(super) enabled: bool,
    pub(super) object: Object,
}

/// What there is to ask.
pub(super) enum Object {
    Handler(HandlerBox),
    Action(ActionBox),
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("handler", &self.0.described).field("enabled", &self.0.enabled).finish_non_exhaustive()
    }
}

/// A call brought no usable decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum HandlerFault {
    /// The handler said no; code, status and members have been checked.
    #[error("the handler refused: {0}")]
    Refused(HandlerError),
    /// The handler panicked, with this message.
    #[error("the handler panicked: {0}")]
    Panicked(String),
    /// The answer makes no sense, for this reason.
    #[error("the handler's answer is malformed: {0}")]
    Malformed(String),
}

impl Configured {
    pub(super) const fn new(inner: Inner) -> Self {
        Self(inner)
    }

    /// The handler it is an instance of.
    #[must_use]
    pub const fn described(&self) -> &Described {
        &self.0.described
    }

    /// Whether it wants to be asked.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// Asks for a decision. The result is a proposal; the guard has the last word.
    ///
    /// # Errors
    /// [`HandlerFault`]
    pub fn authorize(&self, request: &HostRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerFault> {
        let Object::Handler(handler) = &self.0.object else {
            return Err(HandlerFault::Malformed("it is a post-login action".to_owned()));
        };
        let lent = Lent::new(request);
        let answer = handler.authorize(RequestObject_TO::from_ptr(RRef::new(&lent), TD_Opaque));
        if let Some(fault) = lent.into_fault() {
            return Err(HandlerFault::Malformed(fault.to_owned()));
        }
        match answer {
            RResult::ROk(decision) => authorization(&decision).map_err(HandlerFault::Malformed),
            RResult::RErr(fault) => Err(refusal(fault)),
        }
    }

    /// Asks an action for its verdict on a sign-in: a JSON object. The core has the last word.
    ///
    /// # Errors
    /// [`HandlerFault`]; refused when it could not judge.
    pub fn judge(&self, facts: &str) -> Result<Verdict, HandlerFault> {
        let Object::Action(action) = &self.0.object else {
            return Err(HandlerFault::Malformed("it is a device-SSO handler".to_owned()));
        };
        match action.judge(facts.into()) {
            RResult::ROk(verdict) => {
                let verdict = text("verdict", verdict.as_rstr()).map_err(HandlerFault::Malformed)?;
                let verdict: Verdict = serde_json::from_str(&verdict)
                    .map_err(|error| HandlerFault::Malformed(format!("its verdict cannot be read: {error}")))?;
                Ok(Verdict { deny: verdict.deny.map(|reason| described(&reason)), ..verdict })
            }
            RResult::RErr(fault) => Err(refusal(fault)),
        }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let ended = match &self.0.object {
            Object::Handler(handler) => handler.shutdown(),
            Object::Action(action) => action.shutdown(),
        };
        if let ROption::RSome(message) = ended {
            let text = format!("the handler panicked while it was shut down: {}", told(message.as_rstr()));
            super::log::forward(Level::Error.number(), self.0.described.name().into(), RStr::from(text.as_str()));
        }
    }
}

fn refusal(fault: Fault) -> HandlerFault {
    if fault.panicked {
        return HandlerFault::Panicked(told(fault.log_message.as_rstr()));
    }
    checked(fault).map_or_else(HandlerFault::Malformed, HandlerFault::Refused)
}

/// Members of answers that a handler's error must not have.
const OUR_MEMBERS: [&str; 7] =
    ["error", "error_description", "error_uri", "access_token", "id_token", "refresh_token", "device_secret"];

/// RFC 6749 section 5.2: which characters a code may have, and which members are the server's.
fn checked(fault: Fault) -> Result<HandlerError, String> {
    let code = text("error code", fault.code.as_rstr())?;
    if code.is_empty() || code.len() > 64 || !code.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
        return Err("its error code is not 1 to 64 printable ASCII characters without quote and backslash".to_owned());
    }
    let status = fault.status.into_option();
    if status.is_some_and(|status| !(400..=599).contains(&status)) {
        return Err("the HTTP status of its error is not within 400 to 599".to_owned());
    }
    let members = object("members of its error", Some(fault.members).filter(|text| !text.is_empty()))?.unwrap_or_default();
    if let Some(name) = OUR_MEMBERS.into_iter().find(|name| members.contains_key(*name)) {
        return Err(format!("its error has the member {name}, which is the server's"));
    }
    let description = fault.description.into_option();
    let description = description.map(|text| described(&String::from_utf8_lossy(text.as_str().as_bytes())));
    Ok(HandlerError { code, status, description, members, log_message: told(fault.log_message.as_rstr()) })
}

/// The characters of `error_description`; others, line breaks among them, become a question mark.
fn described(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='!' | '#'..='[' | ']'..='~') { c } else { '?' }).take(500).collect()
}

fn authorization(decision: &DecisionBox) -> Result<DeviceSsoAuthorization, String> {
    let access = decision.access_token();
    let id_token = decision.id_token();
    Ok(DeviceSsoAuthorization {
        scope: owned("scope", &decision.scope())?,
        access_token: AccessTokenSpec {
            lifetime: seconds(access.lifetime),
            encoding: match access.encoding {
                0 => Encoding::Default,
                1 => Encoding::SelfContained,
                2 => Encoding::Identifier,
                _ => return Err("an access token encoding that this server does not know".to_owned()),
            },
            encrypt: access.encrypt,
            audience: owned("audience", &decision.access_token_audience())?,
            data: object("access token data", decision.access_token_data().into_option())?,
        },
        refresh_token: refresh_token(decision.refresh_token())?,
        id_token: IdTokenSpec {
            issue: id_token.issue,
            lifetime: seconds(id_token.lifetime),
            claims: object("ID token claims", decision.id_token_claims().into_option())?.unwrap_or_default(),
        },
        claims: ClaimsSpec {
            names: owned("claim names", &decision.claim_names())?,
            transport: match decision.claims_transport() {
                0 => ClaimsTransport::UserInfo,
                1 => ClaimsTransport::IdToken,
                _ => return Err("a claims transport that this server does not know".to_owned()),
            },
            locales: owned("locales", &decision.claims_locales())?,
        },
        data: object("data", decision.data().into_option())?,
    })
}

fn refresh_token(record: RefreshTokenRecord) -> Result<RefreshTokenSpec, String> {
    Ok(RefreshTokenSpec {
        issue: record.issue,
        lifetime: match (record.lifetime_kind, record.lifetime) {
            (0, _) => RefreshLifetime::Default,
            (1, _) => RefreshLifetime::Never,
            (2, 0) => return Err("a refresh token lifetime of zero seconds".to_owned()),
            (2, lifetime) => RefreshLifetime::For(Duration::from_secs(lifetime)),
            _ => return Err("a kind of refresh token lifetime that this server does not know".to_owned()),
        },
        max_idle: seconds(record.max_idle),
        rotate: record.rotate.into_option(),
    })
}

/// Zero seconds mean the default here.
fn seconds(seconds: ROption<u64>) -> Option<Duration> {
    seconds.into_option().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// The most values of one list in a decision, and the most bytes of one text in it: far beyond need, and little enough to copy.
const MAX_LIST: usize = 1000;
const MAX_TEXT: usize = 1024 * 1024;

fn owned(what: &str, list: &RVec<RStr<'_>>) -> Result<Vec<String>, String> {
    if list.len() > MAX_LIST {
        return Err(format!("its {what} has {} values", list.len()));
    }
    list.iter().map(|value| text(what, *value)).collect()
}

/// What unsafe code sends as text need not be text, so nothing is believed before it was looked at.
fn text(what: &str, text: RStr<'_>) -> Result<String, String> {
    let bytes = text.as_str().as_bytes();
    if bytes.len() > MAX_TEXT {
        return Err(format!("its {what} has {} bytes", bytes.len()));
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| format!("its {what} is not UTF-8"))
}

fn object(what: &str, json: Option<RString>) -> Result<Option<Map<String, Value>>, String> {
    let Some(json) = json else { return Ok(None) };
    serde_json::from_str(&text(what, json.as_rstr())?).map(Some).map_err(|_| format!("its {what} is no JSON object"))
}
