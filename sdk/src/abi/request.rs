//! The request as it crosses: one object of getters that the server lends for one call. Nothing is copied that is not asked for.

#![expect(clippy::cast_ptr_alignment, reason = "abi_stable's derive reads the fields that came after the prefix this way")]

use abi_stable::std_types::{ROption, RSlice, RStr, RString, RVec, Tuple2};
use abi_stable::{sabi_trait, sabi_types::RRef};

/// A lent request.
pub type RequestRef<'a> = RequestObject_TO<'a, RRef<'a, ()>>;

/// The same loan, seen for a shorter time; the macro's type does not do that by itself.
pub(crate) fn shorten<'short, 'long: 'short>(request: &'short RequestRef<'long>) -> &'short RequestRef<'short> {
    // SAFETY: the two types differ in a lifetime only, and the longer one outlives the shorter. Every method takes `&self` and returns either owned values or
    // loans from `&self`, so nothing of the shorter lifetime can be stored in the object behind.
    unsafe { &*std::ptr::from_ref(request).cast::<RequestRef<'short>>() }
}

/// The getters. JSON travels as text. New methods go to the end, with a default body.
#[sabi_trait]
pub trait RequestObject {
    /// `sub`, as the client will see it.
    fn subject(&self) -> RStr<'_>;
    /// The requesting client.
    fn client_id(&self) -> RStr<'_>;
    /// Whether it authenticated.
    fn confidential(&self) -> bool;
    /// Unix seconds.
    fn now(&self) -> u64;
    /// A JSON object.
    fn id_token_claims(&self) -> RString;
    /// One member of it, as JSON.
    fn id_token_claim(&self, name: RStr<'_>) -> ROption<RString>;
    /// The device session's identifier.
    fn sid(&self) -> RStr<'_>;
    /// Unix seconds.
    fn auth_time(&self) -> u64;
    /// Of the device session.
    fn acr(&self) -> ROption<RStr<'_>>;
    /// Of the device session.
    fn amr(&self) -> RVec<RStr<'_>>;
    /// Unix seconds.
    fn session_created(&self) -> u64;
    /// Unix seconds.
    fn session_last_used(&self) -> u64;
    /// The clients signed in to.
    fn session_client_ids(&self) -> RVec<RStr<'_>>;
    /// The device in words.
    fn device_description(&self) -> ROption<RStr<'_>>;
    /// None when the parameter was absent.
    fn requested_scope(&self) -> ROption<RVec<RStr<'_>>>;
    /// What the server takes then.
    fn default_scope(&self) -> RVec<RStr<'_>>;
    /// What the client may have at most.
    fn grantable_scope(&self) -> RVec<RStr<'_>>;
    /// The `claims` parameter, a JSON object.
    fn requested_claims(&self) -> ROption<RString>;
    /// Best first.
    fn acr_values(&self) -> RVec<RStr<'_>>;
    /// RFC 8707.
    fn resources(&self) -> RVec<RStr<'_>>;
    /// Names and values; no credentials.
    fn parameters(&self) -> RVec<Tuple2<RStr<'_>, RStr<'_>>>;
    /// A JSON object.
    fn client_metadata(&self) -> RString;
    /// One field, by dotted path, as JSON.
    fn client_metadata_field(&self, path: RStr<'_>) -> ROption<RString>;
    /// In text.
    fn client_address(&self) -> ROption<RStr<'_>>;
    /// 0 none, 1 `DPoP`, 2 mutual TLS.
    fn token_binding(&self) -> u8;
    /// What these scope values stand for.
    fn resolve_claim_names(&self, scope: RSlice<'_, RStr<'_>>) -> RVec<RString>;
    /// Seconds.
    fn default_access_token_lifetime(&self) -> u64;
    /// Seconds; none for no expiry.
    fn default_refresh_token_lifetime(&self) -> ROption<u64>;
    /// Whether refresh tokens rotate by default.
    #[sabi(last_prefix_field)]
    fn default_rotation(&self) -> bool;
    /// 0 exchange, 1 shadow, 2 explanation. Since SDK 1.1.
    fn purpose(&self) -> u8 {
        0
    }
    /// The client that the ID token was issued to. Since SDK 1.1.
    fn source_client_id(&self) -> ROption<RStr<'_>> {
        ROption::RNone
    }
}
