//! Accounts: people, their passwords and second factors, and how often somebody may try one. Must not know HTTP, sessions or tokens.

pub mod factors;
mod password;
pub mod people;
mod person;
pub mod throttle;
pub mod totp;

pub use factors::{CodeCheck, FactorError, Factors, Held};
pub use password::PasswordPolicy;
pub use people::{PasswordCheck, People, PeopleError};
pub use person::Person;
pub use throttle::{Attempt, RetryAfter, Throttle, ThrottleLimits};
