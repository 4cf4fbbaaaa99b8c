//! Error responses: `application/problem+json` (RFC 9457), each with a stable code.

use bukti_domain::codes;
use serde::{Deserialize, Serialize};

codes! {
    /// The stable code of a problem. Its texts are in the locale files (`problems.<code>`).
    ProblemCode,
    /// The HTTP status of the response.
    status: u16 {
        /// The body is not valid JSON, or does not have the expected structure.
        InvalidJson = "invalid_json" => 400,
        /// The body exceeds the size limit.
        BodyTooLarge = "body_too_large" => 413,
        /// The headers exceed the size limit.
        HeadersTooLarge = "headers_too_large" => 431,
        /// The media type of the body is not supported, for example FHIR XML.
        UnsupportedMediaType = "unsupported_media_type" => 415,
        /// Some fields are missing or invalid; `errors` lists them.
        InvalidInput = "invalid_input" => 422,
        /// The path or the resource does not exist.
        NotFound = "not_found" => 404,
        /// The request did not come through the content delivery network.
        Misdirected = "misdirected" => 421,
        /// The request comes from a page of another origin.
        ForeignOrigin = "foreign_origin" => 403,
        /// The captcha's solution is wrong.
        CaptchaWrong = "captcha_wrong" => 422,
        /// The captcha has expired.
        CaptchaExpired = "captcha_expired" => 422,
        /// The captcha's solution has already been used.
        CaptchaReused = "captcha_reused" => 422,
        /// There is no session, or it has ended.
        NotLoggedIn = "not_logged_in" => 401,
        /// The one-time code is wrong; `tries_left` is the number of attempts left.
        CodeWrong = "code_wrong" => 422,
        /// The one-time code has expired, has already been used, or is locked after too many
        /// attempts. The caller has to request a new one.
        CodeDead = "code_dead" => 410,
        /// A rate limit is exceeded; retry after the number of seconds in `Retry-After`.
        TooManyRequests = "too_many_requests" => 429,
        /// The birth date is wrong; `tries_left` is the number of attempts left.
        BirthDateWrong = "birth_date_wrong" => 422,
        /// The link is unknown, has expired, or has been replaced by a newer one.
        LinkDead = "link_dead" => 410,
        /// The link is locked after too many attempts.
        LinkLocked = "link_locked" => 403,
        /// The certificate is being reissued after a correction; retry shortly.
        CertificateNotReady = "certificate_not_ready" => 409,
        /// The session does not belong to an officer.
        NotAnOfficer = "not_an_officer" => 403,
        /// The officer must pass the second factor first.
        SecondFactorNeeded = "second_factor_needed" => 403,
        /// The code of the second factor is wrong or has already been used.
        SecondFactorWrong = "second_factor_wrong" => 422,
        /// The case has been decided or changed since the officer loaded it.
        CaseChanged = "case_changed" => 409,
        /// The dose was corrected after the change was proposed. The proposal can be refused or
        /// replaced, but not approved.
        ProposalOvertaken = "proposal_overtaken" => 409,
        /// The case has the maximum number of pieces of evidence.
        EvidenceFull = "evidence_full" => 409,
        /// There is neither evidence nor a confirmation by the facility.
        EvidenceMissing = "evidence_missing" => 422,
        /// The corrected record would be incomplete or contradict itself.
        RecordContradicts = "record_contradicts" => 422,
        /// An admin has withdrawn the dose. It cannot be corrected until it is reinstated.
        DoseWithdrawn = "dose_withdrawn" => 409,
        /// The proposal must be approved by a supervisor who is not the officer who made it.
        NeedsSupervisor = "needs_supervisor" => 403,
        /// The officer opened the case, or the dose is registered with the officer's phone. Another
        /// officer must decide.
        OwnCase = "own_case" => 403,
        /// The dose has no certificate, or no phone that can receive an SMS.
        NothingToSend = "nothing_to_send" => 409,
        /// The API key is missing, unknown, or no longer valid.
        ApiKeyWrong = "api_key_wrong" => 401,
        /// The request has more rows than allowed.
        TooManyRows = "too_many_rows" => 413,
        /// The feed cannot be parsed, and none of it was stored. `errors` says where and why.
        FeedUnreadable = "feed_unreadable" => 422,
        /// The deployment's SMS budget for today is spent; retry after the number of seconds in
        /// `Retry-After`.
        SmsBudgetSpent = "sms_budget_spent" => 503,
        /// The service is temporarily unavailable; retry the same request.
        Unavailable = "unavailable" => 503,
        /// An internal error of the service.
        Internal = "internal" => 500,
    }
}

/// An error response (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The problem type: `urn:bukti:problem:` followed by the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The stable code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invalid_input"))]
    pub code: ProblemCode,
    /// What went wrong, in the caller's language.
    pub title: String,
    /// What the caller can do, in the caller's language.
    pub detail: String,
    /// The missing or invalid fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The number of attempts left, if attempts are limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
    /// Seconds until the request can be retried, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// A missing or invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's name in the request.
    pub field: String,
    /// `missing` or `invalid`.
    pub code: String,
}

impl FieldError {
    /// Creates the error for a required field that is empty or absent.
    pub fn missing(field: &str) -> Self {
        Self { field: field.to_owned(), code: "missing".to_owned() }
    }

    /// Creates the error for a field with an invalid value.
    pub fn invalid(field: &str) -> Self {
        Self { field: field.to_owned(), code: "invalid".to_owned() }
    }
}
