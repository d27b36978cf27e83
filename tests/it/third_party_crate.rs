//! The Rust crate `openidconnect` as an app: discovery, sign-in with PKCE, `UserInfo`, refresh, sign-out. Revocation it
//! asks for at https addresses alone.

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RequestTokenError,
    Scope, TokenResponse as _,
};

use crate::harness::cast::ONE;
use crate::harness::server::http;
use crate::harness::{Authorization, Browser, Landing, shared};

/// The crate brings no HTTP client of its own here; it is lent ours.
fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let response = http().execute(request.try_into()?)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes()?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

#[test]
fn the_crate_openidconnect_signs_in_refreshes_and_signs_out() {
    let server = shared::usual();
    let (browser, person) = (Browser::new(), server.person());
    let issuer = IssuerUrl::new(server.issuer.clone()).expect("a URL");
    let metadata = ProviderMetadataWithLogout::discover(&issuer, &send).expect("discovery");
    let end_session = metadata.additional_metadata().end_session_endpoint.clone().expect("end_session_endpoint");
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(ONE.id.to_owned()), None)
        .set_redirect_uri(RedirectUrl::new(ONE.redirect.to_owned()).expect("a URL"));

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let same_verifier = PkceCodeVerifier::new(verifier.secret().clone());
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let page = browser.follow(server, browser.get(&url)).page();
    let page = browser.submit_password(server, &page, &person.name, &person.password).page();
    let Landing::Client(_, answer) = browser.decide(server, &page, "allow") else { panic!("still on a page") };
    assert_eq!(&answer["state"], state.secret());

    let code = client.exchange_code(AuthorizationCode::new(answer["code"].clone())).expect("a token endpoint");
    let first = code.set_pkce_verifier(verifier).request(&send).expect("tokens");
    let id_token = first.id_token().expect("an ID token");
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).expect("a good ID token");
    let info = client.user_info(first.access_token().clone(), Some(claims.subject().clone())).expect("a userinfo endpoint");
    let info: CoreUserInfoClaims = info.request(&send).expect("claims");
    let name = info.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    assert_eq!(name, Some("Ada Example"));

    let refresh =
        |token: &openidconnect::RefreshToken| client.exchange_refresh_token(token).expect("a token endpoint").request(&send);
    let second = refresh(first.refresh_token().expect("a refresh token")).expect("tokens");
    assert_ne!(first.access_token().secret(), second.access_token().secret());
    let again = second.id_token().expect("an ID token").claims(&client.id_token_verifier(), |_: Option<&Nonce>| Ok(()));
    assert_eq!(again.expect("a good ID token").subject(), claims.subject());

    let out = LogoutRequest::from(end_session)
        .set_id_token_hint(id_token)
        .set_client_id(ClientId::new(ONE.id.to_owned()))
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new("http://127.0.0.1:9/signed-out".to_owned()).expect("a URL"))
        .set_state(CsrfToken::new("bye".to_owned()))
        .http_get_url();
    let mut landing = browser.follow(server, browser.get(&out));
    if let Landing::Page(page) = &landing {
        let form = page.form("logout").expect("a question");
        landing = browser.follow(server, browser.post(&form.action, &form.fields.and("logout", "yes")));
    }
    let Landing::Client(url, _) = landing else { panic!("not sent back") };
    assert_eq!(url.as_str(), "http://127.0.0.1:9/signed-out?state=bye");
    let page = browser.ask(server, &Authorization::new(ONE, "openid")).page();
    assert!(page.form("username").is_some(), "signed out in the browser too");
    // Whoever redeems a code again has stolen it: what it brought is over, and the crate understands the refusal.
    let replay = client.exchange_code(AuthorizationCode::new(answer["code"].clone())).expect("a token endpoint");
    match replay.set_pkce_verifier(same_verifier).request(&send) {
        Err(RequestTokenError::ServerResponse(error)) => assert_eq!(error.error().as_ref(), "invalid_grant"),
        other => panic!("a code was redeemed twice: {other:?}"),
    }
    assert!(refresh(second.refresh_token().expect("a refresh token")).is_err());
}
