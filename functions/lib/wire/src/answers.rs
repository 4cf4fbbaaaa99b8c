//! Responses to citizens, and the site's settings.

use bukti_domain::{Actor, BirthDate, DiagnosisCode, DiseaseName, NextStep, Reason, Vaccine, iso_date};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A proof-of-work challenge of the ALTCHA protocol, version 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaChallenge {
    /// The problem to solve.
    pub parameters: CaptchaParameters,
    /// The HMAC of the parameters, hexadecimal.
    pub signature: String,
}

/// The problem: find the counter for which the derived key starts with `keyPrefix`. The key is the
/// SHA-256 of salt, nonce and counter (32 bits, big endian), iterated `cost` times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaParameters {
    /// `SHA-256`.
    pub algorithm: String,
    /// The number of hash iterations.
    pub cost: u32,
    /// The Unix time in seconds after which solutions are rejected.
    pub expires_at: i64,
    /// The length of the derived key in bytes.
    pub key_length: usize,
    /// The required prefix of the derived key, hexadecimal.
    pub key_prefix: String,
    /// 16 random bytes, hexadecimal.
    pub nonce: String,
    /// 16 random bytes, hexadecimal.
    pub salt: String,
}

/// The status of a person's doses. A name that does not match the number gets the same response as
/// an unknown number: no doses, and the diagnosis `dose_not_received`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusAnswer {
    /// The doses by date.
    pub doses: Vec<DoseStatus>,
    /// Why there are no doses, if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Diagnosis>,
    /// Whether the number has more doses than the response can contain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One dose and the state of its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoseStatus {
    /// The number of the dose in its series, from 1.
    pub dose_number: Option<u8>,
    /// The disease that the vaccine protects against.
    pub disease: Option<Disease>,
    /// The vaccine's name.
    pub vaccine: Option<String>,
    /// The day of the vaccination.
    #[serde(with = "iso_date::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub vaccination_date: Option<Date>,
    /// The facility's name.
    pub facility: Option<String>,
    /// The state and its cause, who has to act, and the next steps.
    pub diagnosis: Diagnosis,
    /// The day of issue, if there is a certificate.
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
    /// The code.
    #[cfg_attr(feature = "openapi", schema(example = "yellow-fever"))]
    pub code: String,
    /// The name in each language.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = json!({"id": "Demam kuning", "en": "Yellow fever"})))]
    pub name: DiseaseName,
}

impl From<&Vaccine> for Disease {
    fn from(vaccine: &Vaccine) -> Self {
        Self { code: vaccine.disease.clone(), name: vaccine.disease_name.clone() }
    }
}

/// Why a dose has no certificate, who has to act, and what to do next, as codes whose texts are in
/// the locale files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnosis {
    /// The state of the dose.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "dose_incomplete"))]
    pub code: DiagnosisCode,
    /// The fields or contradictions that cause it.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["batch_missing"])))]
    pub reasons: Vec<Reason>,
    /// Who has to act.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "facility"))]
    pub actor: Actor,
    /// What to do next, the most useful first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["wait", "ask_facility"])))]
    pub next_steps: Vec<NextStep>,
    /// How long it usually takes.
    pub usual_days: Option<UsualDays>,
}

/// A range of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsualDays {
    /// The least number of days.
    pub from: u8,
    /// The greatest number of days.
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
    /// In the order of the catalogue.
    pub vaccines: Vec<VaccineChoice>,
}

/// A vaccine in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VaccineChoice {
    /// The name.
    #[cfg_attr(feature = "openapi", schema(example = "CoronaVac"))]
    pub name: String,
    /// The disease that it protects against.
    pub disease: Disease,
}

impl From<&Vaccine> for VaccineChoice {
    fn from(vaccine: &Vaccine) -> Self {
        Self { name: vaccine.name.clone(), disease: vaccine.into() }
    }
}

/// The request was accepted. If its data are right and a phone is registered with the vaccination,
/// a link is sent there. The response is the same if they are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadAnswer {
    /// Seconds until another link can be requested with this number.
    #[cfg_attr(feature = "openapi", schema(example = 300))]
    pub resend_after: u32,
}

/// A code is being sent. The response is the same whether the phone has an account or not.
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
    /// The name that was given when the account was created, if any.
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

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// The id, for ending the session.
    pub id: String,
    /// Whether it is the session of this request.
    pub is_current: bool,
    /// The browser's family, such as `Chrome`, if known.
    pub browser: Option<String>,
    /// The operating system, such as `Android`, if known.
    pub system: Option<String>,
    /// When it was opened, Unix time in seconds.
    pub since: i64,
    /// When it was last used, Unix time in seconds, accurate to the minute.
    pub last_used: i64,
}

/// The people whose vaccinations were registered with the account's phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct People {
    /// The people, sorted by name.
    pub people: Vec<Person>,
    /// Whether the phone has more doses than were searched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person whose vaccination was registered with the phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// An opaque id, for paths of this API.
    pub id: String,
    /// The name as on the certificate.
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
    /// The person.
    pub person: Person,
    /// The doses by date, at most twenty per page.
    pub doses: Vec<HolderDose>,
    /// The tickets for the next doses, at most one per disease, by the first day on which the dose
    /// may be given. Only on the first page.
    pub tickets: Vec<Ticket>,
    /// The value of `after` for the next page, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Whether the number has more doses than all pages contain.
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
    /// The certificate, if there is one that this phone may open.
    pub certificate: Option<Certificate>,
}

/// A certificate as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// The id, in groups for reading it out.
    #[cfg_attr(feature = "openapi", schema(example = "7KQ2-M4XD-9TRA-6HVC"))]
    pub id: String,
    /// The name on it.
    pub name: String,
    /// The identity number, masked.
    #[cfg_attr(feature = "openapi", schema(example = "••••••••••••6246"))]
    pub identity: String,
    /// The birth date: `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` if the passport has only that.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = r"^\d{4}(-\d{2}){0,2}$", example = "1989-01-24"))]
    pub birth_date: BirthDate,
    /// The number of the dose in its series, from 1.
    pub dose_number: u8,
    /// The number of doses in the series; `None` on international certificates (ICVP), which do not
    /// count them.
    pub doses_in_series: Option<u8>,
    /// The disease that the vaccine protects against.
    pub disease: Disease,
    /// The vaccine's name.
    pub vaccine: String,
    /// The day of the vaccination.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub vaccination_date: Date,
    /// The batch number.
    pub batch: String,
    /// The facility's name.
    pub facility: String,
    /// The name of the issuer.
    pub issuer: String,
    /// The day of issue.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub issued_on: Date,
    /// The front of the card, as an SVG document.
    pub picture: String,
    /// The signed text in the QR, `HC1:…`.
    pub qr_text: String,
}

/// A ticket for the next dose. It exists if this phone may open the certificate of the previous
/// dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// The disease that the vaccine protects against.
    pub disease: Disease,
    /// The vaccine's name, the same as of the previous dose.
    pub vaccine: String,
    /// The number of the next dose, from 2. Above `doses_in_series` it is a booster.
    pub dose_number: u8,
    /// The number of doses in the series; `None` if the certificate does not count them.
    pub doses_in_series: Option<u8>,
    /// The first day on which the dose may be given; it may be in the past.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub from: Date,
    /// The text in the QR, a URL on the site without personal data: see `bukti_domain::TicketText`.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226")
    )]
    pub text: String,
    /// The QR as an SVG document, black on white with its quiet zone.
    pub qr: String,
}

/// A short-lived URL of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Document {
    /// A presigned URL. Anyone who has it can fetch the document until it expires.
    pub url: String,
    /// Seconds until the URL expires.
    pub expires_in: u32,
    /// The file name for saving it.
    pub file_name: String,
}

/// The certificate that the link of an SMS opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkAnswer {
    /// The certificate.
    pub certificate: Certificate,
    /// Its document, in the requested form.
    pub document: Document,
}

/// The public settings of the deployment: the static file `/settings.json` of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSettings {
    /// The service's public name.
    pub service_name: String,
    /// The sender of the SMS.
    pub sms_sender: String,
    /// The helpdesk's phone.
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: String,
    /// The calling codes of other countries whose phones receive SMS, in addition to Indonesia's:
    /// `+60,+65`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_countries: Option<String>,
}
