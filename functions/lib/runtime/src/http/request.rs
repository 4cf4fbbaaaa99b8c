//! Parses and validates requests.

use std::borrow::Cow;

use bukti_domain::{Identity, Nik, Passport, hygiene};
use bukti_locales::Locale;
use bukti_store::{Aws, Settings};
use bukti_wire::{FieldError, FunctionRoute, ProblemCode, find_route};
use lambda_http::http::Method;
use lambda_http::http::header::{ACCEPT_LANGUAGE, HOST, ORIGIN};
use lambda_http::{Body, Request, RequestExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::{Address, Failure};

/// The maximum size of the headers, names and values together, in bytes: the limit of API Gateway.
const MAX_HEADERS: usize = 10 * 1024;

/// The maximum size of a JSON body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The maximum length of a value that becomes part of a table key, in bytes. DynamoDB rejects sort
/// keys of more than 1,024 bytes, and keys have a prefix. The longest values are the names of jobs,
/// which contain those of files.
const MAX_IN_KEY: usize = 1000;

/// The caller of a route.
pub struct Caller {
    /// The value of the path's parameter; empty if the route has none.
    pub parameter: String,
    /// The client address.
    pub address: Address,
    /// When the request was received.
    pub received_at: Instant,
}

impl Caller {
    /// Finds the route of a request among those of a function. Requests other than GET are rejected
    /// if the browser's headers show that they come from another site (CSRF).
    ///
    /// # Errors
    ///
    /// `misdirected`, `not_found`, `headers_too_large`, `foreign_origin`.
    pub fn of<R: FunctionRoute>(request: &Request, aws: &Aws) -> Result<(R, Self), Failure> {
        let address = Address::of(request, aws)?;
        let (route, parameter) = find_route(request.method().as_str(), request.uri().path())
            .filter(|(_, parameter)| parameter.is_none_or(fits_key))
            .and_then(|(found, parameter)| {
                let route = R::ALL.iter().copied().find(|route| route.route() == found);
                route.zip(Some(parameter.unwrap_or_default().to_owned()))
            })
            .ok_or_else(|| Failure::new(ProblemCode::NotFound))?;
        let header_bytes =
            request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        if header_bytes > MAX_HEADERS {
            return Err(Failure::new(ProblemCode::HeadersTooLarge));
        }
        if request.method() != Method::GET && !is_own_origin(request, &aws.settings) {
            return Err(Failure::new(ProblemCode::ForeignOrigin));
        }
        Ok((route, Self { parameter, address, received_at: Instant::now() }))
    }
}

fn is_own_origin(request: &Request, settings: &Settings) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site") {
        return false;
    }
    let Some(origin) = header(ORIGIN.as_str()) else {
        // Not a browser, or the same site: browsers send `Origin` with all other requests than GET
        // to another site.
        return true;
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin == settings.site_url || (authority.is_some() && authority == header(HOST.as_str()))
}

/// Whether a value of a request can be part of a table key: neither empty nor too long. Without
/// this check, the table would reject it, and the caller would get a 500 for their own error.
pub fn fits_key(value: &str) -> bool {
    (1..=MAX_IN_KEY).contains(&value.len())
}

/// The value of a query parameter.
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.query_string_parameters().first(name).map(str::to_owned)
}

/// Parses the offset of a page: 31 bits, as in the API document.
pub fn page_start(written: &str) -> Option<u32> {
    written.parse().ok().filter(|number| i32::try_from(*number).is_ok())
}

/// The caller's language, from `Accept-Language`.
pub fn locale(request: &Request) -> Locale {
    let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Locale::from_tag(header.unwrap_or_default())
}

/// Reads the JSON body.
///
/// # Errors
///
/// `body_too_large`, `invalid_json`.
pub fn read_json<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    parse(body(request))
}

/// Reads the JSON body, or returns the default if there is none.
///
/// # Errors
///
/// The same as for [`read_json`].
pub fn read_optional_json<T: DeserializeOwned + Default>(request: &Request) -> Result<T, Failure> {
    match body(request) {
        [] => Ok(T::default()),
        body => parse(body),
    }
}

/// The raw body.
pub fn body(request: &Request) -> &[u8] {
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    if body.len() > MAX_BODY {
        return Err(Failure::new(ProblemCode::BodyTooLarge));
    }
    let invalid = |_| Failure::new(ProblemCode::InvalidJson);
    let mut value: Value = serde_json::from_slice(body).map_err(invalid)?;
    clean_texts(&mut value);
    serde_json::from_value(value).map_err(invalid)
}

/// Normalises every text of a request: removes invisible characters and other traces of copy and
/// paste.
fn clean_texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(cleaned) = hygiene::clean_message(text) {
                *text = cleaned;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(clean_texts),
        Value::Object(fields) => fields.values_mut().for_each(clean_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Parses a field, or adds an error that it is missing or invalid.
pub fn field<T>(
    name: &str,
    written: &str,
    parse: impl FnOnce(&str) -> Option<T>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let written = written.trim();
    let parsed = if written.is_empty() { None } else { parse(written) };
    if parsed.is_none() {
        errors.push(if written.is_empty() { FieldError::missing(name) } else { FieldError::invalid(name) });
    }
    parsed
}

/// Parses the identity number, or adds an error. Exactly one of NIK and passport number must be
/// given.
pub fn identity_field(
    nik: Option<&str>,
    passport: Option<&str>,
    errors: &mut Vec<FieldError>,
) -> Option<Identity> {
    let parse_nik = |nik: &str| Nik::parse(nik).map(Identity::Nik);
    match (nik, passport) {
        (nik, None) => field("nik", nik.unwrap_or_default(), parse_nik, errors),
        (None, Some(written)) => {
            field("passport", written, |number| Passport::parse(number).map(Identity::Passport), errors)
        }
        (Some(_), Some(_)) => {
            errors.push(FieldError::invalid("passport"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_offsets_have_31_bits() {
        assert_eq!(["0", "2147483647"].map(page_start), [Some(0), Some(2_147_483_647)]);
        assert_eq!(["", "-1", "1.5", "2147483648", "537302809159"].map(page_start), [None; 5]);
    }

    #[test]
    fn cleans_every_text_of_a_body() {
        let body =
            "{\"a\":[\"Si\u{200b}ti\u{a0}Aminah\",{\"b\":\"satu\\ndua\\u202e\"}],\"c\":\"0812\u{2011}3456\"}";
        let read: Value = parse(body.as_bytes()).unwrap_or_default();
        assert_eq!(read, serde_json::json!({"a": ["Siti Aminah", {"b": "satu\ndua"}], "c": "0812-3456"}));
    }

    #[test]
    fn key_values_have_a_maximum_length() {
        assert_eq!(
            [0, 1, MAX_IN_KEY, MAX_IN_KEY + 1].map(|length| fits_key(&"A".repeat(length))),
            [false, true, true, false]
        );
    }
}
