//! Where the log lines of handlers go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use abi_stable::std_types::RStr;

use super::described::told;
use crate::log::Level;

static LOG: OnceLock<fn(Level, &str, &str)> = OnceLock::new();

/// Takes the log lines of all handlers: level, handler name, message. The first call counts; call it before the first library is opened.
pub fn set_log(log: fn(Level, &str, &str)) {
    let _ = LOG.set(log);
}

/// What handlers call. No panic of ours may enter them.
pub(super) extern "C" fn forward(level: u8, handler: RStr<'_>, message: RStr<'_>) {
    if let Some(log) = LOG.get() {
        let _ = catch_unwind(AssertUnwindSafe(|| log(Level::from_number(level), &told(handler), &told(message))));
    }
}
