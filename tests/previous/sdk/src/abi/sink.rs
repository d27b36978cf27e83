//! The way of a log line from a handler library to the server that opened it.

use std::sync::OnceLock;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

use crate::log::Level;

/// Takes a line: level, the handler's name, the message. Frozen.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct LogSink(pub extern "C" fn(u8, RStr<'_>, RStr<'_>));

static SINK: OnceLock<(LogSink, &'static str)> = OnceLock::new();

/// Keeps the server's sink; the first one stays.
pub(super) fn attach(sink: LogSink, name: &'static str) {
    let _ = SINK.set((sink, name));
}

/// Hands a line to the server; it is lost when no server listens.
pub(crate) fn write(level: Level, message: &str) {
    if let Some((LogSink(sink), name)) = SINK.get() {
        sink(level.number(), RStr::from(*name), RStr::from(message));
    }
}
