//! Codes of verdicts on rows, of the reasons for them, and of row results in reports.

use serde::{Deserialize, Serialize};

codes! {
    /// The result of a row, as reports state it.
    Outcome {
        /// The dose is complete, and its certificate is issued.
        Issued = "issued",
        /// Stored, but a later row of the event has to add missing data.
        Incomplete = "incomplete",
        /// Stored, but no certificate is issued: the data contradict each other, or an admin
        /// withdrew the dose.
        Held = "held",
        /// Not accepted as a dose.
        Rejected = "rejected",
        /// Repeats a row of its event, or reports a dose that another event owns.
        Duplicate = "duplicate",
        /// Replaced by a later row of its event.
        Superseded = "superseded",
        /// Retracts its event, whose certificate is revoked.
        Retracted = "retracted",
    }
}

/// The verdict on a single row, regardless of the other rows of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The row has all data that a certificate needs.
    Complete,
    /// The row lacks data that a later row can add.
    Incomplete,
    /// The data of the row contradict each other.
    Held,
    /// The row is not accepted as a dose.
    Rejected,
    /// The row retracts its event.
    Retracted,
}

impl Verdict {
    /// The result of a row with this verdict, provided that it is the current row of its event.
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
    /// The reason for a verdict or row result: a stable code in reports and responses.
    Reason {
        /// The row has more or fewer columns than the header, or is malformed JSON.
        RowMalformed = "row_malformed",
        /// The row is not UTF-8.
        NotUtf8 = "not_utf8",
        /// The status says that the vaccination was not given (FHIR).
        NotCompleted = "not_completed",
        /// The entry requests something other than storing a vaccination, such as deleting one
        /// (FHIR).
        RequestUnsupported = "request_unsupported",
        /// Less than a full dose was given (FHIR `isSubpotent`).
        Subpotent = "subpotent",
        /// An unknown extension changes the meaning of the resource (FHIR `modifierExtension`).
        ModifierUnknown = "modifier_unknown",
        /// Another row of the transaction was rejected, so no row was stored (FHIR).
        TransactionRefused = "transaction_refused",
        /// The status denotes neither a vaccination nor a retraction.
        StatusInvalid = "status_invalid",
        /// The row does not identify the vaccinated person (FHIR).
        PatientMissing = "patient_missing",
        /// A facility sent a row that belongs to another facility.
        FacilityOfAnother = "facility_of_another",
        /// Another sender reported the event first; only that sender or a hub may correct it.
        EventOfAnother = "event_of_another",
        /// The sender has used up its daily quota of doses for this person. The row is held, and
        /// counts once it is sent again on another day or by a hub.
        TooManyDoses = "too_many_doses",
        /// The event id is missing.
        EventIdMissing = "event_id_missing",
        /// The time of sending is not an RFC 3339 time.
        SentAtInvalid = "sent_at_invalid",
        /// The time of sending is in the future. Rows sent before that time could not correct this
        /// one.
        SentAtInFuture = "sent_at_in_future",
        /// A field exceeds the maximum length.
        FieldTooLong = "field_too_long",
        /// Both the NIK and the passport number are missing.
        IdentityMissing = "identity_missing",
        /// The NIK does not have 16 digits.
        NikMalformed = "nik_malformed",
        /// The passport number is malformed.
        PassportMalformed = "passport_malformed",
        /// The name is missing: the field is empty, is a placeholder, or has no letter.
        NameMissing = "name_missing",
        /// The birth date is not a date, is in the future, or is before 1900.
        BirthDateInvalid = "birth_date_invalid",
        /// The sex is neither `L` nor `P`.
        SexInvalid = "sex_invalid",
        /// The dose number is not a number from 1 to 9.
        DoseNumberInvalid = "dose_number_invalid",
        /// The vaccine is not in the catalogue.
        VaccineUnknown = "vaccine_unknown",
        /// The vaccination date is missing or is not a date.
        VaccinationDateInvalid = "vaccination_date_invalid",
        /// The vaccination date is later than the day of sending.
        VaccinationDateInFuture = "vaccination_date_in_future",
        /// The vaccination date is before the day from which the WHO's international certificate is
        /// digital.
        VaccinationBeforeIcvp = "vaccination_before_icvp",
        /// The vaccination date is before the birth date.
        VaccinationBeforeBirth = "vaccination_before_birth",
        /// The NIK encodes a different birth date.
        NikBirthDateMismatch = "nik_birth_date_mismatch",
        /// The NIK encodes a different sex.
        NikSexMismatch = "nik_sex_mismatch",
        /// The batch number is missing.
        BatchMissing = "batch_missing",
        /// The vaccine is missing.
        VaccineMissing = "vaccine_missing",
        /// The facility is missing.
        FacilityMissing = "facility_missing",
        /// The phone number is missing, so no SMS can be sent.
        PhoneMissing = "phone_missing",
        /// The phone number cannot receive SMS messages from this deployment.
        PhoneInvalid = "phone_invalid",
        /// The row replaced an earlier phone number.
        PhoneCorrected = "phone_corrected",
        /// Another event owns the dose and has its certificate.
        DoseDuplicate = "dose_duplicate",
        /// An admin withdrew the dose and has not reinstated it, so no certificate is issued.
        DoseWithdrawn = "dose_withdrawn",
    }
}
