use bukti_domain::{CaseNumber, CaseState, Correction, FeedRow, Origin, Role};
use jiff::Timestamp;

use super::*;
use crate::keys::tests::keys;
use crate::{DoseRecord, EventKey, Incoming, Keys, Officer, PhoneKey};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
fn applicant() -> PhoneKey {
    PhoneKey::of_id("applicant")
}

fn officer(id: PhoneKey) -> Officer {
    Officer { id, name: "Rina".to_owned(), role: Role::Officer, added_at: NOW, enrolment: String::new() }
}

fn row(nik: &str, name: &str) -> FeedRow {
    FeedRow {
        event_id: "E1".to_owned(),
        sent_at: "2021-01-29T10:00:00+07:00".to_owned(),
        nik: nik.to_owned(),
        nama: name.to_owned(),
        tanggal_lahir: "1989-01-24".to_owned(),
        no_hp: "081234567890".to_owned(),
        ..FeedRow::default()
    }
}

fn dose(row: FeedRow, keys: &Keys) -> DoseRecord {
    let origin = Origin { job: "job".to_owned(), line: 2 };
    let incoming = Incoming::judge(row, origin, NOW, keys).unwrap();
    DoseRecord::after(None, &incoming, keys).unwrap().unwrap()
}

const NIK: &str = "3171012401896246";

/// A case that asks to correct the name on Iwan's dose.
fn case(keys: &Keys) -> CaseRecord {
    let file = CaseFile {
        number: String::new(),
        identity: NIK.to_owned(),
        name: "Iwan".to_owned(),
        birth_date: jiff::civil::date(1989, 1, 24).into(),
        phone: "+6281234567890".to_owned(),
        right: "Iwan Purnomo".to_owned(),
        dose: None,
        note: String::new(),
        possible_match: true,
        evidence: Vec::new(),
        messages: Vec::new(),
        proposal: None,
        decision: None,
    };
    let person = dose(row(NIK, "Iwan"), keys).person.unwrap();
    let new = NewCase { correction: Correction::Name, person, file };
    CaseRecord::new(&applicant(), new, &CaseNumber::of_bits(1), keys, NOW).unwrap()
}

/// The outcome of a step: the next state of the case, or the name of the [`Step`] that rejects it.
fn outcome(decided: Decided<CaseRecord>, before: &CaseRecord) -> Result<CaseState, &'static str> {
    match decided.unwrap() {
        Ok(next) => {
            assert_eq!(next.revision, before.revision + 1);
            Ok(next.state)
        }
        Err(step) => Err(name(&step)),
    }
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Done(_) => "done",
        Step::Overtaken => "overtaken",
        Step::ProposalOvertaken => "proposal overtaken",
        Step::OwnCase => "own case",
        Step::ForeignDose => "foreign dose",
        Step::Withdrawn => "withdrawn",
        Step::Contradiction => "contradiction",
    }
}

#[test]
fn state_decides_which_steps_are_possible() {
    use CaseState::{AskedBack, AwaitingApproval, Granted, Open, Refused};
    let keys = keys();
    let overtaken = Err("overtaken");
    // Each row has a state, and the outcomes of answering, asking back and refusing in this state.
    for (state, answered, asked_back, refused) in [
        (Open, overtaken, Ok(AskedBack), Ok(Refused)),
        (AskedBack, Ok(Open), Ok(AskedBack), Ok(Refused)),
        (AwaitingApproval, overtaken, Ok(AskedBack), Ok(Refused)),
        (Granted, overtaken, overtaken, overtaken),
        (Refused, overtaken, overtaken, overtaken),
    ] {
        let case = CaseRecord { state, ..case(&keys) };
        let (rina, own) = (officer(PhoneKey::of_id("rina")), officer(applicant()));
        assert_eq!(outcome(case.answered("x", &keys, NOW), &case), answered, "{state:?}");
        assert_eq!(outcome(case.asked_back(&rina, "x", &keys, NOW), &case), asked_back, "{state:?}");
        assert_eq!(outcome(case.refused(&rina, "x", &keys, NOW), &case), refused, "{state:?}");
        let own_case = if state.is_decided() { overtaken } else { Err("own case") };
        assert_eq!(outcome(case.asked_back(&own, "x", &keys, NOW), &case), own_case, "{state:?}");
        assert_eq!(outcome(case.refused(&own, "x", &keys, NOW), &case), own_case, "{state:?}");
    }
}

#[test]
fn changes_apply_only_to_unchanged_dose_of_person() {
    let keys = keys();
    let case = case(&keys);
    let record = dose(row(NIK, "Iwan"), &keys);
    let change =
        |correction, right| Change::correcting(&record.pk, correction, &row(NIK, "Iwan"), right).unwrap();
    let name_change = change(Correction::Name, "Iwan Purnomo");
    let other_number = dose(row("3171012401896247", "Iwan"), &keys);
    let others_dose = dose(row("3171012401896247", "Budi"), &keys);
    let identity = change(Correction::Identity, NIK);
    let same_basis = |nik: &str, name| {
        Change::correcting(&EventKey::of_id("1"), Correction::Identity, &row(nik, name), NIK).unwrap()
    };
    let own_phone = keys.phone(&bukti_domain::PhoneNumber::parse("081234567890").unwrap());
    let rina = officer(PhoneKey::of_id("rina"));
    for (officer, dose, change, expected) in [
        (&rina, Some(&record), &name_change, None),
        (&officer(own_phone), Some(&record), &name_change, Some("own case")),
        (&officer(applicant()), Some(&record), &name_change, Some("own case")),
        (&rina, None, &name_change, Some("proposal overtaken")),
        (&rina, Some(&dose(row(NIK, "Iwan P"), &keys)), &name_change, Some("proposal overtaken")),
        (&rina, Some(&record.withdrawn(None, NOW)), &name_change, Some("withdrawn")),
        (&rina, Some(&other_number), &name_change, Some("foreign dose")),
        (&rina, Some(&other_number), &identity, Some("proposal overtaken")),
        (&rina, Some(&other_number), &same_basis("3171012401896247", "Iwan"), None),
        (&rina, Some(&others_dose), &same_basis("3171012401896247", "Budi"), Some("foreign dose")),
    ] {
        let step = case.changed(officer, dose, change, &keys).unwrap().err();
        assert_eq!(step.as_ref().map(name), expected, "{change:?}");
    }
}

#[test]
fn proposal_is_decided_by_another_officer() {
    let keys = keys();
    let open = case(&keys);
    let change =
        Change::correcting(&EventKey::of_id("1"), Correction::Name, &row(NIK, "Iwan"), "Iwan Purnomo")
            .unwrap();
    let (rina, joko) = (officer(PhoneKey::of_id("rina")), officer(PhoneKey::of_id("joko")));
    let proposed = open.proposed(&rina, change, ("why", None), &keys, NOW).unwrap();
    let file = proposed.file(&keys).unwrap();
    assert_eq!(proposed.state, CaseState::AwaitingApproval);
    assert!(proposed.proposal_of_another(&rina, &file).is_none());
    assert!(proposed.proposal_of_another(&joko, &file).is_some());
    let asked_back = proposed.asked_back(&joko, "x", &keys, NOW).unwrap().unwrap();
    let file = asked_back.file(&keys).unwrap();
    assert!(asked_back.proposal_of_another(&joko, &file).is_none(), "it has to be proposed again");
    let granted = proposed.granted(&joko, Some(EventKey::of_id("1")), ("why", None), &keys, NOW).unwrap();
    assert_eq!((granted.state, granted.event.as_ref()), (CaseState::Granted, Some(&EventKey::of_id("1"))));
    assert!(granted.file(&keys).unwrap().decision.unwrap().granted);
}

#[test]
fn case_accepts_five_pieces_of_evidence_and_forty_messages() {
    let keys = keys();
    let evidence = || Evidence { key: String::new(), content_type: String::new(), bytes: 1 };
    let mut case = case(&keys);
    for _ in 0..5 {
        case = case.expecting(evidence(), &keys, NOW).unwrap().unwrap();
    }
    assert!(case.expecting(evidence(), &keys, NOW).unwrap().is_none());
    let rina = officer(PhoneKey::of_id("rina"));
    for _ in 0..40 {
        case = case.asked_back(&rina, "x", &keys, NOW).unwrap().unwrap();
    }
    assert_eq!(outcome(case.asked_back(&rina, "x", &keys, NOW), &case), Err("overtaken"));
}
