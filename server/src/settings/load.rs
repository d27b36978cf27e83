//! From what was written to what it means: lays the layers, collects every finding, and builds [`Settings`] when there is none.

use std::path::Path;

use super::document::{self, Document};
use super::finding::{Finding, Findings};
use super::layers::{Layer, Layers, Origin};
use super::leaves::LEAVES;
use super::meaning::{
    AccessTokenFormat, Audit, Authorization, Backend, DeviceAuthorization, Dpop, Handlers, KeyEnrolment, LANGUAGES, Levels,
    OfflineAccess, Outbound, Persistent, Proxy, SealingKeySource, SecondFactor, Server, SessionLimits, Sessions, Settings,
    Shadow, SignIn, SigningAlg, StatementIssuer, Storage, Telemetry, Tokens, UserInfo,
};
use super::properties::Properties;
use super::sections::Sections;
use super::show::{self, Shown};
use super::{audit, backend, environment, file, network, outbound, overrides, registration, relations, session_transfer, shadow};
use crate::foundation::Secret;

/// Settings as far as they could be read, with everything that is wrong with them: what was not understood has its default, so that
/// the rest can be judged all the same.
#[derive(Debug)]
pub struct Draft {
    /// Not to be served with while there are findings.
    pub loaded: Loaded,
    /// Everything that is wrong.
    pub findings: Findings,
    /// Whether the handler libraries may be tried: not while it is in doubt which of them the operator trusts.
    pub handlers_are_known: bool,
}

impl Draft {
    /// The settings, when nothing is wrong with them.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn finish(self) -> Result<Loaded, Findings> {
        self.findings.unless_any(self.loaded)
    }
}

/// Settings, and where each of them was written.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the settings mean.
    pub settings: Settings,
    /// The origin of each single-valued setting, by its key.
    pub origins: std::collections::BTreeMap<&'static str, Origin>,
    pub(super) shown: Vec<Shown>,
}

/// Loads settings from a file (none: built-in ones only), `-D` overrides (`name=value`) and an environment.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(
    file: Option<&Path>,
    overrides: &[String],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, Findings> {
    draft(file, overrides, environment)?.finish()
}

fn draft(
    file: Option<&Path>,
    overrides: &[String],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Draft, Findings> {
    let document = match file {
        None => Ok(None),
        Some(path) => document::read_text(path).map(|text| Some(Document::new(text, path))).map_err(|why| Finding {
            id: "config.unreadable_file",
            place: path.display().to_string(),
            seen: why,
            expected: "a settings file that can be read".to_owned(),
            remedy: "correct the path given with --config, or let the server's user read the file".to_owned(),
        }),
    };
    load_document(document.as_ref().map(Option::as_ref).map_err(Clone::clone), overrides, environment)
}

/// Loads settings from a file, `-D` overrides and the environment of this process.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn from_process(file: Option<&Path>, overrides: &[String]) -> Result<Loaded, Findings> {
    draft_from_process(file, overrides)?.finish()
}

/// The same as far as it goes, for whoever wants to find more that is wrong.
///
/// # Errors
/// Only for a mistake in the program.
pub fn draft_from_process(file: Option<&Path>, overrides: &[String]) -> Result<Draft, Findings> {
    draft(file, overrides, environment::of_process())
}

/// The same for a document that was read, or could not be.
pub(super) fn load_document(
    document: Result<Option<&Document>, Finding>,
    overrides: &[String],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Draft, Findings> {
    let folder = document.as_ref().ok().and_then(Option::as_ref).map(|document| document.folder.clone()).unwrap_or_default();
    let mut layers = Layers::built_in(&folder);
    let mut sections = Sections::built_in();
    let mut properties = Properties::default();
    // Without the file most rules between settings would be judged on values that nobody meant.
    let mut whole = true;
    let parsed =
        document.and_then(|document| document.map(|document| document.parse().map(|table| (document, table))).transpose());
    match parsed {
        Ok(Some((document, table))) => file::read(document, &table, &mut layers, &mut sections),
        Ok(None) => {}
        Err(finding) => {
            whole = false;
            layers.findings.push(finding);
        }
    }
    environment::read(environment, &mut layers, &mut properties);
    overrides::read(overrides, &mut layers, &mut properties);
    let named_at = layers.origin("handlers.properties").map(|origin| origin.place.clone()).unwrap_or_default();
    for path in layers.paths("handlers.properties").unwrap_or_default() {
        properties.read_file(&path, &named_at, &mut layers);
    }
    properties.apply_aliases(&mut layers);
    let shadow = shadow::read(&properties, &mut layers);
    if whole {
        relations::check(&mut layers);
    }
    let sealing_key = sealing_key(&mut layers);
    let statement_issuers = registration::issuers(&mut layers);
    let (backend, outbound, audit) = (backend::read(&mut layers), outbound::read(&mut layers), audit::read(&mut layers));
    let handlers_are_known = whole && !layers.handlers_in_doubt;
    finish(
        layers,
        sections,
        properties,
        Rest { shadow, sealing_key, statement_issuers, backend, outbound, audit, handlers_are_known },
    )
}

/// What takes more than one setting to tell.
struct Rest {
    shadow: Option<Shadow>,
    sealing_key: SealingKeySource,
    statement_issuers: Vec<StatementIssuer>,
    backend: Option<Backend>,
    outbound: Option<Outbound>,
    audit: Option<Audit>,
    handlers_are_known: bool,
}

/// Built from every layer. A value that was not understood never replaced the one below it.
fn finish(mut layers: Layers, sections: Sections, properties: Properties, rest: Rest) -> Result<Draft, Findings> {
    let findings = Findings(std::mem::take(&mut layers.findings));
    let handlers_are_known = rest.handlers_are_known;
    let shown = show::all(&layers, &sections, &properties);
    let origins = LEAVES.iter().filter_map(|leaf| layers.origin(leaf.key).map(|origin| (leaf.key, origin.clone()))).collect();
    match meaning(&layers, sections, properties, rest) {
        Some(settings) => Ok(Draft { loaded: Loaded { settings, origins, shown }, findings, handlers_are_known }),
        // Only a setting missing in the built-in list leads here; the tests read that list.
        None => Err(Findings(vec![Finding {
            id: "config.incomplete",
            place: "built-in".to_owned(),
            seen: "a setting without a value".to_owned(),
            expected: "a default for every setting".to_owned(),
            remedy: "report this: it is a mistake in the program".to_owned(),
        }])),
    }
}

/// The source of the sealing key; of a file and a value the one from the stronger layer.
fn sealing_key(layers: &mut Layers) -> SealingKeySource {
    let layer = |key: &str| layers.origin(key).map_or(Layer::BuiltIn, |origin| origin.layer);
    let file_layer = layer("storage.sealing_key_file");
    let value = layers.text("storage.sealing_key").filter(|text| !text.is_empty());
    if let Some(value) = value.filter(|_| layer("storage.sealing_key") >= file_layer) {
        return SealingKeySource::Value(Secret::new(value));
    }
    let Some(path) = layers.path("storage.sealing_key_file").flatten() else { return SealingKeySource::Generated };
    if let Err(why) = document::read_file(&path) {
        let place = layers.origin("storage.sealing_key_file").map(|origin| origin.place.clone()).unwrap_or_default();
        let remedy = "correct the path, or make a key with: openssl rand -hex 32";
        layers.find(
            "config.unreadable_file",
            &place,
            format!("storage.sealing_key_file: {why}"),
            "a file that can be read",
            remedy,
        );
    }
    SealingKeySource::File(path)
}

/// `None` only when a setting used here is missing from the built-in list.
fn meaning(layers: &Layers, sections: Sections, properties: Properties, rest: Rest) -> Option<Settings> {
    Some(Settings {
        server: Server {
            listen: layers.address("server.listen")?,
            issuer: layers.issuer("server.issuer")?,
            workers: layers.number("server.workers")?,
            max_body: layers.number("server.max_body")?,
            shutdown_grace: layers.span("server.shutdown_grace")?,
        },
        storage: Storage {
            path: layers.path("storage.path")??,
            sealing_key: rest.sealing_key,
            previous_sealing_keys: layers.paths("storage.previous_sealing_keys")?,
            cache_bytes: layers.number("storage.cache")?,
            sync: layers.flag("storage.sync")?,
            backend: rest.backend?,
        },
        tokens: tokens(layers)?,
        authorization: Authorization {
            pushed_lifetime: layers.span("authorization.pushed.lifetime")?,
            pushed_required: layers.flag("authorization.pushed.required")?,
        },
        sessions: Sessions {
            device: session_limits(layers, "device")?,
            device_key_enrolment: match layers.text("sessions.device.key_enrolment")?.as_str() {
                "vouched" => KeyEnrolment::Vouched,
                "first_exchange" => KeyEnrolment::FirstExchange,
                "closed" => KeyEnrolment::Closed,
                _ => return None,
            },
            device_auth_lifetime: layers.limit("sessions.device.auth_lifetime")?,
            browser: session_limits(layers, "browser")?,
            browser_auth_lifetime: layers.limit("sessions.browser.auth_lifetime")?,
            browser_accounts: layers.number("sessions.browser.accounts")?,
            browser_persistent: match layers.text("sessions.browser.persistent")?.as_str() {
                "never" => Persistent::Never,
                "ask" => Persistent::Ask,
                "always" => Persistent::Always,
                _ => return None,
            },
            kept: session_limits(layers, "kept")?,
            transferred: session_limits(layers, "transferred")?,
            offline: session_limits(layers, "offline")?,
            offline_access: match layers.text("sessions.logout.offline_access")?.as_str() {
                "keep" => OfflineAccess::Keep,
                "end" => OfflineAccess::End,
                _ => return None,
            },
            logout_retry_for: layers.span("sessions.logout.retry_for")?,
            logout_timeout: layers.span("sessions.logout.timeout")?,
        },
        sign_in: sign_in(layers)?,
        user_info: UserInfo { required_acr: layers.texts("userinfo.required_acr")?, max_age: layers.limit("userinfo.max_age")? },
        device_authorization: DeviceAuthorization {
            lifetime: layers.span("device_authorization.lifetime")?,
            interval: layers.span("device_authorization.interval")?,
        },
        session_transfer: session_transfer::read(layers)?,
        registration: registration::read(layers, rest.statement_issuers)?,
        proxy: Proxy {
            trusted: layers.networks("proxy.trusted")?,
            client_certificate_header: layers.text("proxy.client_certificate_header").filter(|name| !name.is_empty()),
            mtls_address: layers.text("proxy.mtls_address").filter(|address| !address.is_empty()),
        },
        network: network::read(layers)?,
        outbound: rest.outbound?,
        audit: rest.audit?,
        handlers: handlers(layers, properties, rest.shadow)?,
        telemetry: Telemetry { json: layers.text("telemetry.format")? == "json", level: layers.text("telemetry.level")? },
        scopes: sections.scopes,
        resource_servers: sections.resource_servers,
        clients: sections.clients,
    })
}

fn tokens(layers: &Layers) -> Option<Tokens> {
    Some(Tokens {
        signing_alg: SigningAlg::from_name(&layers.text("tokens.signing_alg")?)?,
        access_token_lifetime: layers.span("tokens.access_token.lifetime")?,
        access_token_max_lifetime: layers.span("tokens.access_token.max_lifetime")?,
        access_token_format: match layers.text("tokens.access_token.format")?.as_str() {
            "jwt" => AccessTokenFormat::Jwt,
            "opaque" => AccessTokenFormat::Opaque,
            _ => return None,
        },
        access_token_audience: layers.text("tokens.access_token.audience").filter(|text| !text.is_empty()),
        id_token_lifetime: layers.span("tokens.id_token.lifetime")?,
        id_token_max_lifetime: layers.span("tokens.id_token.max_lifetime")?,
        refresh_token_lifetime: layers.limit("tokens.refresh_token.lifetime")?,
        refresh_token_max_idle: layers.limit("tokens.refresh_token.max_idle")?,
        refresh_token_rotate: layers.flag("tokens.refresh_token.rotate")?,
        code_lifetime: layers.span("tokens.code.lifetime")?,
        dpop: Dpop {
            nonce_required: layers.text("tokens.dpop.nonce")? == "required",
            nonce_lifetime: layers.span("tokens.dpop.nonce_lifetime")?,
            max_age: layers.span("tokens.dpop.max_age")?,
        },
        key_publish_before_use: layers.span("tokens.keys.publish_before_use")?,
        key_rotate_every: layers.limit("tokens.keys.rotate_every")?,
    })
}

fn handlers(layers: &Layers, properties: Properties, shadow: Option<Shadow>) -> Option<Handlers> {
    let mut files = layers.paths("handlers.properties")?;
    files.extend(layers.paths("handlers.shadow_properties")?);
    Some(Handlers {
        folder: layers.path("handlers.folder")?,
        properties: properties.into_map(),
        deadline: layers.span("handlers.deadline")?,
        start_deadline: layers.span("handlers.start_deadline")?,
        watch: layers.limit("handlers.watch")?,
        threads: layers.number("handlers.threads")?,
        processes: layers.number("handlers.processes")?,
        memory: layers.number("handlers.memory")?,
        shadow,
        audiences: layers.texts("handlers.audiences")?,
        trusted_digests: layers.texts("handlers.trusted_digests")?,
        trusted_keys: layers.paths("handlers.trusted_keys")?,
        files,
    })
}

fn session_limits(layers: &Layers, sort: &str) -> Option<SessionLimits> {
    Some(SessionLimits {
        max_lifetime: layers.limit(&format!("sessions.{sort}.max_lifetime"))?,
        max_idle: layers.limit(&format!("sessions.{sort}.max_idle"))?,
    })
}

fn sign_in(layers: &Layers) -> Option<SignIn> {
    Some(SignIn {
        transaction_lifetime: layers.span("sign_in.transaction_lifetime")?,
        throttle_account_attempts: layers.number("sign_in.throttle.account_attempts")?,
        throttle_address_attempts: layers.number("sign_in.throttle.address_attempts")?,
        throttle_window: layers.span("sign_in.throttle.window")?,
        password_memory_kib: layers.number("sign_in.password.memory_kib")?,
        password_iterations: layers.number("sign_in.password.iterations")?,
        password_lanes: layers.number("sign_in.password.lanes")?,
        password_concurrency: layers.number("sign_in.password.concurrency")?,
        // What was written wrongly is a finding already, and the server will not start.
        levels: Levels::parse(&levels(layers)?).or_else(|_| Levels::parse(&built_in_levels("urn:symbolon:acr:password"))).ok()?,
        password_acr: layers.text("sign_in.acr")?,
        second_factor: match layers.text("sign_in.second_factor")?.as_str() {
            "on_request" => SecondFactor::OnRequest,
            "if_enrolled" => SecondFactor::IfEnrolled,
            "always" => SecondFactor::Always,
            _ => return None,
        },
        enrolment_at_sign_in: layers.text("sign_in.totp.enrolment")? == "at_sign_in",
        totp_issuer: match layers.text("sign_in.totp.issuer").filter(|text| !text.is_empty()) {
            Some(name) => name,
            None => layers.issuer("server.issuer")?.url.host_str().unwrap_or_default().to_owned(),
        },
        languages: {
            let written = layers.texts("sign_in.languages")?;
            let known = written.iter().filter_map(|tag| LANGUAGES.iter().copied().find(|own| own == tag));
            if written.is_empty() { LANGUAGES.to_vec() } else { known.collect() }
        },
        title: layers.text("sign_in.title")?,
    })
}

/// The levels as written, or those that hold when nothing is.
pub(super) fn levels(layers: &Layers) -> Option<Vec<String>> {
    let written = layers.texts("sign_in.levels")?;
    if written.is_empty() {
        return Some(built_in_levels(&layers.text("sign_in.acr")?));
    }
    Some(written)
}

fn built_in_levels(password: &str) -> Vec<String> {
    vec![format!("{password}=pwd"), "urn:symbolon:acr:two-factor=pwd+otp".to_owned()]
}

impl Settings {
    /// The settings that hold when nobody writes anything: issuer `http://127.0.0.1:8080`, data in `var`, no handlers.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it does not: the built-in list is a constant, and the tests load it")]
    pub fn built_in() -> Self {
        #[expect(clippy::expect_used, reason = "the built-in list is a constant, and the tests load it")]
        let loaded = load(None, &[], std::iter::empty()).expect("the built-in settings are complete");
        loaded.settings
    }
}
