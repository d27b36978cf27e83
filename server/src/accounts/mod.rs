//! Accounts: people, their passwords and how often somebody may try one. Must not know HTTP, sessions or tokens.

mod password;
pub mod people;
mod person;
pub mod throttle;

pub use password::PasswordPolicy;
pub use people::{PasswordCheck, People, PeopleError};
pub use person::Person;
pub use throttle::{Attempt, RetryAfter, Throttle, ThrottleLimits};
