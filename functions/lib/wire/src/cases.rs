//! Corrections and the helpdesk: requests and responses of citizens and officers.

use bukti_domain::{CaseState, Correction, Likeness, codes};
use serde::{Deserialize, Serialize};

use crate::DoseStatus;

// ---- citizens -----------------------------------------------------------------------------------

/// A request to open a case about an error in a record. It contains either `nik` or `passport`.
/// Replies are sent to the phone that is logged in. For the correction `phone`, this phone is also
/// the correct one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseRequest {
    /// The kind of correction: `phone`, `name`, `birth_date`, `identity`, `dose_number`,
    /// `dose_missing` or `data_corrected_by_law`.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "name"))]
    pub correction: String,
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
    /// The birth date as on the identity card, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
    /// A dose number from 1 to 9. For `dose_number`, it is the correct number; for `dose_missing`,
    /// it is the number of the missing dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2, example = "2"))]
    pub dose_number: Option<String>,
    /// For `dose_missing`: the vaccine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "CoronaVac"))]
    pub vaccine: Option<String>,
    /// For `dose_missing` and `dose_number`: the vaccination date, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "2021-01-29"))]
    pub vaccination_date: Option<String>,
    /// For `dose_missing`: the facility's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub facility: Option<String>,
    /// Further remarks by the citizen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub note: Option<String>,
}

/// The response to opening a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseOpened {
    /// The case's number in two groups of five. The last character is a check character.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// Whether similar records were found that may belong to the person. The helpdesk checks them.
    pub possible_match: bool,
}

/// A request for a URL for uploading evidence.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceRequest {
    /// The media type: `image/jpeg`, `image/png`, `image/heic` or `application/pdf`.
    #[cfg_attr(feature = "openapi", schema(max_length = 60, example = "image/jpeg"))]
    pub content_type: String,
    /// The length of the file in bytes, at most 5,242,880.
    #[cfg_attr(feature = "openapi", schema(example = 240000))]
    pub bytes: u64,
}

/// A URL for uploading one piece of evidence. Send a `PUT` request with the requested media type
/// and length and the header `If-None-Match: *`. A file whose content does not match its media type
/// is discarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceSlot {
    /// A presigned URL, which can be used for one upload.
    pub url: String,
    /// Seconds until the URL expires.
    pub expires_in: u32,
}

/// A request for the state of a case. The case's number and the birth date are sufficient; no
/// session is needed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQuery {
    /// The case's number, in upper or lower case, with or without spaces and hyphens.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "14D2P-F2DBV"))]
    pub number: String,
    /// The birth date that was entered when the case was opened, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
}

/// A reply to an officer's question.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseReply {
    /// The text of the reply.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub text: String,
}

/// The cases that were opened from this phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cases {
    /// The cases, newest first.
    pub cases: Vec<Case>,
    /// Whether there are more cases than the response contains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A case as the citizen sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// The case's number in two groups of five.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// The kind of correction that was requested.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// The state: `open`, `asked_back`, `awaiting_approval`, `granted` or `refused`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When the case was opened, in seconds since the Unix epoch.
    pub opened_at: i64,
    /// When the case last changed, in seconds since the Unix epoch.
    pub changed_at: i64,
    /// Whether similar records were found that may belong to the person.
    pub possible_match: bool,
    /// The number of pieces of evidence, including those whose upload was not completed.
    pub evidence: u32,
    /// The officers' questions and the citizen's replies, oldest first.
    pub messages: Vec<CaseMessage>,
    /// Why the case was granted or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A message in a case: an officer's question or the citizen's reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseMessage {
    /// When the message was written, in seconds since the Unix epoch.
    pub at: i64,
    /// Whether an officer wrote the message; otherwise the citizen did.
    pub from_officer: bool,
    /// The text of the message.
    pub text: String,
}

/// The entries of the audit log about a person's record, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessLog {
    /// The entries of the audit log.
    pub looks: Vec<AccessLogEntry>,
}

/// An entry of the audit log: a view or a change of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessLogEntry {
    /// The time of the entry, in seconds since the Unix epoch.
    pub at: i64,
    /// The officer's name.
    pub officer: String,
    /// The code of the action.
    #[cfg_attr(feature = "openapi", schema(example = "looked_at"))]
    pub action: String,
}

// ---- officers -----------------------------------------------------------------------------------

/// A request to pass an officer's second factor.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecondFactor {
    /// The six digits from the authenticator app.
    #[cfg_attr(feature = "openapi", schema(max_length = 12, example = "123456"))]
    pub code: String,
}

/// The officer who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Officer {
    /// The officer's name.
    pub name: String,
    /// The role: `officer` or `supervisor`.
    pub role: String,
}

/// A page of the cases that wait for an officer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQueue {
    /// The cases on this page, oldest first.
    pub cases: Vec<CaseSummary>,
    /// The value of `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A case in a list for officers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseSummary {
    /// The case's number in two groups of five.
    pub number: String,
    /// The kind of correction that was requested.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// The state of the case.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When the case was opened, in seconds since the Unix epoch.
    pub opened_at: i64,
}

/// A search for a person. Exactly one of `identity`, `phone` and `certificate` must be given.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonQuery {
    /// The NIK or passport number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "3171016506829651"))]
    pub identity: Option<String>,
    /// The phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub phone: Option<String>,
    /// The certificate id or UVCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub certificate: Option<String>,
    /// The reason for the search, for the audit log.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}

/// The result of a search for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeopleFound {
    /// The people, each with the doses recorded under the same number.
    pub people: Vec<PersonFound>,
    /// Whether there are more people than the response contains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person with recorded doses and cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonFound {
    /// The doses, sorted by vaccination date. A response contains at most 100 doses in total.
    pub doses: Vec<OfficerDose>,
    /// The cases, newest first.
    pub cases: Vec<CaseSummary>,
    /// Whether there are more doses or cases than the response contains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A dose as officers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfficerDose {
    /// The id of the dose, for use in decisions.
    pub id: String,
    /// The recorded data.
    pub recorded: RecordedDose,
    /// The status of the dose as the citizen sees it.
    pub status: DoseStatus,
    /// The id of the dose's certificate in groups of four characters, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// If this event is a duplicate, the id of the event that owns the dose and has the
    /// certificate. The citizen sees only the event that owns the dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
    /// The processing history of the dose, oldest entry first.
    pub trail: Vec<TrailEntry>,
    /// Heuristic hints that the dose belongs to the person although it is recorded differently, or
    /// that it is recorded incorrectly.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["nik_digit"])))]
    pub likenesses: Vec<Likeness>,
}

/// The data of a dose as its sender wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordedDose {
    /// The NIK or passport number.
    pub identity: String,
    /// The person's name.
    pub name: String,
    /// The birth date.
    pub birth_date: String,
    /// The sex: `L` (male), `P` (female), or empty if it was not registered.
    pub sex: String,
    /// The phone number.
    pub phone: String,
    /// The number of the dose in its series.
    pub dose_number: String,
    /// The name of the vaccine.
    pub vaccine: String,
    /// The batch number.
    pub batch: String,
    /// The vaccination date.
    pub vaccination_date: String,
    /// The code and name of the facility, separated by a space.
    pub facility: String,
}

codes! {
    /// The kind of an entry in the processing history of a dose.
    TrailStep {
        /// A row about the dose was stored.
        Received = "received",
        /// The helpdesk corrected the dose.
        Corrected = "corrected",
        /// A certificate was issued.
        Issued = "issued",
        /// The certificate was replaced by a newer one.
        Superseded = "superseded",
        /// The certificate was revoked.
        Revoked = "revoked",
        /// The SMS service accepted an SMS about the dose.
        SmsAccepted = "sms_accepted",
        /// An SMS about the dose is being sent.
        SmsPending = "sms_pending",
        /// The link in the SMS was opened.
        LinkOpened = "link_opened",
    }
}

/// An entry in the processing history of a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrailEntry {
    /// The time of the entry, in seconds since the Unix epoch.
    pub at: i64,
    /// The kind of entry: `received`, `corrected`, `issued`, `superseded`, `revoked`,
    /// `sms_accepted`, `sms_pending` or `link_opened`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "issued"))]
    pub what: TrailStep,
    /// The code of the row's result, for `received` and `corrected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A case as officers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfficerCase {
    /// The case as the citizen sees it.
    #[serde(flatten)]
    pub case: Case,
    /// The revision of the case. A decision must contain it, and is rejected if the case has
    /// changed since (optimistic lock).
    pub revision: u32,
    /// The citizen's statement.
    pub said: ApplicantStatement,
    /// The uploaded evidence.
    pub pieces: Vec<EvidencePiece>,
    /// The decision that an officer has proposed and that another officer has to approve, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<CaseProposal>,
    /// Whether a second officer must approve the decision.
    pub needs_approval: bool,
    /// The doses under the stated number, and doses under other numbers that may belong to the
    /// person.
    pub doses: Vec<OfficerDose>,
    /// Whether more doses are recorded under the stated number than the response contains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A citizen's statement about the person and the error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicantStatement {
    /// The NIK or passport number.
    pub identity: String,
    /// The person's name.
    pub name: String,
    /// The birth date, `YYYY-MM-DD`.
    pub birth_date: String,
    /// The phone that the case was opened from, verified by a one-time code.
    pub phone: String,
    /// The correct value according to the citizen; empty if a dose is missing.
    pub right: String,
    /// The missing dose, if the case is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<StatedDose>,
    /// Further remarks by the citizen.
    pub note: String,
}

/// A dose as the citizen states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatedDose {
    /// The number of the dose in its series.
    pub dose_number: u8,
    /// The name of the vaccine.
    pub vaccine: String,
    /// The vaccination date, `YYYY-MM-DD`.
    pub vaccination_date: String,
    /// The facility's name.
    pub facility: String,
}

/// A piece of evidence that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidencePiece {
    /// A presigned URL for viewing the file, valid for five minutes.
    pub url: String,
    /// The media type of the file.
    pub content_type: String,
}

/// A decision that an officer proposes and another officer has to approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseProposal {
    /// The name of the officer who proposed it.
    pub officer: String,
    /// When the decision was proposed, in seconds since the Unix epoch.
    pub at: i64,
    /// The reason for the proposal.
    pub why: String,
    /// The person at the facility or the civil registry who confirmed the data, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The id of the dose to correct; `None` if a missing dose is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    /// The data that the dose would have after the change.
    pub row: RecordedDose,
}

/// An officer's decision on a case, or a question to the citizen.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseDecision {
    /// The decision: `grant`, `refuse` or `ask_back`. `grant` without changes approves another
    /// officer's proposal.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "grant"))]
    pub decision: String,
    /// The revision of the case that the decision is based on.
    pub revision: u32,
    /// The reason for the decision, or the question. The citizen sees this text.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub why: String,
    /// For `grant`: the id of the dose to correct; omit it to add a missing dose. For
    /// `data_corrected_by_law`, choose a dose of the person that has the correct sex: its data are
    /// confirmed, with the correct birth date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub dose: Option<String>,
    /// For `grant`: the correct value, if it differs from the citizen's statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub right: Option<String>,
    /// For `grant` of a missing dose: the batch number, from the facility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub batch: Option<String>,
    /// For `grant` of a missing dose: the facility's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub facility_code: Option<String>,
    /// For `grant`: the person who confirmed the data at the facility or, for
    /// `data_corrected_by_law`, at the civil registry (Dukcapil). Required if there is no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub facility_word: Option<String>,
}

/// A request to resend the SMS with the link to a certificate.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResendRequest {
    /// The reason, for the audit log.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}
