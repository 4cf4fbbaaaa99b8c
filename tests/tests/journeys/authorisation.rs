//! Authorisation of citizens who share an identity number, a phone or a name, and of officers.

use std::path::{Path, PathBuf};

use bukti_domain::{CaseNumber, FeedRow, PhoneNumber};
use bukti_store::{Cases, FactorAttempt, Officers};
use bukti_tests::{TestApp, authenticator_code, csv, dose, dose_for, today};
use bukti_wire::{HelpdeskRoute, HolderRoute, SenderRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::helpdesk::{case_request, decide, dose_of, get, open, post, upload_evidence};

const OWNER: &str = "0821-0669-0743";
const STRANGER: &str = "0813-1111-0009";
const ELSEWHERE: &str = "0813-1111-0010";

/// A second dose of the owner, who is the person of [`dose`], with another phone.
fn second_dose(event: &str, phone: &str) -> FeedRow {
    FeedRow {
        no_hp: phone.into(),
        dosis_ke: "2".into(),
        tanggal_vaksinasi: "2021-02-26".into(),
        sent_at: "2021-02-26T08:41:34+07:00".into(),
        ..dose(event)
    }
}

/// A complete row with the owner's NIK, but with a stranger's name and phone.
fn strangers_row(event: &str) -> FeedRow {
    FeedRow {
        nama: "Budi Santoso".into(),
        dosis_ke: "3".into(),
        tanggal_vaksinasi: "2021-03-26".into(),
        sent_at: "2021-03-26T08:41:34+07:00".into(),
        ..second_dose(event, STRANGER)
    }
}

/// The id of the only person in the account, and the phone hints of that person's doses.
fn person_and_hints(app: &TestApp, cookie: &str) -> (String, Vec<String>) {
    let people = get(app, cookie, HolderRoute::People.path());
    assert_eq!(people["people"].as_array().unwrap().len(), 1, "{people}");
    let id = people["people"][0]["id"].as_str().unwrap().to_owned();
    let answer = get(app, cookie, &HolderRoute::Certificates.path_of(&id));
    let hint = |dose: &Value| dose["phone_hint"].as_str().unwrap_or_default().to_owned();
    (id, answer["doses"].as_array().unwrap().iter().map(hint).collect())
}

fn actions(app: &TestApp, cookie: &str, person: &str) -> Vec<String> {
    let looks = get(app, cookie, &HelpdeskRoute::AccessLog.path_of(person));
    let action = |look: &Value| look["action"].as_str().unwrap().to_owned();
    looks["looks"].as_array().unwrap().iter().map(action).collect()
}

fn search(app: &TestApp, officer: &str) -> Value {
    let found =
        post(app, officer, HelpdeskRoute::FindPeople.path(), json!({"identity": dose("").nik, "why": "x"}));
    found.body["people"][0]["doses"].clone()
}

/// Store capabilities that give no access to doses, certificates or cases.
const HARMLESS_CAPABILITIES: [&str; 19] = [
    "Claims",
    "DocumentSigners",
    "Downloads",
    "Feeds",
    "Issuers",
    "Jobs",
    "Officers",
    "Otps",
    "PublicFiles",
    "Publishing",
    "Rates",
    "Revocations",
    "Senders",
    "SeriesMarks",
    "Sessions",
    "Signers",
    "Sms",
    "SmsBudget",
    "UsedCaptchas",
];

/// The contents of all files in a folder and its subfolders.
fn sources_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = |path: PathBuf| {
        if path.is_dir() { sources_in(&path) } else { vec![std::fs::read_to_string(path).unwrap()] }
    };
    entries.flat_map(sources).collect()
}

#[test]
fn clippy_forbids_record_access_in_handlers() {
    let functions = bukti_tests::root().join("functions");
    let forbidden = std::fs::read_to_string(functions.join(".clippy.toml")).unwrap();
    let mut known = 0;
    for source in sources_in(&functions.join("lib/store/src")) {
        let mut capability = "";
        for line in source.lines() {
            let name = line.strip_prefix("impl ").and_then(|line| line.strip_suffix(" {"));
            capability = name.unwrap_or(capability);
            let signature = line.trim_start().strip_prefix("pub fn ").unwrap_or_default();
            let (constructor, parameters) = signature.split_once('(').unwrap_or_default();
            let is_capability =
                parameters.starts_with("aws: &Aws") || parameters.starts_with("client: Client");
            if !is_capability || HARMLESS_CAPABILITIES.contains(&capability) {
                continue;
            }
            known += 1;
            let path = format!("\"bukti_store::{capability}::{constructor}\"");
            assert!(forbidden.contains(&path), "functions/.clippy.toml allows {path}");
        }
    }
    assert_eq!(known, forbidden.matches("::new\"").count() + forbidden.matches("::of_table\"").count());
}

#[test]
fn people_sharing_identity_number_see_own_doses_only() {
    let app = TestApp::start();
    app.import(&[dose("E1"), second_dose("E2", ELSEWHERE), strangers_row("E3")]);
    let owner = app.log_in(OWNER, None);
    let stranger = app.log_in(STRANGER, None);
    let (person, hints) = person_and_hints(&app, &owner);
    assert_eq!(hints, ["43", "10"], "a dose of the same name and birth date, from another phone");
    let (other, hints) = person_and_hints(&app, &stranger);
    assert_eq!((&other, &*hints), (&person, &["09".to_owned()][..]));

    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let doses = search(&app, &officer);
    let own = doses.as_array().unwrap().iter().find(|dose| dose["recorded"]["phone"] == OWNER).unwrap();
    let resend = HelpdeskRoute::Resend.path_of(own["id"].as_str().unwrap());
    assert_eq!(post(&app, &officer, &resend, json!({"why": "x"})).status, 202);
    assert_eq!(actions(&app, &owner, &person), ["resent", "looked_at"]);
    assert_eq!(
        actions(&app, &stranger, &person),
        ["looked_at"],
        "the officer's search showed their dose as well"
    );
}

#[test]
fn held_row_under_victims_number_opens_nothing() {
    let app = TestApp::start();
    // These rows are held, since the birth date contradicts the NIK. One of them has the owner's
    // name.
    let held = |event: &str, name: &str| FeedRow {
        nama: name.into(),
        tanggal_lahir: "1989-01-25".into(),
        ..second_dose(event, STRANGER)
    };
    let report = app.import(&[dose("E1"), held("E2", "Budi Santoso"), held("E3", &dose("").nama)]);
    assert_eq!((&*report[&3].0, &*report[&4].0), ("held", "held"));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    search(&app, &officer);
    let stranger = app.log_in(STRANGER, None);
    let (person, hints) = person_and_hints(&app, &stranger);
    assert_eq!(hints, ["09", "09"]);
    assert!(actions(&app, &stranger, &person).is_empty());
    let owner = app.log_in(OWNER, None);
    assert_eq!(person_and_hints(&app, &owner).1, ["43"]);
    assert_eq!(actions(&app, &owner, &person), ["looked_at"]);
}

#[test]
fn facility_key_reads_no_records_by_identity_number() {
    let app = TestApp::start();
    app.import(&[dose("E1"), second_dose("E2", ELSEWHERE)]);
    let key = app.bukti_ok(&["api-key", "create", "--facility", "P9"]);
    let authorization = format!("Bearer {}", key.trim());
    let headers = [("authorization", &*authorization), ("content-type", "text/csv")];
    let row = FeedRow { kode_faskes: "P9".into(), ..strangers_row("X1") };
    let sent = app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, &csv(&[row]));
    assert_eq!(sent.json()["rows"][0]["outcome"], "issued");
    app.wait_until_idle();
    let stranger = app.log_in(STRANGER, None);
    let (person, hints) = person_and_hints(&app, &stranger);
    assert_eq!(hints, ["09"]);
    // The stranger does not see views from before the stranger's row arrived, since they concern
    // another person.
    assert!(actions(&app, &stranger, &person).is_empty());
}

#[test]
fn account_of_shared_phone_shows_only_its_people() {
    let app = TestApp::start();
    let child = FeedRow {
        nik: "3171016506199651".into(),
        nama: "Theresia Desi".into(),
        tanggal_lahir: "2019-06-25".into(),
        jenis_kelamin: "P".into(),
        sent_at: "2022-01-29T08:41:34+07:00".into(),
        tanggal_vaksinasi: "2022-01-29".into(),
        ..dose("E2")
    };
    // This row has the child's NIK, the other person's name and another phone, so neither of them
    // may see the dose.
    let mixed = FeedRow {
        no_hp: ELSEWHERE.into(),
        nama: dose("").nama,
        tanggal_vaksinasi: "2022-02-28".into(),
        sent_at: "2022-02-28T08:41:34+07:00".into(),
        dosis_ke: "2".into(),
        event_id: "E3".into(),
        ..child.clone()
    };
    app.import(&[dose("E1"), child, mixed]);
    let owner = app.log_in(OWNER, None);
    let people = get(&app, &owner, HolderRoute::People.path());
    let names: Vec<_> = people["people"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["Iwan Ibrahim Purnomo", "Theresia Desi"]);
    for person in people["people"].as_array().unwrap() {
        let path = HolderRoute::Certificates.path_of(person["id"].as_str().unwrap());
        assert_eq!(get(&app, &owner, &path)["doses"].as_array().unwrap().len(), 1, "{person}");
    }
}

/// Opens a case about the misspelt name in [`dose`], and proposes a correction. Returns the
/// officer's session cookie and the case number.
fn propose_name(app: &TestApp) -> (String, String) {
    let person = app.log_in(OWNER, None);
    let case = open(app, &person, case_request("name", &dose("E1")));
    upload_evidence(app, &person, &case);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let grant = json!({"dose": dose_of(app, &officer, &case)});
    assert_eq!(decide(app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    (officer, case)
}

fn misspelt() -> FeedRow {
    FeedRow { nama: "Iwan Ibrahim Purnama".into(), ..dose("E1") }
}

#[test]
fn approved_name_keeps_phone_corrected_after_proposal() {
    let app = TestApp::start();
    app.import(&[misspelt()]);
    let (officer, case) = propose_name(&app);
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    // The helpdesk corrects the phone, then the facility corrects the batch.
    let person = app.log_in(ELSEWHERE, None);
    let moved = open(&app, &person, case_request("phone", &misspelt()));
    upload_evidence(&app, &person, &moved);
    let grant = json!({"dose": dose_of(&app, &officer, &moved)});
    assert_eq!(decide(&app, &officer, &moved, "grant", grant).body["state"], "granted");
    app.wait_until_idle();
    let later = jiff::Timestamp::now();
    let batch = FeedRow {
        no_hp: ELSEWHERE.into(),
        batch: "AZ99999Z".into(),
        sent_at: later.to_string(),
        ..misspelt()
    };
    app.import(&[batch]);
    let granted = decide(&app, &supervisor, &case, "grant", json!({}));
    assert_eq!(granted.body["state"], "granted", "{}", granted.code());
    app.wait_until_idle();
    let links = |phone: &str| app.messages_to(phone).iter().filter_map(|sms| sms.token()).count();
    assert_eq!(links(OWNER), 1, "only that of the import");
    let token = app.messages_to(ELSEWHERE).iter().rev().find_map(|sms| sms.token()).unwrap();
    let opened = app
        .post(HolderRoute::Link.path(), json!({"token": token, "birth_date": dose("").tanggal_lahir}))
        .body;
    let certificate = &opened["certificate"];
    assert_eq!(
        (&certificate["name"], &certificate["batch"]),
        (&json!("Iwan Ibrahim Purnomo"), &json!("AZ99999Z"))
    );
}

#[test]
fn facility_correction_of_same_value_voids_proposal() {
    let app = TestApp::start();
    app.import(&[misspelt()]);
    let (officer, case) = propose_name(&app);
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let corrected = FeedRow {
        nama: "Iwan Ibrahim Purnomosidi".into(),
        sent_at: "2021-03-01T08:00:00+07:00".into(),
        ..dose("E1")
    };
    app.import(&[corrected]);
    let refused = decide(&app, &supervisor, &case, "grant", json!({}));
    assert_eq!((refused.status, refused.code()), (409, "proposal_overtaken"));
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["doses"][0]["recorded"]["name"], "Iwan Ibrahim Purnomosidi");
    // A new proposal can be approved.
    let grant = json!({"dose": dose_of(&app, &officer, &case)});
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    assert_eq!(decide(&app, &supervisor, &case, "grant", json!({})).body["state"], "granted");
}

/// The fields of a grant that relies on a facility's statement instead of evidence.
fn grant_by_facility_word(dose: &Value) -> Value {
    json!({"dose": dose, "facility_word": "Bidan Tuti, Puskesmas Kebayoran Baru"})
}

fn id_of_only_dose(app: &TestApp, officer: &str) -> Value {
    search(app, officer)[0]["id"].clone()
}

fn export(app: &TestApp) -> String {
    app.bukti_ok(&["audit", "export", "--from", &today()])
}

#[test]
fn case_about_other_number_takes_no_dose() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let victims_dose = id_of_only_dose(&app, &officer);
    // The attacker combines an invented NIK with the victim's name and birth date.
    let attacker = app.log_in(STRANGER, None);
    for (correction, name) in
        [("phone", dose("").nama), ("dose_number", dose("").nama), ("identity", "Budi Santoso".into())]
    {
        let row = FeedRow { nama: name, ..dose_for(1, "") };
        let mut request = case_request(correction, &row);
        if correction == "dose_number" {
            request["dose_number"] = json!("2");
        }
        let case = open(&app, &attacker, request);
        let refused = decide(&app, &officer, &case, "grant", grant_by_facility_word(&victims_dose));
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["field"]),
            (422, &json!("dose")),
            "{correction}"
        );
    }
    app.wait_until_idle();
    assert!(app.messages_to(STRANGER).iter().all(|sms| sms.token().is_none()));
}

#[test]
fn officer_cannot_decide_case_of_own_phone() {
    let app = TestApp::start();
    let own = "0811-0000-0001";
    let of_officer = FeedRow { no_hp: own.into(), ..dose("E1") };
    app.import(std::slice::from_ref(&of_officer));
    let officer = app.log_in_officer(own, "Rina", "supervisor");
    let other = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    // The officer may not decide a case that the officer opened, regardless of whose dose it
    // concerns.
    let case = open(&app, &officer, case_request("phone", &of_officer));
    let id = id_of_only_dose(&app, &officer);
    for (decision, more) in
        [("grant", grant_by_facility_word(&id)), ("refuse", json!({})), ("ask_back", json!({}))]
    {
        let refused = decide(&app, &officer, &case, decision, more);
        assert_eq!((refused.status, refused.code()), (403, "own_case"), "{decision}");
    }
    // Nor may the officer decide another person's case that concerns a dose with the officer's
    // phone or moves a dose to that phone.
    let person = app.log_in(STRANGER, None);
    let case = open(&app, &person, case_request("phone", &of_officer));
    assert_eq!(decide(&app, &officer, &case, "grant", grant_by_facility_word(&id)).code(), "own_case");
    assert_eq!(decide(&app, &other, &case, "grant", grant_by_facility_word(&id)).body["state"], "granted");
    app.wait_until_idle();
    let case = open(&app, &person, case_request("phone", &of_officer));
    let mut to_own = grant_by_facility_word(&id);
    to_own["right"] = json!(own);
    assert_eq!(decide(&app, &officer, &case, "grant", to_own).code(), "own_case");
}

#[test]
fn moving_phone_to_unproven_number_needs_supervisor() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let person = app.log_in(STRANGER, None);
    let case = open(&app, &person, case_request("phone", &dose("")));
    let mut grant = grant_by_facility_word(&id_of_only_dose(&app, &officer));
    grant["right"] = json!(ELSEWHERE);
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    app.wait_until_idle();
    assert!(app.messages_to(ELSEWHERE).is_empty());
    assert_eq!(decide(&app, &officer, &case, "grant", json!({})).code(), "needs_supervisor");
    assert_eq!(decide(&app, &supervisor, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    assert!(app.messages_to(ELSEWHERE).iter().any(|sms| sms.token().is_some()));
    // A move to the phone that opened the case needs no second officer.
    let case = open(&app, &person, case_request("phone", &dose("")));
    let mut grant = grant_by_facility_word(&id_of_only_dose(&app, &officer));
    grant["right"] = json!("+62 813 1111 0009");
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "granted");
}

#[test]
fn audit_names_person_of_changed_record() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let owner = app.log_in(OWNER, None);
    let (person, _) = person_and_hints(&app, &owner);
    // Granting a case about a wrong NIK moves the dose to the correct NIK.
    let claimant = app.log_in(STRANGER, None);
    let case = open(&app, &claimant, case_request("identity", &dose_for(1, "")));
    let grant = grant_by_facility_word(&id_of_only_dose(&app, &officer));
    assert_eq!(decide(&app, &officer, &case, "grant", grant).body["state"], "awaiting_approval");
    assert!(actions(&app, &owner, &person).contains(&"proposed".to_owned()));
    assert_eq!(decide(&app, &supervisor, &case, "grant", json!({})).body["state"], "granted");
    let export = export(&app);
    let entries: Vec<&str> = export.lines().filter(|line| line.contains(",granted,")).collect();
    assert_eq!(entries.len(), 2, "one for the previous person and one for the new one: {export}");
    assert_eq!(entries.iter().filter(|entry| entry.contains(&person)).count(), 1, "{export}");
}

#[test]
fn facility_word_must_name_somebody_and_is_stored() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let person = app.log_in(STRANGER, None);
    let number = open(&app, &person, case_request("phone", &dose("")));
    let id = id_of_only_dose(&app, &officer);
    for word in [".", "-----", "12345", "dr. A"] {
        let grant = json!({"dose": id, "facility_word": word});
        let refused = decide(&app, &officer, &number, "grant", grant);
        let field = &refused.body["errors"][0]["field"];
        assert_eq!((refused.status, field), (422, &json!("facility_word")), "{word}");
    }
    let grant = json!({"dose": id, "facility_word": " "});
    assert_eq!(decide(&app, &officer, &number, "grant", grant).code(), "evidence_missing");
    assert_eq!(
        decide(&app, &officer, &number, "grant", grant_by_facility_word(&id)).body["state"],
        "granted"
    );
    let stored = app.with_aws(async |aws| {
        let number = CaseNumber::parse(&number).unwrap();
        let case = Cases::new(&aws).of_number(&number).await.unwrap().unwrap();
        case.file(&aws.keys).unwrap().decision.unwrap().confirmed_by
    });
    assert_eq!(stored.as_deref(), Some("Bidan Tuti, Puskesmas Kebayoran Baru"));
    assert!(export(&app).contains("Bidan Tuti, Puskesmas Kebayoran Baru"));
}

#[test]
fn removal_or_new_second_factor_ends_officer_session() {
    let app = TestApp::start();
    let (phone, path) = ("0811-0000-0001", HelpdeskRoute::Officer.path());
    let officer = app.log_in_officer(phone, "Rina", "supervisor");
    let view = || app.call("GET", path, Some(&officer), None).code().to_owned();
    assert_eq!(view(), "");
    app.add_officer(phone, "Rina", "supervisor");
    assert_eq!(view(), "second_factor_needed", "the second factor was replaced");
    app.bukti_ok(&["officer", "remove", phone]);
    assert_eq!(view(), "not_an_officer");
    let secret = app.add_officer(phone, "Rina", "officer");
    assert_eq!(view(), "second_factor_needed", "adding the officer again revives no old session");
    let code = json!({"code": authenticator_code(&secret)});
    assert_eq!(post(&app, &officer, HelpdeskRoute::SecondFactor.path(), code).status, 200);
    assert_eq!(view(), "");
}

#[test]
fn wrong_authenticator_codes_are_audited_and_lock_until_tomorrow() {
    let app = TestApp::start();
    let phone = "0811-0000-0001";
    let secret = app.add_officer(phone, "Rina", "officer");
    let cookie = app.log_in(phone, None);
    let wrong = if authenticator_code(&secret) == "000000" { "000001" } else { "000000" };
    let shown = post(&app, &cookie, HelpdeskRoute::SecondFactor.path(), json!({"code": wrong}));
    assert_eq!(shown.code(), "second_factor_wrong");
    assert_eq!(export(&app).matches(",second_factor_wrong,").count(), 1);
    app.with_aws(async |aws| {
        let officers = Officers::new(&aws);
        let key = aws.keys.phone(&PhoneNumber::parse(phone).unwrap());
        // The attempts start at a fixed midnight, so that each falls into a known 15-minute window.
        let day = Timestamp::from_second(20_000 * 86_400).unwrap();
        let at = |quarter: i64| day + SignedDuration::from_mins(15 * quarter);
        for quarter in 0..8 {
            for number in 0..5 {
                let tried = officers.try_code(&key, "x", at(quarter)).await.unwrap();
                assert_eq!(tried, FactorAttempt::Wrong, "quarter {quarter}, attempt {number}");
            }
            let tried = officers.try_code(&key, "x", at(quarter)).await.unwrap();
            assert!(matches!(tried, FactorAttempt::Full { wait } if wait <= 15 * 60), "{tried:?}");
        }
        let tried = officers.try_code(&key, "x", at(8)).await.unwrap();
        assert!(matches!(tried, FactorAttempt::Full { wait } if wait == 22 * 60 * 60), "{tried:?}");
        assert_eq!(officers.try_code(&key, "x", at(96)).await.unwrap(), FactorAttempt::Wrong, "the next day");
    });
}

#[test]
fn audit_keeps_entry_order_within_a_request() {
    let app = TestApp::start();
    app.import(&[FeedRow { no_hp: "0811-0000-0001".into(), ..dose("E1") }]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let case = open(&app, &officer, case_request("phone", &dose("")));
    let path = HelpdeskRoute::Decide.path_of(&case);
    for _ in 0..20 {
        let refuse = json!({"decision": "refuse", "revision": 1, "why": "x"});
        assert_eq!(post(&app, &officer, &path, refuse).code(), "own_case");
    }
    let export = export(&app);
    let done: Vec<&str> = export
        .lines()
        .filter_map(|line| ["refused", "not_done"].into_iter().find(|it| line.contains(it)))
        .collect();
    assert_eq!(done, ["refused", "not_done"].repeat(20));
    let (person, _) = person_and_hints(&app, &officer);
    assert_eq!(actions(&app, &officer, &person), ["not_done", "refused"].repeat(20));
}
