//! A page as a browser without JavaScript sees it: title, message, forms. The pages are well-formed XML.

use roxmltree::{Document, Node, ParsingOptions};

/// One page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Its heading.
    pub(super) title: String,
    /// What it complains about.
    pub(super) alert: Option<String>,
    /// Its forms.
    pub(super) forms: Vec<Form>,
}

/// One form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it is sent, as written.
    pub(super) action: String,
    /// Name and value of its fields.
    pub(super) fields: Vec<(String, String)>,
    /// Name and value of its named buttons.
    pub(super) buttons: Vec<(String, String)>,
}

impl Page {
    /// Reads a page; `None` when it is not well-formed.
    pub(super) fn read(markup: &str) -> Option<Self> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document = Document::parse_with_options(markup, options).ok()?;
        let find = |name: &str| document.descendants().find(|node| is(*node, name));
        Some(Self {
            title: find("h1").or_else(|| find("title")).map(text).unwrap_or_default(),
            alert: document.descendants().find(|node| node.attribute("role") == Some("alert")).map(text),
            forms: document.descendants().filter(|node| is(*node, "form")).map(Form::of).collect(),
        })
    }

    /// The form that has a field or button of this name.
    pub(super) fn form(&self, name: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.fields.iter().chain(&form.buttons).any(|(own, _)| own == name))
    }
}

impl Form {
    fn of(form: Node<'_, '_>) -> Self {
        let named = |kind: &'static str| {
            let attribute = |node: Node<'_, '_>, name| node.attribute(name).unwrap_or_default().to_owned();
            let elements = form.descendants().filter(move |node| is(*node, kind) && node.has_attribute("name"));
            elements.map(|node| (attribute(node, "name"), attribute(node, "value"))).collect()
        };
        Self { action: form.attribute("action").unwrap_or_default().to_owned(), fields: named("input"), buttons: named("button") }
    }

    /// Whether it has a button that says so.
    pub(super) fn has_button(&self, name: &str, value: &str) -> bool {
        self.buttons.iter().any(|(own, says)| own == name && says == value)
    }

    /// The fields with these values instead of, or beside, the delivered ones.
    pub(super) fn filled<'a>(&'a self, values: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let kept = self.fields.iter().filter(|(name, _)| values.iter().all(|(filled, _)| filled != name));
        kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(values.iter().copied()).collect()
    }
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn text(node: Node<'_, '_>) -> String {
    let all: String = node.descendants().filter(Node::is_text).filter_map(|child| child.text()).collect();
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const SIGN_IN: &str = r#"<!DOCTYPE html>
<html lang="en"><head><title>Sign in</title></head><body><h1>Sign
 in</h1><p role="alert">No &amp; no.</p>
<form method="post" action="/sign-in"><input type="hidden" name="transaction" value="t1" /><input name="username" value="" />
<input name="password" type="password" /><button type="submit">Sign in</button></form></body></html>"#;

    #[test]
    fn a_form_is_found_and_filled() {
        let page = Page::read(SIGN_IN).unwrap();
        assert_eq!((page.title.as_str(), page.alert.as_deref()), ("Sign in", Some("No & no.")));
        assert!(page.form("decision").is_none());
        let form = page.form("username").unwrap();
        assert_eq!(form.action, "/sign-in");
        assert_eq!(
            form.filled(&[("username", "ada"), ("password", "pw")]),
            [("transaction", "t1"), ("username", "ada"), ("password", "pw")]
        );
    }

    #[test]
    fn buttons_are_told_apart() {
        let page = Page::read(r#"<form action="/c"><button name="decision" value="allow">A</button></form>"#).unwrap();
        let form = page.form("decision").unwrap();
        assert!(form.has_button("decision", "allow"));
        assert!(!form.has_button("decision", "deny"));
    }

    #[test]
    fn what_is_not_well_formed_is_no_page() {
        assert_eq!(Page::read("<p>never closed"), None);
    }
}
