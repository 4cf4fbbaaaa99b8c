//! Rows of a feed: their fields, the doses that they report, and the verdict on each.
//!
//! - This file: [`FeedRow`], its columns and its text hygiene.
//! - `dose.rs`: [`Dose`], the parsed fields of a row, and [`CompleteDose`].
//! - `judgement.rs`: [`FeedRow::judge`], which returns a [`Verdict`] and its reasons.
//! - `verdict.rs`: the codes of verdicts, reasons and row results.

mod dose;
mod judgement;
mod verdict;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bounds::MAX_FIELD_CHARS;
use crate::hygiene::{self, Placeholder};
use crate::parse_moment;

pub use dose::{CompleteDose, Dose, Facility, primary_doses};
pub use verdict::{Outcome, Reason, Verdict};

/// A row as its sender wrote it, before it is judged. It is serialised with the column names of
/// feeds as keys.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRow {
    /// The sender's id for the vaccination event.
    pub event_id: String,
    /// The time of sending, RFC 3339. The latest row of an event counts.
    pub sent_at: String,
    /// The NIK, Indonesia's 16-digit identity number, or empty.
    pub nik: String,
    /// Passport number of a person without a NIK, or empty.
    pub paspor: String,
    /// Name as it appears on the identity document.
    pub nama: String,
    /// Birth date, `YYYY-MM-DD`. For a person without a NIK, `YYYY-MM` and `YYYY` are also valid.
    pub tanggal_lahir: String,
    /// Sex, `L` (male) or `P` (female), or empty.
    pub jenis_kelamin: String,
    /// Phone number as it was typed at the facility.
    pub no_hp: String,
    /// Dose number, 1 to 9.
    pub dosis_ke: String,
    /// Vaccine: a name or alias from the catalogue.
    pub vaksin: String,
    /// Batch number.
    pub batch: String,
    /// Day of the vaccination, `YYYY-MM-DD`.
    pub tanggal_vaksinasi: String,
    /// Code of the facility in the national register.
    pub kode_faskes: String,
    /// Name of the facility.
    pub nama_faskes: String,
    /// `entered-in-error` if the row retracts its event, otherwise empty or `completed`. See
    /// [`RowStatus`].
    #[serde(default)]
    pub status: String,
}

/// The status of a row: it reports a vaccination, or retracts one that was reported by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// The vaccination was given.
    Completed,
    /// The event was entered in error and is retracted.
    EnteredInError,
}

impl RowStatus {
    /// Parses a status in FHIR's spelling or in the national hub's terms, ignoring case. Returns
    /// `None` for any other word, since a row with an unknown status must not count as a
    /// vaccination.
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

/// The columns of a feed, in their usual order.
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

/// The columns that a feed may omit.
pub const OPTIONAL_COLUMNS: [&str; 1] = ["status"];

/// FHIR's code for [`RowStatus::EnteredInError`].
pub const ENTERED_IN_ERROR: &str = "entered-in-error";

fn is_too_long(field: &str) -> bool {
    field.chars().nth(MAX_FIELD_CHARS).is_some()
}

fn non_empty(field: &str) -> Option<&str> {
    let field = field.trim();
    (!field.is_empty()).then_some(field)
}

impl FeedRow {
    /// The fields in the order of [`COLUMNS`]. They are personal data.
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

    /// Creates a row from its fields in the order of [`COLUMNS`].
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

    /// The row after text hygiene ([`hygiene`]), as feed readers return it. Placeholders become
    /// empty fields, with three exceptions:
    ///
    /// - Names are kept, since a name can be spelt like a placeholder.
    /// - A typed placeholder for a phone number (`-`, `tidak ada`) is kept and reported as invalid.
    /// - Zero is kept as an event id and as an (invalid) dose number.
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
                // "0" can be an event id. As a dose number it is invalid, whereas an empty dose
                // number is valid for an international certificate.
                "event_id" | "dosis_ke" => placeholder.is_some(),
                _ => placeholder.is_some() || hygiene::is_zero(&field),
            };
            if is_empty { Cow::Borrowed("") } else { field }
        });
        Self::from_fields(fields.each_ref().map(|field| &**field))
    }

    /// The time of sending; `None` if it is invalid or has no offset ([`parse_moment`]).
    pub fn sent(&self) -> Option<Timestamp> {
        parse_moment(&self.sent_at)
    }

    /// The row's content as unambiguous text for a keyed digest. The time of sending is excluded,
    /// so that a repetition of the row has the same content. The text is personal data.
    pub fn content(&self) -> String {
        let [event_id, _sent_at, content @ .., status] = self.fields();
        let mut text = event_id.trim().to_owned();
        // The status "completed" is omitted, so that a row has the same digest whether or not its
        // feed has the column.
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

    /// Returns a copy of the row in which every field longer than [`MAX_FIELD_CHARS`] is empty.
    #[must_use]
    pub fn without_long_fields(&self) -> Self {
        Self::from_fields(self.fields().map(|field| if is_too_long(field) { "" } else { field }))
    }
}

impl std::fmt::Debug for FeedRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("FeedRow(…)")
    }
}

/// A complete row.
#[cfg(test)]
pub(crate) fn test_row() -> FeedRow {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::test_row as row;

    #[test]
    fn placeholders_and_artefacts_become_empty_fields() {
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
        assert_eq!(judged(|row| row.nama = "None".into()), complete(&[]), "a possible name");
        assert_eq!(judged(|row| row.dosis_ke = "1.0".into()), complete(&[]));
        assert_eq!(judged(|row| row.dosis_ke = "\u{661}".into()), complete(&[]));
        assert_eq!(judged(|row| row.dosis_ke = "1.5".into()), rejected(DoseNumberInvalid));
        assert_eq!(judged(|row| row.tanggal_vaksinasi = "'2021\u{2011}01\u{2011}29".into()), complete(&[]));
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
}
