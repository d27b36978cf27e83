//! The `cnf` claim (RFC 7800): which keys a token is bound to. Knows how they are named, not how their holder proves it.

use serde::{Deserialize, Serialize};

/// The keys whose holder alone may use a token. Of a token that anybody may use who has it: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Thumbprint of a public key whose holder signs proofs (RFC 9449 section 6.1): base64url of a SHA-256 (RFC 7638).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// Thumbprint of a certificate that its holder uses in TLS (RFC 8705 section 3.1): base64url of a SHA-256.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Confirmation {
    /// Bound to nothing.
    pub const NONE: Self = Self { jkt: None, certificate: None };

    /// The claim; absent when there is nothing to confirm.
    #[must_use]
    pub fn claim(&self) -> Option<Self> {
        (*self != Self::NONE).then(|| self.clone())
    }

    /// The `token_type` of an access token so bound (RFC 9449 section 5; a certificate leaves it as it is, RFC 8705 section 3).
    #[must_use]
    pub const fn token_type(&self) -> &'static str {
        if self.jkt.is_some() { "DPoP" } else { "Bearer" }
    }

    /// Whether who has proven the keys of `shown` has proven all of these.
    #[must_use]
    pub fn is_met_by(&self, shown: &Self) -> bool {
        let met = |own: &Option<String>, shown: &Option<String>| own.is_none() || own == shown;
        met(&self.jkt, &shown.jkt) && met(&self.certificate, &shown.certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_must_be_shown() {
        let of = |jkt: Option<&str>, certificate: Option<&str>| Confirmation {
            jkt: jkt.map(str::to_owned),
            certificate: certificate.map(str::to_owned),
        };
        assert!(Confirmation::NONE.is_met_by(&of(Some("a"), None)));
        assert!(of(Some("a"), None).is_met_by(&of(Some("a"), Some("c"))));
        assert!(!of(Some("a"), None).is_met_by(&Confirmation::NONE));
        assert!(!of(Some("a"), None).is_met_by(&of(Some("b"), None)));
        assert!(!of(Some("a"), None).is_met_by(&of(None, Some("a"))));
        assert!(!of(Some("a"), Some("c")).is_met_by(&of(Some("a"), None)));
    }

    #[test]
    fn it_is_written_as_the_registered_members() {
        let both = Confirmation { jkt: Some("a".to_owned()), certificate: Some("c".to_owned()) };
        assert_eq!(serde_json::to_value(&both).ok(), Some(serde_json::json!({"jkt": "a", "x5t#S256": "c"})));
        assert_eq!((both.token_type(), Confirmation::NONE.token_type()), ("DPoP", "Bearer"));
        assert_eq!(Confirmation::NONE.claim(), None);
    }
}
