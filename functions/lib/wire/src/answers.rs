//! Responses to citizens, and the public settings of the site.

use bukti_domain::{Actor, BirthDate, DiagnosisCode, DiseaseName, NextStep, Reason, Vaccine, iso_date};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A proof-of-work challenge of the ALTCHA protocol, version 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaChallenge {
    /// The parameters of the problem to solve.
    pub parameters: CaptchaParameters,
    /// The HMAC of the parameters, in hexadecimal.
    pub signature: String,
}

/// The parameters of a challenge. To solve it, find a counter for which the derived key starts with
/// `keyPrefix`. The derived key is the SHA-256 of salt, nonce and counter (32 bits, big-endian),
/// iterated `cost` times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaParameters {
    /// The hash algorithm; always `SHA-256`.
    pub algorithm: String,
    /// The number of hash iterations per derived key.
    pub cost: u32,
    /// The time after which solutions are rejected, in seconds since the Unix epoch.
    pub expires_at: i64,
    /// The length of the derived key in bytes.
    pub key_length: usize,
    /// The required prefix of the derived key, in hexadecimal.
    pub key_prefix: String,
    /// 16 random bytes, in hexadecimal.
    pub nonce: String,
    /// 16 random bytes, in hexadecimal.
    pub salt: String,
}

/// The status of a person's doses. If the name does not match the number, the response is the same
/// as for an unknown number: no doses, and the diagnosis `dose_not_received`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusAnswer {
    /// The doses, sorted by vaccination date.
    pub doses: Vec<DoseStatus>,
    /// The diagnosis if `doses` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Diagnosis>,
    /// Whether more doses are recorded under the number than the response contains.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A dose and the state of its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoseStatus {
    /// The number of the dose in its series, from 1.
    pub dose_number: Option<u8>,
    /// The disease that the vaccine protects against.
    pub disease: Option<Disease>,
    /// The vaccine's name.
    pub vaccine: Option<String>,
    /// The vaccination date.
    #[serde(with = "iso_date::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub vaccination_date: Option<Date>,
    /// The facility's name.
    pub facility: Option<String>,
    /// The state of the dose, the cause, who has to act, and the next steps.
    pub diagnosis: Diagnosis,
    /// The date of issue, if there is a certificate.
    #[serde(with = "iso_date::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub issued_on: Option<Date>,
    /// The last two digits of the phone registered with the vaccination, if it can receive SMS.
    pub phone_hint: Option<String>,
}

/// A disease that a vaccine protects against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Disease {
    /// The stable code of the disease.
    #[cfg_attr(feature = "openapi", schema(example = "yellow-fever"))]
    pub code: String,
    /// The name of the disease, by language code.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = json!({"id": "Demam kuning", "en": "Yellow fever"})))]
    pub name: DiseaseName,
}

impl From<&Vaccine> for Disease {
    fn from(vaccine: &Vaccine) -> Self {
        Self { code: vaccine.disease.clone(), name: vaccine.disease_name.clone() }
    }
}

/// Why a dose has no certificate, who has to act, and what to do next. All values are codes; their
/// texts are in the locale files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnosis {
    /// The code of the state that the dose is in.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "dose_incomplete"))]
    pub code: DiagnosisCode,
    /// The missing or invalid fields, or the contradictions, that caused this state.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["batch_missing"])))]
    pub reasons: Vec<Reason>,
    /// The party that has to act.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "facility"))]
    pub actor: Actor,
    /// What to do next, the most useful step first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["wait", "ask_facility"])))]
    pub next_steps: Vec<NextStep>,
    /// How long it usually takes until the state changes, if known.
    pub usual_days: Option<UsualDays>,
}

/// A range of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsualDays {
    /// The minimum number of days.
    pub from: u8,
    /// The maximum number of days.
    pub to: u8,
}

impl From<bukti_domain::Diagnosis> for Diagnosis {
    fn from(diagnosis: bukti_domain::Diagnosis) -> Self {
        Self {
            code: diagnosis.code,
            reasons: diagnosis.reasons,
            actor: diagnosis.actor,
            next_steps: diagnosis.next_steps.to_vec(),
            usual_days: diagnosis.usual_days.map(|(from, to)| UsualDays { from, to }),
        }
    }
}

/// The vaccines that certificates are issued for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Vaccines {
    /// The vaccines, in the order of the catalogue.
    pub vaccines: Vec<VaccineChoice>,
}

/// An entry in the list of vaccines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VaccineChoice {
    /// The vaccine's name, as requests contain it.
    #[cfg_attr(feature = "openapi", schema(example = "CoronaVac"))]
    pub name: String,
    /// The disease that the vaccine protects against.
    pub disease: Disease,
}

impl From<&Vaccine> for VaccineChoice {
    fn from(vaccine: &Vaccine) -> Self {
        Self { name: vaccine.name.clone(), disease: vaccine.into() }
    }
}

/// The request was accepted. If the data are correct and a phone is registered with the
/// vaccination, a link is sent to this phone. Otherwise nothing is sent, and the response is the
/// same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadAnswer {
    /// Seconds until another link can be requested with this identity number.
    #[cfg_attr(feature = "openapi", schema(example = 300))]
    pub resend_after: u32,
}

/// The request for a code was accepted. The response does not reveal whether the phone has an
/// account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtpAnswer {
    /// Seconds until the code expires.
    pub expires_in: u32,
    /// Seconds until another code can be requested.
    pub resend_after: u32,
}

/// The account that is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// The name that was entered when the account was created, if any.
    pub name: Option<String>,
    /// The last two digits of the account's phone.
    pub phone_hint: String,
}

/// The open sessions of a phone, the most recently used first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSessions {
    /// The sessions, one for each browser that is logged in.
    pub sessions: Vec<OpenSession>,
}

/// An open session of a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// The id of the session, which is needed to end it.
    pub id: String,
    /// Whether the request was sent in this session.
    pub is_current: bool,
    /// The browser, such as `Chrome`, if known.
    pub browser: Option<String>,
    /// The operating system, such as `Android`, if known.
    pub system: Option<String>,
    /// When the session was opened, in seconds since the Unix epoch.
    pub since: i64,
    /// When the session was last used, in seconds since the Unix epoch, accurate to the minute.
    pub last_used: i64,
}

/// The people whose vaccinations were registered with the account's phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct People {
    /// The people, sorted by name.
    pub people: Vec<Person>,
    /// Whether people may be missing because too many doses are registered with the phone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person whose vaccination was registered with the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// An opaque id for use in the paths of this API.
    pub id: String,
    /// The name as printed on the certificate.
    pub name: String,
    /// The identity number, masked except for its last characters, to distinguish people with the
    /// same name.
    #[cfg_attr(feature = "openapi", schema(example = "••••••••••••6246"))]
    pub identity: String,
    /// The year of birth, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_year: Option<i16>,
}

/// The doses and certificates of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificates {
    /// The person who received the doses.
    pub person: Person,
    /// The doses, sorted by vaccination date; at most twenty per page.
    pub doses: Vec<HolderDose>,
    /// The tickets for the next doses, at most one per disease, sorted by the first day on which
    /// the dose may be given. Only the first page contains tickets.
    pub tickets: Vec<Ticket>,
    /// The value of `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Whether more doses are recorded under the number than all pages contain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A dose as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolderDose {
    /// The status, as in the response of `/api/status`.
    #[serde(flatten)]
    pub status: DoseStatus,
    /// The batch number.
    pub batch: Option<String>,
    /// The certificate, if there is one and it may be opened with this phone.
    pub certificate: Option<Certificate>,
}

/// A certificate as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// The certificate id, in groups of four characters.
    #[cfg_attr(feature = "openapi", schema(example = "7KQ2-M4XD-9TRA-6HVC"))]
    pub id: String,
    /// The holder's name as printed on the certificate.
    pub name: String,
    /// The identity number, masked except for its last characters.
    #[cfg_attr(feature = "openapi", schema(example = "••••••••••••6246"))]
    pub identity: String,
    /// The birth date: `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` if the passport contains only this.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = r"^\d{4}(-\d{2}){0,2}$", example = "1989-01-24"))]
    pub birth_date: BirthDate,
    /// The number of the dose in its series, from 1.
    pub dose_number: u8,
    /// The number of doses in the series; `None` for international certificates (ICVP), which do
    /// not state it.
    pub doses_in_series: Option<u8>,
    /// The disease that the vaccine protects against.
    pub disease: Disease,
    /// The vaccine's name.
    pub vaccine: String,
    /// The vaccination date.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub vaccination_date: Date,
    /// The batch number.
    pub batch: String,
    /// The facility's name.
    pub facility: String,
    /// The name of the issuer.
    pub issuer: String,
    /// The date of issue.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub issued_on: Date,
    /// The front of the card, as an SVG document.
    pub picture: String,
    /// The signed text in the QR code, `HC1:…`.
    pub qr_text: String,
}

/// A ticket for the next dose. It exists only if the certificate of the previous dose may be opened
/// with this phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// The disease that the vaccine protects against.
    pub disease: Disease,
    /// The vaccine's name. It is the vaccine of the previous dose.
    pub vaccine: String,
    /// The number of the next dose, from 2. If it exceeds `doses_in_series`, the dose is a booster.
    pub dose_number: u8,
    /// The number of doses in the series; `None` if the certificate does not state it.
    pub doses_in_series: Option<u8>,
    /// The first day on which the dose may be given, which may be in the past.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub from: Date,
    /// The text in the QR code: a URL on the site that contains no personal data. See
    /// `bukti_domain::TicketText`.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226")
    )]
    pub text: String,
    /// The QR code as an SVG document: black on white, including the quiet zone.
    pub qr: String,
}

/// A short-lived URL of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Document {
    /// A presigned URL. Anyone who has it can download the document until it expires.
    pub url: String,
    /// Seconds until the URL expires.
    pub expires_in: u32,
    /// The suggested name for the downloaded file.
    pub file_name: String,
}

/// The response to opening the link from an SMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkAnswer {
    /// The certificate that the link opens.
    pub certificate: Certificate,
    /// The certificate's document, in the requested form.
    pub document: Document,
}

/// The public settings of a deployment, which the site serves as the static file `/settings.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSettings {
    /// The service's public name.
    pub service_name: String,
    /// The sender name or number that SMS show.
    pub sms_sender: String,
    /// The helpdesk's phone number.
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: String,
    /// The country calling codes that SMS are sent to in addition to Indonesia's, separated by
    /// commas: `+60,+65`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_countries: Option<String>,
}
