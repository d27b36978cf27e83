//! What can be told of an address: where it is and in whose network, by databases of the MaxMind DB format, and whether two requests
//! come from the same place. Knows neither HTTP nor who is asked for; which address counts is the business of `http/origin`.

mod binding;
mod database;
mod databases;
mod place;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test")]
mod tests;

pub use binding::{Binding, Difference, Origin, compare};
pub use databases::Networks;
pub use place::Place;
