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

/// The maximum total size of all header names and values, in bytes. It is API Gateway's limit.
const MAX_HEADERS: usize = 10 * 1024;

/// The maximum size of a JSON body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// The maximum length of a value that becomes part of a table key, in bytes. DynamoDB rejects sort
/// keys longer than 1,024 bytes, and each key also has a prefix. The longest values are job names,
/// which contain file names.
const MAX_IN_KEY: usize = 1000;

/// The properties of a request that the guard and all handlers use.
pub struct Caller {
    /// The value of the path parameter, still percent-encoded; empty if the route has none.
    pub parameter: String,
    /// The client address, for rate limits.
    pub address: Address,
    /// When the request was received. Padding is measured from this time.
    pub received_at: Instant,
}

impl Caller {
    /// Finds the route of a request among the routes of a function. Requests other than GET are
    /// rejected if the browser's headers show that they come from another site, to prevent
    /// cross-site request forgery (CSRF).
    ///
    /// # Errors
    ///
    /// `misdirected` as for [`Address::of`], `not_found` if no route matches, `headers_too_large`,
    /// `foreign_origin`.
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
        // Either the caller is not a browser, or the request is not cross-site: browsers send
        // `Origin` with every cross-site request whose method is not GET or HEAD.
        return true;
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin == settings.site_url || (authority.is_some() && authority == header(HOST.as_str()))
}

/// Whether a value from a request can be part of a table key: it must be neither empty nor too
/// long. Without this check, DynamoDB would reject the key, and the caller's mistake would be
/// reported as an internal error (500).
pub fn fits_key(value: &str) -> bool {
    (1..=MAX_IN_KEY).contains(&value.len())
}

/// The first value of a query parameter; `None` if the parameter is missing.
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.query_string_parameters().first(name).map(str::to_owned)
}

/// Parses the offset of a page. It must fit in 31 bits, since the API document declares it as
/// `int32`.
pub fn page_start(written: &str) -> Option<u32> {
    written.parse().ok().filter(|number| i32::try_from(*number).is_ok())
}

/// The caller's language, from `Accept-Language`; Indonesian by default.
pub fn locale(request: &Request) -> Locale {
    let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Locale::from_tag(header.unwrap_or_default())
}

/// Parses the JSON body and normalises all strings in it.
///
/// # Errors
///
/// `body_too_large` if the body exceeds 16 KiB; `invalid_json` if it is not JSON of the expected
/// type.
pub fn read_json<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    parse(body(request))
}

/// Parses the JSON body as [`read_json`] does, but returns the default value if the body is empty.
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

/// The raw bytes of the body; empty if there is none.
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

/// Normalises every string in a request body: removes invisible characters and other artefacts of
/// copy and paste.
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

/// Trims and parses a field. If the field is empty or invalid, adds an error to `errors` and
/// returns `None`.
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

/// Parses the identity number. Unless exactly one of NIK and passport number is given and valid,
/// adds an error to `errors` and returns `None`.
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
