//! What a client may do with session transfer tokens: the member `session_transfer` of its metadata, with the names and defaults that Auth0
//! describes (Native to Web SSO), and what two clients say together.

use serde_json::{Map, Value, json};

use crate::network::Binding;

/// `session_transfer` of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a registered yes or no of its own, none depends on another")]
pub struct SessionTransfer {
    /// `can_create_session_transfer_token`: it may have such tokens made. Default: no.
    pub can_create: bool,
    /// `allowed_authentication_methods` has `cookie`: browsers may bring a token in a cookie.
    pub by_cookie: bool,
    /// `allowed_authentication_methods` has `query`: browsers may bring a token as a parameter of the request.
    pub by_query: bool,
    /// `enforce_device_binding`. Default: the address.
    pub binding: DeviceBinding,
    /// `allow_refresh_token`: it may have refresh tokens for people who came with a token. Default: no.
    pub allow_refresh_token: bool,
    /// `enforce_cascade_revocation`: what grew from its tokens ends with its refresh token. Default: yes.
    pub cascade: bool,
    /// `enforce_online_refresh_tokens`: such refresh tokens end with their web session. Default: yes.
    pub online_refresh_tokens: bool,
    /// `allowed_origin_clients` (ours): the apps from which people may come; `None` = any that may make tokens.
    pub origins: Option<Vec<String>>,
}

/// What must hold where a token was made and where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceBinding {
    /// So much of the network is the same.
    Network(Binding),
    /// Nothing of the network; but a key must have been proven to have the token made.
    Key,
}

/// What two clients demand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands {
    /// Of the network.
    pub network: Binding,
    /// Whether a key must have been proven.
    pub key: bool,
}

impl Default for SessionTransfer {
    fn default() -> Self {
        Self {
            can_create: false,
            by_cookie: false,
            by_query: false,
            binding: DeviceBinding::Network(Binding::Ip),
            allow_refresh_token: false,
            cascade: true,
            online_refresh_tokens: true,
            origins: None,
        }
    }
}

impl DeviceBinding {
    const KEY: &str = "key";

    /// The registered names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Binding::ALL.into_iter().map(Binding::as_str).chain([Self::KEY])
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network(binding) => binding.as_str(),
            Self::Key => Self::KEY,
        }
    }

    /// The binding of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::KEY { Some(Self::Key) } else { Binding::from_name(name).map(Self::Network) }
    }

    const fn network(self) -> Binding {
        match self {
            Self::Network(binding) => binding,
            Self::Key => Binding::None,
        }
    }
}

impl Demands {
    /// What the maker of a token and the client that it is used at demand: the stricter of the two.
    #[must_use]
    pub fn of(maker: &SessionTransfer, user: &SessionTransfer) -> Self {
        Self {
            network: maker.binding.network().stricter(user.binding.network()),
            key: [maker.binding, user.binding].contains(&DeviceBinding::Key),
        }
    }
}

impl SessionTransfer {
    /// `allowed_authentication_methods`
    #[must_use]
    pub fn methods(&self) -> Vec<&'static str> {
        [("cookie", self.by_cookie), ("query", self.by_query)].into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
    }

    /// Whether people may come from that app.
    #[must_use]
    pub fn admits(&self, origin: &str) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.iter().any(|own| own == origin))
    }

    /// The member as it is shown, defaults filled in.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let mut member = |name: &str, value: Value| out.insert(name.to_owned(), value);
        member("can_create_session_transfer_token", self.can_create.into());
        member("allowed_authentication_methods", json!(self.methods()));
        member("enforce_device_binding", self.binding.as_str().into());
        member("allow_refresh_token", self.allow_refresh_token.into());
        member("enforce_cascade_revocation", self.cascade.into());
        member("enforce_online_refresh_tokens", self.online_refresh_tokens.into());
        if let Some(origins) = &self.origins {
            member("allowed_origin_clients", json!(origins));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(binding: Option<DeviceBinding>) -> SessionTransfer {
        let silent = SessionTransfer::default();
        SessionTransfer { binding: binding.unwrap_or(silent.binding), ..silent }
    }

    #[test]
    fn the_stricter_of_two_holds() {
        use Binding as N;
        let of = |network| Some(DeviceBinding::Network(network));
        let key = Some(DeviceBinding::Key);
        let cases = [
            (None, None, N::Ip, false),
            (of(N::None), None, N::Ip, false),
            (of(N::None), of(N::None), N::None, false),
            (None, of(N::Asn), N::Ip, false),
            (of(N::Asn), of(N::None), N::Asn, false),
            (of(N::Asn), of(N::Prefix), N::Prefix, false),
            (of(N::Ip), of(N::Prefix), N::Ip, false),
            (key, None, N::Ip, true),
            (key, key, N::None, true),
            (key, of(N::None), N::None, true),
            (key, of(N::Ip), N::Ip, true),
        ];
        for (one, other, network, key) in cases {
            assert_eq!(Demands::of(&says(one), &says(other)), Demands { network, key }, "{one:?} {other:?}");
            assert_eq!(Demands::of(&says(other), &says(one)), Demands { network, key }, "{other:?} {one:?}");
        }
    }
}
