//! The profile Basic OP: `oidcc-basic-certification-test-plan`, one test for each module, in its order.

use super::party::{BASIC, FORM_POST};
use super::{codes, requests, responses};

#[test]
fn server() {
    responses::server_test(&BASIC);
}

#[test]
fn response_type_missing() {
    requests::response_type_missing(&BASIC);
}

#[test]
fn id_token_signature() {
    responses::id_token_signature(&BASIC);
}

#[test]
fn id_token_unsigned() {
    responses::id_token_unsigned(&BASIC);
}

#[test]
fn userinfo_get() {
    responses::userinfo_get(&BASIC);
}

#[test]
fn userinfo_post_header() {
    responses::userinfo_post_header(&BASIC);
}

#[test]
fn userinfo_post_body() {
    responses::userinfo_post_body(&BASIC);
}

#[test]
fn without_nonce() {
    responses::without_nonce(&BASIC);
}

#[test]
fn scope_profile() {
    responses::scope_profile(&BASIC);
}

#[test]
fn scope_email() {
    responses::scope_email(&BASIC);
}

#[test]
fn scope_address() {
    responses::scope_address(&BASIC);
}

#[test]
fn scope_phone() {
    responses::scope_phone(&BASIC);
}

#[test]
fn scope_all() {
    responses::scope_all(&BASIC);
}

#[test]
fn other_scope_order() {
    responses::other_scope_order(&BASIC);
}

#[test]
fn display_page() {
    requests::display_page(&BASIC);
}

#[test]
fn display_popup() {
    requests::display_popup(&BASIC);
}

#[test]
fn prompt_login() {
    requests::prompt_login(&BASIC);
}

#[test]
fn prompt_none_not_logged_in() {
    requests::prompt_none_not_logged_in(&BASIC);
}

#[test]
fn prompt_none_logged_in() {
    requests::prompt_none_logged_in(&BASIC);
}

#[test]
fn max_age_1() {
    requests::max_age_1(&BASIC);
}

#[test]
fn max_age_10000() {
    requests::max_age_10000(&BASIC);
}

#[test]
fn unknown_parameter() {
    requests::unknown_parameter(&BASIC);
}

#[test]
fn id_token_hint() {
    requests::id_token_hint(&BASIC);
}

#[test]
fn login_hint() {
    requests::login_hint(&BASIC);
}

#[test]
fn ui_locales() {
    requests::ui_locales(&BASIC);
}

#[test]
fn claims_locales() {
    responses::claims_locales(&BASIC);
}

#[test]
fn acr_values() {
    responses::acr_values(&BASIC);
}

#[test]
fn code_reuse() {
    codes::reuse(&BASIC);
}

#[test]
fn registered_redirect_uri() {
    codes::registered_redirect_uri(&BASIC);
}

#[test]
fn post_request() {
    requests::post_request(&BASIC);
}

#[test]
fn server_client_secret_post() {
    responses::server_client_secret_post(&BASIC);
}

#[test]
fn unsigned_request_object() {
    requests::unsigned_request_object(&BASIC);
}

#[test]
fn claims_essential() {
    responses::claims_essential(&BASIC);
}

#[test]
fn request_object_with_redirect_uri() {
    requests::request_object_with_redirect_uri(&BASIC);
}

#[test]
fn refresh_token() {
    codes::refresh_token(&BASIC);
}

#[test]
fn valid_pkce() {
    requests::valid_pkce(&BASIC);
}

#[test]
fn code_reuse_after_30_seconds_in_both_modes() {
    codes::reused_after(&[BASIC, FORM_POST], std::time::Duration::from_secs(30));
}
