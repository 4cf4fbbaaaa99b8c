//! SNS: `Publish` to a phone number, by the query protocol. What it accepts lies in the outbox.
//!
//! One thing goes beyond AWS: of two messages with the same attribute `Bukti.DeduplicationId` the second is answered for
//! and not kept. A sender that died between the answer and its own note of it can then send again with nothing lost and
//! nothing twice. AWS passes such an attribute over, and an SMS in this place goes out twice there.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;

use crate::outbox::{Outbox, Sms};

/// The longest text of an SMS that SNS takes, in characters.
const LONGEST: usize = 1600;

/// Answers a call with this form as its body.
pub(crate) fn answer(outbox: &Outbox, form: &[u8]) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(form).into_owned().collect();
    match form.get("Action").map(String::as_str) {
        Some("Publish") => {}
        _ => {
            return refusal(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                "The embedded stack publishes SMS only",
            );
        }
    }
    if form.contains_key("TopicArn") || form.contains_key("TargetArn") {
        return refusal(StatusCode::NOT_FOUND, "NotFound", "The embedded stack has no topics");
    }
    let Some(to) = form.get("PhoneNumber").filter(|number| is_e164(number)) else {
        let reason = "Invalid parameter: PhoneNumber Reason: not valid to publish to";
        return refusal(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    };
    let Some(message) = form.get("Message").filter(|text| !text.is_empty()) else {
        let reason = "Invalid parameter: Empty message";
        return refusal(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    };
    if message.chars().count() > LONGEST {
        let reason = "Invalid parameter: Message too long";
        return refusal(StatusCode::BAD_REQUEST, "InvalidParameter", reason);
    }
    let from = attribute(&form, "AWS.SNS.SMS.SenderID")
        .or_else(|| attribute(&form, "AWS.MM.SMS.OriginationNumber"))
        .unwrap_or("NOTICE");
    let sms =
        Sms { to: to.clone(), from: from.to_owned(), message: message.clone(), sent_at: Timestamp::now() };
    let name = attribute(&form, "Bukti.DeduplicationId").map(str::to_owned);
    if let Err(error) = outbox.keep(sms, name) {
        tracing::error!(%error, "the outbox cannot be written");
        let reason = "The outbox cannot be written";
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", reason);
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

/// The string value of a message attribute: entries are numbered, with name and value apart.
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

/// A random UUID (version 4).
pub(crate) fn uuid() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// An error as the query protocol writes it. Code and message are fixed texts that need no escaping.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
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
    fn numbers_are_e164() {
        for good in ["+6281234567890", "+12"] {
            assert!(is_e164(good), "{good}");
        }
        for bad in ["081234567890", "+0812", "+", "+6281234567890123", "+62 812", "6281234567890"] {
            assert!(!is_e164(bad), "{bad}");
        }
    }

    #[test]
    fn uuids_are_of_version_4() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
    }
}
