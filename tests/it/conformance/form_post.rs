//! The profile Form Post OP: the modules of Basic with `response_mode=form_post`.

use super::party::FORM_POST;
use super::{codes, requests, responses};

#[test]
fn server() {
    responses::server_test(&FORM_POST);
}

#[test]
fn response_type_missing() {
    requests::response_type_missing(&FORM_POST);
}

#[test]
fn id_token_signature() {
    responses::id_token_signature(&FORM_POST);
}

#[test]
fn id_token_unsigned() {
    responses::id_token_unsigned(&FORM_POST);
}

#[test]
fn userinfo_get() {
    responses::userinfo_get(&FORM_POST);
}

#[test]
fn userinfo_post_header() {
    responses::userinfo_post_header(&FORM_POST);
}

#[test]
fn userinfo_post_body() {
    responses::userinfo_post_body(&FORM_POST);
}

#[test]
fn without_nonce() {
    responses::without_nonce(&FORM_POST);
}

#[test]
fn scope_profile() {
    responses::scope_profile(&FORM_POST);
}

#[test]
fn scope_email() {
    responses::scope_email(&FORM_POST);
}

#[test]
fn scope_address() {
    responses::scope_address(&FORM_POST);
}

#[test]
fn scope_phone() {
    responses::scope_phone(&FORM_POST);
}

#[test]
fn scope_all() {
    responses::scope_all(&FORM_POST);
}

#[test]
fn other_scope_order() {
    responses::other_scope_order(&FORM_POST);
}

#[test]
fn display_page() {
    requests::display_page(&FORM_POST);
}

#[test]
fn display_popup() {
    requests::display_popup(&FORM_POST);
}

#[test]
fn prompt_login() {
    requests::prompt_login(&FORM_POST);
}

#[test]
fn prompt_none_not_logged_in() {
    requests::prompt_none_not_logged_in(&FORM_POST);
}

#[test]
fn prompt_none_logged_in() {
    requests::prompt_none_logged_in(&FORM_POST);
}

#[test]
fn max_age_1() {
    requests::max_age_1(&FORM_POST);
}

#[test]
fn max_age_10000() {
    requests::max_age_10000(&FORM_POST);
}

#[test]
fn unknown_parameter() {
    requests::unknown_parameter(&FORM_POST);
}

#[test]
fn id_token_hint() {
    requests::id_token_hint(&FORM_POST);
}

#[test]
fn login_hint() {
    requests::login_hint(&FORM_POST);
}

#[test]
fn ui_locales() {
    requests::ui_locales(&FORM_POST);
}

#[test]
fn claims_locales() {
    responses::claims_locales(&FORM_POST);
}

#[test]
fn acr_values() {
    responses::acr_values(&FORM_POST);
}

#[test]
fn code_reuse() {
    codes::reuse(&FORM_POST);
}

#[test]
fn registered_redirect_uri() {
    codes::registered_redirect_uri(&FORM_POST);
}

#[test]
fn post_request() {
    requests::post_request(&FORM_POST);
}

#[test]
fn server_client_secret_post() {
    responses::server_client_secret_post(&FORM_POST);
}

#[test]
fn unsigned_request_object() {
    requests::unsigned_request_object(&FORM_POST);
}

#[test]
fn claims_essential() {
    responses::claims_essential(&FORM_POST);
}

#[test]
fn request_object_with_redirect_uri() {
    requests::request_object_with_redirect_uri(&FORM_POST);
}

#[test]
fn refresh_token() {
    codes::refresh_token(&FORM_POST);
}

#[test]
fn valid_pkce() {
    requests::valid_pkce(&FORM_POST);
}
