//! Citizens' cases, from opening a case to the corrected certificate.

use bukti_domain::FeedRow;
use bukti_tests::{TestApp, dose, dose_for, run_1000_times_concurrently, today};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

use crate::helpdesk::{
    BIRTH_DATE, NEW_PHONE, OLD_PHONE, PNG, case_request, decide, dose_of, get, open, open_link, post,
    token_of_last, upload_evidence,
};

fn verdict_after_publishing(app: &TestApp, qr: &str) -> String {
    app.bukti_ok(&["trust", "publish"]);
    let output = app.bukti(&["verify", "--json", qr]);
    let output: Value = serde_json::from_str(&output.stdout).unwrap();
    output["verdict"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn corrected_phone_revokes_link_and_certificate_of_old_one() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let old_token = token_of_last(&app, OLD_PHONE);
    let old_qr = app.qr_text(OLD_PHONE, BIRTH_DATE);

    // Logging in with the new phone proves that the phone belongs to the person.
    let person = app.log_in(NEW_PHONE, Some("Iwan"));
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    assert_eq!(get(&app, &officer, HelpdeskRoute::Queue.path())["cases"][0]["number"], json!(case));
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["said"]["right"], "+6281311110001");
    assert_eq!(seen["doses"][0]["recorded"]["phone"], OLD_PHONE);
    assert_eq!(seen["doses"][0]["status"]["diagnosis"]["code"], "certificate_issued");
    let trail: Vec<_> =
        seen["doses"][0]["trail"].as_array().unwrap().iter().map(|it| it["what"].clone()).collect();
    assert_eq!(trail, ["received", "issued", "sms_accepted", "link_opened"]);

    // Knowing the facts of a dose is not enough to move it to another phone.
    let id = dose_of(&app, &officer, &case);
    let refused = decide(&app, &officer, &case, "grant", json!({"dose": id}));
    assert_eq!((refused.status, refused.code()), (422, "evidence_missing"));
    upload_evidence(&app, &person, &case);
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(app.fetch(seen["pieces"][0]["url"].as_str().unwrap()), (200, PNG.to_vec()));

    let granted = decide(&app, &officer, &case, "grant", json!({"dose": id}));
    assert_eq!((granted.status, &granted.body["state"]), (200, &json!("granted")), "{}", granted.code());
    app.wait_until_idle();
    let sms = app.messages_to(NEW_PHONE);
    let corrected: Vec<_> = sms.iter().filter(|sms| sms.token().is_some()).collect();
    assert_eq!(corrected.len(), 1, "{sms:?}");
    let text = corrected[0].single_part_text(&app);
    assert!(text.contains("dibetulkan"), "{text}");
    assert_eq!(open_link(&app, &corrected[0].token().unwrap()).status, 200);
    assert_eq!(open_link(&app, &old_token).code(), "link_dead");
    let notice = app.messages_to(OLD_PHONE).pop().unwrap();
    assert!(notice.text.contains("diganti") && !notice.text.contains("1311"), "{}", notice.text);
    notice.single_part_text(&app);
    // The certificate that the old phone's owner may have stored is no longer valid.
    assert_eq!(verdict_after_publishing(&app, &old_qr), "superseded");
    assert_eq!(verdict_after_publishing(&app, &app.qr_text(NEW_PHONE, BIRTH_DATE)), "valid");

    // The queue is empty; the person sees the decision and who viewed the record.
    assert_eq!(get(&app, &officer, HelpdeskRoute::Queue.path()), json!({"cases": []}));
    let own = get(&app, &person, HelpdeskRoute::Cases.path());
    assert_eq!(
        (&own["cases"][0]["state"], &own["cases"][0]["why"]),
        (&json!("granted"), &json!("Kartu vaksin cocok."))
    );
    let people = get(&app, &person, HolderRoute::People.path());
    let id = people["people"][0]["id"].as_str().unwrap();
    let looks = get(&app, &person, &HelpdeskRoute::AccessLog.path_of(id));
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
    let old_qr = app.qr_text(OLD_PHONE, BIRTH_DATE);
    let person = app.log_in(OLD_PHONE, None);
    let case = open(&app, &person, case_request("name", &dose("E1")));
    upload_evidence(&app, &person, &case);
    let first = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let second = app.log_in_officer("0811-0000-0002", "Budi", "officer");
    let third = app.log_in_officer("0811-0000-0003", "Sari", "supervisor");

    let id = dose_of(&app, &first, &case);
    let proposed = decide(&app, &first, &case, "grant", json!({"dose": id}));
    assert_eq!((proposed.status, &proposed.body["state"]), (200, &json!("awaiting_approval")));
    app.wait_until_idle();
    assert_eq!(app.qr_text(OLD_PHONE, BIRTH_DATE), old_qr, "nothing has changed yet");
    // Neither the proposer nor an officer who is not a supervisor may approve the proposal.
    assert_eq!(decide(&app, &first, &case, "grant", json!({})).code(), "needs_supervisor");
    assert_eq!(decide(&app, &second, &case, "grant", json!({})).code(), "needs_supervisor");
    let seen = get(&app, &third, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!(seen["proposal"]["officer"], "Rina");
    assert_eq!(seen["proposal"]["row"]["name"], "Iwan Ibrahim Purnomo");
    assert_eq!(decide(&app, &third, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();

    let token = token_of_last(&app, OLD_PHONE);
    assert_eq!(open_link(&app, &token).body["certificate"]["name"], "Iwan Ibrahim Purnomo");
    assert_eq!(verdict_after_publishing(&app, &old_qr), "superseded");
    assert_eq!(decide(&app, &third, &case, "refuse", json!({})).code(), "case_changed");
}

#[test]
fn missing_dose_is_added_and_refusal_gives_reason() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(OLD_PHONE, None);
    let mut request = case_request("dose_missing", &dose("E1"));
    let missing = post(&app, &person, HelpdeskRoute::OpenCase.path(), request.clone());
    assert_eq!(missing.body["errors"].as_array().unwrap().len(), 4, "{}", missing.body);
    for (field, value) in [
        ("dose_number", "2"),
        ("vaccine", "CoronaVac"),
        ("vaccination_date", "2021-02-26"),
        ("facility", "Puskesmas Kebayoran Baru"),
    ] {
        request[field] = json!(value);
    }
    let case = open(&app, &person, request.clone());
    let refused = open(&app, &person, request);
    let first = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let second = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    let facility_word = json!({"facility_word": "dr. Ani, kepala puskesmas"});
    assert_eq!(
        decide(&app, &first, &case, "grant", facility_word.clone()).code(),
        "record_contradicts",
        "the batch is missing"
    );
    let mut more = facility_word;
    more["batch"] = json!("AZ56327B");
    more["facility_code"] = json!("P3174020101");
    assert_eq!(decide(&app, &first, &case, "grant", more).body["state"], "awaiting_approval");
    assert_eq!(decide(&app, &second, &case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    let token = token_of_last(&app, OLD_PHONE);
    let opened = open_link(&app, &token);
    assert_eq!(opened.body["certificate"]["dose_number"], 2);

    let why = json!({"why": "Faskes tidak mencatat dosis ini."});
    assert_eq!(decide(&app, &first, &refused, "refuse", why).body["state"], "refused");
    app.wait_until_idle();
    let notice = app.messages_to(OLD_PHONE).pop().unwrap().single_part_text(&app);
    assert!(notice.contains(&refused) && notice.contains("tidak disetujui"), "{notice}");
    let seen =
        app.post(HelpdeskRoute::Case.path(), json!({"number": refused, "birth_date": BIRTH_DATE})).body;
    assert_eq!(
        (&seen["state"], &seen["why"]),
        (&json!("refused"), &json!("Faskes tidak mencatat dosis ini."))
    );
}

#[test]
fn person_replies_to_officers_question() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let path = HelpdeskRoute::Reply.path_of(&case);
    assert_eq!(
        post(&app, &person, &path, json!({"text": "Halo"})).code(),
        "case_changed",
        "there is no question to reply to"
    );
    let why = json!({"why": "Kapan Anda divaksin?"});
    assert_eq!(decide(&app, &officer, &case, "ask_back", why).body["state"], "asked_back");
    app.wait_until_idle();
    let notice = app.messages_to(NEW_PHONE).pop().unwrap().single_part_text(&app);
    assert!(notice.contains(&case) && notice.contains("perlu jawaban"), "{notice}");
    let stranger = app.log_in("0813-1111-0009", None);
    assert_eq!(post(&app, &stranger, &path, json!({"text": "Halo"})).code(), "not_found");
    let answered = post(&app, &person, &path, json!({"text": " 29 Januari 2021 "}));
    assert_eq!(answered.body["state"], "open");
    let output: Vec<_> =
        answered.body["messages"].as_array().unwrap().iter().map(|it| it["text"].clone()).collect();
    assert_eq!(output, ["Kapan Anda divaksin?", "29 Januari 2021"]);
}

#[test]
fn concurrent_decisions_of_a_case_apply_one() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let officers = [
        app.log_in_officer("0811-0000-0001", "Rina", "officer"),
        app.log_in_officer("0811-0000-0002", "Budi", "officer"),
    ];
    let id = dose_of(&app, &officers[0], &case);
    let revision = get(&app, &officers[0], &HelpdeskRoute::OfficerCase.path_of(&case))["revision"].clone();
    let path = HelpdeskRoute::Decide.path_of(&case);
    let attempts = std::sync::atomic::AtomicUsize::new(0);
    let replies = run_1000_times_concurrently(|| {
        let at = attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if at >= 40 {
            return None;
        }
        let grants = at.is_multiple_of(2);
        let mut request =
            json!({"decision": if grants { "grant" } else { "refuse" }, "revision": revision, "why": "x"});
        if grants {
            request["dose"] = json!(id);
            request["facility_word"] = json!("dr. Ani");
        }
        let reply = post(&app, &officers[at % 2], &path, request);
        Some((reply.status, reply.code().to_owned()))
    });
    let replies: Vec<_> = replies.into_iter().flatten().collect();
    assert_eq!(replies.iter().filter(|(status, _)| *status == 200).count(), 1, "{replies:?}");
    assert_eq!(replies.iter().filter(|(_, code)| code == "case_changed").count(), 39, "{replies:?}");
    app.wait_until_idle();
    let state = get(&app, &person, HelpdeskRoute::Cases.path())["cases"][0]["state"].clone();
    let moved = app.messages_to(NEW_PHONE).iter().any(|sms| sms.token().is_some());
    assert_eq!(moved, state == "granted");
}

#[test]
fn nearly_right_number_reports_only_a_possible_match() {
    let app = TestApp::start();
    let transposed = FeedRow { nik: "3171012401896264".into(), ..dose("E2") };
    let foreigner = FeedRow { nik: "".into(), paspor: "A1687353".into(), ..dose("E3") };
    let stranger = FeedRow { nik: "3171012401896247".into(), nama: "Budi Santoso".into(), ..dose("E4") };
    app.import(&[transposed, foreigner, stranger]);
    let person = app.log_in(NEW_PHONE, None);
    let opened = post(&app, &person, HelpdeskRoute::OpenCase.path(), case_request("identity", &dose("E1")));
    assert_eq!((opened.status, &opened.body["possible_match"]), (201, &json!(true)));
    assert_eq!(opened.body.as_object().unwrap().len(), 2, "{}", opened.body);
    let case = opened.body["number"].as_str().unwrap();
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(case));
    let mut likenesses: Vec<String> = seen["doses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dose| dose["likenesses"][0].as_str().unwrap().to_owned())
        .collect();
    likenesses.sort();
    assert_eq!(likenesses, ["nik_and_passport", "nik_digit"]);

    // The grant moves the dose to the correct NIK.
    let doses = seen["doses"].as_array().unwrap();
    let id = doses.iter().find(|dose| dose["likenesses"][0] == "nik_digit").unwrap()["id"].clone();
    upload_evidence(&app, &person, case);
    let supervisor = app.log_in_officer("0811-0000-0002", "Sari", "supervisor");
    assert_eq!(decide(&app, &officer, case, "grant", json!({"dose": id})).body["state"], "awaiting_approval");
    assert_eq!(decide(&app, &supervisor, case, "grant", json!({})).body["state"], "granted");
    app.wait_until_idle();
    let status = app.status(&dose("E1").nama, "3171012401896246");
    assert_eq!(status.body["doses"][0]["diagnosis"]["code"], "certificate_issued");

    // A phone may open five cases per day.
    for _ in 1..5 {
        open(&app, &person, case_request("name", &dose("E1")));
    }
    let full = post(&app, &person, HelpdeskRoute::OpenCase.path(), case_request("name", &dose("E1")));
    assert_eq!((full.status, full.code()), (429, "too_many_requests"));
}

#[test]
fn case_lookup_needs_number_and_birth_date() {
    let app = TestApp::start();
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let look_up = |number: &str, born: &str| {
        app.post(HelpdeskRoute::Case.path(), json!({"number": number, "birth_date": born}))
    };
    assert_eq!(look_up(&case.replace('-', " ").to_lowercase(), BIRTH_DATE).body["state"], "open");
    let wrong = look_up(&case, "1989-01-25");
    let unknown = look_up("14D2P-F2DBV", BIRTH_DATE);
    assert_eq!((wrong.status, wrong.code()), (404, "not_found"));
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(look_up("14D2P-F2DBW", BIRTH_DATE).body["errors"][0]["field"], "number");
}

#[test]
fn failed_case_lookups_lock_their_network_only() {
    let app = TestApp::start();
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let look_up = |network: u8, born: &str| {
        let body = json!({"number": case, "birth_date": born});
        let address = format!("198.51.{network}.7");
        app.call_from(&address, "POST", HelpdeskRoute::Case.path(), None, Some(body))
    };
    // Successful look-ups consume no quota, so that the owner may check the case at any time.
    for _ in 0..11 {
        assert_eq!(look_up(0, BIRTH_DATE).status, 200);
    }
    for network in 1..=6 {
        for _ in 0..10 {
            assert_eq!(look_up(network, "1989-01-25").code(), "not_found");
        }
        if network == 1 {
            // Further look-ups from a locked network do not consume the quota that all networks
            // share.
            for _ in 0..10 {
                assert_eq!(look_up(network, BIRTH_DATE).code(), "not_found");
            }
        }
        let other = look_up(0, BIRTH_DATE).status;
        assert_eq!(other, if network < 6 { 200 } else { 404 }, "60 failures a day from all networks");
    }
    let own = app.call("GET", HelpdeskRoute::Cases.path(), Some(&person), None).body;
    assert_eq!(own["cases"][0]["number"], case, "the account shows the case");
}

#[test]
fn name_and_birth_date_disclose_no_possible_match() {
    let app = TestApp::start();
    let foreigner = FeedRow { nik: "".into(), paspor: "A1687353".into(), ..dose("E1") };
    app.import(&[foreigner, FeedRow { nik: "3171012401890001".into(), ..dose("E2") }]);
    let stranger = app.log_in("0813 5555 0000", None);
    let known =
        post(&app, &stranger, HelpdeskRoute::OpenCase.path(), case_request("identity", &dose_for(9999, "")));
    assert_eq!((known.status, &known.body["possible_match"]), (201, &json!(false)));
    let cases = get(&app, &stranger, HelpdeskRoute::Cases.path());
    assert_eq!(cases["cases"][0]["possible_match"], json!(false));
}
