//! Which addresses may be asked. Asked of the addresses that a connection is about to use, so that DNS cannot change its mind in between.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How near the service may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Public addresses alone.
    Public,
    /// Any address.
    Anywhere,
    /// This machine alone, for questions without TLS.
    Loopback,
}

impl Reach {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Anywhere => true,
            Self::Loopback => address.to_canonical().is_loopback(),
        }
    }
}

/// Resolves names for connections; what may not be asked is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolver(pub(crate) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self(reach) = *self;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let admitted: Vec<SocketAddr> = found.iter().copied().filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() && !found.is_empty() {
                return Err(Inadmissible.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// A name that leads to addresses that may not be asked, and to no other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inadmissible;

impl fmt::Display for Inadmissible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service's name leads to private addresses alone, and allowPrivateAddresses is false")
    }
}

impl Error for Inadmissible {}

/// Whether the address is one of the public Internet: not for special purposes (RFC 6890 and the registries of IANA it founded).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private use, loopback, multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        100 => (64..128).contains(&b), // shared by a provider's customers (RFC 6598)
        169 => b == 254,               // link-local; the metadata services of clouds live here
        172 => (16..32).contains(&b),  // private use
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)), // protocols, documentation, 6to4 relays, private use
        198 => matches!((b, c), (18 | 19, _) | (51, 100)), // benchmarks, documentation
        203 => (b, c) == (0, 113),     // documentation
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // An IPv4 address in other clothes is what it would be without them: mapped, 6to4 (RFC 3056), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Teredo, ORCHID, benchmarks and other protocols (2001::/23); documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Only this is given out as global unicast; loopback, link-local, unique-local, site-local and multicast all lie outside.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;

    fn admits(reach: Reach, addresses: &[&str]) -> Vec<bool> {
        addresses.iter().map(|address| reach.admits(address.parse().unwrap())).collect()
    }

    #[test]
    fn the_public_internet_is_public() {
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ];
        assert_eq!(admits(Reach::Public, &public), [true; 21]);
    }

    #[test]
    fn what_is_not_public_is_refused_in_all_its_clothes() {
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        assert_eq!(admits(Reach::Public, &special), [false; 41]);
        assert_eq!(admits(Reach::Anywhere, &special), [true; 41]);
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        assert_eq!(admits(Reach::Loopback, &["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]), [true; 4]);
        assert_eq!(admits(Reach::Loopback, &["10.0.0.1", "1.1.1.1", "0.0.0.0", "::", "fe80::1"]), [false; 5]);
    }
}
