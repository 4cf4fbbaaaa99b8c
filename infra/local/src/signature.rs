//! Verifies AWS Signature Version 4 on calls to DynamoDB and SNS. s3s verifies calls to S3.
//!
//! Both services are called with `POST /` and no query, so the canonical request needs no path
//! normalisation. Every `x-amz-` header must be signed, because `x-amz-target` names the DynamoDB
//! operation.
//!
//! Reference:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use axum::http::{HeaderMap, header};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The maximum accepted difference from the caller's clock, as on AWS.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The access keys of a stack. Each start generates new ones.
#[derive(Clone, serde::Serialize)]
pub(crate) struct AccessKeys {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl AccessKeys {
    /// Whether a `POST /` is signed for this service with these keys.
    pub(crate) fn have_signed(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        service: &str,
        now: Timestamp,
    ) -> bool {
        self.verify(headers, body, service, now).is_some()
    }

    /// Whether the headers have the access key id, service, date and signed headers of a valid
    /// call. Checked before the body is read, so that callers without the access key id cannot send
    /// long bodies.
    pub(crate) fn may_have_signed(&self, headers: &HeaderMap, service: &str, now: Timestamp) -> bool {
        self.parse(headers, service, now).is_some()
    }

    fn parse<'a>(&self, headers: &'a HeaderMap, service: &str, now: Timestamp) -> Option<Signature<'a>> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let authorization = text(header::AUTHORIZATION.as_str())?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| authorization.split(',').find_map(|part| part.trim().strip_prefix(name));
        let (access_key, scope) = field("Credential=")?.split_once('/')?;
        let signature =
            from_hex(field("Signature=")?).filter(|signature| signature.len() == SHA256.output_len())?;
        let mut parts = scope.split('/');
        let (date, region) = (parts.next()?, parts.next()?);
        let is_for_service = parts.eq([service, "aws4_request"]);
        let time = text("x-amz-date")?;
        let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?.to_zoned(TimeZone::UTC).ok()?;
        let skew = now.duration_since(signed_at.timestamp()).abs();
        if access_key != self.access_key || !is_for_service || !time.starts_with(date) || skew > MAX_SKEW {
            return None;
        }

        let signed_headers = field("SignedHeaders=")?;
        let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
        let mut amz_headers = headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
        if !is_signed("host") || !amz_headers.all(|name| is_signed(name.as_str())) {
            return None;
        }
        Some(Signature { time, date, region, scope, signed_headers, signature })
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8], service: &str, now: Timestamp) -> Option<()> {
        let Signature { time, date, region, scope, signed_headers, signature } =
            self.parse(headers, service, now)?;
        let mut request = "POST\n/\n\n".to_owned();
        for name in signed_headers.split(';') {
            let mut values = Vec::new();
            for value in headers.get_all(name) {
                values.push(value.to_str().ok()?.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            let _ = writeln!(request, "{name}:{}", values.join(","));
        }
        let _ = write!(request, "\n{signed_headers}\n{}", hex(digest(&SHA256, body).as_ref()));
        let request = hex(digest(&SHA256, request.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");

        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [date, region, service, "aws4_request"] {
            key = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        let key = hmac::Key::new(HMAC_SHA256, &key);
        // The comparison takes constant time.
        hmac::verify(&key, to_sign.as_bytes(), &signature).ok()
    }
}

/// The signature of a call, as stated in its headers.
struct Signature<'a> {
    /// The value of the header `x-amz-date`.
    time: &'a str,
    date: &'a str,
    region: &'a str,
    /// `DATE/REGION/SERVICE/aws4_request`.
    scope: &'a str,
    signed_headers: &'a str,
    signature: Vec<u8>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test case `post-vanilla` of AWS's Signature Version 4 test suite.
    #[test]
    fn accepts_aws_test_vector_and_rejects_changes() {
        let keys = AccessKeys {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
            SignedHeaders=host;x-amz-date, \
            Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            let own = [
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                ("authorization", authorization),
            ];
            let all = own.iter().chain(pairs);
            let mut map = HeaderMap::new();
            for (name, value) in all {
                map.insert(*name, value.parse().unwrap());
            }
            map
        };
        let now: Timestamp = "2015-08-30T12:40:00Z".parse().unwrap();
        assert!(keys.have_signed(&headers(&[]), b"", "service", now));
        assert!(!keys.have_signed(&headers(&[]), b"changed", "service", now));
        assert!(!keys.have_signed(&headers(&[]), b"", "dynamodb", now));
        assert!(!keys.have_signed(&headers(&[]), b"", "service", now + SignedDuration::from_mins(12)));
        let changed = authorization.replace("5da7", "5da8");
        let short = authorization.replace("5d6b", "5d6");
        for header in [
            ("host", "other.amazonaws.com"),
            ("x-amz-date", "20150830T123601Z"),
            ("x-amz-target", "DynamoDB_20120810.PutItem"),
            ("authorization", &changed),
            ("authorization", &short),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"),
        ] {
            assert!(!keys.have_signed(&headers(&[header]), b"", "service", now), "{header:?}");
        }
        assert!(keys.may_have_signed(&headers(&[]), "service", now));
        assert!(!keys.may_have_signed(&headers(&[]), "dynamodb", now));
        assert!(!keys.may_have_signed(&headers(&[]), "service", now + SignedDuration::from_mins(12)));
        assert!(!keys.may_have_signed(&headers(&[("authorization", &short)]), "service", now));
        let other = AccessKeys { secret_key: "another".to_owned(), ..keys };
        assert!(!other.have_signed(&headers(&[]), b"", "service", now));
    }
}
