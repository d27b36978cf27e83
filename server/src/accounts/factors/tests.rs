//! Second factors: enrolment, use, replay, rivalry.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use totp_rs::{Builder, Secret as Seed};

use super::*;
use crate::storage::memory::Memory;

const NOW: u64 = 1_700_000_000;
const HOUR: Duration = Duration::from_hours(1);

fn factors(clock: &Clock) -> Factors {
    let sealing = SealingKey::from_text(&Secret::new("00".repeat(32))).unwrap();
    Factors::new(Arc::new(Memory::new(clock.clone())), clock.clone(), sealing)
}

/// What the app shows at a time.
fn code_at(enrolment: &Enrolment, time: u64) -> Secret<String> {
    let seed = Seed::try_from_base32(enrolment.seed.expose()).unwrap();
    Secret::new(Builder::new().with_secret(seed).build().unwrap().generate(time).to_string())
}

async fn enrolled(factors: &Factors) -> (Enrolment, Vec<Secret<String>>) {
    let enrolment = factors.begin("ada", "id.example.com", "Ada", "tab").await.unwrap();
    let codes = factors.confirm("ada", &code_at(&enrolment, NOW), "tab", HOUR).await.unwrap().unwrap();
    (enrolment, codes)
}

#[tokio::test]
async fn nothing_is_in_use_before_it_was_confirmed() {
    let factors = factors(&Clock::manual(NOW));
    assert!(matches!(factors.confirm("ada", &Secret::new("123456".to_owned()), "tab", HOUR).await, Err(FactorError::NotBegun)));
    let first = factors.begin("ada", "id", "Ada", "tab").await.unwrap();
    let enrolment = factors.begin("ada", "id", "Ada", "tab").await.unwrap();
    assert_eq!(factors.begun("ada", "id", "Ada", "tab", HOUR).await.unwrap().unwrap().seed.expose(), enrolment.seed.expose());
    assert!(!factors.of("ada").await.unwrap().any());
    assert_eq!(factors.check("ada", &code_at(&enrolment, NOW)).await.unwrap(), CodeCheck::Wrong);
    assert!(
        factors.confirm("ada", &code_at(&first, NOW), "tab", HOUR).await.unwrap().is_none(),
        "what was begun first is forgotten"
    );
    assert_eq!(factors.confirm("ada", &code_at(&enrolment, NOW), "tab", HOUR).await.unwrap().unwrap().len(), RECOVERY_CODES);
    assert_eq!(factors.of("ada").await.unwrap(), Held { totp: true, recovery_codes: RECOVERY_CODES });
    assert!(factors.begun("ada", "id", "Ada", "tab", HOUR).await.unwrap().is_none());
}

#[tokio::test]
async fn nobody_confirms_a_seed_that_somebody_else_has_seen() {
    let clock = Clock::manual(NOW);
    let factors = factors(&clock);
    let theirs = factors.begin("ada", "id", "Ada", "another browser").await.unwrap();
    assert!(factors.begun("ada", "id", "Ada", "tab", HOUR).await.unwrap().is_none());
    assert!(matches!(factors.confirm("ada", &code_at(&theirs, NOW), "tab", HOUR).await, Err(FactorError::NotBegun)));
    let own = factors.begin("ada", "id", "Ada", "tab").await.unwrap();
    assert_ne!(own.seed.expose(), theirs.seed.expose());
    assert!(matches!(factors.confirm("ada", &code_at(&own, NOW), "another browser", HOUR).await, Err(FactorError::NotBegun)));
    clock.advance(HOUR);
    let late = code_at(&own, NOW + 3600);
    assert!(matches!(factors.confirm("ada", &late, "tab", HOUR).await, Err(FactorError::NotBegun)), "too long ago");
    assert!(!factors.of("ada").await.unwrap().any());
}

#[tokio::test]
async fn a_code_is_good_once() {
    let clock = Clock::manual(NOW);
    let factors = factors(&clock);
    let (enrolment, _) = enrolled(&factors).await;
    let check = async |time| factors.check("ada", &code_at(&enrolment, time)).await.unwrap();
    assert_eq!(check(NOW).await, CodeCheck::Replayed, "it confirmed the enrolment");
    assert_eq!(check(NOW + 30).await, CodeCheck::Right);
    assert_eq!(check(NOW + 30).await, CodeCheck::Replayed);
    assert_eq!(check(NOW).await, CodeCheck::Replayed, "nor is an older one");
    assert_eq!(check(NOW + 90).await, CodeCheck::Wrong, "too early");
    assert_eq!(factors.check("bob", &code_at(&enrolment, NOW + 30)).await.unwrap(), CodeCheck::Wrong);
}

#[tokio::test]
async fn of_many_at_once_one_is_right() {
    let factors = factors(&Clock::manual(NOW));
    let (enrolment, codes) = enrolled(&factors).await;
    for code in [code_at(&enrolment, NOW + 30), codes[0].clone()] {
        let checks = (0..8).map(|_| factors.check("ada", &code));
        let results = futures_util::future::join_all(checks).await;
        let right = |check: &CodeCheck| matches!(check, CodeCheck::Right | CodeCheck::Recovered(_));
        assert_eq!(results.iter().flatten().filter(|check| right(check)).count(), 1, "{results:?}");
    }
}

#[tokio::test]
async fn recovery_codes_are_used_up_and_replaced() {
    let factors = factors(&Clock::manual(NOW));
    let (_, codes) = enrolled(&factors).await;
    let typed = Secret::new(codes[3].expose().to_uppercase().replace('-', " "));
    assert_eq!(factors.check("ada", &typed).await.unwrap(), CodeCheck::Recovered(9));
    assert_eq!(factors.check("ada", &codes[3]).await.unwrap(), CodeCheck::Wrong);
    let fresh = factors.new_recovery_codes("ada").await.unwrap();
    assert_eq!(factors.check("ada", &codes[4]).await.unwrap(), CodeCheck::Wrong);
    assert_eq!(factors.check("ada", &fresh[0]).await.unwrap(), CodeCheck::Recovered(9));
    assert!(factors.remove("ada").await.unwrap() && !factors.remove("ada").await.unwrap());
    assert_eq!(factors.check("ada", &fresh[1]).await.unwrap(), CodeCheck::Wrong);
}

#[tokio::test]
async fn seeds_are_sealed_for_their_person() {
    let factors = factors(&Clock::manual(NOW));
    let (enrolment, codes) = enrolled(&factors).await;
    let stored = factors.store.get(&key("ada")).await.unwrap().unwrap();
    let text = String::from_utf8(stored.value.clone()).unwrap();
    assert!(!text.contains(enrolment.seed.expose().as_str()) && codes.iter().all(|code| !text.contains(code.expose().as_str())));
    let sealing = |byte: &str| SealingKey::from_text(&Secret::new(byte.repeat(32))).unwrap();
    assert!(check(&sealing("00"), &key("ada"), &stored.value).is_ok());
    assert!(check(&sealing("11"), &key("ada"), &stored.value).is_err(), "another sealing key");
    assert!(check(&sealing("00"), &key("bob"), &stored.value).is_err(), "another person");
    assert!(check(&sealing("00"), &key("ada"), b"{").is_err());
    // Put into another's place it opens nothing.
    factors.store.insert(key("bob"), stored.value, None).await.unwrap();
    assert!(matches!(factors.check("bob", &code_at(&enrolment, NOW + 30)).await, Err(FactorError::Sealed)));
    factors.reseal("ada").await.unwrap();
    assert_eq!(factors.check("ada", &code_at(&enrolment, NOW + 30)).await.unwrap(), CodeCheck::Right);
}
