//! Where a request comes from: the peer, or what a trusted proxy says of it.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;

use crate::settings::meaning::Proxy;

/// Whether a trusted proxy sent the request, so that what it says of its client counts.
#[must_use]
pub fn is_proxied(request: &HttpRequest, proxy: &Proxy) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    peer.is_some_and(|peer| proxy.trusted.iter().any(|network| network.contains(peer)))
}

/// The client's address: of the peer, or the nearest address in `X-Forwarded-For` that is no trusted proxy.
#[must_use]
pub fn address(request: &HttpRequest, proxy: &Proxy) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let trusted = |address: IpAddr| proxy.trusted.iter().any(|network| network.contains(address));
    if !trusted(peer) {
        return Some(peer);
    }
    let forwarded =
        request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let mut nearest = peer;
    for hop in forwarded.rsplit(',').map(str::trim).filter(|hop| !hop.is_empty()) {
        // What a trusted proxy could not have written ends the walk.
        let Ok(hop) = hop.parse::<IpAddr>() else { break };
        nearest = hop.to_canonical();
        if !trusted(nearest) {
            break;
        }
    }
    Some(nearest)
}

/// What the client says it is; empty when it says nothing that can be read.
#[must_use]
pub fn user_agent(request: &HttpRequest) -> &str {
    request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use actix_web::test::TestRequest;

    use super::*;
    use crate::settings::meaning::Network;

    fn seen(peer: [u8; 4], forwarded: &str) -> Option<IpAddr> {
        let proxy = Proxy { trusted: vec![Network { address: IpAddr::from([10, 0, 0, 0]), prefix: 8 }], ..Proxy::default() };
        let request = TestRequest::default()
            .peer_addr((Ipv4Addr::from(peer), 1).into())
            .insert_header(("X-Forwarded-For", forwarded))
            .to_http_request();
        address(&request, &proxy)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen([192, 0, 2, 1], "203.0.113.9"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(seen([10, 0, 0, 1], "203.0.113.9"), Some(IpAddr::from([203, 0, 113, 9])));
        assert_eq!(seen([10, 0, 0, 1], "1.1.1.1, 203.0.113.9, 10.0.0.2"), Some(IpAddr::from([203, 0, 113, 9])));
        assert_eq!(seen([10, 0, 0, 1], "nonsense"), Some(IpAddr::from([10, 0, 0, 1])));
    }
}
