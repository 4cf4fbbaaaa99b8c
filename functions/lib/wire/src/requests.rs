//! Requests from citizens: status, quick download, log-in, links and documents.

use serde::{Deserialize, Serialize};

/// A request for the status of a person's doses. It contains either `nik` or `passport`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusRequest {
    /// The full name as on the identity card.
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "Siti Aminah"))]
    pub name: String,
    /// The 16-digit identity number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "3171016506829651"))]
    pub nik: Option<String>,
    /// The passport number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub passport: Option<String>,
    /// The solved captcha: base64 of the JSON `{"challenge": …, "solution": …}`, as ALTCHA's
    /// widgets send it.
    #[cfg_attr(feature = "openapi", schema(max_length = 4000))]
    pub captcha: String,
}

/// A request to send a link to the certificate of one dose by SMS, to the phone that is registered
/// with the dose. It contains either `nik` or `passport`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadRequest {
    /// The full name as on the identity card.
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "Siti Aminah"))]
    pub name: String,
    /// The 16-digit identity number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "3171016506829651"))]
    pub nik: Option<String>,
    /// The passport number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub passport: Option<String>,
    /// The birth date, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
    /// The vaccination date, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "2021-01-29"))]
    pub vaccination_date: String,
    /// The name of the vaccine, from `/api/vaccines`, or an alias in the catalogue.
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "CoronaVac"))]
    pub vaccine: String,
    /// The solved captcha, as for `/api/status`.
    #[cfg_attr(feature = "openapi", schema(max_length = 4000))]
    pub captcha: String,
}

/// A request for a one-time code by SMS, which is used to log in or, if a name is given, to create
/// an account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtpRequest {
    /// A mobile phone number in any common notation.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "0812 3456 7890"))]
    pub phone: String,
    /// The full name, to create an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub name: Option<String>,
    /// The solved captcha, as for `/api/status`.
    #[cfg_attr(feature = "openapi", schema(max_length = 4000))]
    pub captcha: String,
}

/// A request to open a session with the code from the SMS.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRequest {
    /// The phone that the code was sent to.
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub phone: String,
    /// The six-digit code.
    #[cfg_attr(feature = "openapi", schema(max_length = 12, example = "123456"))]
    pub code: String,
}

/// A request to open the link from an SMS.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkRequest {
    /// The last segment of the link's URL.
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub token: String,
    /// The birth date of the certificate's holder, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1989-01-24"))]
    pub birth_date: String,
    /// The form of the document: `complete` (the default), `a4`, `card` or `card-sheet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "card"))]
    pub form: Option<String>,
}

/// A report that an SMS reached the wrong person ("this was not me"). It disables the link in the
/// SMS. If the link was sent for a quick download, it also blocks quick downloads for the person
/// whose certificate was requested.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkRefusal {
    /// The last segment of the link's URL.
    #[cfg_attr(feature = "openapi", schema(max_length = 64))]
    pub token: String,
}

/// A request for a certificate's document. The body is optional.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DocumentRequest {
    /// The form of the document: `complete` (the A4 page and the card; the default), `a4`, `card`
    /// or `card-sheet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "card"))]
    pub form: Option<String>,
}
