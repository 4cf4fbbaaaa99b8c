//! Corrections and the helpdesk: what people ask for, what officers see and decide.

use bukti_domain::{CaseState, Correction, Likeness, codes};
use serde::{Deserialize, Serialize};

use crate::DoseStatus;

// ---- what people ask for ------------------------------------------------------------------------------------------

/// Says what is wrong with a record. Exactly one of `nik` and `passport`. The phone that is logged in with is where the
/// answer goes, and for a wrong phone it is the right one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseRequest {
    /// `phone`, `name`, `birth_date`, `identity`, `dose_number`, `dose_missing` or `data_corrected_by_law`.
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
    /// Which dose, where it is about one: 1 to 9. For `dose_number` the right one, for `dose_missing` the one that is not there.
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
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub note: Option<String>,
}

/// A case was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseOpened {
    /// Its number, in two groups, the last character checking the others.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// Whether something was found that may be the person's. The helpdesk checks.
    pub possible_match: bool,
}

/// Asks for an address at which evidence can be put.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceRequest {
    /// `image/jpeg`, `image/png`, `image/heic` or `application/pdf`.
    #[cfg_attr(feature = "openapi", schema(max_length = 60, example = "image/jpeg"))]
    pub content_type: String,
    /// Its length in bytes, at most 5,242,880.
    #[cfg_attr(feature = "openapi", schema(example = 240000))]
    pub bytes: u64,
}

/// Where one piece of evidence can be put once, by `PUT` with just this type and length and the header `If-None-Match: *`.
/// Where the bytes are not of the type, it is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidenceSlot {
    /// A presigned address.
    pub url: String,
    /// Seconds until it expires.
    pub expires_in: u32,
}

/// Asks how a case stands. Whoever has its number and the birth date sees it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQuery {
    /// The case's number, as people write it down.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "14D2P-F2DBV"))]
    pub number: String,
    /// The birth date that was given when it was opened, `YYYY-MM-DD`.
    #[cfg_attr(feature = "openapi", schema(max_length = 10, example = "1982-06-25"))]
    pub birth_date: String,
}

/// Answers what an officer asked.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseReply {
    /// The answer.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub text: String,
}

/// The cases that this phone opened, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cases {
    /// The cases.
    pub cases: Vec<Case>,
    /// Whether there are more than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A case as who opened it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// Its number, in two groups.
    #[cfg_attr(feature = "openapi", schema(example = "14D2P-F2DBV"))]
    pub number: String,
    /// What is wrong.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// `open`, `asked_back`, `awaiting_approval`, `granted` or `refused`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
    /// When it last changed, Unix seconds.
    pub changed_at: i64,
    /// Whether something was found that may be the person's.
    pub possible_match: bool,
    /// How many pieces of evidence it has.
    pub evidence: u32,
    /// What officers asked, and what was answered, oldest first.
    pub messages: Vec<CaseMessage>,
    /// Why it was granted or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A message of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseMessage {
    /// When, Unix seconds.
    pub at: i64,
    /// Whether an officer wrote it.
    pub from_officer: bool,
    /// What.
    pub text: String,
}

/// Who looked at a person's record or changed it, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Looks {
    /// Each look.
    pub looks: Vec<Look>,
}

/// A look at a record, or a change of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Look {
    /// When, Unix seconds.
    pub at: i64,
    /// Who.
    pub officer: String,
    /// What, as a code.
    #[cfg_attr(feature = "openapi", schema(example = "looked_at"))]
    pub action: String,
}

// ---- what officers see and decide ---------------------------------------------------------------------------------

/// The second factor of an officer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecondFactor {
    /// The six digits that the authenticator shows.
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

/// Cases that somebody has to look at, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseQueue {
    /// The cases.
    pub cases: Vec<CaseSummary>,
    /// By what the next page is asked for, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A case in a list of officers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseSummary {
    /// Its number, in two groups.
    pub number: String,
    /// What is wrong.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "name"))]
    pub correction: Correction,
    /// Where it stands.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "open"))]
    pub state: CaseState,
    /// When it was opened, Unix seconds.
    pub opened_at: i64,
}

/// Looks for a person. Exactly one of the numbers.
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
    /// Why, for the audit.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}

/// The people who were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeopleFound {
    /// Each with the doses recorded under the same number.
    pub people: Vec<PersonFound>,
    /// Whether there are more people than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person with what is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonFound {
    /// The doses by day, of all people a hundred at most.
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
    /// Its id, for decisions.
    pub id: String,
    /// What was written of it.
    pub recorded: RecordedDose,
    /// What the citizen sees of it.
    pub status: DoseStatus,
    /// Its certificate's id, in groups, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The id of the dose whose certificate counts, where both events report the same dose. The citizen sees only that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
    /// What happened to it, oldest first.
    pub trail: Vec<TrailEntry>,
    /// Why it may be the person's though it is not recorded so, or may be recorded wrongly. A guess.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["nik_digit"])))]
    pub likenesses: Vec<Likeness>,
}

/// What was written of a dose, as it was written.
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
    /// Day.
    pub vaccination_date: String,
    /// Facility, its code and name.
    pub facility: String,
}

codes! {
    /// What happens to a dose.
    TrailStep {
        /// A row of it was kept.
        Received = "received",
        /// The helpdesk corrected it.
        Corrected = "corrected",
        /// A certificate was issued.
        Issued = "issued",
        /// A later certificate took its place.
        Superseded = "superseded",
        /// The certificate was revoked.
        Revoked = "revoked",
        /// The SMS service accepted the SMS.
        SmsAccepted = "sms_accepted",
        /// An SMS was begun.
        SmsPending = "sms_pending",
        /// The link of the SMS was opened.
        LinkOpened = "link_opened",
    }
}

/// Something that happened to a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrailEntry {
    /// When, Unix seconds.
    pub at: i64,
    /// `received`, `corrected`, `issued`, `superseded`, `revoked`, `sms_accepted`, `sms_pending` or `link_opened`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "issued"))]
    pub what: TrailStep,
    /// More of it, as a code: the verdict of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A case as officers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfficerCase {
    /// What who opened it sees.
    #[serde(flatten)]
    pub case: Case,
    /// Which write of it this is: a decision names it, so that of two one counts.
    pub revision: u32,
    /// What the person says.
    pub said: Said,
    /// The evidence that was put.
    pub pieces: Vec<EvidencePiece>,
    /// What another officer would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<CaseProposal>,
    /// Whether a second person must decide as well.
    pub needs_approval: bool,
    /// The doses under the number that was written, and others that may be the person's.
    pub doses: Vec<OfficerDose>,
    /// Whether there are more doses under the number than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What a person says of themselves and of what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Said {
    /// NIK or passport number.
    pub identity: String,
    /// Name.
    pub name: String,
    /// Birth date, `YYYY-MM-DD`.
    pub birth_date: String,
    /// The phone that asked. A code came to it.
    pub phone: String,
    /// The right value; empty for a missing dose.
    pub right: String,
    /// The dose that is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<SaidDose>,
    /// What else.
    pub note: String,
}

/// A dose as a person remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SaidDose {
    /// Which one.
    pub dose_number: u8,
    /// The vaccine.
    pub vaccine: String,
    /// The day, `YYYY-MM-DD`.
    pub vaccination_date: String,
    /// The facility.
    pub facility: String,
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvidencePiece {
    /// A presigned address, good for some minutes.
    pub url: String,
    /// Its media type.
    pub content_type: String,
}

/// What an officer would do, for another to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseProposal {
    /// Who.
    pub officer: String,
    /// When, Unix seconds.
    pub at: i64,
    /// Why.
    pub why: String,
    /// Who at a facility or the civil registry confirmed it, where it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The id of the dose that would be rewritten; none where one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    /// What it would say.
    pub row: RecordedDose,
}

/// An officer decides, or asks back.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseDecision {
    /// `grant`, `refuse` or `ask_back`. A grant of what another officer proposes approves it.
    #[cfg_attr(feature = "openapi", schema(max_length = 30, example = "grant"))]
    pub decision: String,
    /// The revision that the officer saw.
    pub revision: u32,
    /// Why, or what is asked. The person reads it.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub why: String,
    /// For `grant`: the id of the dose that is corrected; none where a missing one is made. For `data_corrected_by_law` a dose
    /// of the person with the right sex: its data with the right birth date are confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub dose: Option<String>,
    /// For `grant`: the right value, where it is not just what the person wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub right: Option<String>,
    /// For `grant` of a missing dose: its batch number, as the facility says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub batch: Option<String>,
    /// For `grant` of a missing dose: the facility's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 60))]
    pub facility_code: Option<String>,
    /// For `grant`: who at the facility confirmed it, or for `data_corrected_by_law` who at the civil registry (Dukcapil).
    /// Without it, there must be evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub facility_word: Option<String>,
}

/// Asks for an SMS to be sent once more.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResendRequest {
    /// Why, for the audit.
    #[cfg_attr(feature = "openapi", schema(max_length = 300))]
    pub why: String,
}
