//! The server's side of device-SSO handlers and post-login actions: load those in the folder, ask those that are enabled, and turn whatever comes
//! back into a plan, a judgement or a refusal. Fails closed: a panic, a crash, a late or a senseless answer issues nothing.

mod active;
mod answer;
mod candidate;
mod health;
mod load;
mod log;
mod named;
mod outline;
mod pool;
pub mod process;
mod question;
mod rehearsal;
mod service;
mod shadow;
mod state;
mod trust;
mod work;

pub use load::{Load, Reloaded, check, inspect, watched};
pub use question::Question;
pub use rehearsal::Rehearsal;
pub use state::{LoadedHandler, execution, kind};
pub use symbolon_sdk::{Purpose, TokenBinding};

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use self::active::Active;
use self::answer::Trouble;
use self::log::log;
use self::outline::Verdict;
use self::question::Surroundings;
use self::state::State;
use super::action::{Judgement, SignInFacts, Unjudged};
use super::guard::{self, AudienceLimit, IssuePlan, Limits};
use crate::protocol::{ErrorCode, OAuthError};
use crate::settings::Settings;
use crate::settings::meaning::Property;

/// The handlers in service. Exchanged as a whole by a reload; calls under way finish on what they began with.
#[derive(Debug)]
pub struct Handlers {
    state: ArcSwap<State>,
    /// One reload at a time.
    reloading: std::sync::Mutex<()>,
}

impl Handlers {
    /// No handlers: token exchange is switched off.
    #[must_use]
    pub fn none() -> Self {
        Self::of(State::default())
    }

    fn of(state: State) -> Self {
        Self { state: ArcSwap::from_pointee(state), reloading: std::sync::Mutex::default() }
    }

    /// Whether token exchanges are answered.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state.load().enabled.is_some()
    }

    /// All loaded handlers, as they are now.
    #[must_use]
    pub fn loaded(&self) -> Vec<LoadedHandler> {
        self.state.load().shown()
    }

    /// Whether sign-ins are judged.
    #[must_use]
    pub fn judges(&self) -> bool {
        !self.state.load().actions.is_empty()
    }

    /// Asks every enabled action, in its order, until one denies; what they say is clamped.
    ///
    /// # Errors
    /// The first that denies or fails: then nobody is signed in.
    pub async fn judge(&self, facts: SignInFacts<'_>, settings: &Settings) -> Result<Judgement, Unjudged> {
        let state = self.state.load_full();
        let (facts, mut judgement) = (facts.to_json(), Judgement::default());
        for action in &state.actions {
            let name = &action.name;
            let verdict = action.judge(&facts).await.map_err(|trouble| {
                let error = Box::new(trouble.refusal(name));
                Unjudged { action: name.clone(), denied: false, error }
            })?;
            judgement.add(verdict, name, settings)?.into_iter().for_each(|what| action.meter.clamped(what));
        }
        Ok(judgement)
    }

    /// Asks the enabled handler and clamps what it would like.
    ///
    /// # Errors
    /// What the handler refused with; `server_error` when it panicked, crashed or answered nonsense; `temporarily_unavailable` past
    /// its deadline, when nobody is free to ask it, or while it is left alone; `unsupported_grant_type` when none is enabled.
    pub async fn decide(
        &self,
        question: &Question<'_>,
        limits: &Limits<'_>,
        settings: &Arc<Settings>,
    ) -> Result<IssuePlan, OAuthError> {
        // Held for the whole call: a reload meanwhile changes nothing for it.
        let state = self.state.load_full();
        let handler = state.enabled.as_ref().ok_or_else(none_enabled)?;
        let limits = &Limits { audience: AudienceLimit { allowed: state.audiences(), ..limits.audience }, ..*limits };
        let answer = handler.ask(question).await.map(answer::proposal);
        let decided = answer.map(|proposal| guard::clamp(proposal, limits, settings));
        if let Ok(plan) = &decided {
            plan.clamps().iter().for_each(|what| handler.meter.clamped(what));
        }
        if let Some(shadow) = &state.shadow {
            shadow.watch(question, limits, settings, &handler.name, Verdict::of(decided.as_ref()));
        }
        decided.map_err(|trouble| {
            if let Some(values) = trouble.out_of_reach(&settings.sign_in.password_acr) {
                let reach = &settings.sign_in.password_acr;
                log(
                    3,
                    &handler.name,
                    &format!("it asks for acr_values {values:?}, but all that this server reaches is {reach:?} (sign_in.acr)"),
                );
            }
            trouble.refusal(&handler.name)
        })
    }

    /// What the enabled handler, or the one in `file`, or either with other `properties`, decides, what the guard makes of it, and how long it took. Issues nothing.
    ///
    /// # Errors
    /// Why nobody could be asked.
    pub async fn explain(
        &self,
        question: &Question<'_>,
        limits: &Limits<'_>,
        settings: &Arc<Settings>,
        file: Option<&std::path::Path>,
        properties: &BTreeMap<String, String>,
    ) -> Result<Explained, String> {
        let state = self.state.load_full();
        let borrowed;
        // With other properties it is another handler.
        let own = state.entries.iter().find(|entry| entry.enabled && !entry.is_action() && !properties.is_empty());
        let handler: &Active = match file.or_else(|| own.map(|entry| entry.description.path.as_path())) {
            Some(file) => {
                let (file, surroundings) = (file.to_owned(), Surroundings::of(settings));
                // As they were at the last reload, not at the start.
                let mut handlers = state.settings.as_deref().unwrap_or(&settings.handlers).clone();
                let given =
                    |(name, value): (&String, &String)| (name.clone(), Property { value: value.clone(), place: "-D".to_owned() });
                handlers.properties.extend(properties.iter().map(given));
                let loading = tokio::task::spawn_blocking(move || load::single(&file, &handlers, &surroundings));
                borrowed = loading.await.map_err(|_| "loading the library broke off".to_owned())??;
                &borrowed
            }
            None => state.enabled.as_ref().ok_or("no device-SSO handler is enabled; name a library with --handler")?,
        };
        let began = std::time::Instant::now();
        let answer = handler.ask(question).await;
        let took = began.elapsed();
        let said = answer.as_ref().ok().map(|allowed| in_seconds(json!(allowed)));
        let limits = &Limits { audience: AudienceLimit { allowed: state.audiences(), ..limits.audience }, ..*limits };
        let decided = answer.map(answer::proposal).map(|proposal| guard::clamp(proposal, limits, settings));
        Ok(Explained {
            handler: handler.name.clone(),
            took,
            said,
            refused: decided.as_ref().err().map(|trouble| shown(trouble, &handler.name)),
            outline: decided.as_ref().ok().map(|plan| json!(outline::outline(plan))),
            plan: decided.ok(),
        })
    }
}

/// What a handler said about an exchange that did not take place.
#[derive(Debug)]
pub struct Explained {
    /// Its name.
    pub handler: String,
    /// How long it took.
    pub took: std::time::Duration,
    /// Its own words, before the guard.
    pub said: Option<Value>,
    /// What the client would be told, with the cause.
    pub refused: Option<Value>,
    /// What is left after the guard.
    pub outline: Option<Value>,
    /// The same, to be minted from.
    pub plan: Option<IssuePlan>,
}

/// The same with every duration as a number of seconds, as everywhere else.
fn in_seconds(value: Value) -> Value {
    match value {
        Value::Object(members) => match (members.get("secs").and_then(Value::as_u64), members.get("nanos"), members.len()) {
            (Some(seconds), Some(_), 2) => seconds.into(),
            _ => members.into_iter().map(|(name, value)| (name, in_seconds(value))).collect(),
        },
        Value::Array(values) => values.into_iter().map(in_seconds).collect(),
        other => other,
    }
}

fn shown(trouble: &Trouble, name: &str) -> Value {
    let refusal = trouble.refusal(name);
    json!({ "error": refusal.code.as_str(), "error_description": refusal.description, "members": refusal.members, "cause": refusal.cause })
}

/// The refusal of every exchange while no handler is enabled.
#[must_use]
pub fn none_enabled() -> OAuthError {
    OAuthError::new(ErrorCode::UnsupportedGrantType, "Token exchange is switched off: no device-SSO handler is enabled.")
}
