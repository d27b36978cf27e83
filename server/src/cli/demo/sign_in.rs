//! What the person does in the browser: sign in, allow, and be sent back to the app.

use std::collections::BTreeMap;

use url::Url;

use super::cast::Cast;
use super::page::{Form, Page};
use super::walk::{Answer, Show, Walk, Who};
use crate::cli::output::Failure;

/// More steps than any sign-in takes.
const MOST_STEPS: usize = 10;

/// Where the browser came to rest.
#[derive(Debug)]
pub(super) struct Landing {
    /// What the app was told.
    pub(super) parameters: BTreeMap<String, String>,
    /// Whether the person was asked to sign in.
    pub(super) signed_in: bool,
    /// Whether the person was asked to agree.
    pub(super) agreed: bool,
}

/// Opens an authorization request in the browser, and does what the pages ask until the app is called back.
///
/// # Errors
/// When the server shows something else than the two forms, or sends the browser elsewhere.
pub(super) async fn authorize(walk: &mut Walk, request: &Url, cast: &Cast) -> Result<Landing, Failure> {
    let mut landing = Landing { parameters: BTreeMap::new(), signed_in: false, agreed: false };
    let mut answer = walk.get(Who::Browser, request, None, Show::All).await?;
    for _ in 0..MOST_STEPS {
        if let Some(to) = answer.location.take().filter(|_| answer.status.is_redirection()) {
            if is_of_app(&to, &cast.redirect_uri) {
                landing.parameters = to.query_pairs().into_owned().collect();
                return Ok(landing);
            }
            if to.origin() != request.origin() {
                return Err(Failure::refusal(format!(
                    "a surprise: the browser was sent to {}",
                    to.origin().ascii_serialization()
                )));
            }
            answer = walk.get(Who::Browser, &to, None, Show::All).await?;
            continue;
        }
        let page = read(&answer)?;
        if let Some(form) = page.form("username") {
            walk.narrator.row("page", &format!("{}: a form with name and password", page.title));
            if landing.signed_in {
                let why = page.alert.unwrap_or_else(|| "the form came again".to_owned());
                return Err(Failure::refusal(format!("the person {} could not sign in: {why}", cast.person)));
            }
            landing.signed_in = true;
            let fields = form.filled(&[("username", &cast.person), ("password", cast.password.expose())]);
            answer = send(walk, &answer, form, &fields).await?;
        } else if let Some(form) = page.form("decision").filter(|form| form.has_button("decision", "allow")) {
            walk.narrator.row("page", &format!("{}: a form with the buttons allow and deny", page.title));
            landing.agreed = true;
            let fields = form.filled(&[("decision", "allow")]);
            answer = send(walk, &answer, form, &fields).await?;
        } else {
            let says = page.alert.unwrap_or(page.title);
            return Err(Failure::refusal(format!(
                "a surprise: neither a sign-in nor a consent page ({}): {says}",
                answer.status
            )));
        }
    }
    Err(Failure::refusal(format!("a surprise: after {MOST_STEPS} steps the browser is still not back at the app")))
}

fn read(answer: &Answer) -> Result<Page, Failure> {
    Page::read(&answer.body).ok_or_else(|| {
        Failure::refusal(format!("a surprise: {} answers {} without a readable page", answer.url.path(), answer.status))
    })
}

async fn send(walk: &mut Walk, page: &Answer, form: &Form, fields: &[(&str, &str)]) -> Result<Answer, Failure> {
    // A page that sends the password to another server is not of ours.
    match page.url.join(&form.action) {
        Ok(action) if action.origin() == page.url.origin() => walk.post(Who::Browser, &action, fields, Show::All).await,
        _ => Err(Failure::refusal("a surprise: the form of the page leads to another server")),
    }
}

/// Whether an address is the app's redirect URI, with the answer in its query.
fn is_of_app(address: &Url, redirect_uri: &str) -> bool {
    let Ok(registered) = Url::parse(redirect_uri) else { return false };
    address.as_str().strip_prefix(registered.as_str()).is_some_and(|rest| rest.starts_with(['?', '&']))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_recognised_by_its_whole_redirect_uri() {
        let is = |address: &str| is_of_app(&Url::parse(address).unwrap(), "com.example.one:/callback");
        assert!(is("com.example.one:/callback?code=c"));
        assert!(!is("com.example.one:/callback/other?code=c"));
        assert!(!is("com.example.two:/callback?code=c"));
        assert!(is_of_app(&Url::parse("https://a.example/cb?x=1&code=c").unwrap(), "https://a.example/cb?x=1"));
    }
}
