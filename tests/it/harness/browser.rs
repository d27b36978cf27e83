//! A browser without JavaScript: cookies, redirects one at a time, forms filled in and sent.

use std::collections::BTreeMap;

use reqwest::cookie::{CookieStore as _, Jar};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use url::Url;

use super::page::{FormOnPage, Page};
use super::person::Person;
use super::request::{Authorization, Form};
use super::server::{Server, http};

/// One browser of one person.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    jar: Jar,
    forwarded_for: Option<String>,
    user_agent: Option<String>,
}

/// Where an authorization request came to rest.
#[derive(Debug)]
pub(crate) enum Landing {
    /// Back at the client, with these parameters.
    Client(Url, BTreeMap<String, String>),
    /// On a page of ours.
    Page(Page),
}

impl Landing {
    /// The parameters that the client received.
    #[track_caller]
    pub(crate) fn parameters(self) -> BTreeMap<String, String> {
        match self {
            Self::Client(_, parameters) => parameters,
            Self::Page(page) => panic!("still at {} (status {}):\n{}", page.url, page.status, page.body),
        }
    }

    /// The code that the client received.
    #[track_caller]
    pub(crate) fn code(self) -> String {
        let parameters = self.parameters();
        parameters.get("code").unwrap_or_else(|| panic!("no code: {parameters:?}")).clone()
    }

    /// The error code that the client received, with its description, state and issuer checked to be there.
    #[track_caller]
    pub(crate) fn error(self, request: &Authorization, server: &Server) -> String {
        let parameters = self.parameters();
        let get = |name: &str| parameters.get(name).map(String::as_str);
        assert_eq!(get("code"), None);
        assert_eq!(get("state"), Some(request.state.as_str()), "{parameters:?}");
        assert_eq!(get("iss"), Some(server.issuer.as_str()), "RFC 9207: {parameters:?}");
        assert!(get("error_description").is_some_and(|text| !text.is_empty()), "{parameters:?}");
        get("error").unwrap_or_else(|| panic!("no error: {parameters:?}")).to_owned()
    }

    /// The page of ours.
    #[track_caller]
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Client(url, _) => panic!("was sent to {url}"),
        }
    }
}

impl Browser {
    /// A browser that was never here.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A browser behind a proxy that says this of its address.
    pub(crate) fn behind(forwarded_for: &str) -> Self {
        Self { forwarded_for: Some(forwarded_for.to_owned()), ..Self::default() }
    }

    /// A browser that says this of itself.
    pub(crate) fn calling_itself(user_agent: &str) -> Self {
        Self::new().that_says(user_agent)
    }

    /// The same browser, saying this of itself.
    pub(crate) fn that_says(self, user_agent: &str) -> Self {
        Self { user_agent: Some(user_agent.to_owned()), ..self }
    }

    /// Opens an address.
    #[track_caller]
    pub(crate) fn get(&self, url: &Url) -> Page {
        self.send(http().get(url.clone()), url)
    }

    /// Sends a form.
    #[track_caller]
    pub(crate) fn post(&self, url: &Url, form: &Form) -> Page {
        let request = http().post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.header("origin", url.origin().ascii_serialization()).body(form.encoded()), url)
    }

    /// Puts cookies into it from outside, as a header of another browser shows them.
    pub(crate) fn plant(&self, url: &Url, cookies: &str) {
        for cookie in cookies.split("; ") {
            self.set_cookie(url, &format!("{cookie}; Path=/"));
        }
    }

    /// Is told a cookie at that address, as `Set-Cookie` says it.
    pub(crate) fn set_cookie(&self, url: &Url, cookie: &str) {
        self.jar.add_cookie_str(cookie, url);
    }

    /// The cookies it would send there, as a header.
    pub(crate) fn cookies(&self, url: &Url) -> Option<String> {
        self.jar.cookies(url).map(|value| value.to_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn send(&self, mut request: reqwest::blocking::RequestBuilder, url: &Url) -> Page {
        if let Some(cookies) = self.jar.cookies(url) {
            request = request.header(COOKIE, cookies);
        }
        if let Some(name) = &self.user_agent {
            request = request.header("user-agent", name);
        }
        if let Some(address) = &self.forwarded_for {
            request = request.header("x-forwarded-for", address);
        }
        let response = request.send().unwrap_or_else(|error| panic!("{url} gives no answer: {error:?}"));
        let headers = response.headers().clone();
        self.jar.set_cookies(&mut headers.get_all(SET_COOKIE).iter(), url);
        Page { url: url.clone(), status: response.status().as_u16(), headers, body: response.text().expect("a body") }
    }

    /// Sends an authorization request and follows redirects of ours; stops at the first page.
    #[track_caller]
    pub(crate) fn ask(&self, server: &Server, request: &Authorization) -> Landing {
        let page = self.get(&request.url(server));
        self.follow(server, page)
    }

    /// Follows redirects as long as they stay with the server.
    #[track_caller]
    pub(crate) fn follow(&self, server: &Server, mut page: Page) -> Landing {
        for _ in 0..10 {
            let Some(location) = page.location() else {
                return match page.is_html().then(|| page.form("iss")).flatten() {
                    // The answer itself, as a form (OAuth 2.0 Form Post Response Mode).
                    Some(form) => Landing::Client(form.action, form.fields.0.into_iter().collect()),
                    None => Landing::Page(page),
                };
            };
            if !location.as_str().starts_with(&server.issuer) {
                let fragment = url::form_urlencoded::parse(location.fragment().unwrap_or_default().as_bytes());
                let parameters = location.query_pairs().into_owned().chain(fragment.into_owned()).collect();
                return Landing::Client(location, parameters);
            }
            page = self.get(&location);
        }
        panic!("ten redirects in a row, the last to {}", page.url);
    }

    /// Fills in name and password on the sign-in page.
    #[track_caller]
    pub(crate) fn submit_password(&self, server: &Server, page: &Page, name: &str, password: &str) -> Landing {
        let form = sign_in_form(page);
        let answer = self.post(&form.action, &form.fields.set("username", name).set("password", password));
        self.follow(server, answer)
    }

    /// Signs everybody out on the page for that.
    #[track_caller]
    pub(crate) fn sign_out(&self, server: &Server) {
        let form = self.get(&server.url("/logout").parse().expect("a URL")).form("logout").expect("a question");
        self.post(&form.action, &form.fields.and("logout", "yes"));
    }

    /// Presses a button of the consent page.
    #[track_caller]
    pub(crate) fn decide(&self, server: &Server, page: &Page, decision: &str) -> Landing {
        let form = page.form("decision").unwrap_or_else(|| panic!("no consent form:\n{}", page.body));
        assert!(form.buttons.contains(&("decision".to_owned(), decision.to_owned())), "{form:?}");
        let answer = self.post(&form.action, &form.fields.and("decision", decision));
        self.follow(server, answer)
    }

    /// The whole way: signs in if asked, allows if asked, until the browser leaves the server or an error page comes.
    #[track_caller]
    pub(crate) fn authorize(&self, server: &Server, request: &Authorization, person: &Person) -> Landing {
        let mut landing = self.ask(server, request);
        for _ in 0..3 {
            let page = match landing {
                Landing::Page(page) if page.status == 200 => page,
                other => return other,
            };
            landing = if page.form("username").is_some() {
                assert_eq!(page.alert(), None, "the sign-in page complains");
                self.submit_password(server, &page, &person.name, &person.password)
            } else if page.form("decision").is_some() {
                self.decide(server, &page, "allow")
            } else {
                return Landing::Page(page);
            };
        }
        landing
    }
}

/// The form of the sign-in page.
#[track_caller]
pub(crate) fn sign_in_form(page: &Page) -> FormOnPage {
    let form = page.form("username").unwrap_or_else(|| panic!("no sign-in form (status {}):\n{}", page.status, page.body));
    for name in ["transaction", "username", "password"] {
        assert!(form.fields.0.iter().any(|(own, _)| own == name), "no field {name}: {form:?}");
    }
    form
}
