use bukti_domain::{FeedRow, IdentityData, Origin, Reason, Verdict};

use super::*;
use crate::keys::tests::keys;
use crate::{Keys, SmsKind, SmsRequest};

fn row(sent_at: &str, phone: &str, batch: &str) -> FeedRow {
    FeedRow::from_fields([
        "E1",
        sent_at,
        "3171012401896246",
        "",
        "Iwan",
        "1989-01-24",
        "L",
        phone,
        "1",
        "CoronaVac",
        batch,
        "2021-01-29",
        "P1",
        "Puskesmas",
        "",
    ])
}

fn receive(record: Option<DoseRecord>, row: FeedRow, keys: &Keys) -> Option<DoseRecord> {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let origin = Origin { job: "job".to_owned(), line: 2 };
    let incoming = Incoming::judge(row, origin, now, keys).unwrap();
    DoseRecord::after(record.as_ref(), &incoming, keys).unwrap()
}

#[test]
fn corrected_phone_keeps_certificate_and_invalidates_link() {
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    assert_eq!((first.certificate_version, first.phone_version), (1, 1));
    let second =
        receive(Some(first.clone()), row("2021-01-30T10:00:00+07:00", "081234567891", "B1"), &keys).unwrap();
    assert_eq!((second.certificate_version, second.phone_version), (1, 2));
    assert_eq!(second.certificate_id, first.certificate_id);
    let third = receive(Some(second), row("2021-01-31T10:00:00+07:00", "081234567891", "B2"), &keys).unwrap();
    assert_eq!((third.certificate_version, third.phone_version), (2, 2));
    assert_ne!(third.certificate_id, first.certificate_id);
}

#[test]
fn older_row_changes_history_only() {
    let keys = keys();
    let newer = receive(None, row("2021-01-30T10:00:00+07:00", "081234567891", "B1"), &keys).unwrap();
    let late =
        receive(Some(newer.clone()), row("2021-01-29T10:00:00+07:00", "081234567890", ""), &keys).unwrap();
    assert_eq!(late.verdict, Verdict::Complete);
    assert_eq!((late.certificate_id, late.phone), (newer.certificate_id, newer.phone));
    assert_ne!(late.history, newer.history);
}

#[test]
fn duplicate_row_changes_nothing() {
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
    assert!(receive(Some(first), row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).is_none());
}

#[test]
fn own_doses_rank_before_strangers_rows() {
    let at = |at: &str| at.parse().unwrap();
    let ranked = |verdict: &str, is_duplicate, is_own, first: &str| {
        Rank::new("event", verdict, is_duplicate, is_own, at(first))
    };
    let (early, day, later) = ("2021-01-01T00:00:00Z", "2021-01-02T00:00:00Z", "2021-01-02T00:00:00.5Z");
    let expected = [
        ranked("complete", false, true, early),
        ranked("complete", false, true, day),
        ranked("complete", false, true, later),
        ranked("incomplete", false, true, day),
        ranked("complete", false, false, day),
        ranked("complete", true, true, day),
        ranked("held", false, true, day),
        ranked("retracted", false, true, day),
        ranked("rejected", false, true, day),
        ranked("held", false, false, day),
    ];
    assert!(expected.is_sorted_by(|one, next| one < next));
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    let corrected = row("2021-01-30T10:00:00+07:00", "081234567890", "B2");
    let corrected = receive(Some(first.clone()), corrected, &keys).unwrap();
    assert_eq!(corrected.first_received_at(), first.received_at);
}

fn retraction(sent_at: &str) -> FeedRow {
    FeedRow {
        event_id: "E1".to_owned(),
        sent_at: sent_at.to_owned(),
        status: "entered-in-error".to_owned(),
        ..FeedRow::default()
    }
}

#[test]
fn retraction_keeps_person_and_voids_certificate() {
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    let retracted = receive(Some(first.clone()), retraction("2021-01-30T10:00:00+07:00"), &keys).unwrap();
    assert_eq!((retracted.verdict, retracted.certificate_id.clone()), (Verdict::Retracted, None));
    assert_eq!((&retracted.person, &retracted.phone), (&first.person, &first.phone));
    assert_eq!(retracted.open(&keys).unwrap().nama, "Iwan");
    assert_eq!((retracted.phone_version, retracted.claim.clone()), (2, None));
    assert_eq!(retracted.void_certificates(&keys), [first.certificate_id.clone().unwrap()]);
    let again = row("2021-01-31T10:00:00+07:00", "081234567890", "B1");
    let again = receive(Some(retracted), again, &keys).unwrap();
    assert_eq!((again.certificate_version, again.verdict), (2, Verdict::Complete));
    assert_ne!(again.certificate_id, first.certificate_id);
    assert_eq!(again.claim, first.claim);
}

#[test]
fn older_row_identifies_person_of_retracted_event() {
    let keys = keys();
    let retracted = receive(None, retraction("2021-02-01T10:00:00+07:00"), &keys).unwrap();
    assert_eq!((retracted.person.as_ref(), retracted.phone.as_ref()), (None, None));
    let second = row("2021-01-30T10:00:00+07:00", "081234567891", "B1");
    let first = row("2021-01-29T10:00:00+07:00", "081234567890", "B1");
    let known = receive(Some(retracted), second, &keys).unwrap();
    assert_eq!((known.verdict, known.certificate_id.clone()), (Verdict::Retracted, None));
    assert!(known.person.is_some());
    let later = receive(Some(known.clone()), first, &keys).unwrap();
    assert_eq!(later.phone, known.phone, "the latest row counts");
}

#[test]
fn duplicate_has_no_certificate_until_it_is_promoted() {
    let keys = keys();
    let owner = receive(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
    let other = FeedRow { event_id: "E2".to_owned(), ..row("2021-01-29T10:00:00+07:00", "", "B2") };
    let other = receive(None, other, &keys).unwrap();
    assert_eq!(owner.claim, other.claim, "the batch is not part of the claim's key");
    let claim = owner.claim.clone().unwrap();
    let demoted = other.demoted(&owner);
    assert!(demoted.waits_for(&claim) && !demoted.holds(&claim) && demoted.certificate_id.is_none());
    assert_eq!(demoted.superseded_by, owner.certificate_id);
    let corrected = FeedRow { event_id: "E2".to_owned(), ..row("2021-01-30T10:00:00+07:00", "", "B3") };
    let corrected = receive(Some(demoted), corrected, &keys).unwrap();
    assert!(corrected.waits_for(&claim) && corrected.certificate_id.is_none());
    let promoted = corrected.reissued(&keys).unwrap();
    assert!(promoted.holds(&claim) && promoted.superseded_by.is_none());
    assert_ne!(promoted.certificate_id, other.certificate_id);
    assert_eq!(promoted.void_certificates(&keys), [other.certificate_id.unwrap()]);
}

#[test]
fn incomplete_dose_keeps_claim_until_evicted() {
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
    let claim = first.claim.clone().unwrap();
    let lapsed = receive(Some(first.clone()), row("2021-01-30T10:00:00+07:00", "", ""), &keys).unwrap();
    assert!(lapsed.is_owner_of(&claim) && !lapsed.holds(&claim));
    let whole = row("2021-01-31T10:00:00+07:00", "", "B1");
    let back = receive(Some(lapsed.clone()), whole.clone(), &keys).unwrap();
    assert_eq!(back.certificate_id, first.certificate_id);
    let evicted = lapsed.evicted(Some("OTHER".to_owned()));
    assert_eq!(evicted.void_certificates(&keys), [first.certificate_id.clone().unwrap()]);
    let back = receive(Some(evicted), whole, &keys).unwrap();
    assert_ne!(back.certificate_id, first.certificate_id);
}

/// A held row: the NIK belongs to a man born in 1989, the other data to a woman born in 1990.
fn held_row(sent_at: &str, batch: &str) -> FeedRow {
    FeedRow {
        tanggal_lahir: "1990-01-24".into(),
        jenis_kelamin: "P".into(),
        ..row(sent_at, "081234567890", batch)
    }
}

fn covered_by(row: &FeedRow, keys: &Keys) -> Vec<String> {
    let data = IdentityData::of(&row.dose()).unwrap();
    data.covered().iter().map(|data| keys.identity_data(data)).collect()
}

#[test]
fn confirmation_gives_held_dose_a_certificate() {
    let keys = keys();
    let row = held_row("2021-01-29T10:00:00+07:00", "B1");
    let held = receive(None, row.clone(), &keys).unwrap();
    assert_eq!((held.verdict, &held.certificate_id), (Verdict::Held, &None));
    let covered = covered_by(&row, &keys);
    let issued = held.confirmed(&covered, &keys).unwrap().unwrap();
    assert_eq!((issued.verdict, issued.reasons.len(), issued.revision), (Verdict::Complete, 0, 2));
    assert_eq!(issued.certificate_id, Some(keys.certificate_id(&held.pk, 1)));
    assert!(issued.confirmed(&covered, &keys).unwrap().is_none(), "confirmations are idempotent");
    assert!(receive(Some(issued.clone()), row, &keys).is_none(), "a duplicate row is not held again");
    // A corrected row of the event gets a new certificate.
    let corrected = held_row("2021-01-30T10:00:00+07:00", "B2");
    let held = receive(Some(issued), corrected, &keys).unwrap();
    assert_eq!(held.verdict, Verdict::Held);
    let issued = held.confirmed(&covered, &keys).unwrap().unwrap();
    assert_eq!((issued.verdict, issued.certificate_version), (Verdict::Complete, 2));
}

#[test]
fn confirmation_leaves_other_and_incomplete_doses_without_certificate() {
    let keys = keys();
    let covered = covered_by(&held_row("2021-01-29T10:00:00+07:00", "B1"), &keys);
    let sent = "2021-01-29T10:00:00+07:00";
    for other in [
        FeedRow { tanggal_lahir: "1990-01-25".into(), ..held_row(sent, "B1") },
        FeedRow { jenis_kelamin: "L".into(), ..held_row(sent, "B1") },
        FeedRow { nik: "3171012401896247".into(), ..held_row(sent, "B1") },
    ] {
        let held = receive(None, other, &keys).unwrap();
        assert_eq!(held.verdict, Verdict::Held);
        assert!(held.confirmed(&covered, &keys).unwrap().is_none());
    }
    let incomplete = receive(None, held_row(sent, ""), &keys).unwrap();
    let incomplete = incomplete.confirmed(&covered, &keys).unwrap().unwrap();
    assert_eq!(incomplete.verdict, Verdict::Incomplete);
    assert_eq!((incomplete.reasons, incomplete.certificate_id), (vec![Reason::BatchMissing], None));
}

#[test]
fn confirmation_applies_to_records_from_before_digests() {
    let keys = keys();
    let row = held_row("2021-01-29T10:00:00+07:00", "B1");
    let held = receive(None, row.clone(), &keys).unwrap();
    let mut record = serde_json::to_value(&held).unwrap();
    assert!(record["history"][0].as_object_mut().unwrap().remove("held").is_some());
    let old: DoseRecord = serde_json::from_value(record).unwrap();
    let issued = old.confirmed(&covered_by(&row, &keys), &keys).unwrap().unwrap();
    assert_eq!(issued.verdict, Verdict::Complete);
}

#[test]
fn record_survives_json_and_its_row_opens() {
    let keys = keys();
    let record = receive(None, row("2021-01-29T10:00:00+07:00", "", "B1"), &keys).unwrap();
    let json = serde_json::to_string(&record).unwrap();
    assert!(!json.contains("Iwan"));
    let read: DoseRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(read.open(&keys).unwrap().nama, "Iwan");
}

/// A transition in the tables of the tests below.
#[derive(Clone, Copy, Debug)]
enum Transition {
    /// A row. Contains the day in February 2021, the last digit of the phone number, and the batch;
    /// without a batch, the row is incomplete.
    Row(u8, u8, &'static str),
    /// A row whose identity data contradict the NIK. Contains the day in February 2021.
    Held(u8),
    /// A retraction. Contains the day in February 2021.
    Retracted(u8),
    /// The identity data of the held row were confirmed.
    Confirmed,
    /// Another event took the claim.
    Evicted,
    /// Another event was found to own the claim.
    Demoted,
    /// The duplicate became the owner of the claim.
    Promoted,
    /// An admin withdrew the dose.
    Withdrawn,
    /// An admin reinstated the dose.
    Reinstated,
    /// The helpdesk resent the link.
    Resent,
}

fn apply_transition(record: Option<DoseRecord>, step: Transition, keys: &Keys) -> Option<DoseRecord> {
    let day = |day: u8| format!("2021-02-{day:02}T10:00:00+07:00");
    let known = || record.clone().unwrap();
    match step {
        Transition::Row(sent, phone, batch) => {
            receive(record, row(&day(sent), &format!("08123456789{phone}"), batch), keys)
        }
        Transition::Held(sent) => receive(record, held_row(&day(sent), "B1"), keys),
        Transition::Retracted(sent) => receive(record, retraction(&day(sent)), keys),
        Transition::Confirmed => {
            known().confirmed(&covered_by(&held_row(&day(1), "B1"), keys), keys).unwrap()
        }
        Transition::Evicted => Some(known().evicted(None)),
        Transition::Demoted => Some(known().demoted(&known())),
        Transition::Promoted => Some(known().reissued(keys).unwrap()),
        Transition::Withdrawn => {
            let at = "2026-01-01T00:00:00Z".parse().unwrap();
            Some(known().withdrawn(known().claim.as_ref(), at))
        }
        Transition::Reinstated => Some(known().reinstated()),
        Transition::Resent => Some(known().resent()),
    }
}

/// The verdict, whether there is a certificate id, and the certificate, void and phone versions.
type State = (Verdict, bool, u32, u32, u32);

#[test]
fn transitions_update_verdict_and_versions() {
    use Transition::{
        Confirmed, Demoted, Evicted, Held, Promoted, Reinstated, Resent, Retracted, Row, Withdrawn,
    };
    use Verdict::{Complete, Incomplete, Retracted as IsRetracted};
    let keys = keys();
    let first = Row(1, 0, "B1");
    let table: &[(&[Transition], State)] = &[
        (&[first], (Complete, true, 1, 0, 1)),
        (&[first, Row(2, 0, "B1")], (Complete, true, 1, 0, 1)),
        (&[first, Row(2, 0, "B2")], (Complete, true, 2, 0, 1)),
        (&[first, Row(2, 1, "B1")], (Complete, true, 1, 0, 2)),
        (&[Row(2, 1, "B2"), first], (Complete, true, 1, 0, 1)),
        (&[Row(1, 0, "")], (Incomplete, false, 0, 0, 1)),
        (&[first, Row(2, 0, "")], (Incomplete, false, 1, 0, 1)),
        (&[first, Row(2, 0, ""), Row(3, 0, "B1")], (Complete, true, 1, 0, 1)),
        (&[Held(1)], (Verdict::Held, false, 0, 0, 1)),
        (&[Held(1), Confirmed], (Complete, true, 1, 0, 1)),
        (&[first, Held(2)], (Verdict::Held, false, 1, 0, 1)),
        (&[first, Retracted(2)], (IsRetracted, false, 1, 1, 2)),
        (&[first, Retracted(2), Row(3, 0, "B1")], (Complete, true, 2, 1, 2)),
        (&[first, Retracted(2), Retracted(3)], (IsRetracted, false, 1, 1, 2)),
        (&[Retracted(2), first], (IsRetracted, false, 0, 0, 3)),
        (&[first, Demoted], (Complete, false, 1, 1, 2)),
        (&[first, Demoted, Row(2, 0, "B2")], (Complete, false, 1, 1, 2)),
        (&[first, Demoted, Promoted], (Complete, true, 2, 1, 2)),
        (&[first, Row(2, 0, ""), Evicted], (Incomplete, false, 1, 1, 2)),
        (&[first, Row(2, 0, ""), Evicted, Row(3, 0, "B1")], (Complete, true, 2, 1, 2)),
        (&[first, Withdrawn, Row(2, 0, "B2")], (Complete, true, 1, 0, 1)),
        (&[first, Withdrawn, Reinstated], (Complete, false, 1, 0, 2)),
        (&[first, Withdrawn, Reinstated, Promoted], (Complete, true, 2, 0, 2)),
        (&[first, Resent], (Complete, true, 1, 0, 2)),
    ];
    for (steps, expected) in table {
        let mut record = None;
        for step in *steps {
            record = Some(
                apply_transition(record, *step, &keys).expect("the transition should change the record"),
            );
        }
        let record = record.unwrap();
        let is = (
            record.verdict,
            record.certificate_id.is_some(),
            record.certificate_version,
            record.void_version,
            record.phone_version,
        );
        assert_eq!(is, *expected, "{steps:?}");
        assert_eq!(record.revision as usize, steps.len(), "{steps:?}");
        assert!(record.void_version <= record.certificate_version, "{steps:?}");
    }
}

/// The kind of SMS that the last of these transitions requests.
fn requested_by(steps: &[Transition], keys: &Keys) -> Option<SmsKind> {
    let (mut before, mut record) = (None, None);
    for step in steps {
        before = record.clone();
        record = apply_transition(record, *step, keys);
    }
    let requests = [before, record].map(|record| record.and_then(|record| record.sms_request));
    requests[1].filter(|request| requests[0] != Some(*request)).map(|request| request.kind)
}

#[test]
fn transitions_request_expected_sms() {
    use Transition::{Demoted, Reinstated, Resent, Retracted, Row, Withdrawn};
    let keys = keys();
    let first = Row(1, 0, "B1");
    let table: &[(&[Transition], Option<SmsKind>)] = &[
        (&[first], None),
        (&[first, Row(2, 0, "B2")], None),
        (&[first, Row(2, 1, "B1")], Some(SmsKind::FirstDose)),
        (&[first, Row(2, 1, "B1"), Row(3, 2, "B1")], Some(SmsKind::FirstDose)),
        (&[Row(1, 0, ""), Row(2, 1, "")], None),
        (&[first, Row(2, 0, ""), Row(3, 0, "B1")], Some(SmsKind::FirstDose)),
        (&[Row(2, 1, "B2"), first], None),
        (&[first, Retracted(2)], Some(SmsKind::Retracted)),
        (&[first, Retracted(2), Retracted(3)], None),
        (&[first, Withdrawn], None),
        (&[first, Withdrawn, Reinstated], Some(SmsKind::Corrected)),
        (&[first, Resent], Some(SmsKind::Resent)),
        (&[first, Resent, Resent], Some(SmsKind::Resent)),
        (&[first, Resent, Row(2, 1, "B1")], Some(SmsKind::FirstDose)),
        (&[first, Demoted], None),
    ];
    for (steps, expected) in table {
        assert_eq!(requested_by(steps, &keys), *expected, "{steps:?}");
    }
}

#[test]
fn sms_is_requested_again_until_it_is_sent() {
    let keys = keys();
    let first = receive(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    let again = first.with_sms_requested_again().unwrap();
    assert_eq!((again.revision, again.phone_version), (2, 1));
    assert_eq!(again.sms_request, Some(SmsRequest::of_revision(SmsKind::FirstDose, 2)));
    assert_ne!(again.with_sms_requested_again().unwrap().sms_request, again.sms_request);
}

#[test]
fn redriven_correction_sends_no_second_notice() {
    let keys = keys();
    let known = receive(None, row("2021-01-29T10:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    let corrected = row("2021-01-29T10:00:00+07:00", "081234567891", "B1");
    let (origin, now) = (Origin { job: "case".to_owned(), line: 1 }, "2026-01-01T00:00:00Z".parse().unwrap());
    let rewrite = DoseRecord::rewritten(Some(&known), corrected, origin, now, &[], &keys).unwrap().unwrap();
    let kind_of = |record: &DoseRecord| record.sms_request.map(|request| request.kind);
    assert_eq!(kind_of(rewrite.record()), Some(SmsKind::PhoneCorrected));
    assert_eq!(kind_of(&rewrite.record().redriven(now)), Some(SmsKind::Corrected));
}

#[test]
fn new_phone_after_resending_is_charged_as_first_dose() {
    let keys = keys();
    let mut record = None;
    for step in [Transition::Row(1, 0, "B1"), Transition::Resent, Transition::Demoted] {
        record = apply_transition(record, step, &keys);
    }
    assert_eq!(record.unwrap().certificate_sms(), Some(SmsKind::FirstDose));
}

#[test]
fn facility_corrects_its_own_events_only() {
    let keys = keys();
    let incoming = |day: u8, facility: Option<&str>| {
        let sender = match facility {
            Some(code) => crate::Sender::Facility(code.to_owned()),
            None => crate::Sender::Hub("hub".to_owned()),
        };
        let row = row(&format!("2021-02-{day:02}T10:00:00+07:00"), "", &format!("B{day}"));
        let origin = Origin { job: "job".to_owned(), line: u64::from(day) };
        Incoming::judge(row, origin, "2026-01-01T00:00:00Z".parse().unwrap(), &keys).unwrap().of(&sender)
    };
    for (first, second, may) in [
        (Some("P1"), Some("P1"), true),
        (Some("P1"), None, true),
        (Some("P1"), Some("P2"), false),
        (None, Some("P1"), false),
        (None, None, true),
    ] {
        let record = DoseRecord::after(None, &incoming(1, first), &keys).unwrap();
        let next = DoseRecord::after(record.as_ref(), &incoming(2, second), &keys).unwrap();
        assert_eq!(next.is_some(), may, "{first:?}, then {second:?}");
    }
}

#[test]
fn correction_counts_despite_fast_sender_clock() {
    let keys = keys();
    let known = receive(None, row("2026-01-01T20:00:00+07:00", "081234567890", "B1"), &keys).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let rewritten = |record: &DoseRecord, batch| {
        let row = row("2021-01-01T10:00:00+07:00", "081234567890", batch);
        let origin = Origin { job: "case".to_owned(), line: 1 };
        DoseRecord::rewritten(Some(record), row, origin, now, &[], &keys).unwrap()
    };
    let rewrite = rewritten(&known, "B2").unwrap();
    let next = rewrite.record();
    assert_eq!((next.certificate_version, next.phone_version), (2, 2));
    assert_eq!(next.certificate_sms(), Some(SmsKind::Corrected));
    assert!(rewrite.is_no_worse_than(Some(&known)));
    let incomplete = rewritten(&known, "").unwrap();
    assert!(
        !incomplete.is_no_worse_than(Some(&known)) && incomplete.is_no_worse_than(Some(incomplete.record()))
    );
    assert!(rewritten(&known.demoted(&known), "B2").is_none(), "a duplicate has no certificate");
    let retracted = receive(Some(known), retraction("2026-01-01T23:00:00+07:00"), &keys).unwrap();
    assert!(rewritten(&retracted, "B2").is_none(), "only its facility may undo a retraction");
}
