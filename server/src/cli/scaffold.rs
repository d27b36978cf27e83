//! `symbolon handler new`: writes a crate for a handler or an action, outside the repository, that builds, is tested and is loaded as it is.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use symbolon_sdk::{ACTION_PREFIX, SDK_VERSION};

use super::output::{Failure, Output};

/// The handler to begin with: a crate of the repository, built and tested there.
const CODE: &str = include_str!("../../../plugins/template/src/lib.rs");
/// The action to begin with, likewise.
const ACTION_CODE: &str = include_str!("../../../plugins/template-action/src/lib.rs");
/// What the types in them are called before they become the new crate's own: this, and what they are.
const TYPE: &str = "Template";
const PREFIX: &str = "template.";
/// Where this program's own SDK was when it was built.
const OWN_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk");

/// What to write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// A device-SSO handler, which decides token exchanges
    #[default]
    Handler,
    /// A post-login action, which judges sign-ins
    Action,
}

impl Sort {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Handler => "Handler",
            Self::Action => "Action",
        }
    }

    /// What the prefix begins with.
    const fn before(self) -> &'static str {
        match self {
            Self::Handler => "",
            Self::Action => ACTION_PREFIX,
        }
    }
}

/// The crate to write.
#[derive(Debug, Args)]
pub struct NewOptions {
    /// The folder to make; its last part is the crate's name
    name: PathBuf,
    /// What it shall be
    #[arg(long, value_enum, default_value_t)]
    kind: Sort,
    /// Depend on the SDK in this folder (without any --sdk option: the one that this program was built with, if it is still there,
    /// else the published one)
    #[arg(long, value_name = "FOLDER", group = "sdk")]
    sdk_path: Option<PathBuf>,
    /// Depend on the SDK in this git repository
    #[arg(long, value_name = "URL", group = "sdk")]
    sdk_git: Option<String>,
    /// Depend on this published version of the SDK
    #[arg(long, value_name = "VERSION", group = "sdk")]
    sdk_version: Option<String>,
}

/// Writes it.
///
/// # Errors
/// One sentence.
pub fn run(options: &NewOptions, output: Output) -> Result<(), Failure> {
    let folder = &options.name;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_crate_name(name) {
        return Err(Failure::refusal(format!(
            "{name:?} is no name for a crate: letters, digits, - and _, beginning with a letter, such as my-handler"
        )));
    }
    let dependency = dependency(options)?;
    fs::create_dir_all(folder.parent().unwrap_or(Path::new(""))).map_err(|error| not_written(folder, &error))?;
    fs::create_dir(folder).map_err(|error| not_written(folder, &error))?;
    fs::create_dir(folder.join("src")).map_err(|error| not_written(folder, &error))?;
    let names = Names::of(name, options.kind);
    for (file, text) in [
        ("Cargo.toml", names.manifest(&dependency)),
        ("src/lib.rs", names.code()),
        ("README.md", names.readme()),
        (".gitignore", "/target\n".to_owned()),
    ] {
        let path = folder.join(file);
        fs::write(&path, text).map_err(|error| not_written(&path, &error))?;
    }
    let properties = folder.join(format!("{name}.properties"));
    fs::write(&properties, names.properties()).map_err(|error| not_written(&properties, &error))?;
    if output.is_json() {
        output.value(
            &json!({ "crate": name, "folder": folder, "library": names.library(), "prefix": names.prefix, "sdk": dependency }),
        );
    } else {
        output.line(&format!(
            "{} is written. Next:\n  cd {}\n  cargo test\n  cargo build --release\n  symbolon handler check target/release/{} --properties {name}.properties",
            folder.display(),
            folder.display(),
            names.library()
        ));
    }
    Ok(())
}

fn is_crate_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refusal(format!("{} cannot be written: {error}", path.display()))
}

/// What follows `symbolon-sdk = { ` in the manifest.
fn dependency(options: &NewOptions) -> Result<String, Failure> {
    let quoted = |text: &str| toml_text(text);
    if let Some(path) = &options.sdk_path {
        let whole = path.canonicalize().map_err(|error| Failure::refusal(format!("{}: {error}", path.display())))?;
        if !whole.join("Cargo.toml").is_file() {
            return Err(Failure::refusal(format!("{} is no crate: name the folder `sdk` of the repository", path.display())));
        }
        return Ok(format!("path = {}", quoted(&whole.display().to_string())));
    }
    if let Some(url) = &options.sdk_git {
        return Ok(format!("git = {}", quoted(url)));
    }
    if let Some(version) = &options.sdk_version {
        return Ok(format!("version = {}", quoted(version)));
    }
    let own = Path::new(OWN_SDK).canonicalize().ok().filter(|own| own.join("Cargo.toml").is_file());
    Ok(match own {
        Some(own) => format!("path = {}", quoted(&own.display().to_string())),
        // Not a newer one: a server refuses what was built with an SDK that is newer than its own.
        None => format!(
            "version = {}",
            quoted(&format!("~{}", SDK_VERSION.rsplit_once('.').map_or(SDK_VERSION, |(major_minor, _)| major_minor)))
        ),
    })
}

/// A basic string of TOML; JSON's are such.
fn toml_text(text: &str) -> String {
    json!(text).to_string()
}

/// What the new crate and the things in it are called.
struct Names<'a> {
    name: &'a str,
    sort: Sort,
    /// `MyHandler` for `my-handler`.
    class: String,
    /// `myHandler.`; `op.postLoginAction.myPolicy.` of an action
    prefix: String,
}

impl<'a> Names<'a> {
    fn of(name: &'a str, sort: Sort) -> Self {
        let words = name.split(['-', '_']).filter(|word| !word.is_empty());
        let mut class: String = words.map(capitalised).collect();
        if !class.ends_with(sort.suffix()) {
            class.push_str(sort.suffix());
        }
        let stem = match sort {
            Sort::Handler => &class,
            Sort::Action => class.strip_suffix(sort.suffix()).filter(|stem| !stem.is_empty()).unwrap_or(&class),
        };
        let prefix = format!("{}{}{}.", sort.before(), stem[..1].to_ascii_lowercase(), &stem[1..]);
        Self { name, sort, class, prefix }
    }

    fn library(&self) -> String {
        format!("lib{}.so", self.name.replace('-', "_"))
    }

    fn code(&self) -> String {
        let code = match self.sort {
            Sort::Handler => CODE,
            Sort::Action => ACTION_CODE,
        };
        code.replace(&format!("{TYPE}{}", self.sort.suffix()), &self.class)
            .replace(&format!("\"{}{PREFIX}", self.sort.before()), &format!("\"{}", self.prefix))
    }

    fn manifest(&self, dependency: &str) -> String {
        format!(
            "[package]\nname = {}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
             # A workspace of its own, wherever it lies.\n[workspace]\n\n\
             [lib]\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\nsymbolon-sdk = {{ {dependency} }}\n\n\
             [dev-dependencies]\n# Runs it without a server, through the same boundary.\n\
             symbolon-sdk = {{ {dependency}, features = [\"testing\"] }}\n\n\
             [profile.release]\nstrip = \"debuginfo\"\n",
            toml_text(self.name)
        )
    }

    fn properties(&self) -> String {
        let prefix = &self.prefix;
        if self.sort == Sort::Action {
            return format!(
                "# Whether this action is asked. Any number may be.\n{prefix}enable=true\n\n\
                 # When, among the actions that are enabled: the lowest number first; blank: 100.\n{prefix}order=\n\n\
                 # Countries (ISO 3166-1, two letters) that are kept out, separated by spaces; blank: none.\n{prefix}blockedCountries=\n\n\
                 # The longest that a session may live, in seconds; blank: as the server says.\n{prefix}session.lifetime=28800\n\n\
                 # How the server runs it: inline, pool or process. Blank: as the action says.\n{prefix}isolation=\n"
            );
        }
        format!(
            "# Whether this handler decides. At most one may.\n{prefix}enable=true\n\n\
             # Lifetime of access tokens in seconds; blank: the server's default.\n{prefix}accessToken.lifetime=300\n\n\
             # Scope values that need the person in the browser, separated by spaces; blank: none.\n{prefix}delicateScope=\n\n\
             # How the server runs it: inline, pool or process. Blank: as the handler says.\n{prefix}isolation=\n"
        )
    }

    fn readme(&self) -> String {
        let Self { name, sort, class, prefix } = self;
        let library = self.library();
        let (what, before, what_stays) = match sort {
            Sort::Handler => (
                "A device-SSO handler",
                ", switch off the handler that decides so far (`op.deviceSSOHandler.enable=false` for the default one)",
                "the handlers in service stay",
            ),
            Sort::Action => ("A post-login action", "", "what is in service stays"),
        };
        format!(
            "# {class}\n\n{what} for [Symbolon](https://github.com/symbolon/symbolon).\n\n\
             ```sh\ncargo test\ncargo build --release\nsymbolon handler check target/release/{library} --properties {name}.properties\n```\n\n\
             To use it, copy `target/release/{library}` into the folder that the server's setting `handlers.folder` names, add `{name}.properties` \
             to its list `handlers.properties`{before}, and let the running server take all of that over:\n\n\
             ```sh\nsymbolon handler reload --config symbolon.toml\nsymbolon handler list --config symbolon.toml\n```\n\n\
             If something is wrong, {what_stays} and the findings say why. Its properties begin with `{prefix}`.\n\
             `cargo doc -p symbolon-sdk --features symbolon-sdk/testing --open` is the manual.\n"
        )
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_their_own() {
        for (name, class, prefix) in [
            ("my-handler", "MyHandler", "myHandler."),
            ("acme_policy", "AcmePolicyHandler", "acmePolicyHandler."),
            ("x", "XHandler", "xHandler."),
            ("a--b", "ABHandler", "aBHandler."),
        ] {
            assert!(is_crate_name(name));
            let names = Names::of(name, Sort::Handler);
            assert_eq!((names.class.as_str(), names.prefix.as_str()), (class, prefix));
            let code = names.code();
            assert!(code.contains(&format!("pub struct {class}")) && code.contains(&format!("\"{prefix}enable\"")), "{code}");
            assert!(!code.contains("Template") && !code.contains("template."), "nothing of the template is left");
        }
        let action = Names::of("my-policy", Sort::Action);
        assert_eq!((action.class.as_str(), action.prefix.as_str()), ("MyPolicyAction", "op.postLoginAction.myPolicy."));
        let code = action.code();
        assert!(code.contains("pub struct MyPolicyAction") && code.contains("\"op.postLoginAction.myPolicy.enable\""), "{code}");
        assert!(!code.contains("Template") && !code.contains("template."), "nothing of the template is left");
        assert!(!action.readme().contains("switch off") && action.properties().contains("op.postLoginAction.myPolicy.order="));
        for bad in ["", "1x", "-x", "a b", "ü", "a/b", "a\"b"] {
            assert!(!is_crate_name(bad), "{bad}");
        }
    }
}
