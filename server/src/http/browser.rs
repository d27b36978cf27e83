//! What a browser carries: the cookie that binds transactions to it, and its session cookie.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::USER_AGENT;
use actix_web::{HttpRequest, HttpResponse};

use crate::foundation::{Secret, encoding, random};
use crate::grants::authorize::Browser;
use crate::settings::meaning::Issuer;

/// The names of our cookies. Behind TLS they have the prefix that keeps other hosts from setting them.
struct Names {
    session: &'static str,
    binding: &'static str,
}

const fn names(secure: bool) -> Names {
    if secure {
        Names { session: "__Host-symbolon_session", binding: "__Host-symbolon_browser" }
    } else {
        Names { session: "symbolon_session", binding: "symbolon_browser" }
    }
}

/// A browser, and whether it was given its binding cookie only now.
#[derive(Debug)]
pub struct Visitor {
    /// What the browser brings.
    pub browser: Browser,
    new: bool,
}

/// Reads a browser's cookies. One that has no binding yet is given one with the answer.
#[must_use]
pub fn recognise(request: &HttpRequest, issuer: &Issuer) -> Visitor {
    let names = names(issuer.is_https());
    let cookie = |name: &str| request.cookie(name).map(|cookie| Secret::new(cookie.value().to_owned()));
    let binding = cookie(names.binding).filter(|value| encoding::decode_array::<32>(value.expose()).is_some());
    let new = binding.is_none();
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let browser = Browser {
        binding: binding.unwrap_or_else(|| Secret::new(encoding::encode(random::secret().expose()))),
        session: cookie(names.session),
        user_agent,
    };
    Visitor { browser, new }
}

/// Gives a new browser its binding cookie.
pub fn bind(visitor: &Visitor, issuer: &Issuer, answer: &mut HttpResponse) {
    if visitor.new {
        set(names(issuer.is_https()).binding, visitor.browser.binding.expose(), issuer, answer);
    }
}

/// Sets the session cookie; it ends with the browser.
pub fn set_session(cookie: &Secret<String>, issuer: &Issuer, answer: &mut HttpResponse) {
    set(names(issuer.is_https()).session, cookie.expose(), issuer, answer);
}

/// Removes the session cookie.
pub fn clear_session(issuer: &Issuer, answer: &mut HttpResponse) {
    let mut cookie = base(names(issuer.is_https()).session, "", issuer);
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
