//! Time-based one-time passwords (RFC 6238) as every authenticator app makes them: SHA-1, six digits, thirty seconds.

use totp_rs::{Builder, Totp};

use crate::foundation::{Secret, random};

/// Bytes of a seed: as many as the hash has (RFC 4226 section 4, R6).
const SEED: usize = 20;
/// Seconds of one step.
pub const STEP: u64 = 30;

/// What an app is shown to learn a seed.
#[derive(Debug)]
pub struct Enrolment {
    /// The seed in base32, to be typed.
    pub seed: Secret<String>,
    /// The same as `otpauth` URI, to be scanned.
    pub uri: Secret<String>,
}

/// A new seed.
pub(super) fn new_seed() -> Secret<Vec<u8>> {
    Secret::new(random::bytes::<SEED>().to_vec())
}

/// The time step of a code of that seed which is right at `now` (seconds since 1970), one step to either side allowed for clocks that
/// differ (RFC 6238 section 6).
pub(super) fn step_of(seed: &Secret<Vec<u8>>, code: &str, now: u64) -> Option<u64> {
    totp(seed, "", "")?.check(code, now)
}

/// What an app is shown.
pub(super) fn enrolment(seed: &Secret<Vec<u8>>, issuer: &str, name: &str) -> Option<Enrolment> {
    let totp = totp(seed, issuer, name)?;
    Some(Enrolment { seed: Secret::new(totp.secret().to_base32()), uri: Secret::new(totp.to_url().ok()?) })
}

fn totp(seed: &Secret<Vec<u8>>, issuer: &str, name: &str) -> Option<Totp> {
    // The colon stands between issuer and name in the URI.
    let clean = |text: &str| text.replace(':', " ");
    let builder = Builder::new().with_secret(seed.expose().clone()).with_skew(1).with_step_duration(STEP);
    builder.with_issuer(Some(clean(issuer)).filter(|issuer| !issuer.is_empty())).with_account_name(clean(name)).build().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn seed() -> Secret<Vec<u8>> {
        Secret::new(b"12345678901234567890".to_vec())
    }

    /// The last six digits of RFC 6238 appendix B.
    #[test]
    fn the_vectors_of_the_specification() {
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(step_of(&seed(), code, time), Some(time / STEP));
        }
    }

    #[test]
    fn one_step_to_either_side() {
        for (now, right) in [(59 - 30, true), (59 + 30, true), (59 + 61, false)] {
            assert_eq!(step_of(&seed(), "287082", now).is_some(), right, "{now}");
        }
        for wrong in ["", "28708", "2870822", "abcdef", "287 083", "２８７０８２"] {
            assert_eq!(step_of(&seed(), wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_learns_the_seed() {
        let enrolment = enrolment(&seed(), "id.example.com:8443", "ada@example.com").unwrap();
        assert_eq!(enrolment.seed.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = enrolment.uri.expose();
        assert!(uri.starts_with("otpauth://totp/") && uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{uri}");
        assert!(!format!("{enrolment:?}").contains("GEZDG"));
        assert_ne!(new_seed().expose(), new_seed().expose());
    }
}
