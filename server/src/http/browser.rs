//! What a browser carries: the cookie that binds transactions to it, and its session cookie.

use actix_web::cookie::time::Duration as Span;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse};

use super::origin;
use crate::foundation::{Digest, Secret, encoding, random};
use crate::grants::authorize::{Brought, Browser, Cookies, Means};
use crate::grants::logout::session_state::StateCookie;
use crate::settings::meaning::{Issuer, Proxy};

/// The names of our cookies. Behind TLS they have the prefix that keeps other hosts from setting them.
struct Names {
    sessions: &'static str,
    kept: &'static str,
    binding: &'static str,
    /// Read by the script of `/check-session`, in a frame of another site's page.
    state: &'static str,
}

const fn names(secure: bool) -> Names {
    if secure {
        Names {
            sessions: "__Host-symbolon_session",
            kept: "__Host-symbolon_kept",
            binding: "__Host-symbolon_browser",
            state: "__Host-symbolon_state",
        }
    } else {
        Names { sessions: "symbolon_session", kept: "symbolon_kept", binding: "symbolon_browser", state: "symbolon_state" }
    }
}

/// What Auth0's SDKs and its documentation call the cookie with a session transfer token.
const TRANSFER_TOKENS: [&str; 2] = ["auth0_session_transfer_token", "session_transfer_token"];

/// A browser, and whether it was given its binding cookie only now.
#[derive(Debug)]
pub struct Visitor {
    /// What the browser brings.
    pub browser: Browser,
    new: bool,
}

impl Visitor {
    /// Whether it brought no binding cookie.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.new
    }
}

/// Reads a browser's cookies. One that has no binding yet is given one with the answer.
#[must_use]
pub fn recognise(request: &HttpRequest, issuer: &Issuer, proxy: &Proxy) -> Visitor {
    let names = names(issuer.is_https());
    let cookie = |name: &str| request.cookie(name).map(|cookie| Secret::new(cookie.value().to_owned()));
    let binding = cookie(names.binding).filter(|value| encoding::decode_array::<32>(value.expose()).is_some());
    let new = binding.is_none();
    let browser = Browser {
        binding: binding.unwrap_or_else(|| Secret::new(encoding::encode(random::secret().expose()))),
        sessions: cookie(names.sessions),
        kept: cookie(names.kept),
        state: cookie(names.state),
        user_agent: origin::user_agent(request).to_owned(),
        address: origin::address(request, proxy),
    };
    Visitor { browser, new }
}

/// The session transfer token in a cookie that an app has set.
#[must_use]
pub fn transfer_token(request: &HttpRequest) -> Option<Brought> {
    let cookie = TRANSFER_TOKENS.into_iter().find_map(|name| request.cookie(name))?;
    Some(Brought { token: Digest::of(cookie.value()), means: Means::Cookie })
}

/// Removes that cookie: it is good for one use. Which domain and path the app has named is not known, so all that it can be are removed.
pub fn remove_transfer_token(request: &HttpRequest, issuer: &Issuer, answer: &mut HttpResponse) {
    let endpoint = format!("{}/authorize", issuer.url.path().trim_end_matches('/'));
    for name in TRANSFER_TOKENS.into_iter().filter(|name| request.cookie(name).is_some()) {
        for domain in [None].into_iter().chain(domains(issuer).map(Some)) {
            for path in paths(&endpoint) {
                let mut cookie = base(name, "", issuer);
                cookie.set_path(path);
                if let Some(domain) = domain {
                    cookie.set_domain(domain);
                }
                cookie.make_removal();
                add(&cookie, answer);
            }
        }
    }
}

/// The paths for which an app may have set a cookie that is sent to that one (RFC 6265 section 5.1.4): the root, each folder on the way, with and
/// without a slash at its end, and itself.
fn paths(endpoint: &str) -> impl Iterator<Item = &str> {
    let slashes = endpoint.match_indices('/').map(|(at, _)| at);
    let ends = slashes.flat_map(|at| [at, at + 1]).filter(|end| *end > 0).chain([endpoint.len()]);
    ends.map(|end| &endpoint[..end])
}

/// The host of the issuer and the domains above it, for which an app may have set a cookie. One that browsers take for nobody's they pass over.
fn domains(issuer: &Issuer) -> impl Iterator<Item = &str> {
    let mut next = issuer.url.domain();
    std::iter::from_fn(move || {
        let domain = next?;
        next = domain.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'));
        Some(domain)
    })
}

/// Gives a new browser its binding cookie.
pub fn bind(visitor: &Visitor, issuer: &Issuer, answer: &mut HttpResponse) {
    if visitor.new {
        set(names(issuer.is_https()).binding, visitor.browser.binding.expose(), issuer, answer);
    }
}

/// Sets the session cookies, or removes those that the browser has and shall have no more.
pub fn set_sessions(cookies: &Cookies, browser: &Browser, issuer: &Issuer, answer: &mut HttpResponse) {
    let names = names(issuer.is_https());
    show_state(cookies.state.as_ref(), issuer, answer);
    match &cookies.sessions {
        Some(handles) => set(names.sessions, handles.expose(), issuer, answer),
        None if browser.sessions.is_some() => remove(names.sessions, issuer, answer),
        None => {}
    }
    match &cookies.kept {
        Some((handles, life)) => {
            let mut cookie = base(names.kept, handles.expose(), issuer);
            cookie.set_max_age(i64::try_from(life.as_secs()).map_or(Span::MAX, Span::seconds));
            add(&cookie, answer);
        }
        None if browser.kept.is_some() => remove(names.kept, issuer, answer),
        None => {}
    }
}

/// The name of the cookie that shows a browser's state to the script of `/check-session`.
#[must_use]
pub fn state_cookie(issuer: &Issuer) -> &'static str {
    names(issuer.is_https()).state
}

/// Shows the browser's state to that script (Session Management section 3.2), or that nobody is signed in.
pub fn show_state(state: Option<&StateCookie>, issuer: &Issuer, answer: &mut HttpResponse) {
    // A sign-in that leads straight to the client says it twice.
    if answer.cookies().any(|own| own.name() == state_cookie(issuer)) {
        return;
    }
    let mut cookie = base(state_cookie(issuer), state.map_or("", |(value, _)| value.expose()), issuer);
    cookie.set_http_only(false);
    // Without TLS browsers take no cookie that says `None`.
    cookie.set_same_site(issuer.is_https().then_some(SameSite::None));
    match state {
        None => cookie.make_removal(),
        Some((_, None)) => {}
        Some((_, Some(life))) => cookie.set_max_age(i64::try_from(life.as_secs()).map_or(Span::MAX, Span::seconds)),
    }
    add(&cookie, answer);
}

fn remove(name: &'static str, issuer: &Issuer, answer: &mut HttpResponse) {
    let mut cookie = base(name, "", issuer);
    cookie.make_removal();
    add(&cookie, answer);
}

fn set(name: &'static str, value: &str, issuer: &Issuer, answer: &mut HttpResponse) {
    add(&base(name, value, issuer), answer);
}

fn base<'a>(name: &'static str, value: &'a str, issuer: &Issuer) -> Cookie<'a> {
    // `Lax` and not `Strict`: a sign-in begins with a navigation from the app or its site.
    Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).secure(issuer.is_https()).finish()
}

fn add(cookie: &Cookie<'_>, answer: &mut HttpResponse) {
    if let Err(error) = answer.add_cookie(cookie) {
        // Names and values are ours and made of cookie characters.
        tracing::error!(%error, "a cookie could not be written");
    }
}

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn a_cookie_may_be_set_for_every_folder_on_the_way() {
        assert_eq!(paths("/authorize").collect::<Vec<_>>(), ["/", "/authorize"]);
        assert_eq!(
            paths("/one/two/authorize").collect::<Vec<_>>(),
            ["/", "/one", "/one/", "/one/two", "/one/two/", "/one/two/authorize"]
        );
    }
}
