//! Who plays: two apps of one family, an outsider and a person. Given by name, or registered for the demo and removed after it.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::DemoOptions;
use super::web_page::WebApp;
use crate::cli::admin::command::Password;
use crate::cli::admin::{AdminCommand, socket};
use crate::cli::arguments::Place;
use crate::cli::output::Failure;
use crate::cli::user::read_password;
use crate::foundation::{Secret, encoding, random};
use crate::protocol::names;
use crate::settings;

/// The scope that the apps ask for.
pub(super) const SCOPE: &str = "openid profile offline_access device_sso";

/// The names of everybody on stage.
#[derive(Debug)]
pub(super) struct Cast {
    /// `client_id` of app one.
    pub(super) one: String,
    /// `client_id` of app two.
    pub(super) two: String,
    /// `client_id` of an app that shares nothing with the two.
    pub(super) outsider: String,
    /// A web page of the vendor, which only a cast of the demo's own has.
    pub(super) web: Option<WebApp>,
    /// Where app one receives its code.
    pub(super) redirect_uri: String,
    /// Who signs in.
    pub(super) person: String,
    /// With this password.
    pub(super) password: Secret<String>,
    /// A scope value that takes the browser.
    pub(super) interactive_scope: String,
    /// Whether nobody ever agreed to anything before, so that the consent page must come.
    pub(super) is_new: bool,
}

impl Cast {
    /// Those who were registered beforehand.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub(super) fn given(options: DemoOptions) -> Result<Self, Failure> {
        let DemoOptions { client_one, client_two, client_outsider, redirect_uri, user, password_file, interactive_scope, .. } =
            options;
        let (Some(one), Some(two), Some(outsider), Some(redirect_uri), Some(person), Some(password_file)) =
            (client_one, client_two, client_outsider, redirect_uri, user, password_file)
        else {
            return Err(Failure::refusal(
                "--issuer needs the three clients, the redirect URI, the user and the password file too",
            ));
        };
        let Password(password) = read_password(&password_file)?;
        Ok(Self { one, two, outsider, web: None, redirect_uri, person, password, interactive_scope, is_new: false })
    }
}

/// The way to a server whose settings are known, and what is to be removed from it.
#[derive(Debug, Default)]
pub(super) struct Backstage {
    folder: Option<PathBuf>,
    undo: Vec<AdminCommand>,
}

impl Backstage {
    /// Finds the server that runs with these settings; gives its issuer.
    ///
    /// # Errors
    /// Findings in the settings, or when they have no scope for the fourth act.
    pub(super) fn open(&mut self, place: &Place, interactive_scope: &str) -> Result<String, Failure> {
        let settings = settings::from_process(place.config.as_deref(), &place.define)?.settings;
        if !settings.scopes.contains_key(interactive_scope) {
            return Err(Failure::refusal(format!(
                "the demo needs a scope that takes the browser, and the settings have no [scopes.{interactive_scope}]; add it and name it in op.deviceSSOHandler.scopeRequiringInteraction, or name another with --interactive-scope"
            )));
        }
        self.folder = Some(settings.storage.path);
        Ok(settings.server.issuer.text)
    }

    /// Whether there is such a way.
    pub(super) const fn is_open(&self) -> bool {
        self.folder.is_some()
    }

    /// Registers a cast with names of its own, so that two demos at once do not meet.
    ///
    /// # Errors
    /// When the running server refuses or is not there.
    pub(super) async fn register(&mut self, interactive_scope: &str) -> Result<Cast, Failure> {
        let suffix = format!("{:08x}", u32::from_be_bytes(random::bytes()));
        let family = format!("demo-{suffix}");
        let cast = Cast {
            one: format!("demo-one-{suffix}"),
            two: format!("demo-two-{suffix}"),
            outsider: format!("demo-outsider-{suffix}"),
            web: Some(WebApp {
                client_id: format!("demo-web-{suffix}"),
                redirect_uri: "https://web.example.com/callback".to_owned(),
            }),
            redirect_uri: "com.example.one:/callback".to_owned(),
            person: format!("demo-{suffix}"),
            password: Secret::new(encoding::encode(random::bytes::<24>())),
            interactive_scope: interactive_scope.to_owned(),
            is_new: true,
        };
        let app = |id: &str, name: &str, redirect_uri: &str, scope: &str, family: Option<&str>| {
            json!({
                "client_id": id,
                "client_name": name,
                "application_type": "native",
                "token_endpoint_auth_method": "none",
                "redirect_uris": [redirect_uri],
                "grant_types": [names::AUTHORIZATION_CODE, names::REFRESH_TOKEN, names::TOKEN_EXCHANGE],
                "scope": scope,
                // Null members count as absent (RFC 7591 section 2).
                "device_sso_family": family,
            })
        };
        let with_interaction = format!("{SCOPE} {interactive_scope}");
        let mut two = app(&cast.two, "Demo app two", "com.example.two:/callback", &with_interaction, Some(&family));
        two["session_transfer"] = json!({ "can_create_session_transfer_token": true });
        let web = cast.web.as_ref().map(|web| {
            json!({
                "client_id": web.client_id,
                "client_name": "Demo web page",
                "token_endpoint_auth_method": "none",
                "redirect_uris": [web.redirect_uri],
                "scope": "openid profile",
                "first_party": true,
                "session_transfer": { "allowed_authentication_methods": ["query"] },
            })
        });
        let apps = [
            app(&cast.one, "Demo app one", &cast.redirect_uri, SCOPE, Some(&family)),
            two,
            app(&cast.outsider, "Demo outsider", "com.example.outsider:/callback", SCOPE, None),
        ];
        for metadata in apps.into_iter().chain(web) {
            let client_id = metadata["client_id"].as_str().unwrap_or_default().to_owned();
            self.add(AdminCommand::ClientAdd { metadata: object(metadata) }, AdminCommand::ClientDelete { client_id }).await?;
        }
        let claims = object(json!({ "name": "Ada Example", "given_name": "Ada", "family_name": "Example" }));
        let password = Password(cast.password.clone());
        let add = AdminCommand::UserAdd { name: cast.person.clone(), password, claims };
        self.add(add, AdminCommand::UserDelete { name: cast.person.clone() }).await?;
        Ok(cast)
    }

    async fn add(&mut self, add: AdminCommand, undo: AdminCommand) -> Result<(), Failure> {
        self.order(add).await?;
        self.undo.push(undo);
        Ok(())
    }

    /// Removes whatever was registered, last things first; the person's sessions go with the person.
    ///
    /// # Errors
    /// What could not be removed, after all else was.
    pub(super) async fn clear(&mut self) -> Result<(), Failure> {
        let mut failed = Ok(());
        while let Some(command) = self.undo.pop() {
            if let Err(failure) = self.order(command).await {
                failed = Err(failure);
            }
        }
        failed
    }

    /// Gives an order to the running server. The store of a stopped one is not opened: the demo needs it to run.
    async fn order(&self, command: AdminCommand) -> Result<Value, Failure> {
        let folder = self.folder.as_deref().unwrap_or_else(|| std::path::Path::new(""));
        let answer = socket::ask(folder, &command).await?.ok_or_else(|| {
            Failure::refusal(format!(
                "no server runs on the data folder {}; give the settings, and every -D, that the server was started with",
                folder.display()
            ))
        })?;
        answer.map_err(Failure::from)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
