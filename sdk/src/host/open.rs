//! Opens the private copy of a checked file, compares its types with ours, and never closes it.

use std::path::Path;

use abi_stable::StableAbi as _;
use abi_stable::abi_stability::abi_checking::{AbiInstabilityErrors, check_layout_compatibility};
use abi_stable::library::{LibHeader, RawLibrary, RootModule as _, lib_header_from_raw_library};
use abi_stable::sabi_types::VersionNumber;
use abi_stable::type_layout::TLFieldOrFunction;
use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};

use super::{Described, HostError, Library};
use crate::SDK_VERSION;
use crate::abi::module::HandlerModuleRef;

/// A library that is open and whose types agree with ours. It stays open until the process ends.
pub struct Opened {
    library: Library,
    header: &'static LibHeader,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("library", &self.library).finish_non_exhaustive()
    }
}

impl Library {
    /// Opens the copy and compares its types with the server's. Runs code of the library: its constructors.
    ///
    /// # Errors
    /// [`HostError::NotOpened`] and [`HostError::ForeignTypes`].
    pub fn open(&self) -> Result<Opened, HostError> {
        let copy = self.loadable();
        // The loader names the copy, which tells nobody anything.
        let not_opened = |cause: String| HostError::NotOpened {
            path: self.path().to_owned(),
            cause: one_line(&cause.replace(&format!("{}: ", copy.display()), "")),
        };
        // With every symbol bound now: a function that is missing would else end the process when it is called.
        // SAFETY: opening runs the library's constructors, which is what whoever put it into the folder wants; the preflight has seen a whole
        // library with the stamp of a handler.
        let bound = unsafe { libloading::os::unix::Library::open(Some(&copy), RTLD_NOW | RTLD_LOCAL) };
        // Never unloaded, also when it is refused below: its thread-local destructors may outlive any use of it.
        std::mem::forget(bound.map_err(|error| not_opened(loader_words(&error)))?);
        let library = RawLibrary::load_at(&copy).map_err(|error| not_opened(error.to_string()))?;
        let library: &'static RawLibrary = Box::leak(Box::new(library));
        self.clone().leak();
        // SAFETY: the library is leaked, so the header lives for ever; the preflight found the header's symbol defined in the file, and its type is
        // checked by `abi_stable` through the magic bytes at its start.
        let header = unsafe { lib_header_from_raw_library(library) }
            .map_err(|_| not_opened("its header is of another version of abi_stable".to_owned()))?;
        self.compare(header)?;
        Ok(Opened { library: self.clone(), header })
    }

    /// `abi_stable`'s check accepts only an implementation that is at least as new as the interface, so whichever SDK is older is the interface.
    fn compare(&self, header: &LibHeader) -> Result<(), HostError> {
        let foreign = |difference: String| HostError::ForeignTypes {
            path: self.path().to_owned(),
            sdk_version: self.sdk_version().to_owned(),
            own_sdk_version: SDK_VERSION,
            difference,
        };
        let (Ok(theirs), Ok(ours)) =
            (VersionNumber::new(header.version_strings()), VersionNumber::new(HandlerModuleRef::VERSION_STRINGS))
        else {
            return Err(foreign("its SDK version cannot be read".to_owned()));
        };
        if theirs.major != ours.major {
            return Err(foreign(format!("major version {} instead of {}", theirs.major, ours.major)));
        }
        let Some(layout) = header.layout() else {
            return Err(foreign("it does not say what its types are".to_owned()));
        };
        let own = HandlerModuleRef::LAYOUT;
        let older_is_theirs = (theirs.minor, theirs.patch) < (ours.minor, ours.patch);
        let (older, newer) = if older_is_theirs { (layout, own) } else { (own, layout) };
        check_layout_compatibility(older, newer).map_err(|errors| foreign(first_difference(&errors)))
    }
}

impl Opened {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.library.path()
    }

    /// Asks the library what it is.
    ///
    /// # Errors
    /// [`HostError::StartFailed`] and [`HostError::BadDescription`].
    pub fn describe(self) -> Result<Described, HostError> {
        // SAFETY: `open` has compared the layouts of the library's module and ours.
        let module = unsafe { self.header.unchecked_layout::<HandlerModuleRef>() };
        let module = module.map_err(|_| HostError::StartFailed { path: self.path().to_owned() })?;
        Described::new(self.path().to_owned(), self.library.sdk_version().to_owned(), module)
    }
}

/// The whole text has about a thousand lines; the path to the first difference says enough.
fn first_difference(errors: &AbiInstabilityErrors) -> String {
    let Some(first) = errors.errors.iter().find(|error| !error.errs.is_empty()) else { return "no details".to_owned() };
    let place: Vec<String> = first.stack_trace.iter().map(|step| name_of(&step.expected)).collect();
    // The name of the kind of difference, without its details, e.g. `FieldCountMismatch`.
    let what = first.errs.first().map(|error| format!("{error:?}")).unwrap_or_default();
    let what = what.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    one_line(&if place.is_empty() { what.to_owned() } else { format!("{what} at {}", place.join(" > ")) })
}

fn name_of(step: &TLFieldOrFunction) -> String {
    match step {
        TLFieldOrFunction::Field(field) => field.name().to_owned(),
        TLFieldOrFunction::Function(function) => function.name.as_str().to_owned(),
    }
}

/// What the system's loader said, without the words of the crate around it.
fn loader_words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A loader's words, on one line and short.
fn one_line(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    text.join(" ").chars().take(300).collect()
}
