//! The helpdesk: officers log in, search and resend links, and citizens upload evidence.

use bukti_domain::FeedRow;
use bukti_tests::{Reply, TestApp, authenticator_code, dose, dose_for};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

pub(crate) const OLD_PHONE: &str = "0821-0669-0743";
pub(crate) const NEW_PHONE: &str = "0813-1111-0001";
pub(crate) const BIRTH_DATE: &str = "1989-01-24";
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture of a vaccination card";

pub(crate) fn get(app: &TestApp, cookie: &str, path: &str) -> Value {
    let reply = app.call("GET", path, Some(cookie), None);
    assert_eq!(reply.status, 200, "{path}: {}", reply.code());
    reply.body
}

pub(crate) fn post(app: &TestApp, cookie: &str, path: &str, body: Value) -> Reply {
    app.call("POST", path, Some(cookie), Some(body))
}

pub(crate) fn case_request(correction: &str, row: &FeedRow) -> Value {
    json!({"correction": correction, "name": row.nama, "nik": row.nik, "birth_date": row.tanggal_lahir})
}

/// Opens a case. Returns the case number.
pub(crate) fn open(app: &TestApp, cookie: &str, request: Value) -> String {
    let opened = post(app, cookie, HelpdeskRoute::OpenCase.path(), request);
    assert_eq!(opened.status, 201, "{}: {}", opened.code(), opened.body);
    opened.body["number"].as_str().unwrap().to_owned()
}

/// Uploads evidence to a presigned URL, as a browser does. Returns the HTTP status.
fn put(url: &str, content_type: &str, bytes: &[u8]) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.put(url).header("content-type", content_type).header("if-none-match", "*");
    request.send(bytes).unwrap().status().as_u16()
}

fn request_upload(app: &TestApp, cookie: &str, case: &str, content_type: &str, bytes: usize) -> Reply {
    let request = json!({"content_type": content_type, "bytes": bytes});
    post(app, cookie, &HelpdeskRoute::Evidence.path_of(case), request)
}

pub(crate) fn upload_evidence(app: &TestApp, cookie: &str, case: &str) {
    let upload = request_upload(app, cookie, case, "image/png", PNG.len());
    assert_eq!(upload.status, 201, "{}", upload.code());
    assert_eq!(put(upload.body["url"].as_str().unwrap(), "image/png", PNG), 200);
}

/// Sends a decision on a case at its current revision.
pub(crate) fn decide(app: &TestApp, cookie: &str, case: &str, decision: &str, more: Value) -> Reply {
    let seen = get(app, cookie, &HelpdeskRoute::OfficerCase.path_of(case));
    let mut request =
        json!({"decision": decision, "revision": seen["revision"], "why": "Kartu vaksin cocok."});
    if let Value::Object(more) = more {
        request.as_object_mut().unwrap().extend(more);
    }
    post(app, cookie, &HelpdeskRoute::Decide.path_of(case), request)
}

/// The id of the first dose that an officer sees in a case.
pub(crate) fn dose_of(app: &TestApp, cookie: &str, case: &str) -> String {
    let seen = get(app, cookie, &HelpdeskRoute::OfficerCase.path_of(case));
    seen["doses"][0]["id"].as_str().unwrap().to_owned()
}

pub(crate) fn open_link(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}))
}

pub(crate) fn token_of_last(app: &TestApp, phone: &str) -> String {
    app.messages_to(phone).iter().rev().find_map(|sms| sms.token()).unwrap()
}

#[test]
fn helpdesk_requires_officer_with_both_factors() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let citizen = app.log_in(NEW_PHONE, None);
    let case = open(&app, &citizen, case_request("phone", &dose("E1")));
    let view = |cookie: &str| app.call("GET", &HelpdeskRoute::OfficerCase.path_of(&case), Some(cookie), None);
    assert_eq!((view(&citizen).status, view(&citizen).code()), (403, "not_an_officer"));

    let phone = "0811-0000-0001";
    let secret = app.add_officer(phone, "Rina", "officer");
    let cookie = app.log_in(phone, None);
    assert_eq!((view(&cookie).status, view(&cookie).code()), (403, "second_factor_needed"));
    let show = |cookie: &str, code: &str| {
        post(&app, cookie, HelpdeskRoute::SecondFactor.path(), json!({"code": code}))
    };
    assert_eq!(show(&citizen, &authenticator_code(&secret)).code(), "not_an_officer");
    let wrong = if authenticator_code(&secret) == "000000" { "000001" } else { "000000" };
    assert_eq!(show(&cookie, wrong).code(), "second_factor_wrong");
    // An authenticator code is accepted at most once.
    let code = authenticator_code(&secret);
    let shown: Vec<_> = (0..3).map(|_| show(&cookie, &code).status).collect();
    assert_eq!(shown, [200, 422, 422]);
    assert_eq!(view(&cookie).status, 200);
    // The limit is five attempts per 15 minutes, whether right or wrong.
    assert_eq!(show(&cookie, wrong).code(), "second_factor_wrong");
    let full = show(&cookie, wrong);
    assert_eq!((full.status, full.code()), (429, "too_many_requests"));
    app.bukti_ok(&["officer", "remove", phone]);
    assert_eq!(view(&cookie).code(), "not_an_officer", "a removal takes effect at the next request");
    assert_ne!(app.bukti(&["officer", "remove", phone]).code, 0);
    assert_ne!(app.bukti(&["officer", "add", "021-555", "--name", "X"]).code, 0);
    app.add_officer(phone, "Rina", "supervisor");
    let listed = app.bukti_ok(&["officer", "list"]);
    assert!(listed.contains("supervisor") && listed.contains("Rina") && !listed.contains("0811"), "{listed}");
}

#[test]
fn evidence_upload_is_bound_to_type_length_and_case() {
    let app = TestApp::start();
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    for (content_type, bytes) in
        [("text/html", 10), ("image/png", 0), ("image/png", 5 * 1024 * 1024 + 1), ("", 10)]
    {
        assert_eq!(
            request_upload(&app, &person, &case, content_type, bytes).status,
            422,
            "{content_type} {bytes}"
        );
    }
    let stranger = app.log_in("0813-1111-0009", None);
    assert_eq!(request_upload(&app, &stranger, &case, "image/png", 10).code(), "not_found");
    assert_eq!(request_upload(&app, &person, "14D2P-F2DBV", "image/png", 10).code(), "not_found");

    let given = request_upload(&app, &person, &case, "image/png", PNG.len());
    let url = given.body["url"].as_str().unwrap();
    assert_eq!(put(url, "text/html", PNG), 403, "another content type");
    assert_eq!(put(url, "image/png", &PNG[1..]), 403, "another length");
    assert_eq!(put(&url.replace("evidence", "certificates"), "image/png", PNG), 403, "another key");
    assert_eq!(app.fetch(url).0, 403, "the URL is for uploads only");
    assert_eq!(put(url, "image/png", PNG), 200);
    // Evidence cannot be replaced after the upload, since an officer may have seen it. This holds
    // even if the client omits the condition in `if-none-match`.
    let other = [&PNG[..PNG.len() - 1], b"?"].concat();
    assert_eq!(put(url, "image/png", &other), 412);
    let bare = ureq::Agent::config_builder().http_status_as_error(false).build();
    let bare = ureq::Agent::from(bare).put(url).header("content-type", "image/png").send(&other[..]);
    assert_eq!(bare.unwrap().status().as_u16(), 403);
    // Files of a type that is not permitted are ignored, whatever content type the client declared.
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let given = request_upload(&app, &person, &case, "image/jpeg", svg.len());
    assert_eq!(put(given.body["url"].as_str().unwrap(), "image/jpeg", svg), 200);
    for _ in 2..5 {
        assert_eq!(request_upload(&app, &person, &case, "application/pdf", 10).status, 201);
    }
    assert_eq!(request_upload(&app, &person, &case, "image/png", 10).code(), "evidence_full");
    // Evidence that was announced but not uploaded is not shown.
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let seen = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case));
    assert_eq!((seen["pieces"].as_array().unwrap().len(), &seen["evidence"]), (1, &json!(5)));
    assert_eq!(app.fetch(seen["pieces"][0]["url"].as_str().unwrap()), (200, PNG.to_vec()));
}

#[test]
fn officers_find_people_and_resend_links() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let token = token_of_last(&app, OLD_PHONE);
    let certificate = open_link(&app, &token).body["certificate"]["id"].as_str().unwrap().to_owned();
    let find = |query: Value| post(&app, &officer, HelpdeskRoute::FindPeople.path(), query);
    for query in [
        json!({"identity": "3171 0124 0189 6246", "why": "Telepon 119"}),
        json!({"phone": OLD_PHONE, "why": "Telepon 119"}),
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
    assert_eq!(
        find(json!({"identity": "3171012401896246", "why": " "})).status,
        422,
        "a search needs a reason"
    );
    assert_eq!(find(json!({"why": "x"})).status, 422);

    let id = find(json!({"phone": OLD_PHONE, "why": "x"})).body["people"][0]["doses"][0]["id"].clone();
    let path = HelpdeskRoute::Resend.path_of(id.as_str().unwrap());
    assert_eq!(post(&app, &officer, &path, json!({"why": "SMS hilang"})).status, 202);
    app.wait_until_idle();
    let again = token_of_last(&app, OLD_PHONE);
    assert_ne!(again, token);
    assert_eq!(open_link(&app, &again).status, 200);
    assert_eq!(open_link(&app, &token).code(), "link_dead");
    let missing = &HelpdeskRoute::Resend.path_of("AAAA");
    assert_eq!(post(&app, &officer, missing, json!({"why": "x"})).code(), "not_found");

    // Once the SMS quota is spent, the officer gets an error, and the previous link stays valid.
    app.with_aws(async |aws| {
        let to = bukti_domain::PhoneNumber::parse(OLD_PHONE).unwrap();
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let helpdesk = async || sms.allow(bukti_store::Cause::Helpdesk, &to, now).await;
        for _ in 1..20 {
            assert!(helpdesk().await.is_ok(), "the resend above consumed one of 20");
        }
        assert!(helpdesk().await.is_err());
    });
    for _ in 0..3 {
        let refused = post(&app, &officer, &path, json!({"why": "SMS hilang"}));
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
    assert!(
        rows[3].ends_with(",,rejected,vaccination_before_birth"),
        "a vaccination date before birth may be the birth date itself: {report}"
    );
    assert!(!report.contains("3171012401896246") && !report.contains("Iwan"), "{report}");
    assert_eq!(app.bukti_ok(&["facility", "report", "--facility", "P2"]).lines().count(), 2);
}

#[test]
fn officers_resend_a_link_three_times_daily() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let request = json!({"identity": dose("E1").nik, "why": "x"});
    let found = post(&app, &officer, HelpdeskRoute::FindPeople.path(), request).body;
    let id = found["people"][0]["doses"][0]["id"].as_str().unwrap().to_owned();
    let path = HelpdeskRoute::Resend.path_of(&id);
    let sent = app.messages().len();
    let statuses = [(); 4].map(|()| {
        let reply = post(&app, &officer, &path, json!({"why": "lost"}));
        app.wait_until_idle();
        reply.status
    });
    assert_eq!(statuses, [202, 202, 202, 429]);
    assert_eq!(app.messages().len(), sent + 3);
}
