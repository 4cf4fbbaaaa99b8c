//! The verdict on a single row, regardless of the other rows of its event.

use jiff::{SignedDuration, Timestamp};

use super::{COLUMNS, FeedRow, RowStatus, is_too_long, non_empty};
use super::{Dose, Reason, Verdict};
use crate::catalogue::ICVP_FROM;
use crate::{INDONESIA_EAST, IdentityData, Vaccine};

/// The maximum time by which a sender's clock may be ahead of ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(24);

impl FeedRow {
    /// Returns the verdict on the row and its reasons. A row is rejected if its time of sending is
    /// after `now` by more than the allowed clock skew.
    ///
    /// A complete row can have reasons, too: they say why no SMS can be sent.
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

    /// The verdict on a held row once its [`IdentityData`] are confirmed: the contradiction is
    /// ignored.
    pub fn judge_confirmed(&self) -> (Verdict, Vec<Reason>) {
        self.judge_completeness(&self.dose())
    }

    /// The verdict on a row that is neither rejected nor held.
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

        let unreachable = match (&dose.phone, non_empty(&self.no_hp)) {
            (Some(_), _) => Vec::new(),
            (None, None) => vec![Reason::PhoneMissing],
            (None, Some(_)) => vec![Reason::PhoneInvalid],
        };
        (Verdict::Complete, unreachable)
    }

    /// The reasons to reject the row; empty if there are none.
    fn rejections(&self, dose: &Dose, now: Timestamp) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if non_empty(&self.event_id).is_none() {
            reasons.push(Reason::EventIdMissing);
        }
        match self.sent() {
            None => reasons.push(Reason::SentAtInvalid),
            Some(sent) if sent > now + CLOCK_SKEW => reasons.push(Reason::SentAtInFuture),
            Some(_) => {}
        }
        // A retraction needs only its event id. Its other fields are emptied if they are too long
        // (`without_long_fields`).
        let checked = if self.is_retraction() { 1 } else { COLUMNS.len() };
        if self.fields().iter().take(checked).any(|field| is_too_long(field)) {
            reasons.push(Reason::FieldTooLong);
        }
        match RowStatus::parse(&self.status) {
            Some(RowStatus::Completed) => {}
            // A retraction needs none of the fields that are checked below.
            Some(RowStatus::EnteredInError) => return reasons,
            None => reasons.push(Reason::StatusInvalid),
        }
        if dose.identity.is_none() {
            reasons.push(match (non_empty(&self.nik), non_empty(&self.paspor)) {
                (Some(_), _) => Reason::NikMalformed,
                (None, Some(_)) => Reason::PassportMalformed,
                (None, None) => Reason::IdentityMissing,
            });
        }
        if dose.name.is_none() {
            reasons.push(Reason::NameMissing);
        }
        // The latest date anywhere in Indonesia at the time of sending. Hubs write that time in
        // UTC, and in Papua it may already be the next day.
        let sent_on = self.sent().map(|sent| INDONESIA_EAST.to_datetime(sent).date());
        if !dose
            .birth_date
            .is_some_and(|birth| birth.year() >= 1900 && sent_on.is_none_or(|day| birth.first_day() <= day))
        {
            reasons.push(Reason::BirthDateInvalid);
        }
        if dose.sex.is_none() && non_empty(&self.jenis_kelamin).is_some() {
            reasons.push(Reason::SexInvalid);
        }
        if dose.dose_number.is_none() {
            reasons.push(Reason::DoseNumberInvalid);
        }
        if dose.vaccine.is_none() && non_empty(&self.vaksin).is_some() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::test_row as row;

    fn judged(change: impl FnOnce(&mut FeedRow)) -> (Verdict, Vec<Reason>) {
        let mut row = row();
        change(&mut row);
        row.judge("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn complete_row_needs_no_phone() {
        assert_eq!(judged(|_| {}), (Verdict::Complete, vec![]));
        assert_eq!(judged(|row| row.no_hp = "  ".into()), (Verdict::Complete, vec![Reason::PhoneMissing]));
        assert_eq!(judged(|row| row.no_hp = "-".into()), (Verdict::Complete, vec![Reason::PhoneInvalid]));
    }

    #[test]
    fn verdict_and_reason_follow_from_fields() {
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
    fn confirmed_row_is_judged_by_other_fields() {
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
    fn vaccination_day_must_have_begun_somewhere_in_indonesia() {
        use Reason::VaccinationDateInFuture;
        for (sent_at, day, reasons) in [
            // 00:30 in Jakarta is still the previous day in UTC.
            ("2021-01-30T00:30:00+07:00", "2021-01-30", vec![]),
            ("2021-01-29T23:05:00Z", "2021-01-30", vec![]),
            // After midnight in Papua, but before midnight in Jakarta.
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
    fn only_passport_holders_may_have_partial_birth_dates() {
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
            // The birth date of a person with a NIK must be a full date.
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

    #[test]
    fn retraction_needs_only_event_id_and_time() {
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

    /// Turns a row into a dose against polio.
    fn set_polio(row: &mut FeedRow, day: &str) {
        (row.vaksin, row.sent_at) = ("bOPV".into(), "2025-12-01T08:00:00+07:00".into());
        row.tanggal_vaksinasi = day.into();
    }

    #[test]
    fn international_certificate_needs_vaccination_from_19_september_2025() {
        assert_eq!(judged(|row| set_polio(row, "2025-09-19")), (Verdict::Complete, vec![]));
        let before = (Verdict::Rejected, vec![Reason::VaccinationBeforeIcvp]);
        assert_eq!(judged(|row| set_polio(row, "2025-09-18")), before);
        assert_eq!(
            judged(|row| set_polio(row, "1989-01-23")),
            (Verdict::Rejected, vec![Reason::VaccinationBeforeBirth])
        );
        // A booster for a person with a one-word name and no registered sex.
        let booster = |row: &mut FeedRow| {
            set_polio(row, "2025-11-03");
            (row.dosis_ke, row.nama, row.jenis_kelamin) = ("5".into(), "Ayu".into(), String::new());
        };
        assert_eq!(judged(booster), (Verdict::Complete, vec![]));
        let uncounted = |number: &'static str| {
            judged(move |row| {
                set_polio(row, "2025-11-03");
                row.dosis_ke = number.into();
            })
        };
        assert_eq!(uncounted(""), (Verdict::Complete, vec![]), "its certificate has no dose number");
        assert_eq!(uncounted("x"), (Verdict::Rejected, vec![Reason::DoseNumberInvalid]));
        // The dose number may be missing, but must not be invalid.
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
            set_polio(&mut row, "2025-11-03");
            row.dosis_ke = number.into();
            assert_eq!(row.cleaned().judge("2026-01-01T00:00:00Z".parse().unwrap()).1, reasons, "{number}");
        }
        let no_batch = |row: &mut FeedRow| {
            set_polio(row, "2025-11-03");
            row.batch.clear();
        };
        assert_eq!(judged(no_batch), (Verdict::Incomplete, vec![Reason::BatchMissing]));
    }

    proptest::proptest! {
        #[test]
        fn rejects_vaccinations_before_digital_icvp(days in -3000i32..3000, vaccine in 0usize..3) {
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
        fn judging_never_panics_and_agrees_with_dose(fields in proptest::array::uniform15("\\PC{0,20}")) {
            let row = FeedRow::from_fields(fields.each_ref().map(String::as_str));
            let (verdict, reasons) = row.judge(Timestamp::UNIX_EPOCH);
            proptest::prop_assert!(matches!(verdict, Verdict::Complete | Verdict::Retracted) || !reasons.is_empty());
            proptest::prop_assert_eq!(verdict == Verdict::Complete, row.dose().complete().is_some() && reasons.iter().all(|r| matches!(r, Reason::PhoneMissing | Reason::PhoneInvalid)));
        }
    }
}
