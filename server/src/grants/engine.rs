//! The parts that every grant works with, put together once at start.

use std::sync::Arc;

use super::authorize::pushed::PushedRequests;
use super::authorize::transaction::Transactions;
use crate::accounts::{Throttle, ThrottleLimits};
use crate::clients::{Clients, InitialTokens};
use crate::foundation::Clock;
use crate::issuance::{Handlers, Issuer};
use crate::network::Networks;
use crate::outbound::Outbound;
use crate::sessions::{Codes, DeviceCodes, Notices, Sessions, TransferTokens};
use crate::settings::Settings;
use crate::storage::SharedStore;

/// The engine behind every endpoint. Cheap to share.
#[derive(Debug)]
pub struct Engine {
    issuer: Issuer,
    clients: Clients,
    codes: Codes,
    device_codes: DeviceCodes,
    transfer_tokens: TransferTokens,
    transactions: Transactions,
    pushed: PushedRequests,
    handlers: Handlers,
    throttle: Throttle,
    initial_tokens: InitialTokens,
    registrations: Throttle,
    outside: Outside,
}

/// What the server has to do with the rest of the world.
#[derive(Debug)]
pub struct Outside {
    /// What it asks of others.
    pub outbound: Outbound,
    /// What it knows of their addresses.
    pub networks: Networks,
}

impl Engine {
    /// Puts the parts together.
    #[must_use]
    pub fn new(issuer: Issuer, clients: Clients, handlers: Handlers, throttle: Throttle, outside: Outside) -> Arc<Self> {
        let (store, clock) = (Arc::clone(issuer.store()), issuer.clock().clone());
        let issuer = issuer.telling(Notices::new(Arc::clone(&store), clock.clone(), clients.clone()));
        let registration = &issuer.settings().registration;
        let registrations = Throttle::new(ThrottleLimits {
            account_attempts: registration.total_limit,
            address_attempts: registration.address_limit,
            window: super::registration::WINDOW,
        });
        Arc::new(Self {
            initial_tokens: InitialTokens::new(Arc::clone(&store), clock.clone()),
            registrations,
            transfer_tokens: TransferTokens::new(Arc::clone(&store), clock.clone()),
            device_codes: DeviceCodes::new(Arc::clone(&store), clock.clone()),
            codes: Codes::new(Arc::clone(&store), clock.clone()),
            pushed: PushedRequests::new(Arc::clone(&store), clock.clone()),
            transactions: Transactions::new(store, clock),
            issuer,
            clients,
            handlers,
            throttle,
            outside,
        })
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        self.issuer.settings()
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        self.issuer.clock()
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &SharedStore {
        self.issuer.store()
    }

    /// The sessions.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        self.issuer.sessions()
    }

    /// The clients.
    #[must_use]
    pub const fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The authorization codes.
    #[must_use]
    pub const fn codes(&self) -> &Codes {
        &self.codes
    }

    /// The session transfer tokens.
    pub(super) const fn transfer_tokens(&self) -> &TransferTokens {
        &self.transfer_tokens
    }

    /// The device codes.
    #[must_use]
    pub const fn device_codes(&self) -> &DeviceCodes {
        &self.device_codes
    }

    /// The authorization requests that wait for their person.
    #[must_use]
    pub const fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The authorization requests that were pushed.
    #[must_use]
    pub const fn pushed(&self) -> &PushedRequests {
        &self.pushed
    }

    /// The device-SSO handlers.
    #[must_use]
    pub const fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    /// What the server asks of others.
    #[must_use]
    pub const fn outbound(&self) -> &Outbound {
        &self.outside.outbound
    }

    /// What is known of addresses.
    #[must_use]
    pub const fn networks(&self) -> &Networks {
        &self.outside.networks
    }

    /// The initial access tokens.
    #[must_use]
    pub const fn initial_tokens(&self) -> &InitialTokens {
        &self.initial_tokens
    }

    /// The limit on registrations by anybody.
    #[must_use]
    pub const fn registrations(&self) -> &Throttle {
        &self.registrations
    }

    /// The limit on failed sign-ins.
    #[must_use]
    pub const fn throttle(&self) -> &Throttle {
        &self.throttle
    }
}
