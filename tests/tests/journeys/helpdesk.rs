//! From "something is wrong" to a right certificate: cases, evidence, officers, decisions, the audit.

use std::sync::Arc;
use std::time::Duration;

use bukti_domain::FeedRow;
use bukti_local::Handlers;
use bukti_tests::proxy::{CrashPoint, connect_through};
use bukti_tests::{Reply, TestApp, authenticator_code, dose, dose_for, run_1000_times_concurrently, today};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

const MISTYPED: &str = "0821-0669-0743";
const RIGHT: &str = "0813-1111-0001";
const BORN: &str = "1989-01-24";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture of a vaccination card";

pub(crate) fn get(app: &TestApp, cookie: &str, path: &str) -> Value {
    let reply = app.call("GET", path, Some(cookie), None);
    assert_eq!(reply.status, 200, "{path}: {}", reply.code());
    reply.body
}

pub(crate) fn post(app: &TestApp, cookie: &str, path: &str, body: Value) -> Reply {
    app.call("POST", path, Some(cookie), Some(body))
}

pub(crate) fn asking(correction: &str, row: &FeedRow) -> Value {
    json!({"correction": correction, "name": row.nama, "nik": row.nik, "birth_date": row.tanggal_lahir})
}

/// Opens a case; gives its number.
pub(crate) fn open(app: &TestApp, cookie: &str, asked: Value) -> String {
    let opened = post(app, cookie, HelpdeskRoute::OpenCase.path(), asked);
    assert_eq!(opened.status, 201, "{}: {}", opened.code(), opened.body);
    opened.body["number"].as_str().unwrap().to_owned()
}

/// Puts a piece of evidence to an address, as a browser does.
fn put(url: &str, content_type: &str, bytes: &[u8]) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.put(url).header("content-type", content_type).header("if-none-match", "*");
    request.send(bytes).unwrap().status().as_u16()
}

fn slot(app: &TestApp, cookie: &str, case: &str, content_type: &str, bytes: usize) -> Reply {
    let asked = json!({"content_type": content_type, "bytes": bytes});
    post(app, cookie, &HelpdeskRoute::Evidence.path_of(case), asked)
}

pub(crate) fn give_evidence(app: &TestApp, cookie: &str, case: &str) {
    let slot = slot(app, cookie, case, "image/png", PNG.len());
    assert_eq!(slot.status, 201, "{}", slot.code());
    assert_eq!(put(slot.body["url"].as_str().unwrap(), "image/png", PNG), 200);
}

/// What an officer decides of a case as it is now.
pub(crate) fn decide(app: &TestApp, cookie: &str, case: &str, decision: &str, more: Value) -> Reply {
    let seen = get(app, cookie, &HelpdeskRoute::OfficerCase.path_of(case));
    let mut asked = json!({"decision": decision, "revision": seen["revision"], "why": "Kartu vaksin cocok."});
    if let Value::Object(more) = more {
        asked.as_object_mut().unwrap().extend(more);
    }
    post(app, cookie, &HelpdeskRoute::Decide.path_of(case), asked)
}

/// The id of the first dose that an officer sees in a case.
pub(crate) fn dose_of(app: &TestApp, cookie: &str, case: &str) -> String {
    let seen = get(app, cookie, &HelpdeskRoute::OfficerCase.path_of(case));
    seen["doses"][0]["id"].as_str().unwrap().to_owned()
}

fn open_link(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BORN}))
}

fn token_of_last(app: &TestApp, phone: &str) -> String {
    app.messages_to(phone).iter().rev().find_map(|sms| sms.token()).unwrap()
}

fn verdict(app: &TestApp, qr: &str) -> String {
    app.bukti_ok(&["trust", "publish"]);
    let said = app.bukti(&["verify", "--json", qr]);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    said["verdict"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn corrected_phone_revokes_link_and_certificate_of_old_one() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let old_token = token_of_last(&app, MISTYPED);
    let old_qr = app.qr_text(MISTYPED, BORN);

    // The person shows that the right phone is theirs by logging in with it.
    let person = app.log_in(RIGHT, Some("Iwan"));
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    assert_eq!(get(&app, &desk, HelpdeskRoute::Queue.path())["cases"][0]["number"], json!(case));
    let seen = get(&app, &desk, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["said"]["right"], "+6281311110001");
    assert_eq!(seen["doses"][0]["recorded"]["phone"], MISTYPED);
    assert_eq!(seen["doses"][0]["status"]["diagnosis"]["code"], "certificate_issued");
    let trail: Vec<_> =
        seen["doses"][0]["trail"].as_array().unwrap().iter().map(|it| it["what"].clone()).collect();
    assert_eq!(trail, ["received", "issued", "sms_accepted", "link_opened"]);

    // Who just knows facts moves no phone.
    let id = dose_of(&app, &desk, &case);
    let refused = decide(&app, &desk, &case, "grant", json!({"dose": id}));
    assert_eq!((refused.status, refused.code()), (422, "evidence_missing"));
    give_evidence(&app, &person, &case);
    let seen = get(&app, &desk, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(app.fetch(seen["pieces"][0]["url"].as_str().unwrap()), (200, PNG.to_vec()));

    let granted = decide(&app, &desk, &case, "grant", json!({"dose": id}));
    assert_eq!((granted.status, &granted.body["state"]), (200, &json!("granted")), "{}", granted.code());
    app.wait_until_idle();
    let sms = app.messages_to(RIGHT);
    let corrected: Vec<_> = sms.iter().filter(|sms| sms.token().is_some()).collect();
    assert_eq!(corrected.len(), 1, "{sms:?}");
    let text = corrected[0].single_part_text(&app);
    assert!(text.contains("dibetulkan"), "{text}");
    assert_eq!(open_link(&app, &corrected[0].token().unwrap()).status, 200);
    assert_eq!(open_link(&app, &old_token).code(), "link_dead");
    let told = app.messages_to(MISTYPED).pop().unwrap();
    assert!(told.text.contains("diganti") && !told.text.contains("1311"), "{}", told.text);
    told.single_part_text(&app);
    // What the stranger may have kept counts no more.
    assert_eq!(verdict(&app, &old_qr), "superseded");
    assert_eq!(verdict(&app, &app.qr_text(RIGHT, BORN)), "valid");

    // The queue is empty; the person sees what became of it, and who looked.
    assert_eq!(get(&app, &desk, HelpdeskRoute::Queue.path()), json!({"cases": []}));
    let own = get(&app, &person, HelpdeskRoute::Cases.path());
    assert_eq!(
        (&own["cases"][0]["state"], &own["cases"][0]["why"]),
        (&json!("granted"), &json!("Kartu vaksin cocok."))
    );
    let people = get(&app, &person, HolderRoute::People.path());
    let id = people["people"][0]["id"].as_str().unwrap();
    let looks = get(&app, &person, &HelpdeskRoute::Looks.path_of(id));
    assert_eq!(looks["looks"][0]["action"], "granted");
    assert_eq!(looks["looks"][0]["officer"], "Rina");
    let export = app.bukti_ok(&["audit", "export", "--from", &today()]);
    assert!(
        export.contains("Rina")
            && export.contains("looked_at_case")
            && export.contains("Kartu vaksin cocok.")
    );
    assert!(!export.contains("3171012401896246"), "{export}");
}

#[test]
fn name_correction_needs_two_officers_and_reissues_certificate() {
    let app = TestApp::start();
    let misspelt = FeedRow { nama: "Iwan Ibrahim Purnama".into(), ..dose("E1") };
    app.import(&[misspelt]);
    let old_qr = app.qr_text(MISTYPED, BORN);
    let person = app.log_in(MISTYPED, None);
    let case = open(&app, &person, asking("name", &dose("E1")));
    give_evidence(&app, &person, &case);
    let first = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let second = app.log_in_officer("0811-0000-0002", "Budi", "officer");
    let third = app.log_in_officer("0811-0000-0003", "Sari", "supervisor");

    let id = dose_of(&app, &first, &case);
    let proposed = decide(&app, &first, &case, "grant", json!({"dose": id}));
    assert_eq!((proposed.status, &proposed.body["state"]), (200, &json!("awaiting_approval")));
    app.wait_until_idle();
    assert_eq!(app.qr_text(MISTYPED, BORN), old_qr, "nothing has changed yet");
    // Neither who proposed it, nor one who is no supervisor.
    assert_eq!(decide(&app, &first, &case, "grant", json!({})).code(), "needs_supervisor");
    assert_eq!(decide(&app, &second, &case, "grant", json!({})).code(), "needs_supervisor");
    let seen = get(&app, &third, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["proposal"]["officer"], "Rina");
    assert_eq!(seen["proposal"]["row"]["name"], "Iwan Ibrahim Purnomo");
    assert_eq!(decide(&app, &third, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();

    let token = token_of_last(&app, MISTYPED);
    assert_eq!(open_link(&app, &token).body["certificate"]["name"], "Iwan Ibrahim Purnomo");
    assert_eq!(verdict(&app, &old_qr), "superseded");
    assert_eq!(decide(&app, &third, &case, "refuse", json!({})).code(), "case_changed");
}

#[test]
fn missing_dose_is_added_and_refusal_gives_reason() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(MISTYPED, None);
    let mut asked = asking("dose_missing", &dose("E1"));
    let missing = post(&app, &person, HelpdeskRoute::OpenCase.path(), asked.clone());
    assert_eq!(missing.body["errors"].as_array().unwrap().len(), 4, "{}", missing.body);
    for (field, value) in [
        ("dose_number", "2"),
        ("vaccine", "CoronaVac"),
        ("vaccination_date", "2021-02-26"),
        ("facility", "Puskesmas Kebayoran Baru"),
    ] {
        asked[field] = json!(value);
    }
    let case = open(&app, &person, asked.clone());
    let refused = open(&app, &person, asked);
    let first = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let second = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let word = json!({"facility_word": "dr. Ani, kepala puskesmas"});
    assert_eq!(decide(&app, &first, &case, "grant", word.clone()).code(), "record_contradicts", "no batch");
    let mut more = word;
    more["batch"] = json!("AZ56327B");
    more["facility_code"] = json!("P3174020101");
    assert_eq!(decide(&app, &first, &case, "grant", more).body["state"], "awaiting_approval");
    assert_eq!(decide(&app, &second, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    let token = token_of_last(&app, MISTYPED);
    let opened = open_link(&app, &token);
    assert_eq!(opened.body["certificate"]["dose_number"], 2);

    let why = json!({"why": "Faskes tidak mencatat dosis ini."});
    assert_eq!(decide(&app, &first, &refused, "refuse", why).body["state"], "refused");
    app.wait_until_idle();
    let told = app.messages_to(MISTYPED).pop().unwrap().single_part_text(&app);
    assert!(told.contains(&refused) && told.contains("belum dapat"), "{told}");
    let seen = app.post(HelpdeskRoute::Case.path(), json!({"number": refused, "birth_date": BORN})).body;
    assert_eq!(
        (&seen["state"], &seen["why"]),
        (&json!("refused"), &json!("Faskes tidak mencatat dosis ini."))
    );
}

#[test]
fn person_replies_to_officers_question() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let path = HelpdeskRoute::Reply.path_of(&case);
    assert_eq!(
        post(&app, &person, &path, json!({"text": "Halo"})).code(),
        "case_changed",
        "nobody has asked"
    );
    let why = json!({"why": "Kapan Anda divaksin?"});
    assert_eq!(decide(&app, &desk, &case, "ask_back", why).body["state"], "asked_back");
    app.wait_until_idle();
    let told = app.messages_to(RIGHT).pop().unwrap().single_part_text(&app);
    assert!(told.contains(&case) && told.contains("bertanya"), "{told}");
    let stranger = app.log_in("0813-1111-0009", None);
    assert_eq!(post(&app, &stranger, &path, json!({"text": "Halo"})).code(), "not_found");
    let answered = post(&app, &person, &path, json!({"text": " 29 Januari 2021 "}));
    assert_eq!(answered.body["state"], "open");
    let said: Vec<_> =
        answered.body["messages"].as_array().unwrap().iter().map(|it| it["text"].clone()).collect();
    assert_eq!(said, ["Kapan Anda divaksin?", "29 Januari 2021"]);
}

#[test]
fn concurrent_decisions_of_a_case_apply_one() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let officers = [
        app.log_in_officer("0811-0000-0001", "Rina", "officer"),
        app.log_in_officer("0811-0000-0002", "Budi", "officer"),
    ];
    let id = dose_of(&app, &officers[0], &case);
    let revision = get(&app, &officers[0], &HelpdeskRoute::OfficerCase.path_of(&case))["revision"].clone();
    let path = HelpdeskRoute::Decide.path_of(&case);
    let which = std::sync::atomic::AtomicUsize::new(0);
    let replies = run_1000_times_concurrently(|| {
        let at = which.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if at >= 40 {
            return None;
        }
        let grants = at.is_multiple_of(2);
        let mut asked =
            json!({"decision": if grants { "grant" } else { "refuse" }, "revision": revision, "why": "x"});
        if grants {
            asked["dose"] = json!(id);
            asked["facility_word"] = json!("dr. Ani");
        }
        let reply = post(&app, &officers[at % 2], &path, asked);
        Some((reply.status, reply.code().to_owned()))
    });
    let replies: Vec<_> = replies.into_iter().flatten().collect();
    assert_eq!(replies.iter().filter(|(status, _)| *status == 200).count(), 1, "{replies:?}");
    assert_eq!(replies.iter().filter(|(_, code)| code == "case_changed").count(), 39, "{replies:?}");
    app.wait_until_idle();
    let state = get(&app, &person, HelpdeskRoute::Cases.path())["cases"][0]["state"].clone();
    let moved = app.messages_to(RIGHT).iter().any(|sms| sms.token().is_some());
    assert_eq!(moved, state == "granted");
}

#[test]
fn helpdesk_requires_officer_with_both_factors() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let citizen = app.log_in(RIGHT, None);
    let case = open(&app, &citizen, asking("phone", &dose("E1")));
    let ask = |cookie: &str| app.call("GET", &HelpdeskRoute::OfficerCase.path_of(&case), Some(cookie), None);
    assert_eq!((ask(&citizen).status, ask(&citizen).code()), (403, "not_an_officer"));

    let phone = "0811-0000-0001";
    let secret = app.add_officer(phone, "Rina", "officer");
    let cookie = app.log_in(phone, None);
    assert_eq!((ask(&cookie).status, ask(&cookie).code()), (403, "second_factor_needed"));
    let show = |cookie: &str, code: &str| {
        post(&app, cookie, HelpdeskRoute::SecondFactor.path(), json!({"code": code}))
    };
    assert_eq!(show(&citizen, &authenticator_code(&secret)).code(), "not_an_officer");
    let wrong = if authenticator_code(&secret) == "000000" { "000001" } else { "000000" };
    assert_eq!(show(&cookie, wrong).code(), "second_factor_wrong");
    // Of one code at many places one counts.
    let code = authenticator_code(&secret);
    let shown: Vec<_> = (0..3).map(|_| show(&cookie, &code).status).collect();
    assert_eq!(shown, [200, 422, 422]);
    assert_eq!(ask(&cookie).status, 200);
    // Five tries in a quarter of an hour, right or wrong.
    assert_eq!(show(&cookie, wrong).code(), "second_factor_wrong");
    let full = show(&cookie, wrong);
    assert_eq!((full.status, full.code()), (429, "too_many_requests"));
    // Another session of the same phone has to show it as well.
    app.bukti_ok(&["officer", "remove", phone]);
    assert_eq!(ask(&cookie).code(), "not_an_officer", "from the next request on");
    assert_ne!(app.bukti(&["officer", "remove", phone]).code, 0);
    assert_ne!(app.bukti(&["officer", "add", "021-555", "--name", "X"]).code, 0);
    app.add_officer(phone, "Rina", "supervisor");
    let listed = app.bukti_ok(&["officer", "list"]);
    assert!(listed.contains("supervisor") && listed.contains("Rina") && !listed.contains("0811"), "{listed}");
}

#[test]
fn evidence_upload_is_bound_to_type_length_and_case() {
    let app = TestApp::start();
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    for (content_type, bytes) in
        [("text/html", 10), ("image/png", 0), ("image/png", 5 * 1024 * 1024 + 1), ("", 10)]
    {
        assert_eq!(slot(&app, &person, &case, content_type, bytes).status, 422, "{content_type} {bytes}");
    }
    let stranger = app.log_in("0813-1111-0009", None);
    assert_eq!(slot(&app, &stranger, &case, "image/png", 10).code(), "not_found");
    assert_eq!(slot(&app, &person, "14D2P-F2DBV", "image/png", 10).code(), "not_found");

    let given = slot(&app, &person, &case, "image/png", PNG.len());
    let url = given.body["url"].as_str().unwrap();
    assert_eq!(put(url, "text/html", PNG), 403, "another type");
    assert_eq!(put(url, "image/png", &PNG[1..]), 403, "another length");
    assert_eq!(put(&url.replace("evidence", "certificates"), "image/png", PNG), 403, "another place");
    assert_eq!(app.fetch(url).0, 403, "it is for putting only");
    assert_eq!(put(url, "image/png", PNG), 200);
    // Not over what an officer may have seen, also where the client leaves the condition out.
    let other = [&PNG[..PNG.len() - 1], b"?"].concat();
    assert_eq!(put(url, "image/png", &other), 412);
    let bare = ureq::Agent::config_builder().http_status_as_error(false).build();
    let bare = ureq::Agent::from(bare).put(url).header("content-type", "image/png").send(&other[..]);
    assert_eq!(bare.unwrap().status().as_u16(), 403);
    // A script is no picture, whatever it is called.
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let given = slot(&app, &person, &case, "image/jpeg", svg.len());
    assert_eq!(put(given.body["url"].as_str().unwrap(), "image/jpeg", svg), 200);
    for _ in 2..5 {
        assert_eq!(slot(&app, &person, &case, "application/pdf", 10).status, 201);
    }
    assert_eq!(slot(&app, &person, &case, "image/png", 10).code(), "evidence_full");
    // What was announced and not put is not shown.
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let seen = get(&app, &desk, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!((seen["pieces"].as_array().unwrap().len(), &seen["evidence"]), (1, &json!(5)));
    assert_eq!(app.fetch(seen["pieces"][0]["url"].as_str().unwrap()), (200, PNG.to_vec()));
}

#[test]
fn nearly_right_number_reports_only_a_possible_match() {
    let app = TestApp::start();
    let elsewhere = FeedRow { nik: "3171012401896264".into(), ..dose("E2") };
    let foreigner = FeedRow { nik: "".into(), paspor: "A1687353".into(), ..dose("E3") };
    let stranger = FeedRow { nik: "3171012401896247".into(), nama: "Budi Santoso".into(), ..dose("E4") };
    app.import(&[elsewhere, foreigner, stranger]);
    let person = app.log_in(RIGHT, None);
    let opened = post(&app, &person, HelpdeskRoute::OpenCase.path(), asking("identity", &dose("E1")));
    assert_eq!((opened.status, &opened.body["possible_match"]), (201, &json!(true)));
    assert_eq!(opened.body.as_object().unwrap().len(), 2, "{}", opened.body);
    let case = opened.body["number"].as_str().unwrap();
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let seen = get(&app, &desk, &HelpdeskRoute::OfficerCase.path_of(case));
    let mut likenesses: Vec<String> = seen["doses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dose| dose["likenesses"][0].as_str().unwrap().to_owned())
        .collect();
    likenesses.sort();
    assert_eq!(likenesses, ["nik_and_passport", "nik_digit"]);

    // Granted, the dose is under the right number.
    let doses = seen["doses"].as_array().unwrap();
    let id = doses.iter().find(|dose| dose["likenesses"][0] == "nik_digit").unwrap()["id"].clone();
    give_evidence(&app, &person, case);
    let boss = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    assert_eq!(decide(&app, &desk, case, "grant", json!({"dose": id})).body["state"], "awaiting_approval");
    assert_eq!(decide(&app, &boss, case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    let status = app.status(&dose("E1").nama, "3171012401896246");
    assert_eq!(status.body["doses"][0]["diagnosis"]["code"], "certificate_issued");

    // Five cases a day for a phone.
    for _ in 1..5 {
        open(&app, &person, asking("name", &dose("E1")));
    }
    let full = post(&app, &person, HelpdeskRoute::OpenCase.path(), asking("name", &dose("E1")));
    assert_eq!((full.status, full.code()), (429, "too_many_requests"));
}

#[test]
fn case_lookup_needs_number_and_birth_date() {
    let app = TestApp::start();
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let look = |number: &str, born: &str| {
        app.post(HelpdeskRoute::Case.path(), json!({"number": number, "birth_date": born}))
    };
    assert_eq!(look(&case.replace('-', " ").to_lowercase(), BORN).body["state"], "open");
    let wrong = look(&case, "1989-01-25");
    let unknown = look("14D2P-F2DBV", BORN);
    assert_eq!((wrong.status, wrong.code()), (404, "not_found"));
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(look("14D2P-F2DBW", BORN).body["errors"][0]["field"], "number");
}

#[test]
fn failed_case_lookups_lock_their_network_only() {
    let app = TestApp::start();
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let look = |network: u8, born: &str| {
        let body = json!({"number": case, "birth_date": born});
        let address = format!("198.51.{network}.7");
        app.call_from(&address, "POST", HelpdeskRoute::Case.path(), None, Some(body))
    };
    // Right ones are given back, so that its owner follows it as often as they like.
    for _ in 0..11 {
        assert_eq!(look(0, BORN).status, 200);
    }
    for network in 1..=6 {
        for _ in 0..10 {
            assert_eq!(look(network, "1989-01-25").code(), "not_found");
        }
        if network == 1 {
            // Further ones of a locked network take nothing of the others' share.
            for _ in 0..10 {
                assert_eq!(look(network, BORN).code(), "not_found");
            }
        }
        let other = look(0, BORN).status;
        assert_eq!(other, if network < 6 { 200 } else { 404 }, "sixty a day from all networks");
    }
    let own = app.call("GET", HelpdeskRoute::Cases.path(), Some(&person), None).body;
    assert_eq!(own["cases"][0]["number"], case, "the log-in shows it");
}

#[test]
fn officers_find_people_and_resend_links() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let token = token_of_last(&app, MISTYPED);
    let certificate = open_link(&app, &token).body["certificate"]["id"].as_str().unwrap().to_owned();
    let find = |query: Value| post(&app, &desk, HelpdeskRoute::FindPeople.path(), query);
    for query in [
        json!({"identity": "3171 0124 0189 6246", "why": "Telepon 119"}),
        json!({"phone": MISTYPED, "why": "Telepon 119"}),
        json!({"certificate": certificate, "why": "Telepon 119"}),
    ] {
        let found = find(query.clone());
        assert_eq!(
            found.body["people"][0]["doses"][0]["recorded"]["name"],
            dose("E1").nama,
            "{query} {}",
            found.body
        );
    }
    assert_eq!(find(json!({"identity": "3171012401896247", "why": "x"})).body, json!({"people": []}));
    assert_eq!(find(json!({"identity": "3171012401896246", "why": " "})).status, 422, "no reason, no look");
    assert_eq!(find(json!({"why": "x"})).status, 422);

    let id = find(json!({"phone": MISTYPED, "why": "x"})).body["people"][0]["doses"][0]["id"].clone();
    let path = HelpdeskRoute::Resend.path_of(id.as_str().unwrap());
    assert_eq!(post(&app, &desk, &path, json!({"why": "SMS hilang"})).status, 202);
    app.wait_until_idle();
    let again = token_of_last(&app, MISTYPED);
    assert_ne!(again, token);
    assert_eq!(open_link(&app, &again).status, 200);
    assert_eq!(open_link(&app, &token).code(), "link_dead");
    let nobodys = &HelpdeskRoute::Resend.path_of("AAAA");
    assert_eq!(post(&app, &desk, nobodys, json!({"why": "x"})).code(), "not_found");

    // Where no more can be sent today, the officer is told, and the link of before lives.
    app.with_aws(async |aws| {
        let to = bukti_domain::PhoneNumber::parse(MISTYPED).unwrap();
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let helpdesk = async || sms.allow(bukti_store::Cause::Helpdesk, &to, now).await;
        for _ in 1..20 {
            assert!(helpdesk().await.is_ok(), "sending once more took one");
        }
        assert!(helpdesk().await.is_err());
    });
    for _ in 0..3 {
        let refused = post(&app, &desk, &path, json!({"why": "SMS hilang"}));
        assert_eq!((refused.status, refused.code()), (503, "sms_budget_spent"));
    }
    app.wait_until_idle();
    assert_eq!(open_link(&app, &again).status, 200);
}

#[test]
fn facility_report_lists_incomplete_doses() {
    let app = TestApp::start();
    let incomplete = FeedRow { batch: "".into(), ..dose("E1") };
    let held = FeedRow { tanggal_lahir: "1989-01-25".into(), kode_faskes: "P2".into(), ..dose("E2") };
    let phoneless = FeedRow { no_hp: "".into(), ..dose_for(3, "E3") };
    let before_birth = FeedRow { tanggal_vaksinasi: "1985-03-09".into(), ..dose("E5") };
    app.import(&[incomplete, held, phoneless, dose("=E4"), before_birth]);
    let report = app.bukti_ok(&["facility", "report"]);
    let mut rows: Vec<&str> = report.lines().skip(1).collect();
    rows.sort_unstable();
    assert_eq!(rows.len(), 4, "{report}");
    assert!(rows[0].starts_with("P2,") && rows[0].ends_with("held,nik_birth_date_mismatch"), "{report}");
    assert!(rows[1].contains(",E1,") && rows[1].ends_with("incomplete,batch_missing"), "{report}");
    assert!(rows[2].ends_with("issued,phone_missing"), "{report}");
    assert!(rows[3].ends_with(",,rejected,vaccination_before_birth"), "perhaps a birth date: {report}");
    assert!(!report.contains("3171012401896246") && !report.contains("Iwan"), "{report}");
    assert_eq!(app.bukti_ok(&["facility", "report", "--facility", "P2"]).lines().count(), 2);
}

/// A stack whose functions die after so many writes from when an officer grants, started again and settled, with the
/// person's session; `None` where they did not write so often.
fn granted_and_died(after: usize) -> Option<(TestApp, String)> {
    let mut crash_point = None;
    let mut app = TestApp::start_with_handlers(|aws| {
        let (opened, aws) = connect_through(aws, async |services| CrashPoint::start(&services).await);
        crash_point = Some(opened);
        Handlers::bukti(&aws)
    });
    let crash_point = crash_point.unwrap();
    app.import(&[dose("E1")]);
    let person = app.log_in(RIGHT, None);
    let case = open(&app, &person, asking("phone", &dose("E1")));
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let id = dose_of(&app, &desk, &case);
    let revision = get(&app, &desk, &HelpdeskRoute::OfficerCase.path_of(&case))["revision"].clone();
    let grant = json!({"decision": "grant", "revision": revision, "why": "x", "dose": id, "facility_word": "dr. Ani"});
    crash_point.crash_after(after);
    decides_and_dies(&mut app, &crash_point, &desk, &case, grant).then_some((app, person))
}

/// Sends a decision of a case to functions that die, restarts them, and retries it where it was not answered; `false` where
/// they do not die.
pub(crate) fn decides_and_dies(
    app: &mut TestApp,
    crash_point: &CrashPoint,
    cookie: &str,
    case: &str,
    decision: Value,
) -> bool {
    let path = HelpdeskRoute::Decide.path_of(case);
    let first = post(app, cookie, &path, decision.clone());
    // Until all that there is to do is done, or the functions have died.
    let quiet = std::time::Instant::now() + Duration::from_secs(5);
    while !crash_point.has_crashed() && std::time::Instant::now() < quiet {
        std::thread::sleep(Duration::from_millis(50));
    }
    if !crash_point.has_crashed() {
        return false;
    }
    app.restart();
    if first.status != 200 {
        // The officer retries, and either it was done or it is done now.
        let again = post(app, cookie, &path, decision);
        assert!(again.status == 200 || again.code() == "case_changed", "{}", again.code());
    }
    app.wait_until_idle();
    true
}

#[test]
fn killed_grant_completes_after_restart() {
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (next, over) = (Arc::clone(&next), Arc::clone(&over));
            std::thread::spawn(move || {
                while !over.load(std::sync::atomic::Ordering::SeqCst) {
                    let after = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert!(after < 60, "it never comes to an end");
                    let Some((app, person)) = granted_and_died(after) else {
                        over.store(true, std::sync::atomic::Ordering::SeqCst);
                        break;
                    };
                    assert_is_whole(&app, &person, after);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let steps = next.load(std::sync::atomic::Ordering::SeqCst);
    println!("died at each of about {steps} writes");
    assert!(steps > 8, "{steps}: a grant has more steps than that");
}

fn assert_is_whole(app: &TestApp, person: &str, after: usize) {
    let state = get(app, person, HelpdeskRoute::Cases.path())["cases"][0]["state"].clone();
    assert_eq!(state, "granted", "after {after}");
    let links: Vec<_> = app.messages_to(RIGHT).iter().filter_map(|sms| sms.token()).collect();
    // The same link twice only where it died between the SMS service's answer and the record of it.
    assert!(!links.is_empty() && links.iter().all(|token| *token == links[0]), "after {after}: {links:?}");
    assert_eq!(open_link(app, &links[0]).status, 200, "after {after}");
    let old: Vec<_> = app.messages_to(MISTYPED).iter().filter_map(|sms| sms.token()).collect();
    assert_eq!(open_link(app, &old[0]).code(), "link_dead", "after {after}");
    let told = app.messages_to(MISTYPED).into_iter().filter(|sms| sms.text.contains("diganti")).count();
    assert!((1..=2).contains(&told), "after {after}: {told}");
    let people = get(app, person, HolderRoute::People.path());
    let id = people["people"][0]["id"].as_str().unwrap();
    let certificates = get(app, person, &HolderRoute::Certificates.path_of(id));
    let doses = certificates["doses"].as_array().unwrap();
    assert!(doses.len() == 1 && doses[0]["certificate"].is_object(), "after {after}: {certificates}");
}

#[test]
fn officers_resend_a_link_three_times_daily() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let asked = json!({"identity": dose("E1").nik, "why": "x"});
    let found = post(&app, &desk, HelpdeskRoute::FindPeople.path(), asked).body;
    let id = found["people"][0]["doses"][0]["id"].as_str().unwrap().to_owned();
    let path = HelpdeskRoute::Resend.path_of(&id);
    let sent = app.messages().len();
    let statuses = [(); 4].map(|()| {
        let reply = post(&app, &desk, &path, json!({"why": "lost"}));
        app.wait_until_idle();
        reply.status
    });
    assert_eq!(statuses, [202, 202, 202, 429]);
    assert_eq!(app.messages().len(), sent + 3);
}

#[test]
fn name_and_birth_date_disclose_no_possible_match() {
    let app = TestApp::start();
    let foreigner = FeedRow { nik: "".into(), paspor: "A1687353".into(), ..dose("E1") };
    app.import(&[foreigner, FeedRow { nik: "3171012401890001".into(), ..dose("E2") }]);
    let stranger = app.log_in("0813 5555 0000", None);
    let known =
        post(&app, &stranger, HelpdeskRoute::OpenCase.path(), asking("identity", &dose_for(9999, "")));
    assert_eq!((known.status, &known.body["possible_match"]), (201, &json!(false)));
    let cases = get(&app, &stranger, HelpdeskRoute::Cases.path());
    assert_eq!(cases["cases"][0]["possible_match"], json!(false));
}
