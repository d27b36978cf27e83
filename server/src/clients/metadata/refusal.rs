//! How a client is told what is wrong with its metadata (RFC 7591 section 3.2.2).

use std::borrow::Cow;

use super::reader::MetadataError;
use crate::protocol::{ErrorCode, OAuthError};

/// The longest description, in bytes.
const MAX_LENGTH: usize = 2000;

/// One refusal for all that is wrong: the code of the first, and every field with its remedy. The log is told the fields alone, because what a
/// stranger wrote may be a secret in the wrong place.
pub(in crate::clients) fn refusal(errors: &[MetadataError]) -> OAuthError {
    let code = errors.first().map_or(ErrorCode::InvalidClientMetadata, MetadataError::code);
    let mut description = String::new();
    for error in errors {
        let sentence = printable(&error.to_string());
        if description.len() + sentence.len() > MAX_LENGTH {
            description.push_str(" | and more");
            break;
        }
        if !description.is_empty() {
            description.push_str(" | ");
        }
        description.push_str(&sentence);
    }
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    OAuthError { description: Cow::Owned(description), ..OAuthError::new(code, "") }.because(printable(&fields.join(" ")))
}

/// The characters of an `error_description` (RFC 6749 section 5.2): ASCII without quotation mark and backslash.
fn printable(text: &str) -> String {
    let one = |character| match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        _ => '?',
    };
    text.chars().take(MAX_LENGTH).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_in_the_characters_of_a_description() {
        let error = |field: &str| MetadataError {
            field: field.to_owned(),
            seen: "\"\u{e4}\\n\"".to_owned(),
            expected: "another".to_owned(),
            remedy: "correct it".to_owned(),
        };
        let told = refusal(&[error("redirect_uris[0]"), error("scope")]);
        assert_eq!(told.code, ErrorCode::InvalidRedirectUri);
        assert_eq!(
            told.description,
            "redirect_uris[0]: seen '?/n'; expected another; remedy: correct it | scope: seen '?/n'; expected another; remedy: correct it"
        );
        assert_eq!(told.cause.as_deref(), Some("redirect_uris[0] scope"));
        let many: Vec<MetadataError> = (0..500).map(|_| error("scope")).collect();
        assert!(refusal(&many).description.len() < 2100);
    }
}
