//! The guard against everything a proposal might try.
#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::clients::metadata::tests::client;
use crate::issuance::proposal::{IdTokenProposal, RefreshProposal};
use crate::sessions::SessionKind;
use crate::sessions::record::Authentication;
use crate::settings::meaning::SessionLimits;

const NOW: Timestamp = Timestamp(1_000_000);

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn app() -> Arc<Client> {
    Arc::new(client(&json!({
        "client_id": "app", "token_endpoint_auth_method": "none", "redirect_uris": ["com.example.app:/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "scope": "openid profile read",
    })))
}

fn session(left: Option<u64>) -> Session {
    let authentication = Authentication { time: NOW, acr: "a".to_owned(), amr: Vec::new() };
    let limits = SessionLimits { max_lifetime: left.map(Duration::from_secs), max_idle: None };
    Session::begin(SessionKind::Device, "ada".to_owned(), authentication, &limits, NOW)
}

fn wish(values: &str) -> Proposal {
    Proposal {
        scope: scope(values),
        access: AccessTemplate::default(),
        id_token: Some(IdTokenProposal::default()),
        refresh: Some(RefreshProposal::default()),
        claims: Vec::new(),
        claims_in_id_token: false,
        id_token_claims: Vec::new(),
        data: None,
    }
}

fn guarded(proposal: Proposal, session: Option<&Session>, offline: bool) -> IssuePlan {
    let client = app();
    let grantable = client.scope.clone();
    clamp(
        proposal,
        &Limits { client: &client, grantable: &grantable, session, offline, audience: AudienceLimit::default(), now: NOW },
        &Settings::built_in(),
    )
}

#[test]
fn what_is_within_bounds_passes_untouched() {
    let plan = guarded(wish("openid read"), Some(&session(None)), true);
    assert_eq!(plan.scope().to_string(), "openid read");
    assert_eq!(plan.access_lifetime(), Settings::built_in().tokens.access_token_lifetime);
    assert!(plan.id_token().is_some() && plan.refresh().is_some());
    assert!(plan.clamps().is_empty());
}

#[test]
fn scope_beyond_the_registration_is_cut() {
    let plan = guarded(wish("openid admin read"), Some(&session(None)), true);
    assert_eq!(plan.scope().to_string(), "openid read");
    assert_eq!(plan.clamps(), ["scope"]);
}

#[test]
fn without_openid_there_is_no_id_token() {
    assert!(guarded(wish("read"), Some(&session(None)), true).id_token().is_none());
}

#[test]
fn lifetimes_end_with_the_session_and_at_the_maximum() {
    let mut proposal = wish("openid");
    proposal.access.lifetime = Some(u64::MAX);
    proposal.id_token = Some(IdTokenProposal { lifetime: Some(Duration::from_secs(u64::MAX)), ..IdTokenProposal::default() });
    let plan = guarded(proposal.clone(), Some(&session(Some(60))), true);
    assert_eq!(plan.access_lifetime(), Duration::from_mins(1));
    assert_eq!(plan.access().lifetime, Some(60));
    assert_eq!(plan.id_token().unwrap().lifetime, Duration::from_mins(1));
    assert_eq!(plan.clamps(), ["access_token.lifetime", "id_token.lifetime"]);
    let plan = guarded(proposal, None, true);
    assert_eq!(plan.access_lifetime(), Settings::built_in().tokens.access_token_max_lifetime);
}

#[test]
fn a_refresh_token_needs_a_session_the_grant_and_leave() {
    assert!(guarded(wish("openid"), Some(&session(None)), false).refresh().is_none());
    assert!(guarded(wish("openid"), None, true).refresh().is_none());
    let without_grant = Arc::new(client(&json!({
        "client_id": "app", "token_endpoint_auth_method": "none", "redirect_uris": ["com.example.app:/cb"], "scope": "openid",
    })));
    let grantable = scope("openid");
    let session = session(None);
    let limits = Limits {
        client: &without_grant,
        grantable: &grantable,
        session: Some(&session),
        offline: true,
        audience: AudienceLimit::default(),
        now: NOW,
    };
    let plan = clamp(wish("openid"), &limits, &Settings::built_in());
    assert!(plan.refresh().is_none());
    assert_eq!(plan.clamps(), ["refresh_token"]);
}

#[test]
fn refresh_terms_mean_what_they_say() {
    let terms = |lifetime, max_idle| {
        let mut proposal = wish("openid");
        proposal.refresh = Some(RefreshProposal { lifetime, max_idle, rotate: Some(false) });
        guarded(proposal, Some(&session(None)), true).refresh().unwrap()
    };
    let default = Settings::built_in().tokens.refresh_token_lifetime;
    assert_eq!(terms(RefreshLifetime::Default, None).lifetime, default);
    assert_eq!(terms(RefreshLifetime::Never, None).lifetime, None);
    let given = terms(RefreshLifetime::For(Duration::from_secs(9)), Some(Duration::ZERO));
    assert_eq!((given.lifetime, given.max_idle, given.rotate), (Some(Duration::from_secs(9)), None, false));
}

#[test]
fn reserved_claims_are_never_set_by_others() {
    let mut proposal = wish("openid");
    let claims = json!({"iss": "evil", "sub": "eve", "aud": "x", "exp": 1, "sid": "s", "ds_hash": "h", "shoe_size": 38});
    proposal.id_token = Some(IdTokenProposal { lifetime: None, claims: claims.as_object().unwrap().clone() });
    proposal.claims = vec!["sub".to_owned(), "name".to_owned()];
    proposal.claims_in_id_token = true;
    let plan = guarded(proposal, Some(&session(None)), true);
    let id_token = plan.id_token().unwrap();
    assert_eq!(Value::Object(id_token.claims.clone()), json!({"shoe_size": 38}));
    assert_eq!(id_token.person_claims, ["name"]);
    assert!(plan.user_info_claims().is_empty());
    assert_eq!(plan.clamps(), ["id_token.claims"]);
}

#[test]
fn claims_go_to_user_info_when_there_is_no_id_token_to_put_them_in() {
    let mut proposal = wish("openid");
    proposal.id_token = None;
    proposal.claims = vec!["name".to_owned()];
    proposal.claims_in_id_token = true;
    assert_eq!(guarded(proposal, Some(&session(None)), true).user_info_claims(), ["name"]);
}

#[test]
fn floods_of_data_are_dropped() {
    let mut proposal = wish("openid");
    let flood = json!({ "x": "y".repeat(MAX_DATA) }).as_object().unwrap().clone();
    proposal.access.data = Some(flood.clone());
    proposal.access.audience = (0..100).map(|n| format!("https://{n}")).chain([String::new(), "z".repeat(600)]).collect();
    proposal.id_token = Some(IdTokenProposal { lifetime: None, claims: flood });
    let plan = guarded(proposal, Some(&session(None)), true);
    assert!(plan.access().data.is_none());
    assert_eq!(plan.access().audience.len(), MAX_AUDIENCES);
    assert!(plan.id_token().unwrap().claims.is_empty());
}

proptest! {
    #[test]
    fn nothing_ever_passes_beyond_the_limits(values in "[a-z ]{0,40}", life: u64, left in 0_u64..100_000, offline: bool) {
        let mut proposal = wish(&values);
        proposal.access.lifetime = Some(life);
        let session = session(Some(left));
        let plan = guarded(proposal, Some(&session), offline);
        prop_assert!(plan.scope().is_subset(&app().scope));
        prop_assert!(plan.access_lifetime().as_secs() <= left);
        prop_assert!(offline || plan.refresh().is_none());
    }
}

#[test]
fn the_audience_is_within_what_was_requested_or_allowed() {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let issuer = Settings::built_in().server.issuer.text;
    let cut = |named: &[&str], requested: &[&str], allowed: &[&str]| {
        let (requested, allowed) = (texts(requested), texts(allowed));
        let mut own = wish("openid");
        own.access.audience = texts(named);
        let (client, grantable) = (app(), scope("openid"));
        let audience = AudienceLimit { requested: &requested, allowed: &allowed };
        let limits = Limits { client: &client, grantable: &grantable, session: None, offline: false, audience, now: NOW };
        let plan = clamp(own, &limits, &Settings::built_in());
        (plan.access().audience.clone(), plan.clamps().contains(&"access_token.audience"))
    };
    assert_eq!(cut(&["a", "b"], &[], &[]), (texts(&["a", "b"]), false), "nobody has limited it");
    assert_eq!(cut(&[], &["r"], &[]), (texts(&["r"]), false));
    assert_eq!(cut(&["r", "other"], &["r", "s"], &[]), (texts(&["r"]), true));
    assert_eq!(cut(&["other"], &["r"], &["other"]), (texts(&["r"]), true), "what was requested, and nothing else");
    assert_eq!(cut(&["a", "b", &issuer], &[], &["a"]), (texts(&["a", &issuer]), true));
    assert_eq!(cut(&["b"], &[], &["a"]), (texts(&[]), true), "then it is the server's own audience");
}

#[test]
fn data_for_the_grant_has_a_bound() {
    let mut own = wish("openid");
    own.data = json!({ "why": "x".repeat(100) }).as_object().cloned();
    assert!(guarded(own.clone(), Some(&session(None)), true).clamps().is_empty());
    own.data = json!({ "why": "x".repeat(100_000) }).as_object().cloned();
    assert_eq!(guarded(own, Some(&session(None)), true).clamps(), ["data"]);
}
