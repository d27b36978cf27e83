//! Another post-login action that does what its properties say, for tests of several at once.

#[path = "../../judge/src/obedient.rs"]
mod obedient;

obedient::action!(Jury, "Jury", "op.postLoginAction.jury.");
