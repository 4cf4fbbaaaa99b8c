//! Problems, RFC 9457 `application/problem+json`, each with a stable code.

use bukti_domain::codes;
use serde::{Deserialize, Serialize};

codes! {
    /// What went wrong, as a stable code. Its texts are in the locale files (`problems.<code>`).
    ProblemCode,
    /// The HTTP status it comes with.
    status: u16 {
        /// The body is no JSON of the expected form.
        InvalidJson = "invalid_json" => 400,
        /// The body is longer than any right one.
        BodyTooLarge = "body_too_large" => 413,
        /// The headers are longer than any right ones.
        HeadersTooLarge = "headers_too_large" => 431,
        /// The body is of a media type that is not read, such as FHIR's XML.
        UnsupportedMediaType = "unsupported_media_type" => 415,
        /// Some fields are missing or wrong: see `errors`.
        InvalidInput = "invalid_input" => 422,
        /// No such address.
        NotFound = "not_found" => 404,
        /// The request did not come by way of the content delivery network.
        Misdirected = "misdirected" => 421,
        /// The request comes from another site.
        ForeignOrigin = "foreign_origin" => 403,
        /// The captcha's solution is wrong.
        CaptchaWrong = "captcha_wrong" => 422,
        /// The captcha's time is over.
        CaptchaExpired = "captcha_expired" => 422,
        /// The captcha's solution was used before.
        CaptchaReused = "captcha_reused" => 422,
        /// Nobody is logged in, or the session has ended.
        NotLoggedIn = "not_logged_in" => 401,
        /// The one-time code is wrong; `tries_left` says how many tries are left.
        CodeWrong = "code_wrong" => 422,
        /// The one-time code has expired, was used, or was tried too often: ask for another.
        CodeDead = "code_dead" => 410,
        /// Too many requests; `Retry-After` says when to come again.
        TooManyRequests = "too_many_requests" => 429,
        /// The birth date is wrong; `tries_left` says how many tries are left.
        BirthDateWrong = "birth_date_wrong" => 422,
        /// The link is unknown, has expired, or was replaced by another.
        LinkDead = "link_dead" => 410,
        /// The link was tried too often and is locked.
        LinkLocked = "link_locked" => 403,
        /// The certificate is being made anew after a correction.
        CertificateNotReady = "certificate_not_ready" => 409,
        /// Who is logged in is no officer.
        NotAnOfficer = "not_an_officer" => 403,
        /// An officer has to show the second factor first.
        SecondFactorNeeded = "second_factor_needed" => 403,
        /// The code of the second factor is wrong, or was used before.
        SecondFactorWrong = "second_factor_wrong" => 422,
        /// The case is decided, or has changed since it was seen.
        CaseChanged = "case_changed" => 409,
        /// The dose was corrected after a change of it was proposed: the proposal cannot be approved, only made anew or refused.
        ProposalOvertaken = "proposal_overtaken" => 409,
        /// The case has as much evidence as it may have.
        EvidenceFull = "evidence_full" => 409,
        /// There is neither evidence nor a facility's word.
        EvidenceMissing = "evidence_missing" => 422,
        /// The corrected record would contradict itself or be incomplete.
        RecordContradicts = "record_contradicts" => 422,
        /// An administrator revoked the dose's certificate: until the dose is reinstated, nothing of it
        /// is corrected.
        DoseWithdrawn = "dose_withdrawn" => 409,
        /// Another officer, a supervisor, has to decide this.
        NeedsSupervisor = "needs_supervisor" => 403,
        /// The case, or the phone of its dose, is the officer's own: another officer has to decide.
        OwnCase = "own_case" => 403,
        /// There is no certificate, or no phone that an SMS can reach.
        NothingToSend = "nothing_to_send" => 409,
        /// The API key is missing, unknown, or has ended.
        ApiKeyWrong = "api_key_wrong" => 401,
        /// More rows than one request may bring.
        TooManyRows = "too_many_rows" => 413,
        /// What was sent as such cannot be read, and nothing of it was kept: `errors` says where and why.
        FeedUnreadable = "feed_unreadable" => 422,
        /// As many SMS were sent today as the deployment sends; `Retry-After` says when there are more.
        SmsBudgetSpent = "sms_budget_spent" => 503,
        /// The service cannot answer now; the same request may be sent again.
        Unavailable = "unavailable" => 503,
        /// A fault of the service.
        Internal = "internal" => 500,
    }
}

/// A problem as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:bukti:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invalid_input"))]
    pub code: ProblemCode,
    /// What went wrong, in the caller's language.
    pub title: String,
    /// How to mend it, in the caller's language.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// How many tries are left, where tries are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
    /// Seconds until the request can be sent again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name in the request.
    pub field: String,
    /// What is wrong with it: `missing` or `invalid`.
    pub code: String,
}

impl FieldError {
    /// A field that is empty.
    pub fn missing(field: &str) -> Self {
        Self { field: field.to_owned(), code: "missing".to_owned() }
    }

    /// A field that is nothing that it could be.
    pub fn invalid(field: &str) -> Self {
        Self { field: field.to_owned(), code: "invalid".to_owned() }
    }
}
