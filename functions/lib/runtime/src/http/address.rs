//! Determines the client address of a request, which rate limits are applied to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bukti_store::Aws;
use bukti_wire::ProblemCode;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use crate::Failure;

/// The header in which the content delivery network (CDN) sends its secret, to authenticate itself.
const EDGE: &str = "x-bukti-edge";
/// The header in which the CDN forwards the client IP.
const VIEWER: &str = "x-bukti-viewer";

/// A client address in the two forms that rate limits apply to: host and network. It is personal
/// data, so it may be stored only as a keyed hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The IPv4 address, or the /64 prefix of the IPv6 address, since a subscriber usually gets a
    /// whole /64 network.
    pub host: String,
    /// The /24 network of the IPv4 address, or the /48 network of the IPv6 address.
    pub network: String,
    /// Whether the address is IPv6. A subscriber with a /48 network can switch between many hosts,
    /// so failures are also counted for the network.
    pub is_ipv6: bool,
}

impl Address {
    /// Returns the caller's address. The client IP header is trusted only if the request comes from
    /// the CDN, so that callers cannot spoof their address. For all other requests, the address of
    /// the connection is used.
    ///
    /// # Errors
    ///
    /// `misdirected` if the deployment accepts requests only from the CDN, and this one bypassed
    /// it.
    pub fn of(request: &Request, aws: &Aws) -> Result<Self, Failure> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let from_edge = header(EDGE).filter(|key| aws.is_edge_key(key));
        if from_edge.is_none() && aws.settings.edge_only {
            return Err(Failure::new(ProblemCode::Misdirected));
        }
        Ok(Self::of_viewer(request, from_edge.is_some()))
    }

    /// Returns the client IP from the header if the request comes from the CDN, and the address of
    /// the connection otherwise. If the address is missing or invalid, returns 0.0.0.0.
    fn of_viewer(request: &Request, from_edge: bool) -> Self {
        let viewer = request.headers().get(VIEWER).filter(|_| from_edge);
        let viewer = viewer.and_then(|value| value.to_str().ok());
        let connected = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
            _ => None,
        };
        let ip = viewer.or(connected).and_then(|text| text.parse().ok());
        Self::from_ip(ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    fn from_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self { host: ip.to_string(), network: format!("{a}.{b}.{c}.0/24"), is_ipv6: false }
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                let prefix = |d| Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0);
                Self {
                    host: format!("{}/64", prefix(d)),
                    network: format!("{}/48", prefix(0)),
                    is_ipv6: true,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
    use lambda_http::http::HeaderValue;

    use super::*;

    #[test]
    fn ignores_client_ip_header_unless_from_edge() {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.source_ip = Some("36.68.1.2".to_owned());
        let mut request = Request::default().with_request_context(RequestContext::ApiGatewayV2(context));
        for name in ["x-forwarded-for", "x-real-ip", "forwarded", "cloudfront-viewer-address", VIEWER] {
            request.headers_mut().insert(name, HeaderValue::from_static("10.0.0.1"));
        }
        assert_eq!(Address::of_viewer(&request, false).host, "36.68.1.2");
        assert_eq!(Address::of_viewer(&request, true).host, "10.0.0.1");
        request.headers_mut().remove(VIEWER);
        assert_eq!(Address::of_viewer(&request, true).host, "36.68.1.2");
    }

    #[test]
    fn derives_host_and_network_from_ip() {
        let of = |ip: &str| {
            let Address { host, network, .. } = Address::from_ip(ip.parse().unwrap());
            (host, network)
        };
        assert_eq!(of("36.68.1.2"), ("36.68.1.2".into(), "36.68.1.0/24".into()));
        assert_eq!(of("::ffff:36.68.1.2"), of("36.68.1.2"));
        assert_eq!(
            of("2001:448a:10:20:1:2:3:4"),
            ("2001:448a:10:20::/64".into(), "2001:448a:10::/48".into())
        );
    }
}
