//! What the functions answer.

use bukti_domain::{Actor, BirthDate, DiagnosisCode, DiseaseName, NextStep, Reason, Vaccine, iso_date};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// A proof-of-work challenge of the ALTCHA protocol, version 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaChallenge {
    /// What is to be solved.
    pub parameters: CaptchaParameters,
    /// HMAC of the parameters, hexadecimal.
    pub signature: String,
}

/// The counter is to be found for which the derived key begins with `keyPrefix`. The key is SHA-256 of salt, nonce and
/// the counter (32 bits, big endian), hashed again until it was hashed `cost` times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaptchaParameters {
    /// `SHA-256`.
    pub algorithm: String,
    /// How many times it is hashed.
    pub cost: u32,
    /// Unix time in seconds after which no solution counts.
    pub expires_at: i64,
    /// Length of the derived key in bytes.
    pub key_length: usize,
    /// What the derived key must begin with, hexadecimal.
    pub key_prefix: String,
    /// 16 random bytes, hexadecimal.
    pub nonce: String,
    /// 16 random bytes, hexadecimal.
    pub salt: String,
}

/// The status of a person's doses. Somebody who does not match name and number gets the same answer as for a number that
/// nobody knows: no dose, and the diagnosis `dose_not_received`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusAnswer {
    /// The doses by day.
    pub doses: Vec<DoseStatus>,
    /// Why there is none, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<Diagnosis>,
    /// Whether there are more doses under the number than are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One dose and the state of its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoseStatus {
    /// Which dose, from 1.
    pub dose_number: Option<u8>,
    /// What the vaccine protects from.
    pub disease: Option<Disease>,
    /// The vaccine's name.
    pub vaccine: Option<String>,
    /// The day of the vaccination.
    #[serde(with = "iso_date::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub vaccination_date: Option<Date>,
    /// The facility's name.
    pub facility: Option<String>,
    /// State, cause, who must act, next steps.
    pub diagnosis: Diagnosis,
    /// The day of issue, where there is a certificate.
    #[serde(with = "iso_date::option")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub issued_on: Option<Date>,
    /// The last two digits of the phone registered with the vaccination, where it is usable.
    pub phone_hint: Option<String>,
}

/// What a vaccine protects from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Disease {
    /// Its code.
    #[cfg_attr(feature = "openapi", schema(example = "yellow-fever"))]
    pub code: String,
    /// Its name in each language.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = json!({"id": "Demam kuning", "en": "Yellow fever"})))]
    pub name: DiseaseName,
}

impl From<&Vaccine> for Disease {
    fn from(vaccine: &Vaccine) -> Self {
        Self { code: vaccine.disease.clone(), name: vaccine.disease_name.clone() }
    }
}

/// What is the matter, who must act, what to do next: codes, whose texts are in the locale files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnosis {
    /// What is the matter.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "dose_incomplete"))]
    pub code: DiagnosisCode,
    /// The fields or contradictions it is about.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["batch_missing"])))]
    pub reasons: Vec<Reason>,
    /// Who must act.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "facility"))]
    pub actor: Actor,
    /// What to do next, the most useful first.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["wait", "ask_facility"])))]
    pub next_steps: Vec<NextStep>,
    /// How many days it usually takes, from and to.
    pub usual_days: Option<UsualDays>,
}

/// A usual delay in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsualDays {
    /// From.
    pub from: u8,
    /// To.
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

/// The vaccines that there are certificates for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Vaccines {
    /// In the order of the catalogue.
    pub vaccines: Vec<VaccineChoice>,
}

/// A vaccine to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VaccineChoice {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(example = "CoronaVac"))]
    pub name: String,
    /// What it protects from.
    pub disease: Disease,
}

impl From<&Vaccine> for VaccineChoice {
    fn from(vaccine: &Vaccine) -> Self {
        Self { name: vaccine.name.clone(), disease: vaccine.into() }
    }
}

/// The request was taken. If its facts are right, and a phone is registered with the vaccination, a link is on its way
/// there. The answer is the same where they are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadAnswer {
    /// Seconds until a link can be asked for again with this number.
    #[cfg_attr(feature = "openapi", schema(example = 300))]
    pub resend_after: u32,
}

/// A code is on its way. The answer is the same whether the phone has an account or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtpAnswer {
    /// Seconds until the code is worth nothing.
    pub expires_in: u32,
    /// Seconds until another code can be asked for.
    pub resend_after: u32,
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// The name given when the account was made, where one was.
    pub name: Option<String>,
    /// The last two digits of the phone logged in with.
    pub phone_hint: String,
}

/// The sessions that are open for a phone, the last used first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSessions {
    /// One for each browser that is logged in.
    pub sessions: Vec<OpenSession>,
}

/// A session that is open for a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSession {
    /// By which it can be ended.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// The browser's family, such as `Chrome`, where it is known.
    pub browser: Option<String>,
    /// The operating system, such as `Android`, where it is known.
    pub system: Option<String>,
    /// When it was opened, Unix time in seconds.
    pub since: i64,
    /// When it was last used, Unix time in seconds, to the minute.
    pub last_used: i64,
}

/// The people whose vaccination was registered with the phone logged in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct People {
    /// By name.
    pub people: Vec<Person>,
    /// Whether there are more doses with this phone than are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A person of the family phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Person {
    /// An opaque id, good for the paths of this API.
    pub id: String,
    /// The name as the certificate has it.
    pub name: String,
    /// The identity number with all but its last characters hidden: people of one name are told apart by it.
    #[cfg_attr(feature = "openapi", schema(example = "••••••••••••6246"))]
    pub identity: String,
    /// The year of birth, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_year: Option<i16>,
}

/// The doses and certificates of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificates {
    /// Whose.
    pub person: Person,
    /// The doses by day, twenty at most.
    pub doses: Vec<HolderDose>,
    /// The tickets for the next doses, one for a disease at most, by the day from which they are good. With the first page.
    pub tickets: Vec<Ticket>,
    /// Where the next page begins, for `after`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
    /// Whether there are more doses under the number than all pages have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A dose as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolderDose {
    /// What anybody with name and number sees.
    #[serde(flatten)]
    pub status: DoseStatus,
    /// Its batch number.
    pub batch: Option<String>,
    /// Its certificate, where there is one that this phone may open.
    pub certificate: Option<Certificate>,
}

/// A certificate as its holder sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Certificate {
    /// Its id, in groups that a person can read out.
    #[cfg_attr(feature = "openapi", schema(example = "7KQ2-M4XD-9TRA-6HVC"))]
    pub id: String,
    /// The name on it.
    pub name: String,
    /// The identity number, masked.
    #[cfg_attr(feature = "openapi", schema(example = "••••••••••••6246"))]
    pub identity: String,
    /// The birth date: `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where the passport says no more.
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = r"^\d{4}(-\d{2}){0,2}$", example = "1989-01-24"))]
    pub birth_date: BirthDate,
    /// Which dose, from 1.
    pub dose_number: u8,
    /// How many doses the series has, where the certificate counts them: an international one (ICVP) does not.
    pub doses_in_series: Option<u8>,
    /// What the vaccine protects from.
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
    /// Who issued it.
    pub issuer: String,
    /// The day of issue.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub issued_on: Date,
    /// The certificate as a picture: an SVG document.
    pub picture: String,
    /// The signed text of its QR, `HC1:…`.
    pub qr_text: String,
}

/// A ticket for the next dose, where the certificate of the dose before is one that this phone may open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// What the vaccine protects from.
    pub disease: Disease,
    /// The vaccine's name: that of the dose before.
    pub vaccine: String,
    /// Which dose it will be, from 2. Above the doses of the series it is a booster.
    pub dose_number: u8,
    /// How many doses the series has, where its certificate counts them.
    pub doses_in_series: Option<u8>,
    /// The first day on which the dose may be given, which may be long past.
    #[serde(with = "iso_date")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub from: Date,
    /// The text of its QR, an address on the site: see `bukti_domain::TicketText`. Nothing in it is personal.
    #[cfg_attr(
        feature = "openapi",
        schema(example = "https://bukti.example.go.id/tiket#7KQ2M4XD9TRA6HVC.2.CoronaVac.20210226")
    )]
    pub text: String,
    /// The QR as a picture: an SVG document, black on white in its quiet zone.
    pub qr: String,
}

/// Where a document can be fetched, for a short time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Document {
    /// A presigned address. Whoever has it can fetch the document until it expires.
    pub url: String,
    /// Seconds until it expires.
    pub expires_in: u32,
    /// The name that the file gets.
    pub file_name: String,
}

/// What an SMS's link opens, once the birth date was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkAnswer {
    /// The certificate.
    pub certificate: Certificate,
    /// Its document, in the form that was asked for.
    pub document: Document,
}

/// How this deployment calls itself: the static file `/settings.json` of the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSettings {
    /// The service's public name.
    pub service_name: String,
    /// Who the SMS come from.
    pub sms_sender: String,
    /// The helpdesk's phone.
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address.
    pub helpdesk_email: String,
    /// The countries beside Indonesia whose phones get SMS: `+60,+65`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_countries: Option<String>,
}
