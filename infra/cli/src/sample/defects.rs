//! The defects of generated rows, and the outcome that the import must give to each row.

use bukti_domain::{FeedRow, Outcome, Reason};
use jiff::civil::{Date, date};
use rand::RngExt;

use super::generator::{Generator, SampleRow, days, e164};
use super::values::OPERATORS;

/// A special case that the import has to handle: a defect, or a second row of the event.
#[derive(Clone, Copy)]
pub(super) enum Defect {
    Repeated,
    PhoneMissing,
    PhoneInvalid,
    PhoneCorrected,
    BatchMissing,
    /// The first row has no batch number; a later row adds it.
    BatchAddedLater,
    VaccineMissing,
    FacilityMissing,
    NikMalformed,
    IdentityMissing,
    NameMissing,
    NikBirthDateMismatch,
    NikSexMismatch,
    VaccineUnknown,
    DoseNumberInvalid,
    DateInvalid,
    DateInFuture,
    DateBeforeBirth,
}

/// The defects, each with its frequency per 10,000 events, modelled on a feed from 2021.
const DEFECTS: [(Defect, u32); 18] = [
    (Defect::Repeated, 277),
    (Defect::PhoneMissing, 264),
    (Defect::PhoneInvalid, 121),
    (Defect::PhoneCorrected, 139),
    (Defect::BatchMissing, 161),
    (Defect::BatchAddedLater, 192),
    (Defect::VaccineMissing, 125),
    (Defect::FacilityMissing, 90),
    (Defect::NikMalformed, 201),
    (Defect::IdentityMissing, 116),
    (Defect::NameMissing, 54),
    (Defect::NikBirthDateMismatch, 121),
    (Defect::NikSexMismatch, 27),
    (Defect::VaccineUnknown, 85),
    (Defect::DoseNumberInvalid, 67),
    (Defect::DateInvalid, 157),
    (Defect::DateInFuture, 54),
    (Defect::DateBeforeBirth, 94),
];

impl Generator {
    /// Adds the rows of an event to the window: one row, or two if the event is repeated or
    /// corrected.
    pub(super) fn add_event(&mut self, mut row: FeedRow, day: Date, phone: (&'static str, u64)) {
        self.event += 1;
        row.event_id = format!("SAMPLE-{:010}", self.event);
        let mut drawn = self.random.random_range(0..10_000);
        let defect = DEFECTS.iter().find_map(|(defect, share)| {
            let is_drawn = drawn < *share;
            drawn = drawn.saturating_sub(*share);
            is_drawn.then_some(*defect)
        });
        let is_foreign = row.nik.is_empty();
        let is_first = row.dosis_ke == "1";
        let issued = SampleRow {
            row,
            outcome: Outcome::Issued,
            reason: None,
            has_sms: is_first,
            phone: e164(phone),
            is_repeated: false,
        };
        let mut generated = issued.clone();
        let row = &mut generated.row;
        let (outcome, reason) = match defect {
            None => (Outcome::Issued, None),
            Some(Defect::Repeated) => {
                generated.is_repeated = true;
                (Outcome::Issued, None)
            }
            Some(Defect::PhoneMissing) => {
                row.no_hp.clear();
                (Outcome::Issued, Some(Reason::PhoneMissing))
            }
            Some(Defect::PhoneInvalid) => {
                row.no_hp = self
                    .one_of(&["021-5551234", "0812", "tidak ada", "+6591234567", "08123456789012345"])
                    .to_owned();
                (Outcome::Issued, Some(Reason::PhoneInvalid))
            }
            Some(Defect::PhoneCorrected) => {
                // This number is beyond the numbers assigned to people, so nobody in the feed has
                // it.
                let other = (self.one_of(&OPERATORS), phone.1 + self.people);
                generated.row.no_hp = self.typed(other);
                generated.phone = e164(other);
                let later = self.time_on(day + days(3));
                let corrected = SampleRow {
                    row: FeedRow { sent_at: later, ..issued.row.clone() },
                    reason: Some(Reason::PhoneCorrected),
                    ..issued
                };
                self.window.push(corrected);
                (Outcome::Superseded, None)
            }
            Some(Defect::BatchMissing) => {
                row.batch.clear();
                (Outcome::Incomplete, Some(Reason::BatchMissing))
            }
            Some(Defect::BatchAddedLater) => {
                row.batch.clear();
                let sent_at = self.time_on(day + days(2));
                self.window.push(SampleRow { row: FeedRow { sent_at, ..issued.row.clone() }, ..issued });
                (Outcome::Superseded, Some(Reason::BatchMissing))
            }
            Some(Defect::VaccineMissing) => {
                row.vaksin.clear();
                (Outcome::Incomplete, Some(Reason::VaccineMissing))
            }
            Some(Defect::FacilityMissing) => {
                (row.kode_faskes, row.nama_faskes) = (String::new(), String::new());
                (Outcome::Incomplete, Some(Reason::FacilityMissing))
            }
            Some(Defect::IdentityMissing) => {
                (row.nik, row.paspor) = (String::new(), String::new());
                (Outcome::Rejected, Some(Reason::IdentityMissing))
            }
            // Foreigners have no NIK, so it cannot be wrong.
            Some(Defect::NikMalformed | Defect::NikBirthDateMismatch | Defect::NikSexMismatch)
                if is_foreign =>
            {
                (Outcome::Issued, None)
            }
            Some(Defect::NikMalformed) => {
                match self.random.random_range(0..3) {
                    0 => row.nik.truncate(15),
                    1 => row.nik.push('0'),
                    _ => row.nik.replace_range(15..16, "O"),
                }
                (Outcome::Rejected, Some(Reason::NikMalformed))
            }
            Some(Defect::NikBirthDateMismatch) => {
                let month: u8 = row.nik[8..10].parse().unwrap_or_default();
                row.nik.replace_range(8..10, &format!("{:02}", month % 12 + 1));
                (Outcome::Held, Some(Reason::NikBirthDateMismatch))
            }
            Some(Defect::NikSexMismatch) => {
                row.jenis_kelamin = if row.jenis_kelamin == "P" { "L" } else { "P" }.to_owned();
                (Outcome::Held, Some(Reason::NikSexMismatch))
            }
            Some(Defect::NameMissing) => {
                row.nama.clear();
                (Outcome::Rejected, Some(Reason::NameMissing))
            }
            Some(Defect::VaccineUnknown) => {
                row.vaksin = self.one_of(&["Vitamin C", "Sinovak2", "???"]).to_owned();
                (Outcome::Rejected, Some(Reason::VaccineUnknown))
            }
            Some(Defect::DoseNumberInvalid) => {
                row.dosis_ke = self.one_of(&["0", "-1", "99", "satu"]).to_owned();
                (Outcome::Rejected, Some(Reason::DoseNumberInvalid))
            }
            Some(Defect::DateInvalid) => {
                row.tanggal_vaksinasi = self.one_of(&["2021-02-30", "31/01/2021", "kemarin", ""]).to_owned();
                (Outcome::Rejected, Some(Reason::VaccinationDateInvalid))
            }
            Some(Defect::DateInFuture) => {
                row.tanggal_vaksinasi = (day + days(400)).to_string();
                (Outcome::Rejected, Some(Reason::VaccinationDateInFuture))
            }
            Some(Defect::DateBeforeBirth) => {
                row.tanggal_vaksinasi = date(1934, 1, day.day().min(28)).to_string();
                (Outcome::Rejected, Some(Reason::VaccinationBeforeBirth))
            }
        };
        let gets_sms = outcome == Outcome::Issued
            && !matches!(reason, Some(Reason::PhoneMissing | Reason::PhoneInvalid));
        // The SMS may have been sent to the wrong number before the correction arrived.
        let may_have_sms = matches!(defect, Some(Defect::PhoneCorrected));
        generated.has_sms = is_first && (gets_sms || may_have_sms);
        if matches!(reason, Some(Reason::PhoneMissing | Reason::PhoneInvalid)) {
            generated.phone.clear();
        }
        (generated.outcome, generated.reason) = (outcome, reason);
        self.window.push(generated);
    }
}
