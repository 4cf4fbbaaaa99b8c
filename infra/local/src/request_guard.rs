//! The request guard: rejects requests that pages of other sites cause a browser to send, including
//! those that use DNS rebinding.

use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// Whether the only host that the request names is this machine.
///
/// With DNS rebinding, a page of another site resolves its own name to 127.0.0.1 and can then read
/// the responses. The `Host` header still contains the name of that site.
pub(crate) fn has_loopback_host(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let is_loopback = |host: &str| {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]"
    };
    host.to_str().is_ok_and(is_loopback)
        && uri.authority().is_none_or(|authority| is_loopback(authority.as_str()))
}

/// Whether a page of another site requested something that only pages of this site, and programs on
/// this machine, may read. Another port on this machine counts as another site.
///
/// The public lists are open to every site. The functions' routes check the origin themselves and
/// respond with a problem code. Any site may link to the pages of this site.
pub(crate) fn is_cross_site(path: &str, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if path.starts_with("/trust/") || path == "/api" || path.starts_with("/api/") {
        return false;
    }
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, host)| host == text("host"))
    };
    // Browsers send Sec-Fetch-Site even where they omit Origin: for links, frames and images.
    let fetched_cross_site = || matches!(text("sec-fetch-site"), "cross-site" | "same-site");
    !headers.get_all(header::ORIGIN).iter().all(is_own) || (path.starts_with("/_") && fetched_cross_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn accepts_loopback_hosts_only() {
        let uri = Uri::from_static("/");
        for good in ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8080", "[::1]"] {
            assert!(has_loopback_host(&headers(&[("host", good)]), &uri), "{good}");
        }
        for bad in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "[localhost].evil.example",
            "[::1].evil.example:80",
            "localhost:80.evil.example",
            "user@localhost",
            "10.0.0.1",
            "",
            "[::2]",
        ] {
            assert!(!has_loopback_host(&headers(&[("host", bad)]), &uri), "{bad}");
        }
        assert!(!has_loopback_host(&HeaderMap::new(), &uri));
        let elsewhere = Uri::from_static("http://evil.example/");
        assert!(!has_loopback_host(&headers(&[("host", "127.0.0.1")]), &elsewhere));
    }
}
