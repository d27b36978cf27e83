//! HMAC-SHA256 (RFC 2104) over bytes that are said to somebody who has the same key.

use aws_lc_rs::hmac;

use super::Secret;

/// The authentication code of these parts, one after the other.
#[must_use]
pub fn hmac_sha256(key: &Secret<Vec<u8>>, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foundation::encoding;

    #[test]
    fn the_second_case_of_rfc_4231() {
        let code = hmac_sha256(&Secret::new(b"Jefe".to_vec()), &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(encoding::encode_standard(code), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }
}
