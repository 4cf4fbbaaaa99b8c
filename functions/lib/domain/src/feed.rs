//! A row of a dose feed, and what it is judged to be.

use std::borrow::Cow;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds::{LONGEST_FIELD, dose_number};
use crate::catalogue::ICVP_FROM;
use crate::hygiene::{self, Placeholder};
use crate::{
    BirthDate, CertifiedName, INDONESIA_EAST, Identity, IdentityData, Nik, Passport, PersonName, PhoneNumber,
    Sex, Vaccine, parse_date, parse_moment, vaccine_named,
};

/// How far ahead of our clock a sender's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(24);

/// A row as the sender wrote it, field by field, not yet judged. Serialises under the column names of the feed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    /// One vaccination event at its source.
    pub event_id: String,
    /// When this row was sent, RFC 3339. The latest row of an event counts.
    pub sent_at: String,
    /// 16-digit national identity number, or empty.
    pub nik: String,
    /// Passport number of a foreigner, or empty.
    pub paspor: String,
    /// Name as on the identity card.
    pub nama: String,
    /// Birth date, `YYYY-MM-DD`.
    pub tanggal_lahir: String,
    /// `L` or `P`.
    pub jenis_kelamin: String,
    /// Phone as typed at the facility.
    pub no_hp: String,
    /// Dose number, 1 to 9.
    pub dosis_ke: String,
    /// Vaccine.
    pub vaksin: String,
    /// Batch number.
    pub batch: String,
    /// Day of the vaccination, `YYYY-MM-DD`.
    pub tanggal_vaksinasi: String,
    /// Code of the facility.
    pub kode_faskes: String,
    /// Name of the facility.
    pub nama_faskes: String,
    /// `entered-in-error` where the row retracts its event; otherwise empty or `completed`. See [`RowStatus`].
    #[serde(default)]
    pub status: String,
}

/// Whether a row reports a vaccination or retracts one that was reported by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// The vaccination was given.
    Completed,
    /// The event was entered in error: the row retracts it.
    EnteredInError,
}

impl RowStatus {
    /// The status in a feed, in FHIR's spelling or in the words of the national hub, in any case. `None` for any other
    /// word: a row must not count as a vaccination because its status is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        match &*text.trim().to_ascii_lowercase() {
            "" | "completed" | "selesai" => Some(Self::Completed),
            ENTERED_IN_ERROR | "entered_in_error" | "retracted" | "dibatalkan" | "batal" => {
                Some(Self::EnteredInError)
            }
            _ => None,
        }
    }
}

/// The columns of a feed, in the order in which hubs send them.
pub const COLUMNS: [&str; 15] = [
    "event_id",
    "sent_at",
    "nik",
    "paspor",
    "nama",
    "tanggal_lahir",
    "jenis_kelamin",
    "no_hp",
    "dosis_ke",
    "vaksin",
    "batch",
    "tanggal_vaksinasi",
    "kode_faskes",
    "nama_faskes",
    "status",
];

/// The columns that a feed may leave out.
pub const OPTIONAL_COLUMNS: [&str; 1] = ["status"];

/// The status of a row that retracts its event, as FHIR names it.
pub const ENTERED_IN_ERROR: &str = "entered-in-error";

codes! {
    /// What has become of a row, as reports say it.
    Outcome {
        /// Complete: there is a certificate.
        Issued = "issued",
        /// Kept, waiting for a later row of the event.
        Incomplete = "incomplete",
        /// Kept, nothing issued: it contradicts itself, or an admin has withdrawn the dose.
        Held = "held",
        /// Cannot be kept as a dose.
        Rejected = "rejected",
        /// The same event said again, nothing changed.
        Duplicate = "duplicate",
        /// A later row of the same event replaced it.
        Superseded = "superseded",
        /// The event was entered in error: its certificate is revoked.
        Retracted = "retracted",
    }
}

/// What a row is by itself, before the other rows of its event are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything a certificate needs.
    Complete,
    /// Something is missing that a later row can bring.
    Incomplete,
    /// The data contradict each other.
    Held,
    /// No dose can be made of it.
    Rejected,
    /// It says that its event was entered in error.
    Retracted,
}

impl Verdict {
    /// The outcome in a report of the row that counts for its event.
    pub fn outcome(self) -> Outcome {
        match self {
            Verdict::Complete => Outcome::Issued,
            Verdict::Incomplete => Outcome::Incomplete,
            Verdict::Held => Outcome::Held,
            Verdict::Rejected => Outcome::Rejected,
            Verdict::Retracted => Outcome::Retracted,
        }
    }
}

codes! {
    /// Why a row is what it is: a stable code of reports and answers.
    Reason {
        /// The row has more or fewer columns than the header.
        RowMalformed = "row_malformed",
        /// The row is not UTF-8.
        NotUtf8 = "not_utf8",
        /// The vaccination was not given (FHIR).
        NotCompleted = "not_completed",
        /// The row asks for something else than to keep a vaccination, such as to delete one (FHIR).
        RequestUnsupported = "request_unsupported",
        /// Less than a full dose was given (FHIR `isSubpotent`).
        Subpotent = "subpotent",
        /// An extension changes what the resource means, and nobody here knows how (FHIR `modifierExtension`).
        ModifierUnknown = "modifier_unknown",
        /// The row itself may be right, but another of its transaction is not, so none was kept (FHIR).
        TransactionRefused = "transaction_refused",
        /// The status is neither that of a vaccination nor that of a retraction.
        StatusInvalid = "status_invalid",
        /// Nothing says who was vaccinated (FHIR).
        PatientMissing = "patient_missing",
        /// A facility sends a row of another facility with its own key.
        FacilityOfAnother = "facility_of_another",
        /// Another sender said the event first: only that one, or a hub, corrects it.
        EventOfAnother = "event_of_another",
        /// The sender has reported more doses of this person today than a person gets: the row is held,
        /// and counts where it is sent again on another day, or by a hub.
        TooManyDoses = "too_many_doses",
        /// The row names no event.
        EventIdMissing = "event_id_missing",
        /// When the row was sent is no RFC 3339 time.
        SentAtInvalid = "sent_at_invalid",
        /// The row says that it was sent after it came: it could never be corrected.
        SentAtInFuture = "sent_at_in_future",
        /// A field is longer than any real one.
        FieldTooLong = "field_too_long",
        /// Neither identity number nor passport number.
        IdentityMissing = "identity_missing",
        /// Not 16 digits.
        NikMalformed = "nik_malformed",
        /// No passport number.
        PassportMalformed = "passport_malformed",
        /// No name.
        NameMissing = "name_missing",
        /// The birth date is no date, or lies ahead or before 1900.
        BirthDateInvalid = "birth_date_invalid",
        /// Neither `L` nor `P`.
        SexInvalid = "sex_invalid",
        /// No dose number from 1 to 9.
        DoseNumberInvalid = "dose_number_invalid",
        /// A vaccine that nobody knows.
        VaccineUnknown = "vaccine_unknown",
        /// The vaccination date is no date.
        VaccinationDateInvalid = "vaccination_date_invalid",
        /// Vaccinated after the row was sent.
        VaccinationDateInFuture = "vaccination_date_in_future",
        /// Vaccinated before the day from which the vaccine's certificate, the WHO's international one, is digital.
        VaccinationBeforeIcvp = "vaccination_before_icvp",
        /// Vaccinated before birth.
        VaccinationBeforeBirth = "vaccination_before_birth",
        /// The identity number has another birth date in it.
        NikBirthDateMismatch = "nik_birth_date_mismatch",
        /// The identity number has the other sex in it.
        NikSexMismatch = "nik_sex_mismatch",
        /// No batch number.
        BatchMissing = "batch_missing",
        /// No vaccine.
        VaccineMissing = "vaccine_missing",
        /// No facility.
        FacilityMissing = "facility_missing",
        /// No phone: no SMS can reach the person.
        PhoneMissing = "phone_missing",
        /// Not an Indonesian mobile number: no SMS can reach the person.
        PhoneInvalid = "phone_invalid",
        /// This row replaced an earlier phone number.
        PhoneCorrected = "phone_corrected",
        /// Another event already reports this dose and has its certificate.
        DoseDuplicate = "dose_duplicate",
        /// An admin revoked the certificate of this dose and has not reinstated it: it gets no other.
        DoseWithdrawn = "dose_withdrawn",
    }
}

/// The facility that vaccinated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// Its code in the national register.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// What a row says of a vaccination, read field by field: what cannot be read is `None`.
#[derive(Clone, Debug)]
pub struct Dose {
    /// Who was vaccinated.
    pub identity: Option<Identity>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// The person's birth date; of somebody with a NIK to the day.
    pub birth_date: Option<BirthDate>,
    /// The person's sex, where it was registered.
    pub sex: Option<Sex>,
    /// Where the SMS goes.
    pub phone: Option<PhoneNumber>,
    /// Which dose it was, 1 to 9.
    pub dose_number: Option<u8>,
    /// With what.
    pub vaccine: Option<&'static Vaccine>,
    /// From which batch.
    pub batch: Option<String>,
    /// When.
    pub vaccination_date: Option<Date>,
    /// Where.
    pub facility: Option<Facility>,
}

/// A row that is [`Verdict::Complete`]: all that a certificate says.
#[derive(Clone, Debug)]
pub struct CompleteDose {
    /// Who was vaccinated.
    pub identity: Identity,
    /// The person's name as the certificate has it.
    pub name: CertifiedName,
    /// The person's birth date; of somebody with a NIK to the day.
    pub birth_date: BirthDate,
    /// The person's sex, where it was registered.
    pub sex: Option<Sex>,
    /// Which dose it was, 1 to 9.
    pub dose_number: u8,
    /// With what.
    pub vaccine: &'static Vaccine,
    /// From which batch.
    pub batch: String,
    /// When.
    pub vaccination_date: Date,
    /// Where.
    pub facility: Facility,
    /// The doses of the first series that this one belongs to: that of the person's first dose where it is known, else that
    /// of this vaccine.
    pub primary_doses: u8,
}

impl Dose {
    /// Whether it is of somebody with this name and birth date. That the numbers agree does not say
    /// so: they follow a rule, are mistyped, and can be guessed.
    pub fn is_of(&self, name: &PersonName, birth_date: BirthDate) -> bool {
        self.name.as_ref().is_some_and(|own| own.matches(name))
            && self.birth_date.is_some_and(|own| own.is_matched_by(birth_date))
    }
}

impl CompleteDose {
    /// The dose in a first series of so many doses; `None` where the first dose is not known.
    #[must_use]
    pub fn in_series_of(self, primary_doses: Option<u8>) -> Self {
        Self { primary_doses: primary_doses.unwrap_or(self.vaccine.primary_doses), ..self }
    }

    /// How many doses the series has once this dose is in it (DCC `sd`): the first series, or for a booster as many as there
    /// are, but 1 after a first series of one dose, as the DCC's examples write it (`3 of 3 Moderna`, `2 of 1 Janssen`).
    pub fn doses_in_series(&self) -> u8 {
        if self.primary_doses == 1 { 1 } else { self.primary_doses.max(self.dose_number) }
    }

    /// The doses of the first series where the certificate counts them: an International Certificate of Vaccination is about
    /// one dose.
    pub fn counted_series(&self) -> Option<u8> {
        self.vaccine.counted_series().map(|_| self.primary_doses)
    }

    /// The sex as it was registered, else as the NIK has it.
    pub fn known_sex(&self) -> Option<Sex> {
        self.sex.or(match &self.identity {
            Identity::Nik(nik) => Some(nik.sex()),
            Identity::Passport(_) => None,
        })
    }

    /// The nationality (ISO 3166-1 alpha-3). Who has a passport number instead of a NIK is of another country, which
    /// the feed does not name.
    pub fn nationality(&self) -> Option<&'static str> {
        matches!(self.identity, Identity::Nik(_)).then_some("IDN")
    }
}

impl Dose {
    /// The person's name as a certificate has it.
    pub fn certified_name(&self) -> Option<CertifiedName> {
        self.name.as_ref().map(|name| name.certified(self.identity.as_ref()))
    }

    /// The dose with nothing missing; `None` where something is.
    pub fn complete(self) -> Option<CompleteDose> {
        Some(CompleteDose {
            name: self.certified_name()?,
            identity: self.identity?,
            birth_date: self.birth_date?,
            sex: self.sex,
            dose_number: self.dose_number?,
            primary_doses: self.vaccine?.primary_doses,
            vaccine: self.vaccine?,
            batch: self.batch?,
            vaccination_date: self.vaccination_date?,
            facility: self.facility?,
        })
    }
}

/// How many doses the first series of this disease had, by the person's doses: as many as the vaccine of the first dose asks
/// for, whatever came after it (EU rule for mixed series). `None` where the first dose is not known.
///
/// Held, incomplete and retracted doses are not to be among them.
pub fn primary_doses<'a>(doses: impl IntoIterator<Item = &'a Dose>, disease: &str) -> Option<u8> {
    let of_disease = |dose: &&Dose| dose.vaccine.is_some_and(|vaccine| vaccine.disease == disease);
    let first = doses.into_iter().filter(|dose| dose.dose_number == Some(1)).filter(of_disease);
    // Of two on one day always the same counts, in whatever order they are read.
    let first =
        first.min_by_key(|dose| (dose.vaccination_date, dose.vaccine.map(|vaccine| &vaccine.name)))?;
    first.vaccine.map(|vaccine| vaccine.primary_doses)
}

/// A text of a table that spreadsheets open: with an apostrophe before it where they would take it for a formula.
pub fn no_formula(text: &str) -> Cow<'_, str> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn is_too_long(field: &str) -> bool {
    field.chars().nth(LONGEST_FIELD).is_some()
}

fn filled(field: &str) -> Option<&str> {
    let field = field.trim();
    (!field.is_empty()).then_some(field)
}

impl FeedRow {
    /// The fields in the order of [`COLUMNS`]. Personal.
    pub fn fields(&self) -> [&str; COLUMNS.len()] {
        [
            &self.event_id,
            &self.sent_at,
            &self.nik,
            &self.paspor,
            &self.nama,
            &self.tanggal_lahir,
            &self.jenis_kelamin,
            &self.no_hp,
            &self.dosis_ke,
            &self.vaksin,
            &self.batch,
            &self.tanggal_vaksinasi,
            &self.kode_faskes,
            &self.nama_faskes,
            &self.status,
        ]
    }

    /// A row from its fields in the order of [`COLUMNS`].
    pub fn from_fields(fields: [&str; COLUMNS.len()]) -> Self {
        let [
            event_id,
            sent_at,
            nik,
            paspor,
            nama,
            tanggal_lahir,
            jenis_kelamin,
            no_hp,
            dosis_ke,
            vaksin,
            batch,
            tanggal_vaksinasi,
            kode_faskes,
            nama_faskes,
            status,
        ] = fields.map(str::to_owned);
        Self {
            event_id,
            sent_at,
            nik,
            paspor,
            nama,
            tanggal_lahir,
            jenis_kelamin,
            no_hp,
            dosis_ke,
            vaksin,
            batch,
            tanggal_vaksinasi,
            kode_faskes,
            nama_faskes,
            status,
        }
    }

    /// The row after text hygiene ([`hygiene`]): what a reader of a feed hands on. Placeholders count as empty, except in the
    /// name, which may be anything, a phone that somebody typed as `-` or `tidak ada`, which is reported as invalid,
    /// since its facility can be asked, and a dose number of zero.
    #[must_use]
    pub fn cleaned(&self) -> Self {
        let written = self.fields();
        let fields: [Cow<'_, str>; COLUMNS.len()] = std::array::from_fn(|at| {
            let field = match COLUMNS[at] {
                "nama" | "nama_faskes" => hygiene::clean(written[at]),
                _ => hygiene::clean_code(written[at]),
            };
            let placeholder = hygiene::is_placeholder(&field);
            let is_empty = match COLUMNS[at] {
                "nama" => false,
                "no_hp" => placeholder == Some(Placeholder::Machine),
                // An event may have the number 0, and a dose number of 0 is wrong, while an international certificate needs
                // none at all.
                "event_id" | "dosis_ke" => placeholder.is_some(),
                _ => placeholder.is_some() || hygiene::is_zero(&field),
            };
            if is_empty { Cow::Borrowed("") } else { field }
        });
        Self::from_fields(fields.each_ref().map(|field| &**field))
    }

    /// When the row was sent; `None` where that is no time with an offset ([`parse_moment`]).
    pub fn sent(&self) -> Option<Timestamp> {
        parse_moment(&self.sent_at)
    }

    /// What the row says, as an unambiguous text for a keyed digest: the same for the same event said again, whenever it
    /// was sent. Personal.
    pub fn content(&self) -> String {
        let [event_id, _sent_at, content @ .., status] = self.fields();
        let mut text = event_id.trim().to_owned();
        // An ordinary status is left out, so that digests of feeds with and without the column are the same.
        let status = match RowStatus::parse(status) {
            Some(RowStatus::Completed) => None,
            Some(RowStatus::EnteredInError) => Some(ENTERED_IN_ERROR),
            None => Some(status),
        };
        for field in content.iter().copied().chain(status) {
            text.push('\u{1f}');
            text.push_str(field.trim());
        }
        text
    }

    /// Whether the row retracts its event.
    pub fn is_retraction(&self) -> bool {
        RowStatus::parse(&self.status) == Some(RowStatus::EnteredInError)
    }

    /// The row with the fields emptied that are longer than any real one.
    #[must_use]
    pub fn without_long_fields(&self) -> Self {
        Self::from_fields(self.fields().map(|field| if is_too_long(field) { "" } else { field }))
    }

    /// Reads the fields.
    pub fn dose(&self) -> Dose {
        let facility = match (filled(&self.kode_faskes), filled(&self.nama_faskes)) {
            (Some(code), Some(name)) => Some(Facility { code: code.to_owned(), name: name.to_owned() }),
            (Some(only), None) | (None, Some(only)) => {
                Some(Facility { code: only.to_owned(), name: only.to_owned() })
            }
            (None, None) => None,
        };
        let identity = match filled(&self.nik) {
            Some(nik) => Nik::parse(nik).map(Identity::Nik),
            None => Passport::parse(&self.paspor).map(Identity::Passport),
        };
        let vaccine = vaccine_named(&self.vaksin);
        // An identity card has the day: a part of it was lost on the way.
        let is_precise = |date: &BirthDate| date.to_day().is_some() || filled(&self.nik).is_none();
        Dose {
            identity,
            name: PersonName::parse(&self.nama),
            birth_date: BirthDate::parse(self.tanggal_lahir.trim()).filter(is_precise),
            sex: Sex::parse(&self.jenis_kelamin),
            phone: PhoneNumber::parse(&self.no_hp),
            dose_number: match filled(&self.dosis_ke) {
                Some(number) => dose_number(hygiene::integer_of_float(number).unwrap_or(number)),
                // An international certificate is about one dose, whichever of its series it is.
                None => vaccine.filter(|vaccine| vaccine.is_icvp()).map(|_| 1),
            },
            vaccine,
            batch: filled(&self.batch).filter(|it| it.contains(char::is_alphanumeric)).map(str::to_owned),
            vaccination_date: parse_date(self.tanggal_vaksinasi.trim()),
            facility,
        }
    }

    /// Judges the row by itself. `now` bounds when it can have been sent.
    ///
    /// The reasons are those of the verdict: of a rejected row why it is rejected, of a complete one why no SMS can reach
    /// its owner.
    pub fn judge(&self, now: Timestamp) -> (Verdict, Vec<Reason>) {
        let dose = self.dose();
        let rejected = self.rejections(&dose, now);
        if !rejected.is_empty() {
            return (Verdict::Rejected, rejected);
        }
        if self.is_retraction() {
            return (Verdict::Retracted, Vec::new());
        }

        let held = IdentityData::of(&dose).map(|data| data.contradictions()).unwrap_or_default();
        if !held.is_empty() {
            return (Verdict::Held, held);
        }
        self.judge_completeness(&dose)
    }

    /// Judges a row that is held as if there were no contradiction: verdict and reasons once its [`IdentityData`] are
    /// confirmed.
    pub fn judge_confirmed(&self) -> (Verdict, Vec<Reason>) {
        self.judge_completeness(&self.dose())
    }

    /// Judges a row that is neither rejected nor held.
    fn judge_completeness(&self, dose: &Dose) -> (Verdict, Vec<Reason>) {
        let mut missing = Vec::new();
        if dose.vaccine.is_none() {
            missing.push(Reason::VaccineMissing);
        }
        if dose.batch.is_none() {
            missing.push(Reason::BatchMissing);
        }
        if dose.facility.is_none() {
            missing.push(Reason::FacilityMissing);
        }
        if !missing.is_empty() {
            return (Verdict::Incomplete, missing);
        }

        let unreachable = match (&dose.phone, filled(&self.no_hp)) {
            (Some(_), _) => Vec::new(),
            (None, None) => vec![Reason::PhoneMissing],
            (None, Some(_)) => vec![Reason::PhoneInvalid],
        };
        (Verdict::Complete, unreachable)
    }

    fn rejections(&self, dose: &Dose, now: Timestamp) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if filled(&self.event_id).is_none() {
            reasons.push(Reason::EventIdMissing);
        }
        match self.sent() {
            None => reasons.push(Reason::SentAtInvalid),
            Some(sent) if sent > now + CLOCK_SKEW => reasons.push(Reason::SentAtInFuture),
            Some(_) => {}
        }
        // A retraction is kept without its other fields where these are too long: see `without_long_fields`.
        let checked = if self.is_retraction() { 1 } else { COLUMNS.len() };
        if self.fields().iter().take(checked).any(|field| is_too_long(field)) {
            reasons.push(Reason::FieldTooLong);
        }
        match RowStatus::parse(&self.status) {
            Some(RowStatus::Completed) => {}
            // It says nothing of a vaccination, so it needs none of the fields below.
            Some(RowStatus::EnteredInError) => return reasons,
            None => reasons.push(Reason::StatusInvalid),
        }
        if dose.identity.is_none() {
            reasons.push(match (filled(&self.nik), filled(&self.paspor)) {
                (Some(_), _) => Reason::NikMalformed,
                (None, Some(_)) => Reason::PassportMalformed,
                (None, None) => Reason::IdentityMissing,
            });
        }
        if dose.name.is_none() {
            reasons.push(Reason::NameMissing);
        }
        // The latest day that it was anywhere in Indonesia: hubs send in UTC what was given on the next day in Papua.
        let sent_on = self.sent().map(|sent| INDONESIA_EAST.to_datetime(sent).date());
        if !dose
            .birth_date
            .is_some_and(|birth| birth.year() >= 1900 && sent_on.is_none_or(|day| birth.first_day() <= day))
        {
            reasons.push(Reason::BirthDateInvalid);
        }
        if dose.sex.is_none() && filled(&self.jenis_kelamin).is_some() {
            reasons.push(Reason::SexInvalid);
        }
        if dose.dose_number.is_none() {
            reasons.push(Reason::DoseNumberInvalid);
        }
        if dose.vaccine.is_none() && filled(&self.vaksin).is_some() {
            reasons.push(Reason::VaccineUnknown);
        }
        match dose.vaccination_date {
            None => reasons.push(Reason::VaccinationDateInvalid),
            Some(day) if sent_on.is_some_and(|sent_on| day > sent_on) => {
                reasons.push(Reason::VaccinationDateInFuture);
            }
            Some(day) if dose.birth_date.is_some_and(|birth| day < birth.first_day()) => {
                reasons.push(Reason::VaccinationBeforeBirth);
            }
            Some(day) if day < ICVP_FROM && dose.vaccine.is_some_and(Vaccine::is_icvp) => {
                reasons.push(Reason::VaccinationBeforeIcvp);
            }
            Some(_) => {}
        }
        reasons
    }
}

impl std::fmt::Debug for FeedRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FeedRow(…)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row() -> FeedRow {
        FeedRow {
            event_id: "PCARE-1".into(),
            sent_at: "2021-01-29T08:41:34+07:00".into(),
            nik: "3171012401896246".into(),
            nama: "Iwan Ibrahim Purnomo".into(),
            tanggal_lahir: "1989-01-24".into(),
            jenis_kelamin: "L".into(),
            no_hp: "082106690743".into(),
            dosis_ke: "1".into(),
            vaksin: "CoronaVac".into(),
            batch: "AZ56327A".into(),
            tanggal_vaksinasi: "2021-01-29".into(),
            kode_faskes: "P3174020101".into(),
            nama_faskes: "Puskesmas Kebayoran Baru".into(),
            ..FeedRow::default()
        }
    }

    fn judged(change: impl FnOnce(&mut FeedRow)) -> (Verdict, Vec<Reason>) {
        let mut row = row();
        change(&mut row);
        row.judge("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_complete_row() {
        assert_eq!(judged(|_| {}), (Verdict::Complete, vec![]));
        assert_eq!(judged(|row| row.no_hp = "  ".into()), (Verdict::Complete, vec![Reason::PhoneMissing]));
        assert_eq!(judged(|row| row.no_hp = "-".into()), (Verdict::Complete, vec![Reason::PhoneInvalid]));
    }

    #[test]
    fn what_is_rejected_held_and_incomplete() {
        use Reason::*;
        let rejected = |reason| (Verdict::Rejected, vec![reason]);
        assert_eq!(judged(|row| row.event_id.clear()), rejected(EventIdMissing));
        assert_eq!(judged(|row| row.sent_at = "yesterday".into()), rejected(SentAtInvalid));
        assert_eq!(judged(|row| row.sent_at = "2031-01-29T08:41:34+07:00".into()), rejected(SentAtInFuture));
        assert_eq!(judged(|row| row.nama = "x".repeat(301)), rejected(FieldTooLong));
        assert_eq!(judged(|row| row.nik = "63710150O7103892".into()), rejected(NikMalformed));
        assert_eq!(judged(|row| row.nik.clear()), rejected(IdentityMissing));
        assert_eq!(judged(|row| row.nama = "  ".into()), rejected(NameMissing));
        assert_eq!(judged(|row| row.jenis_kelamin = "X".into()), rejected(SexInvalid));
        for number in ["0", "-1", "99", "satu", ""] {
            assert_eq!(judged(|row| row.dosis_ke = number.into()), rejected(DoseNumberInvalid));
        }
        assert_eq!(judged(|row| row.vaksin = "Vitamin C".into()), rejected(VaccineUnknown));
        for day in ["2021-02-30", "0000-00-00", "14/07/2021x", ""] {
            assert_eq!(judged(|row| row.tanggal_vaksinasi = day.into()), rejected(VaccinationDateInvalid));
        }
        assert_eq!(
            judged(|row| row.tanggal_vaksinasi = "2031-01-01".into()),
            rejected(VaccinationDateInFuture)
        );
        assert_eq!(
            judged(|row| row.tanggal_vaksinasi = "1989-01-23".into()),
            rejected(VaccinationBeforeBirth)
        );
        let held = |reason| (Verdict::Held, vec![reason]);
        assert_eq!(judged(|row| row.tanggal_lahir = "1989-02-24".into()), held(NikBirthDateMismatch));
        assert_eq!(judged(|row| row.jenis_kelamin = "P".into()), held(NikSexMismatch));
        assert_eq!(
            judged(|row| (row.batch, row.vaksin) = (String::new(), String::new())),
            (Verdict::Incomplete, vec![VaccineMissing, BatchMissing])
        );
        let incomplete = (Verdict::Incomplete, vec![FacilityMissing]);
        assert_eq!(judged(|row| (row.kode_faskes, row.nama_faskes) = Default::default()), incomplete);
    }

    #[test]
    fn confirmed_row_is_judged_by_its_other_fields() {
        use Reason::*;
        let confirmed = |change: fn(&mut FeedRow)| {
            let mut row = FeedRow { tanggal_lahir: "1990-01-24".into(), jenis_kelamin: "P".into(), ..row() };
            change(&mut row);
            assert_eq!(row.judge("2026-01-01T00:00:00Z".parse().unwrap()).0, Verdict::Held);
            row.judge_confirmed()
        };
        assert_eq!(confirmed(|_| {}), (Verdict::Complete, vec![]));
        assert_eq!(confirmed(|row| row.no_hp.clear()), (Verdict::Complete, vec![PhoneMissing]));
        assert_eq!(confirmed(|row| row.no_hp = "021".into()), (Verdict::Complete, vec![PhoneInvalid]));
        assert_eq!(confirmed(|row| row.batch.clear()), (Verdict::Incomplete, vec![BatchMissing]));
    }

    #[test]
    fn a_day_is_in_the_future_where_it_has_not_begun_anywhere_in_indonesia() {
        use Reason::VaccinationDateInFuture;
        for (sent_at, day, reasons) in [
            // 00:30 in Jakarta is still the day before in UTC.
            ("2021-01-30T00:30:00+07:00", "2021-01-30", vec![]),
            ("2021-01-29T23:05:00Z", "2021-01-30", vec![]),
            // Past midnight in Papua, not yet in Jakarta.
            ("2021-01-29T15:05:00Z", "2021-01-30", vec![]),
            ("2021-01-29T22:05:00+0700", "2021-01-30", vec![]),
            ("2021-01-29T14:55:00Z", "2021-01-30", vec![VaccinationDateInFuture]),
            ("2021-01-29T12:00:00-05:00", "2021-01-30", vec![]),
            ("2021-01-29T23:05:00Z", "2021-01-31", vec![VaccinationDateInFuture]),
        ] {
            let (_, judged) =
                judged(|row| (row.sent_at, row.tanggal_vaksinasi) = (sent_at.into(), day.into()));
            assert_eq!(judged, reasons, "{sent_at} {day}");
        }
    }

    #[test]
    fn a_passport_holders_birth_date_may_be_partial() {
        use Reason::{BirthDateInvalid, VaccinationBeforeBirth};
        for (paspor, born, reasons) in [
            ("P1000001", "1989", vec![]),
            ("P1000001", "1989-01", vec![]),
            ("P1000001", "1989-01-24", vec![]),
            ("P1000001", "2021", vec![]),
            ("P1000001", "2021-02", vec![BirthDateInvalid, VaccinationBeforeBirth]),
            ("P1000001", "1899", vec![BirthDateInvalid]),
            ("P1000001", "1989-13", vec![BirthDateInvalid]),
            ("P1000001", "89", vec![BirthDateInvalid]),
            // A NIK has the day in it.
            ("", "1989", vec![BirthDateInvalid]),
            ("", "1989-01", vec![BirthDateInvalid]),
        ] {
            let (_, judged) = judged(|row| {
                row.tanggal_lahir = born.into();
                if !paspor.is_empty() {
                    (row.nik, row.paspor) = (String::new(), paspor.into());
                }
            });
            assert_eq!(judged, reasons, "{paspor} {born}");
        }
    }

    /// The dose numbers (`dn`/`sd`) of a history, in the order in which its doses were given.
    fn series(vaccines: &[&str]) -> Vec<String> {
        let doses: Vec<Dose> = vaccines
            .iter()
            .enumerate()
            .map(|(at, vaccine)| {
                let mut row = row();
                (row.vaksin, row.dosis_ke) = ((*vaccine).into(), (at + 1).to_string());
                row.tanggal_vaksinasi = format!("2021-0{}-01", at + 1);
                row.dose()
            })
            .collect();
        let numbers = doses.iter().filter(|dose| dose.vaccine.is_some()).map(|dose| {
            let primary = primary_doses(&doses, "covid-19");
            let dose = dose.clone().complete().unwrap().in_series_of(primary);
            format!("{}/{}", dose.dose_number, dose.doses_in_series())
        });
        numbers.collect()
    }

    #[test]
    fn counts_doses_as_the_first_of_a_series_says() {
        for (vaccines, expected) in [
            (&["Janssen"][..], &["1/1"][..]),
            (&["Janssen", "Janssen", "Janssen", "Janssen"], &["1/1", "2/1", "3/1", "4/1"]),
            (&["Moderna", "Moderna", "Moderna", "Moderna"], &["1/2", "2/2", "3/3", "4/4"]),
            (&["Janssen", "Moderna"], &["1/1", "2/1"]),
            (&["Janssen", "Pfizer", "Moderna"], &["1/1", "2/1", "3/1"]),
            (&["Convidecia", "CoronaVac"], &["1/1", "2/1"]),
            (&["AstraZeneca", "Pfizer"], &["1/2", "2/2"]),
            (&["CoronaVac", "CoronaVac", "Moderna"], &["1/2", "2/2", "3/3"]),
            (&["AstraZeneca", "Janssen"], &["1/2", "2/2"]),
            (&["Moderna", "Moderna", "Janssen"], &["1/2", "2/2", "3/3"]),
            (&["Zifivax", "Zifivax", "Zifivax", "Moderna"], &["1/3", "2/3", "3/3", "4/4"]),
            (&["Zifivax", "CoronaVac"], &["1/3", "2/3"]),
            (&["CoronaVac", "Zifivax"], &["1/2", "2/2"]),
            // The first dose is not known: the vaccine decides.
            (&["?", "Moderna"], &["2/2"]),
            (&["?", "Janssen"], &["2/1"]),
            (&["?", "?", "Pfizer"], &["3/3"]),
            // Of another disease.
            (&["Stamaril", "Moderna"], &["1/1", "2/2"]),
        ] {
            assert_eq!(series(vaccines), expected, "{vaccines:?}");
        }
    }

    #[test]
    fn placeholders_and_leftovers_are_empty_fields() {
        use Reason::*;
        let judged = |change: fn(&mut FeedRow)| {
            let mut row = row();
            change(&mut row);
            row.cleaned().judge("2026-01-01T00:00:00Z".parse().unwrap())
        };
        let incomplete = |reason| (Verdict::Incomplete, vec![reason]);
        let rejected = |reason| (Verdict::Rejected, vec![reason]);
        let complete = |reasons: &[Reason]| (Verdict::Complete, reasons.to_vec());
        for batch in ["null", "-", "N/A", "nan", "0", "tidak ada", "\u{200b}", "'", "=\"\"", "...", "*"] {
            let mut row = row();
            row.batch = batch.into();
            let judged = row.cleaned().judge("2026-01-01T00:00:00Z".parse().unwrap());
            assert_eq!(judged, incomplete(BatchMissing), "{batch}");
        }
        assert_eq!(judged(|row| row.vaksin = "NULL".into()), incomplete(VaccineMissing));
        assert_eq!(judged(|row| row.vaksin = "???".into()), rejected(VaccineUnknown));
        assert_eq!(
            judged(|row| (row.kode_faskes, row.nama_faskes) = ("-".into(), "tidak diketahui".into())),
            incomplete(FacilityMissing)
        );
        assert_eq!(judged(|row| (row.nik, row.paspor) = ("-".into(), "A1234567".into())), complete(&[]));
        assert_eq!(judged(|row| row.paspor = "nan".into()), complete(&[]));
        assert_eq!(judged(|row| row.nik = "0000".into()), rejected(IdentityMissing));
        assert_eq!(judged(|row| row.event_id = "null".into()), rejected(EventIdMissing));
        assert_eq!(judged(|row| row.jenis_kelamin = "N/A".into()), complete(&[]));
        assert_eq!(judged(|row| row.no_hp = "None".into()), complete(&[PhoneMissing]));
        assert_eq!(judged(|row| row.no_hp = "tidak ada".into()), complete(&[PhoneInvalid]));
        assert_eq!(judged(|row| row.nama = "\u{200b}\u{feff}".into()), rejected(NameMissing));
        assert_eq!(judged(|row| row.nama = "None".into()), complete(&[]), "somebody is called so");
        assert_eq!(judged(|row| row.dosis_ke = "1.0".into()), complete(&[]));
        assert_eq!(judged(|row| row.dosis_ke = "\u{661}".into()), complete(&[]));
        assert_eq!(judged(|row| row.dosis_ke = "1.5".into()), rejected(DoseNumberInvalid));
        assert_eq!(judged(|row| row.tanggal_vaksinasi = "'2021\u{2011}01\u{2011}29".into()), complete(&[]));
    }

    #[test]
    fn retraction_needs_event_and_time_only() {
        let retracted = (Verdict::Retracted, vec![]);
        for status in
            ["entered-in-error", "ENTERED_IN_ERROR", " Retracted ", "dibatalkan", "Batal", "Entered-In-Error"]
        {
            assert_eq!(judged(|row| row.status = status.into()), retracted, "{status}");
        }
        let bare = |row: &mut FeedRow| {
            *row = FeedRow {
                event_id: row.event_id.clone(),
                sent_at: row.sent_at.clone(),
                status: "batal".into(),
                ..FeedRow::default()
            };
        };
        assert_eq!(judged(bare), retracted);
        let wrong = |row: &mut FeedRow| {
            (row.nik, row.tanggal_lahir, row.dosis_ke) = ("12".into(), "?".into(), "x".into());
            (row.tanggal_vaksinasi, row.status) = ("2099-01-01".into(), "retracted".into());
            row.nama = "x".repeat(301);
        };
        assert_eq!(judged(wrong), retracted);
        let rejected = |reason| (Verdict::Rejected, vec![reason]);
        let no_event = |row: &mut FeedRow| (row.event_id, row.status) = (String::new(), "batal".into());
        assert_eq!(judged(no_event), rejected(Reason::EventIdMissing));
        let no_time = |row: &mut FeedRow| (row.sent_at, row.status) = ("kemarin".into(), "batal".into());
        assert_eq!(judged(no_time), rejected(Reason::SentAtInvalid));
    }

    #[test]
    fn unknown_status_is_rejected() {
        for status in ["completed", "COMPLETED", "Selesai", "", "  "] {
            assert_eq!(judged(|row| row.status = status.into()), (Verdict::Complete, vec![]), "{status}");
        }
        for status in ["not-done", "error", "batalkan", "0", "completed?"] {
            let rejected = (Verdict::Rejected, vec![Reason::StatusInvalid]);
            assert_eq!(judged(|row| row.status = status.into()), rejected, "{status}");
        }
    }

    #[test]
    fn spelling_of_status_does_not_change_content() {
        let content = |status: &str| FeedRow { status: status.into(), ..row() }.content();
        assert_eq!(content("completed"), content(""));
        assert_eq!(content("selesai"), content(""));
        assert_eq!(content("BATAL"), content("entered-in-error"));
        assert_ne!(content("batal"), content(""));
        assert_ne!(content("unknown"), content(""));
    }

    /// A dose against polio, given on this day.
    fn polio(row: &mut FeedRow, day: &str) {
        (row.vaksin, row.sent_at) = ("bOPV".into(), "2025-12-01T08:00:00+07:00".into());
        row.tanggal_vaksinasi = day.into();
    }

    #[test]
    fn an_international_certificate_is_for_vaccinations_from_the_19th_of_september_2025_on() {
        assert_eq!(judged(|row| polio(row, "2025-09-19")), (Verdict::Complete, vec![]));
        let before = (Verdict::Rejected, vec![Reason::VaccinationBeforeIcvp]);
        assert_eq!(judged(|row| polio(row, "2025-09-18")), before);
        assert_eq!(
            judged(|row| polio(row, "1989-01-23")),
            (Verdict::Rejected, vec![Reason::VaccinationBeforeBirth])
        );
        // A booster of somebody with a name of one word, whose sex nobody wrote down.
        let booster = |row: &mut FeedRow| {
            polio(row, "2025-11-03");
            (row.dosis_ke, row.nama, row.jenis_kelamin) = ("5".into(), "Ayu".into(), String::new());
        };
        assert_eq!(judged(booster), (Verdict::Complete, vec![]));
        let uncounted = |number: &'static str| {
            judged(move |row| {
                polio(row, "2025-11-03");
                row.dosis_ke = number.into();
            })
        };
        assert_eq!(uncounted(""), (Verdict::Complete, vec![]), "its certificate counts no doses");
        assert_eq!(uncounted("x"), (Verdict::Rejected, vec![Reason::DoseNumberInvalid]));
        // No number is needed, but a wrong one is refused.
        for (number, reasons) in [
            ("", vec![]),
            ("-", vec![]),
            ("null", vec![]),
            ("0", vec![Reason::DoseNumberInvalid]),
            ("0.0", vec![Reason::DoseNumberInvalid]),
            ("10", vec![Reason::DoseNumberInvalid]),
            ("dua", vec![Reason::DoseNumberInvalid]),
        ] {
            let mut row = row();
            polio(&mut row, "2025-11-03");
            row.dosis_ke = number.into();
            assert_eq!(row.cleaned().judge("2026-01-01T00:00:00Z".parse().unwrap()).1, reasons, "{number}");
        }
        let no_batch = |row: &mut FeedRow| {
            polio(row, "2025-11-03");
            row.batch.clear();
        };
        assert_eq!(judged(no_batch), (Verdict::Incomplete, vec![Reason::BatchMissing]));
    }

    proptest::proptest! {
        #[test]
        fn no_international_certificate_is_before_its_time(days in -3000i32..3000, vaccine in 0usize..3) {
            let day = ICVP_FROM.saturating_add(jiff::Span::new().days(days));
            let (vaccine, icvp) = [("Stamaril", true), ("menveo", true), ("Moderna", false)][vaccine];
            let change = |row: &mut FeedRow| {
                (row.vaksin, row.tanggal_vaksinasi) = (vaccine.into(), day.to_string());
                row.sent_at = "2035-01-01T00:00:00Z".into();
            };
            let mut row = row();
            change(&mut row);
            let (verdict, _) = row.judge("2035-01-01T00:00:00Z".parse().unwrap());
            proptest::prop_assert_eq!(verdict == Verdict::Rejected, icvp && days < 0);
        }

        #[test]
        fn no_row_panics(fields in proptest::array::uniform15("\\PC{0,20}")) {
            let row = FeedRow::from_fields(fields.each_ref().map(String::as_str));
            let (verdict, reasons) = row.judge(Timestamp::UNIX_EPOCH);
            proptest::prop_assert!(matches!(verdict, Verdict::Complete | Verdict::Retracted) || !reasons.is_empty());
            proptest::prop_assert_eq!(verdict == Verdict::Complete, row.dose().complete().is_some() && reasons.iter().all(|r| matches!(r, Reason::PhoneMissing | Reason::PhoneInvalid)));
        }
    }
}
