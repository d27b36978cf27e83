//! The contract: what a handler is. It knows nothing of how it is carried over the library boundary.

use crate::{ConfigureError, DeviceSsoAuthorization, DeviceSsoRequest, HandlerError, Properties};

/// How a handler's calls are run by the server.
#[cfg_attr(feature = "host", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Execution {
    /// Pure and fast (well under a millisecond, no input or output): called on the server's own worker, unless the operator says otherwise.
    /// The default.
    #[default]
    Inline,
    /// May wait, for a database or another server: called on a bounded pool of threads with a deadline, unless the operator says otherwise.
    /// A call that is past its deadline is answered with `temporarily_unavailable`; its thread is given back when the call returns.
    Blocking,
}

/// Decides device-SSO requests. One instance serves all threads of a process; with isolation `process` each process has its own.
///
/// A reload that changes the library, its properties or how it is run configures a new instance; calls in flight finish on the old one,
/// which is then shut down and dropped. An instance is also configured, and dropped at once, to try a library out.
pub trait DeviceSsoHandler: Send + Sync + Sized + 'static {
    /// The handler's name in the load line, in findings and in the audit log, e.g. `LocalDeviceSsoHandler`.
    const NAME: &'static str;

    /// The handler's own version; `env!("CARGO_PKG_VERSION")` is what most want.
    const VERSION: &'static str;

    /// What the handler's property names begin with, dot included, e.g. `op.deviceSSOHandler.`. No two loaded handlers may share it.
    const PREFIX: &'static str;

    /// Every property the handler reads, without the prefix. A name ending in `.*` stands for all names below it. Any other name below
    /// [`PREFIX`](Self::PREFIX) is reported to the operator as unknown. `isolation` and all names below `isolation.` are the server's own: with
    /// them the operator says how the handler is run.
    const PROPERTIES: &'static [&'static str];

    /// One sentence about the handler for `symbolon handler inspect`. Default: none.
    const ABOUT: &'static str = "";

    /// How calls are run. Default: [`Execution::Inline`].
    const EXECUTION: Execution = Execution::Inline;

    /// Makes an instance from the properties below [`PREFIX`](Self::PREFIX).
    ///
    /// The readers of [`Properties`] collect what they cannot read, so that the operator sees everything at once: an instance returned
    /// beside such findings is dropped and the configuration refused.
    ///
    /// # Errors
    /// What is wrong beyond what the readers have noted.
    fn configure(properties: &Properties) -> Result<Self, ConfigureError>;

    /// Whether this instance wants to be the one that is asked. Asked once, right after [`configure`](Self::configure).
    fn enabled(&self) -> bool;

    /// Decides one exchange. Called from several threads at once.
    ///
    /// Start from [`DeviceSsoAuthorization::allow`], which is what the server itself would allow, and take away or add.
    ///
    /// # Errors
    /// What the client is told instead of receiving tokens; see [`HandlerError`].
    fn authorize(&self, request: &DeviceSsoRequest<'_>) -> Result<DeviceSsoAuthorization, HandlerError>;

    /// Called once when the instance is no longer needed and no call is in flight. Default: nothing.
    fn shutdown(&self) {}
}
