//! Detects calls of AWS SDKs among the incoming requests, and the service that each call is for.

use axum::http::{HeaderMap, Method, Uri};

/// The AWS service of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AwsCall {
    /// DynamoDB, with the value of the header `X-Amz-Target`, which names the operation.
    DynamoDb(String),
    Sns,
    S3,
    Unsupported,
}

impl AwsCall {
    /// Returns `None` if the request is not a call to an AWS service.
    pub(crate) fn recognise(method: &Method, uri: &Uri, headers: &HeaderMap, bucket: &str) -> Option<Self> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(target) = header("x-amz-target") {
            let is_dynamodb = target.starts_with("DynamoDB");
            return Some(if is_dynamodb { Self::DynamoDb(target.to_owned()) } else { Self::Unsupported });
        }
        if let Some(scope) = header("authorization").and_then(credential_scope) {
            return Some(match scope.split('/').nth(3) {
                Some("s3") => Self::S3,
                Some("sns") if method == Method::POST => Self::Sns,
                _ => Self::Unsupported,
            });
        }
        let query = uri.query().unwrap_or_default();
        let presigned = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name.starts_with("X-Amz-"));
        // Unsigned requests for objects also go to S3, which rejects them.
        let in_bucket = uri.path().split('/').nth(1) == Some(bucket);
        (presigned || in_bucket).then_some(Self::S3)
    }
}

/// Extracts the credential scope of an authorization header:
/// `KEY/DATE/REGION/SERVICE/aws4_request`.
fn credential_scope(authorization: &str) -> Option<&str> {
    let (_, rest) = authorization.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn recognises_services_by_target_scope_and_path() {
        let signed = |service: &str| {
            let scope =
                format!("AWS4-HMAC-SHA256 Credential=K/20261123/r/{service}/aws4_request, SignedHeaders=h");
            headers(&[("authorization", &scope)])
        };
        let recognise = |method: Method, uri: &'static str, headers: &HeaderMap| {
            AwsCall::recognise(&method, &Uri::from_static(uri), headers, "bukti-documents")
        };
        let target = headers(&[("x-amz-target", "DynamoDB_20120810.PutItem")]);
        assert_eq!(
            recognise(Method::POST, "/", &target),
            Some(AwsCall::DynamoDb("DynamoDB_20120810.PutItem".into()))
        );
        assert_eq!(recognise(Method::POST, "/", &signed("sns")), Some(AwsCall::Sns));
        assert_eq!(recognise(Method::GET, "/", &signed("s3")), Some(AwsCall::S3));
        assert_eq!(recognise(Method::POST, "/", &signed("sts")), Some(AwsCall::Unsupported));
        let none = HeaderMap::new();
        assert_eq!(recognise(Method::GET, "/bukti-documents/a?X-Amz-Signature=1", &none), Some(AwsCall::S3));
        assert_eq!(recognise(Method::GET, "/bukti-documents/a", &none), Some(AwsCall::S3));
        assert_eq!(recognise(Method::GET, "/api/captcha", &none), None);
        assert_eq!(recognise(Method::GET, "/bukti-documentation", &none), None);
        assert_eq!(recognise(Method::GET, "/", &headers(&[("authorization", "Bearer x")])), None);
    }
}
