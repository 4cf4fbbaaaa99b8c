//! SNS: implements `Publish` to a phone number with the query protocol. Accepted SMS go to the
//! outbox.
//!
//! Unlike SNS, it drops a message with a known `Bukti.DeduplicationId` attribute and reports
//! success. A sender that crashed before recording a successful response can therefore retry
//! without sending a duplicate. SNS ignores the attribute, so on AWS the SMS is sent twice in this
//! case.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;

use crate::outbox::{Outbox, Sms};

/// The maximum length of an SMS text that SNS accepts, in characters.
const MAX_LENGTH: usize = 1600;

/// Handles a call, given its form-encoded body.
pub(crate) fn handle(outbox: &Outbox, form: &[u8]) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
    match form.get("Action").map(String::as_str) {
        Some("Publish") => {}
        _ => {
            return error_response(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                "The embedded stack publishes SMS only",
            );
        }
    }
    if form.contains_key("TopicArn") || form.contains_key("TargetArn") {
        return error_response(StatusCode::NOT_FOUND, "NotFound", "The embedded stack has no topics");
    }
    let Some(to) = form.get("PhoneNumber").filter(|number| is_e164(number)) else {
        let reason = "Invalid parameter: PhoneNumber Reason: not valid to publish to";
        return error_response(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    };
    let Some(message) = form.get("Message").filter(|text| !text.is_empty()) else {
        let reason = "Invalid parameter: Empty message";
        return error_response(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    };
    if message.chars().count() > MAX_LENGTH {
        let reason = "Invalid parameter: Message too long";
        return error_response(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    }
    let from = attribute(&form, "AWS.SNS.SMS.SenderID")
        .or_else(|| attribute(&form, "AWS.MM.SMS.OriginationNumber"))
        .unwrap_or("NOTICE");
    let sms =
        Sms { to: to.clone(), from: from.to_owned(), message: message.clone(), sent_at: Timestamp::now() };
    let deduplication_id = attribute(&form, "Bukti.DeduplicationId").map(str::to_owned);
    if let Err(error) = outbox.add(sms, deduplication_id) {
        tracing::error!(%error, "cannot write the outbox");
        let reason = "The outbox cannot be written; see the log of the stack";
        return error_response(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", reason);
    }
    xml(
        StatusCode::OK,
        format!(
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
             <MessageId>{}</MessageId></PublishResult><ResponseMetadata><RequestId>{}</RequestId>\
             </ResponseMetadata></PublishResponse>",
            uuid(),
            uuid(),
        ),
    )
}

/// Returns the string value of a message attribute. The form numbers the attributes, each of which
/// has a name and a value.
fn attribute<'a>(form: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    (1..=10).find_map(|number| {
        let entry = format!("MessageAttributes.entry.{number}");
        (form.get(&format!("{entry}.Name"))? == name)
            .then(|| form.get(&format!("{entry}.Value.StringValue")).map(String::as_str))
            .flatten()
    })
}

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Generates a random UUID (version 4).
pub(crate) fn uuid() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Creates an error response of the query protocol. `code` and `message` must not need XML
/// escaping.
pub(crate) fn error_response(status: StatusCode, code: &str, message: &str) -> Response {
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>{kind}</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
            uuid(),
        ),
    )
}

fn xml(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_e164_numbers_only() {
        for good in ["+6281234567890", "+12"] {
            assert!(is_e164(good), "{good}");
        }
        for bad in ["081234567890", "+0812", "+", "+6281234567890123", "+62 812", "6281234567890"] {
            assert!(!is_e164(bad), "{bad}");
        }
    }

    #[test]
    fn uuids_have_version_4() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
    }
}
