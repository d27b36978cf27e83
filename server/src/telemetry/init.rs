//! Sends log lines to standard error, for people or as JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::meaning::Telemetry;

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `telemetry.level` is no list of directives.
    #[error("telemetry.level is not understood: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process logs already.
    #[error("logging is already set up: {0}")]
    Again(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the whole process. To be called once, by the program's entry.
///
/// # Errors
/// When the level is not understood, or logging is already set up.
pub fn init(settings: &Telemetry) -> Result<(), InitError> {
    Ok(subscriber(settings, std::io::stderr, std::io::stderr().is_terminal())?.try_init()?)
}

/// What `init` sets up, for any writer.
pub(super) fn subscriber<W>(
    settings: &Telemetry,
    writer: W,
    colour: bool,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, tracing_subscriber::filter::ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Said first, so that the operator's own directives win: what actix says at every start is noise, and so are bytes from a stranger
    // that are no HTTP, which it calls an error.
    let filter = EnvFilter::try_new(format!("actix_server=warn,actix_http::h1=off,{}", settings.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(if settings.json {
        // One flat object a line; spans would double the cost of every line and say nothing that the event does not.
        Box::new(builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish())
    } else {
        Box::new(builder.with_ansi(colour).finish())
    })
}
