//! Symbolon: the sign-on server for families of apps.
//!
//! The floors, imports only downward: `cli` > `http` > `grants` > `issuance` > `sessions`, `accounts`, `clients`, `tokens` > `audit` > `storage`, `outbound`, `network` >
//! `protocol`, `settings`, `telemetry`, `foundation`. `ARCHITECTURE.md` says why; a test keeps it so.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod audit;
pub mod cli;
pub mod clients;
pub mod foundation;
pub mod grants;
pub mod http;
pub mod issuance;
pub mod network;
pub mod outbound;
pub mod protocol;
pub mod sessions;
pub mod settings;
pub mod storage;
pub mod telemetry;
pub mod tokens;
