//! Corrections and the helpdesk: requests and responses of citizens and officers.

use bukti_domain::{CaseState, Correction, Likeness, codes};
use serde::{Deserialize, Serialize};

use crate::DoseStatus;

// ---- citizens -----------------------------------------------------------------------------------

/// Opens a case about an error in a record, with either `nik` or `passport`. Replies go to the
/// phone that is logged in; for the correction `phone`, it is also the correct phone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseRequest {
    /// `phone`, `name`, `birth_date`, `identity`, `dose_number`, `dose_missing` or
    /// `data_corrected_by_law`.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "name"))]
    pub correction: String,
    /// Full name as on the identity card.
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "Siti Aminah"))]
    pub name: String,
    /// 16-digit identity number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "3171016506829651"))]
    pub nik: Option<String>,
    /// Passport number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub passport: Option<String>,
    /// The birth date as on the identity card, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
    /// A dose number from 1 to 9: for `dose_number` the correct number, for `dose_missing` the
    /// number of the missing dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2, example = "2"))]
    pub dose_number: Option<String>,
    /// For `dose_missing`: the vaccine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300, example = "CoronaVac"))]
    pub vaccine: Option<String>,
    /// For `dose_missing` and `dose_number`: the day of the vaccination, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "2021-01-29"))]
    pub vaccination_date: Option<String>,
    /// For `dose_missing`: the facility's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub facility: Option<String>,
    /// Further remarks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub note: Option<String>,
}

/// The response to opening a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseOpened {
    /// The case's number, in two groups; the last character is a check character.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// Whether records were found that may be the person's. The helpdesk checks them.
    pub possible_match: bool,
}

/// A request for a URL for uploading evidence.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceRequest {
    /// `image/jpeg`, `image/png`, `image/heic` or `application/pdf`.
    #[cfg_attr(feature = "openapi", schema(max_length = 60, example = "image/jpeg"))]
    pub content_type: String,
    /// The length in bytes, at most 5,242,880.
    #[cfg_attr(feature = "openapi", schema(example = 240000))]
    pub bytes: u64,
}

/// A URL for one upload of a piece of evidence, by `PUT` with the requested type and length and the
/// header `If-None-Match: *`. A file whose bytes do not match the type is discarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceSlot {
    /// A presigned URL.
    pub url: String,
    /// Seconds until the URL expires.
    pub expires_in: u32,
}

/// A request for the state of a case. The case's number and the birth date suffice to see it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQuery {
    /// The case's number, in any notation.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "14D2P-F2DBV"))]
    pub number: String,
    /// The birth date that was given when the case was opened, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
}

/// A reply to an officer's question.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseReply {
    /// The reply.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub text: String,
}

/// The cases that were opened from this phone, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cases {
    /// The cases.
    pub cases: Vec<Case>,
    /// Whether there are more cases than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A case as the citizen sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// The number, in two groups.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// The error in the record.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// `open`, `asked_back`, `awaiting_approval`, `granted` or `refused`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
    /// When it last changed, Unix seconds.
    pub changed_at: i64,
    /// Whether records were found that may be the person's.
    pub possible_match: bool,
    /// The number of pieces of evidence.
    pub evidence: u32,
    /// The officers' questions and the citizen's replies, oldest first.
    pub messages: Vec<CaseMessage>,
    /// Why the case was granted or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A message of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseMessage {
    /// The time of the message, Unix seconds.
    pub at: i64,
    /// Whether an officer wrote it.
    pub from_officer: bool,
    /// The text.
    pub text: String,
}

/// The entries of the audit log about a person's record, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessLog {
    /// The entries.
    pub looks: Vec<AccessLogEntry>,
}

/// An entry of the audit log: a view or a change of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessLogEntry {
    /// The time, Unix seconds.
    pub at: i64,
    /// The officer's name.
    pub officer: String,
    /// The action, as a code.
    #[cfg_attr(feature = "openapi", schema(example = "looked_at"))]
    pub action: String,
}

// ---- officers -----------------------------------------------------------------------------------

/// The second factor of an officer.
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
    /// The name.
    pub name: String,
    /// `officer` or `supervisor`.
    pub role: String,
}

/// The cases that wait for an officer, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQueue {
    /// The cases.
    pub cases: Vec<CaseSummary>,
    /// The value of `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A case in a list for officers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseSummary {
    /// The number, in two groups.
    pub number: String,
    /// The error in the record.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// The state.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
}

/// A search for a person, by one of the numbers.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonQuery {
    /// NIK or passport number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "3171016506829651"))]
    pub identity: Option<String>,
    /// Phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 30))]
    pub phone: Option<String>,
    /// Certificate number or UVCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub certificate: Option<String>,
    /// The reason for the search, for the audit log.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}

/// The people who were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeopleFound {
    /// The people, each with the doses recorded under the same number.
    pub people: Vec<PersonFound>,
    /// Whether there are more people than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person with recorded doses and cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonFound {
    /// The doses by date; at most a hundred for all people together.
    pub doses: Vec<OfficerDose>,
    /// The cases, newest first.
    pub cases: Vec<CaseSummary>,
    /// Whether there are more doses or cases than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A dose as officers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfficerDose {
    /// The id, for decisions.
    pub id: String,
    /// The data as recorded.
    pub recorded: RecordedDose,
    /// The status as the citizen sees it.
    pub status: DoseStatus,
    /// The id of its certificate, in groups, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// If two events report the same dose, the id of the one that has the certificate. The citizen
    /// sees only that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
    /// The dose's events in the service, oldest first.
    pub trail: Vec<TrailEntry>,
    /// Heuristic hints that the dose is the person's although it is recorded differently, or that
    /// it is recorded wrongly.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["nik_digit"])))]
    pub likenesses: Vec<Likeness>,
}

/// The data of a dose, as its sender wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordedDose {
    /// NIK or passport number.
    pub identity: String,
    /// Name.
    pub name: String,
    /// Birth date.
    pub birth_date: String,
    /// Sex, `L` or `P`; empty where none was registered.
    pub sex: String,
    /// Phone.
    pub phone: String,
    /// Dose number.
    pub dose_number: String,
    /// Vaccine.
    pub vaccine: String,
    /// Batch.
    pub batch: String,
    /// Day of the vaccination.
    pub vaccination_date: String,
    /// Code and name of the facility.
    pub facility: String,
}

codes! {
    /// The kind of an entry in a dose's trail.
    TrailStep {
        /// A row of the dose was stored.
        Received = "received",
        /// The helpdesk corrected the dose.
        Corrected = "corrected",
        /// A certificate was issued.
        Issued = "issued",
        /// A later certificate replaced the certificate.
        Superseded = "superseded",
        /// The certificate was revoked.
        Revoked = "revoked",
        /// The SMS service accepted the SMS.
        SmsAccepted = "sms_accepted",
        /// An SMS is being sent.
        SmsPending = "sms_pending",
        /// The link of the SMS was opened.
        LinkOpened = "link_opened",
    }
}

/// An entry in a dose's trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrailEntry {
    /// The time, Unix seconds.
    pub at: i64,
    /// `received`, `corrected`, `issued`, `superseded`, `revoked`, `sms_accepted`, `sms_pending` or
    /// `link_opened`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "issued"))]
    pub what: TrailStep,
    /// Details as a code: the result of a row.
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
    /// The revision of the case. A decision must name it (optimistic lock).
    pub revision: u32,
    /// The citizen's statement.
    pub said: ApplicantStatement,
    /// The uploaded evidence.
    pub pieces: Vec<EvidencePiece>,
    /// The decision that another officer proposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<CaseProposal>,
    /// Whether a second officer must approve the decision.
    pub needs_approval: bool,
    /// The doses under the stated number, and others that may be the person's.
    pub doses: Vec<OfficerDose>,
    /// Whether there are more doses under the number than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A citizen's statement about the person and the error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicantStatement {
    /// NIK or passport number.
    pub identity: String,
    /// Name.
    pub name: String,
    /// Birth date, `YYYY-MM-DD`.
    pub birth_date: String,
    /// The phone that opened the case, verified by a one-time code.
    pub phone: String,
    /// The correct value; empty for a missing dose.
    pub right: String,
    /// The missing dose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<StatedDose>,
    /// Further remarks.
    pub note: String,
}

/// A dose as the citizen states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatedDose {
    /// The number of the dose in its series.
    pub dose_number: u8,
    /// The vaccine.
    pub vaccine: String,
    /// The day of the vaccination, `YYYY-MM-DD`.
    pub vaccination_date: String,
    /// The facility.
    pub facility: String,
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidencePiece {
    /// A presigned URL, valid for some minutes.
    pub url: String,
    /// The media type.
    pub content_type: String,
}

/// A decision that an officer proposes and another officer has to approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseProposal {
    /// The name of the officer who proposes it.
    pub officer: String,
    /// The time of the proposal, Unix seconds.
    pub at: i64,
    /// The reason.
    pub why: String,
    /// The person at the facility or the civil registry who confirmed the data, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The id of the dose to correct; `None` if a dose is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    /// The proposed data.
    pub row: RecordedDose,
}

/// An officer's decision on a case, or a question to the citizen.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseDecision {
    /// `grant`, `refuse` or `ask_back`. `grant` on another officer's proposal approves it.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "grant"))]
    pub decision: String,
    /// The revision of the case that the officer saw.
    pub revision: u32,
    /// The reason or the question, which the citizen reads.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub why: String,
    /// For `grant`: the id of the dose to correct; omitted to add a missing one. For
    /// `data_corrected_by_law`, a dose of the person with the correct sex: its data with the
    /// correct birth date are confirmed.
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
    /// For `grant`: the person at the facility who confirmed it, or for `data_corrected_by_law` at
    /// the civil registry (Dukcapil). Required if there is no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub facility_word: Option<String>,
}

/// A request to send an SMS again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResendRequest {
    /// The reason, for the audit log.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}
