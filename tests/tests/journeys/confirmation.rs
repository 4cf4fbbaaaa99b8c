//! Confirmations: two officers confirm identity data that contradict the NIK, and certificates are
//! issued for the held doses.

use bukti_domain::FeedRow;
use bukti_local::Handlers;
use bukti_tests::proxy::{CrashPoint, connect_through};
use bukti_tests::{Report, TestApp, dose, today};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

use crate::crashes::decide_through_crash;
use crate::helpdesk::{case_request, decide, dose_of, get, open, post, upload_evidence};

const PHONE: &str = "0821-0669-0743";
/// The birth date that a court established; the NIK still contains 24 January 1989.
const BIRTH_DATE: &str = "1990-01-24";

/// A held dose of the person whose birth date was corrected by law.
fn held(event: &str, number: &str, day: &str) -> FeedRow {
    FeedRow {
        tanggal_lahir: BIRTH_DATE.into(),
        dosis_ke: number.into(),
        tanggal_vaksinasi: day.into(),
        sent_at: format!("{day}T08:41:34+07:00"),
        ..dose(event)
    }
}

fn two_doses() -> [FeedRow; 2] {
    [held("E1", "1", "2021-01-29"), held("E2", "2", "2021-02-26")]
}

/// Opens a case about data corrected by law. Returns the case number.
fn open_case(app: &TestApp, person: &str) -> String {
    open(app, person, case_request("data_corrected_by_law", &held("E1", "1", "2021-01-29")))
}

/// Opens a case with evidence, proposes the confirmation and approves it. Returns the person's
/// session cookie.
fn confirm(app: &TestApp) -> String {
    let person = app.log_in(PHONE, None);
    let case = open_case(app, &person);
    upload_evidence(app, &person, &case);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let id = dose_of(app, &officer, &case);
    let proposed = decide(app, &officer, &case, "grant", json!({"dose": id}));
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    assert_eq!(decide(app, &supervisor, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    person
}

fn codes(app: &TestApp) -> Vec<String> {
    let status = app.status("Iwan Ibrahim Purnomo", "3171012401896246").body;
    let code = |dose: &Value| dose["diagnosis"]["code"].as_str().unwrap_or_default().to_owned();
    status["doses"].as_array().unwrap().iter().map(code).collect()
}

fn outcome(report: &Report, line: u64) -> (&str, &str) {
    let (outcome, reasons) = &report[&line];
    (outcome, reasons)
}

fn links(app: &TestApp, phone: &str) -> usize {
    app.messages_to(phone).iter().filter(|sms| sms.token().is_some()).count()
}

#[test]
fn two_officers_confirm_data_and_release_held_doses() {
    let app = TestApp::start();
    let other = FeedRow { tanggal_lahir: "1990-01-25".into(), ..held("E3", "3", "2021-09-01") };
    let [first, second] = two_doses();
    let report = app.import(&[first.clone(), second, other]);
    for line in 2..=4 {
        assert_eq!(outcome(&report, line), ("held", "nik_birth_date_mismatch"));
    }
    assert_eq!(codes(&app), ["dose_held"; 3]);
    let status = app.status(&first.nama, &first.nik).body;
    let steps = &status["doses"][0]["diagnosis"]["next_steps"];
    assert_eq!(*steps, json!(["ask_facility", "confirm_data", "contact_helpdesk"]));

    let person = app.log_in(PHONE, None);
    let case = open_case(&app, &person);
    let proposer = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let officer = app.log_in_officer("0811-0000-0002", "Budi", "officer");
    let supervisor = app.log_in_officer("0811-0000-0003", "Sari", "supervisor");
    let id = dose_of(&app, &proposer, &case);
    let seen = get(&app, &proposer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["needs_approval"], true);
    assert_eq!(
        (&seen["said"]["right"], &seen["doses"][0]["recorded"]["sex"]),
        (&json!(BIRTH_DATE), &json!("L"))
    );

    // A grant without evidence or a statement from the civil registry is rejected.
    let refused = decide(&app, &proposer, &case, "grant", json!({"dose": id}));
    assert_eq!((refused.status, refused.code()), (422, "evidence_missing"));
    upload_evidence(&app, &person, &case);
    // Data that agree with the NIK need no confirmation.
    let agreeing = decide(&app, &proposer, &case, "grant", json!({"dose": id, "right": "1989-01-24"}));
    assert_eq!(agreeing.code(), "record_contradicts");
    let proposed = decide(&app, &proposer, &case, "grant", json!({"dose": id}));
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    app.wait_until_idle();
    assert_eq!(codes(&app), ["dose_held"; 3], "nothing has changed yet");

    // The proposer may not approve, even as a supervisor, and neither may an officer who is not a
    // supervisor.
    assert_eq!(decide(&app, &proposer, &case, "grant", json!({})).code(), "needs_supervisor");
    assert_eq!(decide(&app, &officer, &case, "grant", json!({})).code(), "needs_supervisor");
    let granted = decide(&app, &supervisor, &case, "grant", json!({}));
    assert_eq!((granted.status, &granted.body["state"]), (200, &json!("granted")), "{}", granted.code());
    app.wait_until_idle();
    assert_eq!(codes(&app), ["certificate_issued", "certificate_issued", "dose_held"]);
    assert_eq!(links(&app, PHONE), 1, "the first dose has its SMS");
    let notices = app.messages_to(PHONE).into_iter().filter(|sms| sms.text.contains(&case)).count();
    assert_eq!(notices, 0, "the SMS of the first dose replaces the notice of the decision");

    // The audit log records every step without personal data, and the person sees who viewed the
    // record.
    let people = get(&app, &person, HolderRoute::People.path());
    let id = people["people"][0]["id"].as_str().unwrap();
    let looks = get(&app, &person, &HelpdeskRoute::AccessLog.path_of(id));
    let looks: Vec<_> =
        looks["looks"].as_array().unwrap().iter().map(|it| (&it["officer"], &it["action"])).collect();
    for expected in
        [("Rina", "proposed"), ("Sari", "granted"), ("Rina", "looked_at_case"), ("Budi", "looked_at_case")]
    {
        let (officer, action) = (json!(expected.0), json!(expected.1));
        assert!(looks.contains(&(&officer, &action)), "{expected:?} in {looks:?}");
    }
    let export = app.bukti_ok(&["audit", "export", "--from", &today()]);
    assert!(export.contains("proposed") && export.contains("granted"), "{export}");
    assert!(!export.contains("3171012401896246") && !export.contains(BIRTH_DATE), "{export}");
}

#[test]
fn later_rows_with_confirmed_data_are_issued() {
    let app = TestApp::start();
    let [first, second] = two_doses();
    app.import(std::slice::from_ref(&first));
    confirm(&app);
    assert_eq!(codes(&app), ["certificate_issued"]);
    assert_eq!(links(&app, PHONE), 1);

    let phoneless = FeedRow { no_hp: String::new(), ..held("E3", "3", "2021-09-01") };
    let sexless = FeedRow { jenis_kelamin: String::new(), ..held("E4", "4", "2022-09-01") };
    let incomplete = FeedRow { batch: String::new(), ..held("E5", "5", "2023-09-01") };
    let other_date = FeedRow { tanggal_lahir: "1990-01-25".into(), ..held("E6", "6", "2023-10-01") };
    let other_sex = FeedRow { jenis_kelamin: "P".into(), ..held("E7", "7", "2023-11-01") };
    let rows = [first, second, phoneless, sexless, incomplete, other_date, other_sex];
    let report = app.import(&rows);
    for (line, expected) in (2..).zip([
        ("duplicate", ""),
        ("issued", ""),
        ("issued", "phone_missing"),
        ("issued", ""),
        ("incomplete", "batch_missing"),
        ("held", "nik_birth_date_mismatch"),
        ("held", "nik_birth_date_mismatch;nik_sex_mismatch"),
    ]) {
        assert_eq!(outcome(&report, line), expected, "{line}");
    }
    assert_eq!(links(&app, PHONE), 1, "none of them is a first dose");
    let status = codes(&app);
    assert_eq!(status.iter().filter(|code| code.starts_with("certificate_issued")).count(), 4, "{status:?}");
}

#[test]
fn corrected_row_of_confirmed_person_gets_new_certificate() {
    let app = TestApp::start();
    let first = held("E1", "1", "2021-01-29");
    app.import(std::slice::from_ref(&first));
    let person = confirm(&app);
    let qr = app.qr_text(PHONE, BIRTH_DATE);
    let corrected =
        FeedRow { batch: "AZ99999Z".into(), sent_at: "2021-03-01T08:00:00+07:00".into(), ..first };
    let report = app.import(&[corrected]);
    assert_eq!(outcome(&report, 2), ("issued", ""));
    app.bukti_ok(&["trust", "publish"]);
    let old = app.bukti(&["verify", "--json", &qr]);
    assert!(old.stdout.contains("superseded"), "{}", old.stdout);
    assert_eq!(codes(&app), ["certificate_issued"]);
    // The helpdesk can correct the name of a confirmed person.
    let renamed = FeedRow { nama: "Iwan Ibrahim".into(), ..held("E1", "1", "2021-01-29") };
    let case = open(&app, &person, case_request("name", &renamed));
    upload_evidence(&app, &person, &case);
    let officer = app.log_in_officer("0811-0000-0003", "Budi", "officer");
    let supervisor = app.log_in_officer("0811-0000-0004", "Tuti", "supervisor");
    let id = dose_of(&app, &officer, &case);
    let proposed = decide(&app, &officer, &case, "grant", json!({"dose": id}));
    assert_eq!(proposed.body["state"], "awaiting_approval", "{}", proposed.code());
    assert_eq!(decide(&app, &supervisor, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    let status = app.status("Iwan Ibrahim", "3171012401896246").body;
    assert_eq!(status["doses"][0]["diagnosis"]["code"], "certificate_issued", "{status}");
}

#[test]
fn confirmation_case_needs_nik_and_dose_of_person() {
    let app = TestApp::start();
    let stranger = FeedRow { nik: "3171012401896264".into(), ..held("E2", "2", "2021-02-26") };
    app.import(&[held("E1", "1", "2021-01-29"), stranger]);
    let person = app.log_in(PHONE, None);
    let request = |fields: Value| {
        let mut request = json!({"correction": "data_corrected_by_law", "name": "Iwan Ibrahim Purnomo"});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        post(&app, &person, HelpdeskRoute::OpenCase.path(), request)
    };
    let passport = request(json!({"passport": "A1687353", "birth_date": BIRTH_DATE}));
    assert_eq!((passport.status, &passport.body["errors"][0]["field"]), (422, &json!("passport")));
    let partial = request(json!({"nik": "3171012401896246", "birth_date": "1990"}));
    assert_eq!((partial.status, &partial.body["errors"][0]["field"]), (422, &json!("birth_date")));

    let case = open_case(&app, &person);
    upload_evidence(&app, &person, &case);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    let dose_with_nik = |nik: &str| {
        let doses = seen["doses"].as_array().unwrap();
        doses.iter().find(|dose| dose["recorded"]["identity"] == nik).unwrap()["id"].clone()
    };
    let refused = decide(&app, &officer, &case, "grant", json!({"dose": dose_with_nik("3171012401896264")}));
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("dose")));
    let refused = decide(&app, &officer, &case, "grant", json!({}));
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("dose")));

    // A statement from the civil registry replaces evidence, and the supervisor sees it.
    let grant =
        json!({"dose": dose_with_nik("3171012401896246"), "facility_word": "Dukcapil Jakarta, Ibu Ani"});
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["proposal"]["confirmed_by"], "Dukcapil Jakarta, Ibu Ani");
    assert_eq!(
        (&seen["proposal"]["row"]["birth_date"], &seen["proposal"]["row"]["sex"]),
        (&json!(BIRTH_DATE), &json!("L"))
    );
    let export = app.bukti_ok(&["audit", "export", "--from", &today()]);
    assert!(export.contains("Dukcapil Jakarta, Ibu Ani"), "{export}");
}

/// Runs a supervisor's approval on a stack whose functions crash after `writes` writes, then
/// restarts the stack and waits until it is idle. Returns `None` if an approval needs fewer writes.
fn approve_with_crash(writes: usize) -> Option<TestApp> {
    let mut started = None;
    let mut app = TestApp::start_with_handlers(|aws| {
        let (crash_point, aws) = connect_through(aws, async |services| CrashPoint::start(&services).await);
        started = Some(crash_point);
        Handlers::bukti(&aws)
    });
    let crash_point = started.unwrap();
    app.import(&two_doses());
    let person = app.log_in(PHONE, None);
    let case = open_case(&app, &person);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let grant = json!({"dose": dose_of(&app, &officer, &case), "facility_word": "Dukcapil"});
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    let revision = get(&app, &supervisor, &HelpdeskRoute::OfficerCase.path_of(&case))["revision"].clone();
    let approval = json!({"decision": "grant", "revision": revision, "why": "x"});
    crash_point.crash_after(writes);
    decide_through_crash(&mut app, &crash_point, &supervisor, &case, approval).then_some(app)
}

#[test]
fn killed_approval_issues_all_held_doses_after_restart() {
    let mut writes = 1;
    while let Some(app) = approve_with_crash(writes) {
        assert_eq!(codes(&app), ["certificate_issued"; 2], "after {writes} writes");
        let tokens: std::collections::BTreeSet<_> =
            app.messages_to(PHONE).iter().filter_map(|sms| sms.token()).collect();
        assert_eq!(tokens.len(), 1, "after {writes} writes");
        writes += 1;
        assert!(writes < 40, "an approval should have fewer than 40 writes");
    }
    assert!(writes > 5, "only {writes} writes were tested; an approval has more");
}
