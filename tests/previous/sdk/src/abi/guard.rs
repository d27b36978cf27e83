//! No panic may cross the boundary: every entry into a handler's code runs here, and a panic becomes a sentence.

use std::cell::{Cell, RefCell};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::Once;

use super::sink;
use crate::log::Level;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the panic hook of a handler library, which has a standard library and therefore a hook of its own. Nothing goes to standard
/// error: a panic inside an entry becomes that entry's error, one in a thread of the handler goes to the server's log.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info: &PanicHookInfo<'_>| {
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            let text = match info.location() {
                Some(place) => format!("{message} ({}:{})", place.file(), place.line()),
                None => message.to_owned(),
            };
            if GUARDED.try_with(Cell::get).unwrap_or(false) {
                let _ = LAST_PANIC.try_with(|last| last.replace(Some(text)));
            } else {
                sink::write(Level::Error, &format!("a thread of the handler panicked: {text}"));
            }
        }));
    });
}

/// Runs an entry into a handler's code.
///
/// # Errors
/// The panic's message, when there was one.
pub(crate) fn guarded<R>(entry: impl FnOnce() -> R) -> Result<R, String> {
    let outer = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(entry)).map_err(|payload| {
        let text = LAST_PANIC.take().unwrap_or_else(|| {
            let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            text.unwrap_or("a panic without a message").to_owned()
        });
        // A payload may panic when it is dropped; what that leaves behind is leaked rather than trusted.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            forget(second);
        }
        text
    });
    GUARDED.set(outer);
    result
}
