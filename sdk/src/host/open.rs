//! Opens a checked file, compares its types with ours, and never closes it.

use std::fs;
use std::path::{Path, PathBuf};

use abi_stable::StableAbi as _;
use abi_stable::abi_stability::abi_checking::{AbiInstabilityErrors, check_layout_compatibility};
use abi_stable::library::{LibHeader, RawLibrary, RootModule as _, lib_header_from_raw_library};
use abi_stable::sabi_types::VersionNumber;
use abi_stable::type_layout::TLFieldOrFunction;

use super::find::writable_by_all;
use super::preflight::{self, Unfit};
use super::{Described, Found, HostError};
use crate::abi::module::HandlerModuleRef;
use crate::{HANDLER_ABI, SDK_VERSION};

/// A library that is open and whose types agree with ours. It stays open until the process ends.
pub struct Opened {
    path: PathBuf,
    sdk_version: String,
    header: &'static LibHeader,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("path", &self.path).field("sdk_version", &self.sdk_version).finish_non_exhaustive()
    }
}

impl Found {
    /// Checks the file, opens it and compares its types with the server's.
    ///
    /// # Errors
    /// Any [`HostError`] but those about the folder and the description.
    pub fn open(&self) -> Result<Opened, HostError> {
        let stamp = self.check()?;
        let not_opened = |cause: String| HostError::NotOpened { path: self.path.clone(), cause: one_line(&cause) };
        // An absolute path: for a bare name the system's loader would search its own folders instead.
        let path = fs::canonicalize(&self.path).map_err(|error| not_opened(error.to_string()))?;
        let library = RawLibrary::load_at(&path).map_err(|error| not_opened(error.to_string()))?;
        // Never unloaded, also when it is refused below: its thread-local destructors may outlive any use of it.
        let library: &'static RawLibrary = Box::leak(Box::new(library));
        // SAFETY: the library is leaked, so the header lives for ever; the preflight found the header's symbol defined in the file, and its type is
        // checked by `abi_stable` through the magic bytes at its start.
        let header = unsafe { lib_header_from_raw_library(library) }
            .map_err(|_| not_opened("its header is of another version of abi_stable".to_owned()))?;
        self.compare(header, &stamp.sdk_version)?;
        Ok(Opened { path: self.path.clone(), sdk_version: stamp.sdk_version, header })
    }

    /// Who may write it, whether it is whole, and whether it is a handler of our ABI. Runs no code of it.
    fn check(&self) -> Result<crate::abi::stamp::Reading, HostError> {
        let path = &self.path;
        let unreadable = |error: std::io::Error| HostError::Unreadable { path: path.clone(), cause: error.to_string() };
        let real = fs::canonicalize(path).map_err(unreadable)?;
        let metadata = fs::metadata(&real).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(HostError::NotALibrary { path: path.clone(), cause: "no regular file".to_owned() });
        }
        if let Some(mode) = writable_by_all(&metadata) {
            return Err(HostError::Writable { path: path.clone(), mode });
        }
        if let Some(folder) = real.parent()
            && let Some(mode) = writable_by_all(&fs::metadata(folder).map_err(unreadable)?)
        {
            return Err(HostError::Writable { path: folder.to_owned(), mode });
        }
        let stamp = preflight::check(&fs::read(&real).map_err(unreadable)?).map_err(|unfit| match unfit {
            Unfit::NotALibrary(cause) => HostError::NotALibrary { path: path.clone(), cause },
            Unfit::NotAHandler => HostError::NotAHandler { path: path.clone() },
        })?;
        if stamp.abi != HANDLER_ABI {
            return Err(HostError::ForeignAbi {
                path: path.clone(),
                theirs: stamp.abi,
                sdk_version: stamp.sdk_version,
                ours: HANDLER_ABI,
                own_sdk_version: SDK_VERSION,
            });
        }
        if !stamp.unwinds {
            return Err(HostError::AbortsOnPanic { path: path.clone() });
        }
        Ok(stamp)
    }

    /// `abi_stable`'s check accepts only an implementation that is at least as new as the interface, so whichever SDK is older is the interface.
    fn compare(&self, header: &LibHeader, sdk_version: &str) -> Result<(), HostError> {
        let foreign = |difference: String| HostError::ForeignTypes {
            path: self.path.clone(),
            sdk_version: sdk_version.to_owned(),
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
        &self.path
    }

    /// Asks the library what it is.
    ///
    /// # Errors
    /// [`HostError::StartFailed`] and [`HostError::BadDescription`].
    pub fn describe(self) -> Result<Described, HostError> {
        // SAFETY: `open` has compared the layouts of the library's module and ours.
        let module = unsafe { self.header.unchecked_layout::<HandlerModuleRef>() };
        let module = module.map_err(|_| HostError::StartFailed { path: self.path.clone() })?;
        Described::new(self.path, self.sdk_version, module)
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

/// A loader's words, on one line and short.
fn one_line(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    text.join(" ").chars().take(300).collect()
}
