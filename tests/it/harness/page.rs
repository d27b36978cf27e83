//! A page as a browser without JavaScript sees it: headers, forms, fields, buttons, messages.

use reqwest::header::HeaderMap;
use roxmltree::{Document, Node, ParsingOptions};
use url::Url;

use super::request::Form;

/// One answer to a browser.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Where it came from.
    pub(crate) url: Url,
    /// The status code.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The markup.
    pub(crate) body: String,
}

/// One form of a page.
#[derive(Debug, Clone)]
pub(crate) struct FormOnPage {
    /// Where it is sent, absolute.
    pub(crate) action: Url,
    /// `name` and value of the fields, as the page was delivered.
    pub(crate) fields: Form,
    /// `name` and `value` of the buttons.
    pub(crate) buttons: Vec<(String, String)>,
}

impl Page {
    /// Reads the page as XML: it is well-formed, or the test fails.
    #[track_caller]
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&Document<'_>) -> T) -> T {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        match Document::parse_with_options(&self.body, options) {
            Ok(document) => reader(&document),
            Err(error) => panic!("the page of {} (status {}) is not well-formed: {error}\n{}", self.url, self.status, self.body),
        }
    }

    /// Whether this is a page of markup.
    pub(crate) fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|value| value.starts_with("text/html"))
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where a 302 or 303 leads.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.header("location")?;
        matches!(self.status, 302 | 303).then(|| self.url.join(location).expect("a URL in Location"))
    }

    /// The form that has a field or button called `name`.
    #[track_caller]
    pub(crate) fn form(&self, name: &str) -> Option<FormOnPage> {
        self.read(|document| {
            document
                .descendants()
                .filter(|node| is(*node, "form"))
                .map(|form| self.form_of(form))
                .find(|form| form.fields.0.iter().chain(&form.buttons).any(|(own, _)| own == name))
        })
    }

    /// The text of the element with `role="alert"`.
    #[track_caller]
    pub(crate) fn alert(&self) -> Option<String> {
        self.read(|document| document.descendants().find(|node| node.attribute("role") == Some("alert")).map(text))
    }

    fn form_of(&self, form: Node<'_, '_>) -> FormOnPage {
        assert_eq!(form.attribute("method").map(str::to_lowercase).as_deref(), Some("post"), "forms are posted");
        let attribute = |node: Node<'_, '_>, name| node.attribute(name).unwrap_or_default().to_owned();
        let named = |kind: &'static str| form.descendants().filter(move |node| is(*node, kind) && node.has_attribute("name"));
        FormOnPage {
            action: self.url.join(form.attribute("action").unwrap_or_default()).expect("the action of a form"),
            fields: Form(named("input").map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()),
            buttons: named("button").map(|button| (attribute(button, "name"), attribute(button, "value"))).collect(),
        }
    }
}

/// Whether a node is the element called `name`, whatever its namespace.
pub(crate) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// All text below a node, white space folded.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    let all: String = node.descendants().filter(Node::is_text).filter_map(|child| child.text()).collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}
