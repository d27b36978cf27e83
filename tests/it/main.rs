//! Whole-server tests: one file for each room of the house, all in one binary. Each suite says what must hold over
//! HTTP or by command; none knows the server's code. Run them with `scripts/test`.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod harness;

mod audit;
mod audit_administration;
mod authorize;
mod claims_parameter;
mod cli;
mod client_authentication;
mod client_deletion;
mod config;
mod consent_and_sso;
mod cors;
mod crash;
mod damaged_store;
mod demo;
mod discovery;
mod durability;
mod failing_disk;
mod floor_plan;
mod grant_authorization_code;
mod grant_client_credentials;
mod grant_refresh_token;
mod handler_acr_step_up;
mod handler_explain;
mod handler_faults;
mod handler_isolation;
mod handler_properties;
mod handler_reload;
mod handler_scaffold;
mod handler_shadow;
mod handler_trust;
mod handler_versions;
mod handler_webhook;
mod introspect_revoke;
mod jwks;
mod log_levels;
mod native_sso_exchange;
mod native_sso_issue;
mod no_secrets_in_logs;
mod redis_cluster;
mod redis_failures;
mod redis_fleet;
mod redis_partition;
mod redis_start;
mod resource;
mod response_modes;
mod session_end;
mod sign_in;
mod store;
mod third_party;
mod token_request;
mod tokens;
mod upgrades;
mod userinfo;
