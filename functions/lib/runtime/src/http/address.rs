//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bukti_store::Aws;
use bukti_wire::ProblemCode;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use crate::Failure;

/// The header by which the content delivery network shows that it is one.
const EDGE: &str = "x-bukti-edge";
/// The header in which it says who asks.
const VIEWER: &str = "x-bukti-viewer";

/// Whom limits count: what one subscriber has, and the network around. Personal: for keyed hashes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// An IPv4 address, or the 64 bits of IPv6 that one subscriber gets.
    pub host: String,
    /// The first 24 bits of IPv4, or 48 of IPv6.
    pub network: String,
    /// Whether the subscriber of the network has many addresses to choose from (IPv6).
    pub is_chosen: bool,
}

impl Address {
    /// The caller's address. What a header says is believed of the content delivery network alone, all others are who they
    /// connect as.
    ///
    /// # Errors
    ///
    /// `misdirected` where others are not answered.
    pub fn of(request: &Request, aws: &Aws) -> Result<Self, Failure> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let by_edge = header(EDGE).filter(|key| aws.is_edge_key(key));
        if by_edge.is_none() && aws.settings.edge_only {
            return Err(Failure::new(ProblemCode::Misdirected));
        }
        Ok(Self::of_viewer(request, by_edge.is_some()))
    }

    /// Who the edge says it is, where the request comes from the edge; else who connects.
    fn of_viewer(request: &Request, by_edge: bool) -> Self {
        let viewer = request.headers().get(VIEWER).filter(|_| by_edge);
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
                Self { host: ip.to_string(), network: format!("{a}.{b}.{c}.0/24"), is_chosen: false }
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                let prefix = |d| Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0);
                Self {
                    host: format!("{}/64", prefix(d)),
                    network: format!("{}/48", prefix(0)),
                    is_chosen: true,
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
    fn headers_of_others_than_the_edge_say_nothing() {
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
    fn a_subscriber_and_the_network_around() {
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
