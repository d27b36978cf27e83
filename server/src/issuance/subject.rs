//! Which `sub` a client is told (OpenID Connect Core section 8). Inside the server a person has one; this is the door at which it
//! becomes the client's own.

use std::borrow::Cow;

use super::mint::Issuer;
use crate::clients::{Client, SubjectType};
use crate::foundation::digest::constant_time_eq;
use crate::foundation::encoding;
use crate::tokens::keys::SigningKeys;

/// What the key of pairwise subjects is derived for. Never to be changed: it would make strangers of all people.
const LABEL: &str = "pairwise_subject";

impl Issuer {
    /// The `sub` by which `client` knows the person `sub`. For pairwise clients a keyed HMAC-SHA-256 over sector and person
    /// (section 8.1), the same on every server and for as long as the store and its backups live.
    #[must_use]
    pub fn subject_for<'a>(&self, client: &Client, sub: &'a str) -> Cow<'a, str> {
        match &client.subject_type {
            SubjectType::Public => Cow::Borrowed(sub),
            SubjectType::Pairwise { sector } => Cow::Owned(pairwise(self.keys(), sector, sub)),
        }
    }

    /// Whether `claimed`, in a token that we signed for `client`, stands for the person `sub`: also by the name that the client was
    /// told while it was public. For signed tokens alone: what a client may make up itself is compared with [`Self::subject_for`],
    /// or it could ask whether two subjects are one person.
    #[must_use]
    pub fn is_subject(&self, client: &Client, claimed: &str, sub: &str) -> bool {
        constant_time_eq(claimed.as_bytes(), sub.as_bytes())
            || constant_time_eq(claimed.as_bytes(), self.subject_for(client, sub).as_bytes())
    }
}

fn pairwise(keys: &SigningKeys, sector: &str, sub: &str) -> String {
    encoding::encode(keys.derive(LABEL, &[sector.as_bytes(), sub.as_bytes()]).expose())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::foundation::{Clock, Secret};
    use crate::storage::memory::Memory;
    use crate::tokens::keys::KeyPolicy;
    use crate::tokens::sealing::SealingKey;

    const POLICY: KeyPolicy =
        KeyPolicy { publish_before_use: Duration::ZERO, rotate_every: None, verify_for: Some(Duration::from_secs(1)) };

    async fn open(store: &Arc<Memory>, clock: &Clock) -> SigningKeys {
        let sealing = SealingKey::from_text(&Secret::new("07".repeat(32))).unwrap();
        SigningKeys::open(Arc::clone(store) as _, clock.clone(), sealing, POLICY).await.unwrap()
    }

    fn keys() -> &'static SigningKeys {
        static KEYS: OnceLock<SigningKeys> = OnceLock::new();
        KEYS.get_or_init(|| {
            let clock = Clock::manual(1_800_000_000);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(open(&Arc::new(Memory::new(clock.clone())), &clock))
        })
    }

    #[tokio::test]
    async fn every_server_of_a_store_says_the_same_for_ever_and_every_other_store_says_something_else() {
        let clock = Clock::manual(1_800_000_000);
        let store = Arc::new(Memory::new(clock.clone()));
        let (one, two) = (open(&store, &clock).await, open(&store, &clock).await);
        let before = pairwise(&one, "a.example", "ada");
        assert_eq!(before, pairwise(&two, "a.example", "ada"));
        one.rotate(None, true).await.unwrap();
        clock.advance(Duration::from_hours(100_000));
        one.tick().await;
        assert_eq!(before, pairwise(&one, "a.example", "ada"), "after rotation and a long time");
        let elsewhere = open(&Arc::new(Memory::new(clock.clone())), &clock).await;
        assert_ne!(before, pairwise(&elsewhere, "a.example", "ada"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Injective as far as anybody will ever see: moving a character over the border between sector and person is another pair.
        #[test]
        fn two_pairs_never_share_a_subject(a in "[a-c.]{0,4}", b in "[a-c.]{0,4}", c in "[a-c.]{0,4}", d in "[a-c.]{0,4}") {
            let same = (&a, &b) == (&c, &d);
            prop_assert_eq!(pairwise(keys(), &a, &b) == pairwise(keys(), &c, &d), same);
        }

        /// OpenID Connect Core section 8.1: not reversible, and at most 255 ASCII characters (section 2).
        #[test]
        fn a_subject_shows_nothing_of_what_it_is_made_of(sector in "[a-z]{4,40}", sub in "[A-Za-z0-9_-]{4,64}") {
            let told = pairwise(keys(), &sector, &sub);
            prop_assert_eq!(told.len(), 43);
            prop_assert!(told.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert!(!told.contains(&sub) && !told.contains(&sector));
        }
    }
}
