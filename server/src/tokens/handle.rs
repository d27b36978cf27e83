//! The text form of opaque handles: device secret, session cookie, refresh token. Knows no session and no store.
//!
//! Every handle carries the session id beside its 256 random bits, so that one read finds everything. What is kept is a
//! digest of the handle, never the handle.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::session_id::SessionId;
use crate::foundation::{Secret, random};

const REFRESH_PREFIX: &str = "rt_";

/// Which sort of session handle a text is; the prefix keeps one from being taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleKind {
    /// `ds_`: the device secret of Native SSO.
    DeviceSecret,
    /// `cs_`: the session cookie of a browser.
    SessionCookie,
}

impl HandleKind {
    /// The three characters that every handle of the kind begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::DeviceSecret => "ds_",
            Self::SessionCookie => "cs_",
        }
    }
}

/// A device secret or session cookie: prefix and base64url(session id, secret), 67 characters.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    /// What it is.
    pub kind: HandleKind,
    /// The session it belongs to.
    pub session: SessionId,
    /// What only the rightful holder knows.
    pub secret: Secret<[u8; 32]>,
}

impl SessionHandle {
    /// A handle for `session` with a new secret.
    #[must_use]
    pub fn new(kind: HandleKind, session: SessionId) -> Self {
        Self { kind, session, secret: random::secret() }
    }

    /// Reads a handle of that kind; `None` unless it is exactly what [`SessionHandle::to_text`] writes.
    #[must_use]
    pub fn parse(kind: HandleKind, text: &str) -> Option<Self> {
        let bytes = decode::<48>(text.strip_prefix(kind.prefix())?)?;
        let (session, secret) = bytes.split_at(16);
        Some(Self {
            kind,
            session: SessionId::from_bytes(session.try_into().ok()?),
            secret: Secret::new(secret.try_into().ok()?),
        })
    }

    /// The handle as its holder keeps it.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let mut bytes = Zeroizing::new([0; 48]);
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..].copy_from_slice(self.secret.expose());
        encode(self.kind.prefix(), bytes.as_slice())
    }
}

/// A refresh token: `rt_` and base64url(session id, tag of the app's grant, secret), 89 characters.
#[derive(Debug, Clone)]
pub struct RefreshHandle {
    /// The session it belongs to.
    pub session: SessionId,
    /// Which grant of the session: names it without being a secret.
    pub tag: [u8; 16],
    /// What only the rightful holder knows.
    pub secret: Secret<[u8; 32]>,
}

impl RefreshHandle {
    /// A refresh token for the grant `tag` of `session` with a new secret.
    #[must_use]
    pub fn new(session: SessionId, tag: [u8; 16]) -> Self {
        Self { session, tag, secret: random::secret() }
    }

    /// Reads a refresh token; `None` unless it is exactly what [`RefreshHandle::to_text`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = decode::<64>(text.strip_prefix(REFRESH_PREFIX)?)?;
        let (session, rest) = bytes.split_at(16);
        let (tag, secret) = rest.split_at(16);
        Some(Self {
            session: SessionId::from_bytes(session.try_into().ok()?),
            tag: tag.try_into().ok()?,
            secret: Secret::new(secret.try_into().ok()?),
        })
    }

    /// The refresh token as the app keeps it.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let mut bytes = Zeroizing::new([0; 64]);
        bytes[..16].copy_from_slice(self.session.as_bytes());
        bytes[16..32].copy_from_slice(&self.tag);
        bytes[32..].copy_from_slice(self.secret.expose());
        encode(REFRESH_PREFIX, bytes.as_slice())
    }
}

fn encode(prefix: &str, bytes: &[u8]) -> Secret<String> {
    // Sized in advance: growing would leave copies of the secret behind.
    let mut text = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    Secret::new(text)
}

/// Exactly `N` bytes from canonical base64url, on the stack so that nothing of the secret stays behind.
fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    let mut buffer = Zeroizing::new([0; 96]);
    let length = URL_SAFE_NO_PAD.decode_slice(text, buffer.as_mut_slice()).ok()?;
    let mut bytes = Zeroizing::new([0; N]);
    bytes.copy_from_slice(buffer.get(..length).filter(|read| read.len() == N)?);
    Some(bytes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::foundation::Clock;

    #[test]
    fn the_written_form_is_fixed() {
        let session = SessionId::from_bytes([0; 16]);
        let device = SessionHandle { kind: HandleKind::DeviceSecret, session, secret: Secret::new([0; 32]) };
        assert_eq!(*device.to_text().expose(), format!("ds_{}", "A".repeat(64)));
        let refresh = RefreshHandle { session, tag: [0; 16], secret: Secret::new([0; 32]) };
        assert_eq!(*refresh.to_text().expose(), format!("rt_{}", "A".repeat(86)));
    }

    #[test]
    fn one_kind_is_not_taken_for_another() {
        let handle = SessionHandle::new(HandleKind::DeviceSecret, SessionId::new(&Clock::system()));
        let text = handle.to_text();
        assert!(SessionHandle::parse(HandleKind::DeviceSecret, text.expose()).is_some());
        assert!(SessionHandle::parse(HandleKind::SessionCookie, text.expose()).is_none());
        assert!(RefreshHandle::parse(text.expose()).is_none());
    }

    #[test]
    fn anything_but_the_canonical_text_is_refused() {
        let text = RefreshHandle::new(SessionId::new(&Clock::system()), [7; 16]).to_text();
        let text = text.expose();
        let (short, long, padded) = (&text[..text.len() - 1], format!("{text}A"), format!("{text}=="));
        let spaced = format!("{text} ");
        let plain = format!("rt_{}", "A".repeat(85)) + "B";
        for wrong in ["", "rt_", short, &long, &padded, &spaced, &plain, &text[3..]] {
            assert!(RefreshHandle::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn two_handles_of_one_session_differ() {
        let session = SessionId::new(&Clock::system());
        let texts = [0, 1].map(|_| SessionHandle::new(HandleKind::SessionCookie, session).to_text());
        assert_ne!(texts[0].expose(), texts[1].expose());
    }

    proptest! {
        #[test]
        fn session_handles_survive_text(session: [u8; 16], secret: [u8; 32], cookie: bool) {
            let kind = if cookie { HandleKind::SessionCookie } else { HandleKind::DeviceSecret };
            let handle = SessionHandle { kind, session: SessionId::from_bytes(session), secret: Secret::new(secret) };
            let read = SessionHandle::parse(kind, handle.to_text().expose()).unwrap();
            prop_assert_eq!(read.session, handle.session);
            prop_assert_eq!(read.secret.expose(), &secret);
        }

        #[test]
        fn refresh_handles_survive_text(session: [u8; 16], tag: [u8; 16], secret: [u8; 32]) {
            let handle = RefreshHandle { session: SessionId::from_bytes(session), tag, secret: Secret::new(secret) };
            let read = RefreshHandle::parse(handle.to_text().expose()).unwrap();
            prop_assert_eq!((read.session, read.tag), (handle.session, tag));
            prop_assert_eq!(read.secret.expose(), &secret);
        }

        #[test]
        fn garbage_is_refused_or_written_back_as_itself(text in "(ds_|cs_|rt_)?[A-Za-z0-9_=-]{0,90}|.{0,100}") {
            if let Some(read) = SessionHandle::parse(HandleKind::DeviceSecret, &text) {
                let again = read.to_text();
                prop_assert_eq!(again.expose(), &text);
            }
            if let Some(read) = RefreshHandle::parse(&text) {
                let again = read.to_text();
                prop_assert_eq!(again.expose(), &text);
            }
        }

        #[test]
        fn every_well_formed_length_is_canonical(body in "[A-Za-z0-9_-]{86}") {
            let text = format!("rt_{body}");
            if let Some(read) = RefreshHandle::parse(&text) {
                let again = read.to_text();
                prop_assert_eq!(again.expose(), &text);
            }
        }
    }
}
