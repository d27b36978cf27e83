//! The server's side of post-login actions: what they are told of a sign-in, and what all of their verdicts together mean. They are
//! loaded, run and watched like handlers, by `handler`. Fails closed: who cannot be judged is not signed in.

mod facts;
mod judgement;

pub use facts::{RequestContext, SignInFacts};
pub use judgement::{Judgement, Unjudged};
