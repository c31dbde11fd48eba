//! Which requests are accepted, and which may change something.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use sha2::{Digest, Sha256};

use super::reply::Fault;
use crate::publish::metrics::Refused;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Over TCP.
    Network {
        /// To this address of ours.
        local: IpAddr,
        /// From that one.
        remote: IpAddr,
    },
    /// Over the control socket.
    Local,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Network { remote, .. } => write!(f, "{}", remote.to_canonical()),
            Self::Local => f.write_str("the control socket"),
        }
    }
}

const NO_TOKEN: &str = "nobody may change anything over the network, because there is no token: write a long random text \
                        into a file that only gaitd's user can read (umask 077; head -c 24 /dev/urandom | base64 > \
                        token), name it as http.token_file in the configuration, and reload; gaitd ctl on the daemon's own host \
                        needs none";

/// Checks that a request is meant for this host, and so is not one to which another site's page has led a browser by
/// letting its own name point here.
pub(super) fn check_host(request: &Request, peer: Peer, hosts: impl FnOnce() -> Vec<String>) -> Result<(), Fault> {
    let Peer::Network { local, .. } = peer else {
        return Ok(());
    };
    let mut named = request.headers().get_all(header::HOST).iter();
    let (host, second) = (named.next(), named.next());
    // health checks of proxies speak HTTP/1.0, which has no Host, and browsers do not
    let old = host.is_none() && request.version() <= Version::HTTP_10;
    if host.is_none() && !old || second.is_some() {
        let sentence = "the request needs exactly one Host header";
        return Err(Fault::new(StatusCode::BAD_REQUEST, Refused::Malformed, sentence));
    }
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let known = hosts();
    let ours = |authority: &Authority| is_ours(authority, local, &known);
    if (old || host.as_ref().is_some_and(ours)) && request.uri().authority().is_none_or(ours) {
        return Ok(());
    }
    let named = host.map_or_else(|| "another host".to_owned(), |host| shown(host.as_str()));
    let sentence = format!(
        "this request is meant for {named}, which is not a name of this daemon: use its address, or add the name to \
         http.hosts in the configuration"
    );
    Err(Fault::new(StatusCode::FORBIDDEN, Refused::Host, sentence))
}

fn is_ours(authority: &Authority, local: IpAddr, known: &[String]) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let host = host.strip_suffix('.').unwrap_or(host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().map(|ip| ip.to_canonical());
    address.is_ok_and(|ip| ip.is_loopback() || ip == local.to_canonical())
        || host.eq_ignore_ascii_case("localhost")
        || known.iter().any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(authority.as_str()))
}

/// Checks that the client may change something: over the network it has to show the token.
pub(super) fn check_token(
    headers: &HeaderMap,
    peer: Peer,
    token: impl FnOnce() -> Option<String>,
) -> Result<(), Fault> {
    if peer == Peer::Local {
        return Ok(());
    }
    let Some(token) = token().filter(|token| !token.is_empty()) else {
        return Err(Fault::new(StatusCode::FORBIDDEN, Refused::NoToken, NO_TOKEN));
    };
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, shown) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| shown.trim_ascii())
    });
    let Some(shown) = shown else {
        let sentence = "a change over the network needs the token: send the header \"Authorization: Bearer TOKEN\"";
        return Err(Fault::new(StatusCode::UNAUTHORIZED, Refused::TokenMissing, sentence));
    };
    // the time that a comparison of digests takes reveals nothing of the token
    if Sha256::digest(shown) == Sha256::digest(token) {
        Ok(())
    } else {
        Err(Fault::new(StatusCode::FORBIDDEN, Refused::TokenWrong, "the token is wrong; it is not that of this daemon"))
    }
}

/// Text from a client, shortened and escaped for a log or a terminal.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_default).collect();
    if text.chars().nth(LONGEST).is_some() { shown + "..." } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(authority: &str) -> bool {
        let known = ["gait.example".to_owned(), "Proxy.example:8443".to_owned()];
        is_ours(&authority.parse().unwrap(), "192.168.1.7".parse().unwrap(), &known)
    }

    #[test]
    fn names_and_addresses_of_this_host_are_ours() {
        for authority in [
            "localhost",
            "LOCALHOST:4248",
            "localhost.",
            "127.0.0.1:4248",
            "[::1]:4248",
            "[::ffff:127.0.0.1]",
            "192.168.1.7",
            "gait.example",
            "GAIT.example.:80",
            "proxy.example:8443",
        ] {
            assert!(ours(authority), "{authority}");
        }
        for authority in [
            "evil.example",
            "192.168.1.8",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "gait.example@evil.example",
            "evil@localhost",
            "xgait.example",
            "proxy.example:80",
        ] {
            assert!(!ours(authority), "{authority}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(shown("a\n\u{1b}[31m\u{e9}"), r"a\n\u{1b}[31m\u{e9}");
        assert_eq!(shown(&"x".repeat(500)).len(), 83);
    }
}
