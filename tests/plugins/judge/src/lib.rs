//! A post-login action that does what its properties say. For tests of the server only.

mod obedient;

obedient::action!(Judge, "Judge", "op.postLoginAction.judge.");
