//! Reads `Authorization: Basic` as OAuth writes it. Must not know clients.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::foundation::Secret;
use crate::protocol::{ErrorCode, OAuthError};

/// The longest header accepted, in bytes.
const MAX_LENGTH: usize = 4096;

/// Padded or not: some clients leave the padding out.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Why the header is no Basic credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BasicError {
    /// Another scheme, or none.
    #[error("the Authorization header is not of the Basic scheme")]
    OtherScheme,
    /// Longer than 4096 bytes.
    #[error("the Authorization header is too long")]
    TooLong,
    /// Not base64 of text.
    #[error("the Basic credentials are not base64 of UTF-8 text")]
    Encoding,
    /// No colon, or nothing before it.
    #[error("the Basic credentials have no client_id and colon")]
    Shape,
}

impl From<BasicError> for OAuthError {
    fn from(error: BasicError) -> Self {
        Self::new(ErrorCode::InvalidClient, "Client authentication failed.").because(error.to_string())
    }
}

/// The `client_id` and secret of an `Authorization` header.
///
/// Both are form-encoded inside (RFC 6749 section 2.3.1), which many clients leave out: a `%` without two hexadecimal
/// digits therefore stands for itself, and so does `+` in an id, because no id has a space. A `+` in a secret is ambiguous
/// here (`authenticate` accepts both readings).
///
/// # Errors
/// When it is not Basic or cannot be read.
pub fn parse_basic(header: &str) -> Result<(String, Secret<String>), BasicError> {
    let (scheme, credentials) = header.trim().split_once(' ').ok_or(BasicError::OtherScheme)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(BasicError::OtherScheme);
    }
    if header.len() > MAX_LENGTH {
        return Err(BasicError::TooLong);
    }
    let bytes = BASE64.decode(credentials.trim()).map_err(|_| BasicError::Encoding)?;
    let bytes = Secret::new(bytes);
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| BasicError::Encoding)?;
    let (id, secret) = text.split_once(':').filter(|(id, _)| !id.is_empty()).ok_or(BasicError::Shape)?;
    let id = form_decode(id, '+').ok_or(BasicError::Encoding)?;
    let secret = form_decode(secret, ' ').ok_or(BasicError::Encoding)?;
    Ok((id, Secret::new(secret)))
}

/// Decodes `application/x-www-form-urlencoded`, with `plus` for `+`; `None` when the result is not UTF-8.
fn form_decode(text: &str, plus: char) -> Option<String> {
    let replaced;
    let text = if plus == '+' {
        text
    } else {
        replaced = Secret::new(text.replace('+', &plus.to_string()));
        replaced.expose()
    };
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn header(credentials: &str) -> String {
        format!("Basic {}", BASE64.encode(credentials))
    }

    fn read(credentials: &str) -> (String, String) {
        let (id, secret) = parse_basic(&header(credentials)).unwrap();
        (id, secret.expose().clone())
    }

    #[test]
    fn decodes_what_rfc_6749_encodes() {
        assert_eq!(read("a%3Ab:s%2Bx+y%25"), ("a:b".to_owned(), "s+x y%".to_owned()));
        assert_eq!(read("id:"), ("id".to_owned(), String::new()));
        assert_eq!(read("id:a:b"), ("id".to_owned(), "a:b".to_owned()));
    }

    #[test]
    fn forgives_clients_that_do_not_encode() {
        assert_eq!(read("a+b:100%"), ("a+b".to_owned(), "100%".to_owned()));
        assert_eq!(read("id:%zz%4"), ("id".to_owned(), "%zz%4".to_owned()));
        assert_eq!(parse_basic("bAsIc  aWQ6c2VjcmV0").unwrap().0, "id");
        assert_eq!(parse_basic("Basic aWQ6cw").unwrap().0, "id", "without padding");
    }

    #[test]
    fn refuses_the_rest() {
        for (text, error) in [
            ("", BasicError::OtherScheme),
            ("Basic", BasicError::OtherScheme),
            ("Bearer aWQ6cw==", BasicError::OtherScheme),
            ("Basic !!!", BasicError::Encoding),
            ("Basic aWQ=", BasicError::Shape),
            ("Basic OnNlY3JldA==", BasicError::Shape),
            ("Basic aWQ6_w==", BasicError::Encoding),
        ] {
            assert_eq!(parse_basic(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(parse_basic(&header("id:%ff")).unwrap_err(), BasicError::Encoding);
        assert_eq!(parse_basic(&header(&"x".repeat(5000))).unwrap_err(), BasicError::TooLong);
        assert_eq!(OAuthError::from(BasicError::Shape).code, ErrorCode::InvalidClient);
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_comes_back(id in "[!-~]{1,20}", secret in "[ -~]{0,40}") {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(read(&format!("{}:{}", encode(&id), encode(&secret))), (id, secret));
        }

        #[test]
        fn any_header_is_read_or_refused(text in ".{0,60}") {
            let _ = parse_basic(&text);
            let _ = parse_basic(&header(&text));
        }
    }
}
