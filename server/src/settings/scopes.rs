//! The scope values that are always there, and the claims each releases (OpenID Connect Core section 5.4).

use std::collections::BTreeMap;

use super::meaning::ScopeMeaning;
use crate::protocol::names;

const STANDARD: [(&str, &[&str], &str); 11] = [
    (names::OPENID, &["sub"], "Sign you in."),
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
        "See your name, picture and other details of your profile.",
    ),
    ("email", &["email", "email_verified"], "See your e-mail address."),
    ("address", &["address"], "See your postal address."),
    ("phone", &["phone_number", "phone_number_verified"], "See your telephone number."),
    (names::OFFLINE_ACCESS, &[], "Stay signed in when you are not using the app."),
    (names::DEVICE_SSO, &[], "Sign you in to other apps of the same family on this device."),
    (names::READ_CLIENTS, &[], "See the registered clients."),
    (names::UPDATE_CLIENTS, &[], "Change the registered clients."),
    (names::INTERCLIENT_ACCESS, &[], "Open web pages of the same family without another sign-in."),
    (names::ACCOUNT, &[], "See where you are signed in and which apps have access, and end both."),
];

/// The standard scopes.
pub(super) fn standard() -> BTreeMap<String, ScopeMeaning> {
    STANDARD
        .iter()
        .map(|(name, claims, description)| {
            let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
            ((*name).to_owned(), ScopeMeaning { claims, description: (*description).to_owned(), ..ScopeMeaning::default() })
        })
        .collect()
}
