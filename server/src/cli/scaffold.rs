//! `symbolon handler new`: writes a crate for a handler, outside the repository, that builds, is tested and is loaded as it is.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use symbolon_sdk::SDK_VERSION;

use super::output::{Failure, Output};

/// The handler to begin with: a crate of the repository, built and tested there.
const CODE: &str = include_str!("../../../plugins/template/src/lib.rs");
/// The names in it that become the new crate's own.
const TYPE: &str = "TemplateHandler";
const PREFIX: &str = "template.";
/// Where this program's own SDK was when it was built.
const OWN_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk");

/// The crate to write.
#[derive(Debug, Args)]
pub struct NewOptions {
    /// The folder to make; its last part is the crate's name
    name: PathBuf,
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
    let names = Names::of(name);
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
    /// `MyHandler` for `my-handler`.
    class: String,
    /// `myHandler.`
    prefix: String,
}

impl<'a> Names<'a> {
    fn of(name: &'a str) -> Self {
        let words = name.split(['-', '_']).filter(|word| !word.is_empty());
        let mut class: String = words.map(capitalised).collect();
        if !class.ends_with("Handler") {
            class.push_str("Handler");
        }
        let mut prefix = class[..1].to_ascii_lowercase() + &class[1..];
        prefix.push('.');
        Self { name, class, prefix }
    }

    fn library(&self) -> String {
        format!("lib{}.so", self.name.replace('-', "_"))
    }

    fn code(&self) -> String {
        CODE.replace(TYPE, &self.class).replace(&format!("\"{PREFIX}"), &format!("\"{}", self.prefix))
    }

    fn manifest(&self, dependency: &str) -> String {
        format!(
            "[package]\nname = {}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
             # A workspace of its own, wherever it lies.\n[workspace]\n\n\
             [lib]\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\nsymbolon-sdk = {{ {dependency} }}\n\n\
             [dev-dependencies]\n# Runs the handler without a server, through the same boundary.\n\
             symbolon-sdk = {{ {dependency}, features = [\"testing\"] }}\n\n\
             [profile.release]\nstrip = \"debuginfo\"\n",
            toml_text(self.name)
        )
    }

    fn properties(&self) -> String {
        let prefix = &self.prefix;
        format!(
            "# Whether this handler decides. At most one may.\n{prefix}enable=true\n\n\
             # Lifetime of access tokens in seconds; blank: the server's default.\n{prefix}accessToken.lifetime=300\n\n\
             # Scope values that need the person in the browser, separated by spaces; blank: none.\n{prefix}delicateScope=\n\n\
             # How the server runs it: inline, pool or process. Blank: as the handler says.\n{prefix}isolation=\n"
        )
    }

    fn readme(&self) -> String {
        let Self { name, class, prefix } = self;
        let library = self.library();
        format!(
            "# {class}\n\nA device-SSO handler for [Symbolon](https://github.com/symbolon/symbolon).\n\n\
             ```sh\ncargo test\ncargo build --release\nsymbolon handler check target/release/{library} --properties {name}.properties\n```\n\n\
             To use it, copy `target/release/{library}` into the folder that the server's setting `handlers.folder` names, add `{name}.properties` \
             to its list `handlers.properties`, switch off the handler that decides so far (`op.deviceSSOHandler.enable=false` for the \
             default one), and let the running server take all of that over:\n\n\
             ```sh\nsymbolon handler reload --config symbolon.toml\nsymbolon handler list --config symbolon.toml\n```\n\n\
             If something is wrong, the handlers in service stay and the findings say why. Its properties begin with `{prefix}`.\n\
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
            let names = Names::of(name);
            assert_eq!((names.class.as_str(), names.prefix.as_str()), (class, prefix));
            let code = names.code();
            assert!(code.contains(&format!("pub struct {class}")) && code.contains(&format!("\"{prefix}enable\"")), "{code}");
            assert!(!code.contains("Template") && !code.contains("template."), "nothing of the template is left");
        }
        for bad in ["", "1x", "-x", "a b", "ü", "a/b", "a\"b"] {
            assert!(!is_crate_name(bad), "{bad}");
        }
    }
}
