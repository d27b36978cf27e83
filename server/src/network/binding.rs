//! Whether a request comes from where an earlier one came from, as strictly as a binding says. Pure: everything is a parameter.
//! Fails closed: what is not known is different.

use std::fmt;
use std::net::IpAddr;

use crate::settings::meaning::{Network, Prefixes};

/// How strictly something is bound to where it was issued; in the order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Binding {
    /// To nothing.
    #[default]
    None,
    /// To the network of one operator (autonomous system).
    Asn,
    /// To the leading bits of the address.
    Prefix,
    /// To the address.
    Ip,
}

impl Binding {
    /// All of them, the laxest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Asn, Self::Prefix, Self::Ip];

    /// The binding of that name: `none`, `asn`, `prefix`, `ip`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asn => "asn",
            Self::Prefix => "prefix",
            Self::Ip => "ip",
        }
    }

    /// The stricter of the two.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a request came from, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The number of the autonomous system that it is in.
    pub asn: Option<u32>,
}

/// Why two places are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Another address.
    Address,
    /// The leading bits of the addresses differ.
    Prefix,
    /// Another autonomous system.
    Asn,
    /// The autonomous system of one of them is not known.
    AsnUnknown,
    /// One is IPv4 and one IPv6, and nothing tells whether they belong together.
    AddressFamily,
    /// The address of one of them is not known.
    AddressUnknown,
}

impl Difference {
    /// A word for the audit log, which stays what it is.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Asn => "asn",
            Self::AsnUnknown => "asn_unknown",
            Self::AddressFamily => "address_family",
            Self::AddressUnknown => "address_unknown",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Compares where something was issued with where it is shown; gives by what the two were found to be the same, as far as the binding asks.
///
/// A device with both protocols uses whichever answers first, so an IPv4 and an IPv6 address are compared by their autonomous systems, if both
/// are known: then that is what they were found the same by. An IPv4-mapped IPv6 address is its IPv4 one.
///
/// # Errors
/// Why they are not the same.
pub fn compare(binding: Binding, prefixes: Prefixes, issued_from: Origin, now: Origin) -> Result<Binding, Difference> {
    let same_if = |same: bool, by, otherwise| if same { Ok(by) } else { Err(otherwise) };
    let same_operator = |unknown| match (issued_from.asn, now.asn) {
        (Some(then), Some(now)) => same_if(then == now, Binding::Asn, Difference::Asn),
        _ => Err(unknown),
    };
    match binding {
        Binding::None => return Ok(Binding::None),
        Binding::Asn => return same_operator(Difference::AsnUnknown),
        Binding::Prefix | Binding::Ip => {}
    }
    let (Some(then), Some(current)) = (issued_from.address, now.address) else {
        return Err(Difference::AddressUnknown);
    };
    let (then, current) = (then.to_canonical(), current.to_canonical());
    if then.is_ipv4() != current.is_ipv4() {
        return same_operator(Difference::AddressFamily);
    }
    if binding == Binding::Ip {
        return same_if(then == current, binding, Difference::Address);
    }
    let prefix = if then.is_ipv4() { prefixes.v4 } else { prefixes.v6 };
    same_if(Network { address: then, prefix }.contains(current), binding, Difference::Prefix)
}
