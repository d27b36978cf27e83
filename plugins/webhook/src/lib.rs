//! A device-SSO handler that asks an HTTP service, so that policy can be written in any language. README.md is the contract with the service.
//!
//! It owns what becomes of a question that was answered, badly answered or not answered. It waits for the network, so its calls are run on
//! the server's pool of threads ([`Execution::Blocking`]) and its own deadline lies below the server's.
#![forbid(unsafe_code)]

mod addresses;
mod answer;
mod changes;
mod configuration;
mod keys;
mod question;
mod service;
mod strict;
#[cfg(test)]
mod tests;

use symbolon_sdk::{
    ConfigureError, DeviceSsoAuthorization, DeviceSsoHandler, DeviceSsoRequest, Execution, HandlerError, Properties,
    export_device_sso_handler, log,
};

use crate::answer::Answer;
use crate::configuration::{Configuration, Failure};
use crate::service::{Asked, Service, Trouble};

/// Decides as a service says.
#[derive(Debug)]
pub struct WebhookHandler {
    enable: bool,
    include_claims: bool,
    failure: Failure,
    /// Ready whenever the properties say enough, enabled or not: a handler that is not in charge may be asked too, to compare it with the
    /// one that is, or to explain it.
    service: Option<Service>,
}

impl DeviceSsoHandler for WebhookHandler {
    const NAME: &'static str = "WebhookHandler";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PREFIX: &'static str = "op.webhookHandler.";
    const PROPERTIES: &'static [&'static str] = configuration::NAMES;
    const ABOUT: &'static str = "Asks an HTTP service for each decision.";
    const EXECUTION: Execution = Execution::Blocking;

    fn configure(properties: &Properties) -> Result<Self, ConfigureError> {
        let Configuration { enable, include_claims, failure, destination } = Configuration::read(properties);
        let service = destination.map(Service::new).transpose().map_err(ConfigureError::new)?;
        Ok(Self { enable, include_claims, failure, service })
    }

    fn enabled(&self) -> bool {
        self.enable
    }

    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
        let Some(service) = &self.service else {
            return Err(refusal("server_error", 500).with_log_message("neither a url nor a key is configured"));
        };
        let body = question::body(request, self.include_claims)
            .map_err(|error| refusal("server_error", 500).with_log_message(format!("the question cannot be written: {error}")))?;
        let asked = service.ask(&body, request.now());
        let understood = match &asked.outcome {
            Ok((status, body)) => Answer::read(*status, body).map_err(Trouble::Nonsense),
            Err(trouble) => Err(trouble.clone()),
        };
        match understood {
            Ok(answer) => {
                log::debug(&asked.to_string());
                decision(answer, request, &asked)
            }
            Err(Trouble::Unavailable(why)) if self.failure == Failure::Open => {
                log::warn(&format!("{asked}: {why}; allowed without it, because failure=open"));
                Ok(DeviceSsoAuthorization::allow(request))
            }
            Err(Trouble::Unavailable(why)) => {
                Err(refusal("temporarily_unavailable", 503).with_log_message(format!("{asked}: {why}")))
            }
            // Whatever `failure` says: that the service could not be understood is no reason to grant what it may have refused.
            Err(Trouble::Nonsense(why)) => Err(refusal("server_error", 500).with_log_message(format!("{asked}: {why}"))),
        }
    }
}

fn decision(answer: Answer, request: &DeviceSsoRequest<'_>, asked: &Asked<'_>) -> Result<DeviceSsoAuthorization, HandlerError> {
    match answer {
        Answer::Unchanged => Ok(DeviceSsoAuthorization::allow(request)),
        Answer::Allow(changes) => Ok(changes.applied_to(request)),
        Answer::Deny(error) => Err(error.with_log_message(asked.to_string())),
    }
}

/// What the client is told when there is no decision. Why is for the log.
fn refusal(code: &str, status: u16) -> HandlerError {
    let description = if status == 503 {
        "The sign-on policy could not be asked; try again later."
    } else {
        "The sign-on policy could not be evaluated."
    };
    HandlerError::custom(code).with_status(status).with_description(description)
}

export_device_sso_handler!(WebhookHandler);
