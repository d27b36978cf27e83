//! The root module of a handler library, and how the export macro makes one from the author's type.

#![expect(
    clippy::cast_ptr_alignment,
    clippy::unnecessary_cast,
    reason = "abi_stable's derive reads the fields that came after the prefix this way"
)]

use abi_stable::StableAbi;
use abi_stable::library::{CheckTypeLayout, LibHeader, RootModule, RootModuleError, RootModuleResult};
use abi_stable::marker_type::ErasedPrefix;
use abi_stable::prefix_type::{PrefixRefTrait as _, PrefixTypeTrait as _};
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RResult, RSlice, RStr, RString, Tuple2};

use super::action::{ActionBox, ActionObject_TO, Judging};
use super::guard::{guarded, install_hook};
use super::handler::{ConfigureRefusal, FindingRecord, Guarded, HandlerBox, HandlerObject_TO};
use super::sink::{self, LogSink};
use crate::{DeviceSsoHandler, Execution, Finding, PostLoginAction, Properties};

/// Full names and their values.
pub type Pairs<'a> = RSlice<'a, Tuple2<RStr<'a>, RStr<'a>>>;

/// What a handler library offers. New fields go to the end; an older library lacks them.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HandlerModuleRef, prefix_fields = HandlerModulePrefix)))]
#[sabi(missing_field(option))]
pub struct HandlerModule {
    /// `DeviceSsoHandler::NAME`
    pub name: RStr<'static>,
    /// `DeviceSsoHandler::VERSION`
    pub version: RStr<'static>,
    /// `DeviceSsoHandler::PREFIX`
    pub prefix: RStr<'static>,
    /// `DeviceSsoHandler::PROPERTIES`
    pub properties: RSlice<'static, RStr<'static>>,
    /// 0 inline, 1 blocking.
    pub execution: u8,
    /// Takes the server's log.
    pub attach_log: extern "C" fn(LogSink),
    /// Makes an instance.
    #[sabi(last_prefix_field)]
    pub configure: extern "C" fn(Pairs<'_>) -> RResult<HandlerBox, ConfigureRefusal>,
    /// `DeviceSsoHandler::ABOUT`. Since SDK 1.1.
    pub about: RStr<'static>,
    /// 0 a device-SSO handler, 1 a post-login action. Since SDK 1.2.
    pub kind: u8,
    /// Makes an instance of an action; `configure` does for a handler. Since SDK 1.2.
    pub configure_action: extern "C" fn(Pairs<'_>) -> RResult<ActionBox, ConfigureRefusal>,
}

impl RootModule for HandlerModuleRef {
    abi_stable::declare_root_module_statics! {HandlerModuleRef}
    const BASE_NAME: &'static str = "symbolon_handler";
    const NAME: &'static str = "symbolon_handler";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

/// `HandlerModule::kind` of an action.
pub const POST_LOGIN_ACTION: u8 = 1;

/// The header that a handler library exports under [`abi_stable`]'s name for it.
#[must_use]
pub const fn header<H: DeviceSsoHandler>() -> LibHeader {
    // SAFETY: `construct` returns a `HandlerModuleRef`'s prefix, the type named here.
    unsafe { LibHeader::from_constructor::<HandlerModuleRef>(construct::<H>, CheckTypeLayout::Yes) }
}

/// The same of an action library.
#[must_use]
pub const fn action_header<A: PostLoginAction>() -> LibHeader {
    // SAFETY: `construct_action` returns a `HandlerModuleRef`'s prefix, the type named here.
    unsafe { LibHeader::from_constructor::<HandlerModuleRef>(construct_action::<A>, CheckTypeLayout::Yes) }
}

/// Runs once, when the server asks a freshly opened library for its module.
extern "C" fn construct<H: DeviceSsoHandler>() -> RootModuleResult {
    constructed(module::<H>)
}

/// The same for an action.
extern "C" fn construct_action<A: PostLoginAction>() -> RootModuleResult {
    constructed(action_module::<A>)
}

fn constructed(module: fn() -> HandlerModuleRef) -> RootModuleResult {
    install_hook();
    match guarded(module) {
        // SAFETY: the erased module is only ever cast back to `HandlerModuleRef`, after `abi_stable`'s layout check.
        Ok(module) => RResult::ROk(unsafe { module.to_prefix_ref().cast::<ErasedPrefix>() }),
        Err(_) => RResult::RErr(RootModuleError::Unwound),
    }
}

/// The module of a handler type, the same for a library and for a handler that is linked in. Leaks a few hundred bytes a call, on purpose: a
/// library is opened once and never closed.
#[must_use]
pub fn module<H: DeviceSsoHandler>() -> HandlerModuleRef {
    let properties: Vec<RStr<'static>> = H::PROPERTIES.iter().map(|name| RStr::from(*name)).collect();
    HandlerModule {
        name: H::NAME.into(),
        version: H::VERSION.into(),
        prefix: H::PREFIX.into(),
        properties: RSlice::from_slice(properties.leak()),
        execution: match H::EXECUTION {
            Execution::Inline => 0,
            Execution::Blocking => 1,
        },
        attach_log: attach_log::<H>,
        configure: configure::<H>,
        about: H::ABOUT.into(),
        kind: 0,
        configure_action: no_action,
    }
    .leak_into_prefix()
}

/// The module of an action type, likewise.
#[must_use]
pub fn action_module<A: PostLoginAction>() -> HandlerModuleRef {
    let properties: Vec<RStr<'static>> = A::PROPERTIES.iter().map(|name| RStr::from(*name)).collect();
    HandlerModule {
        name: A::NAME.into(),
        version: A::VERSION.into(),
        prefix: A::PREFIX.into(),
        properties: RSlice::from_slice(properties.leak()),
        execution: match A::EXECUTION {
            Execution::Inline => 0,
            Execution::Blocking => 1,
        },
        attach_log: attach_action_log::<A>,
        configure: no_handler,
        about: A::ABOUT.into(),
        kind: POST_LOGIN_ACTION,
        configure_action: configure_action::<A>,
    }
    .leak_into_prefix()
}

extern "C" fn attach_log<H: DeviceSsoHandler>(log: LogSink) {
    sink::attach(log, H::NAME);
}

extern "C" fn attach_action_log<A: PostLoginAction>(log: LogSink) {
    sink::attach(log, A::NAME);
}

extern "C" fn no_handler(_: Pairs<'_>) -> RResult<HandlerBox, ConfigureRefusal> {
    RResult::RErr(refusal(false, "it is a post-login action, and no device-SSO handler".to_owned(), Vec::new()))
}

extern "C" fn no_action(_: Pairs<'_>) -> RResult<ActionBox, ConfigureRefusal> {
    RResult::RErr(refusal(false, "it is a device-SSO handler, and no post-login action".to_owned(), Vec::new()))
}

extern "C" fn configure<H: DeviceSsoHandler>(pairs: Pairs<'_>) -> RResult<HandlerBox, ConfigureRefusal> {
    let outcome = guarded(|| {
        let pairs = pairs.iter().map(|pair| (pair.0.as_str(), pair.1.as_str()));
        let properties = Properties::new(H::PREFIX, H::PROPERTIES, pairs);
        let handler = H::configure(&properties).map(Guarded::new);
        (handler, properties.into_findings())
    });
    match outcome {
        Ok((Ok(handler), findings)) if findings.is_empty() => {
            RResult::ROk(HandlerObject_TO::from_value(handler, abi_stable::sabi_trait::TD_Opaque))
        }
        Ok((Ok(_unwanted), findings)) => RResult::RErr(refusal(false, String::new(), findings)),
        Ok((Err(error), findings)) => RResult::RErr(refusal(false, error.message().to_owned(), findings)),
        Err(message) => RResult::RErr(refusal(true, message, Vec::new())),
    }
}

extern "C" fn configure_action<A: PostLoginAction>(pairs: Pairs<'_>) -> RResult<ActionBox, ConfigureRefusal> {
    let outcome = guarded(|| {
        let pairs = pairs.iter().map(|pair| (pair.0.as_str(), pair.1.as_str()));
        let properties = Properties::new(A::PREFIX, A::PROPERTIES, pairs);
        let action = A::configure(&properties).map(Judging::new);
        (action, properties.into_findings())
    });
    match outcome {
        Ok((Ok(action), findings)) if findings.is_empty() => {
            RResult::ROk(ActionObject_TO::from_value(action, abi_stable::sabi_trait::TD_Opaque))
        }
        Ok((Ok(_unwanted), findings)) => RResult::RErr(refusal(false, String::new(), findings)),
        Ok((Err(error), findings)) => RResult::RErr(refusal(false, error.message().to_owned(), findings)),
        Err(message) => RResult::RErr(refusal(true, message, Vec::new())),
    }
}

fn refusal(panicked: bool, message: String, findings: Vec<Finding>) -> ConfigureRefusal {
    let record = |finding: Finding| FindingRecord {
        key: RString::from(finding.key),
        seen: RString::from(finding.seen),
        expected: RString::from(finding.expected),
        remedy: RString::from(finding.remedy),
    };
    ConfigureRefusal { panicked, message: message.into(), findings: findings.into_iter().map(record).collect() }
}
