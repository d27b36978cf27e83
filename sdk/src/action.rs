//! The second contract: what a post-login action is. It knows nothing of how it is carried over the library boundary.

use crate::{ConfigureError, Execution, Properties, SignIn, Verdict};

/// What the property names of every action begin with, and of no handler: so a server that lacks a library knows that somebody counts on being judged.
pub const ACTION_PREFIX: &str = "op.postLoginAction.";

/// Judges sign-ins at the authorization endpoint: allows, denies, asks for a further factor, adds claims, shortens the session.
///
/// It is asked when the person is known well enough for the server and before they are asked for their consent: after a password, when a browser
/// session is used again without a page, and when a session transfer token signs somebody in. A request that shows pages is judged at each of
/// them, so an action may be asked more than once for one sign-in, and what it said last counts. It must not count on having been asked only once.
///
/// Loaded, configured, reloaded and run like a [`DeviceSsoHandler`](crate::DeviceSsoHandler), from the same folder; but several may be enabled. They
/// are asked in the order of the property `order` below their prefix (a whole number, lowest first; 100 where it is absent), then of their names. The
/// first that denies ends it. Of the others everything holds at once: each factor, the shortest session, all claims; of a claim that two of them set, what the
/// later one says.
pub trait PostLoginAction: Send + Sync + Sized + 'static {
    /// The action's name in the load line, in findings and in the audit log, e.g. `NetworkMismatch`.
    const NAME: &'static str;

    /// The action's own version; `env!("CARGO_PKG_VERSION")` is what most want.
    const VERSION: &'static str;

    /// What the action's property names begin with, dot included: [`ACTION_PREFIX`] and one word, e.g. `op.postLoginAction.networkMismatch.`. No
    /// two loaded libraries may share it.
    const PREFIX: &'static str;

    /// Every property the action reads, without the prefix, as [`DeviceSsoHandler::PROPERTIES`](crate::DeviceSsoHandler::PROPERTIES). `order`, and
    /// `isolation` with all names below it, are the server's own.
    const PROPERTIES: &'static [&'static str];

    /// One sentence about the action for `symbolon handler inspect`. Default: none.
    const ABOUT: &'static str = "";

    /// How calls are run. Default: [`Execution::Inline`].
    const EXECUTION: Execution = Execution::Inline;

    /// Makes an instance from the properties below [`PREFIX`](Self::PREFIX).
    ///
    /// # Errors
    /// What is wrong beyond what the readers have noted.
    fn configure(properties: &Properties) -> Result<Self, ConfigureError>;

    /// Whether this instance wants to be asked. Asked once, right after [`configure`](Self::configure). Let it follow the property `enable`, `false` where
    /// that is absent: a server does not start while an action is enabled by that name and its library cannot be used.
    fn enabled(&self) -> bool;

    /// Judges one sign-in. Called from several threads at once.
    ///
    /// # Errors
    /// When it cannot be judged, for example because a service cannot be reached: nobody is signed in, and the app is told
    /// `temporarily_unavailable`. To keep somebody out is no error but [`Verdict::deny`].
    fn judge(&self, sign_in: &SignIn) -> Result<Verdict, ActionError>;

    /// Called once when the instance is no longer needed and no call is in flight. Default: nothing.
    fn shutdown(&self) {}
}

/// A sign-in could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionError {
    pub(crate) log_message: String,
}

impl ActionError {
    /// With one sentence for the log. No secrets in it; the app and the person do not see it.
    #[must_use]
    pub fn new(log_message: impl Into<String>) -> Self {
        Self { log_message: log_message.into() }
    }
}
