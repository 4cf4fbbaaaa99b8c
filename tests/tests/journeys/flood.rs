//! A flood of doses under a victim's NIK and phone.

use std::time::{Duration, Instant};

use bukti_domain::FeedRow;
use bukti_tests::{TestApp, dose};
use bukti_wire::{HelpdeskRoute, HolderRoute, StatusRoute};
use jiff::{ToSpan, civil};
use serde_json::{Value, json};

/// The latency limit of a response. Debug builds are many times slower, and other tests run at the
/// same time. Reading all doses of the flood would exceed the limit in any build.
const LATENCY_LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

/// An attacker with an API key can send any number of doses under a victim's NIK and phone.
#[test]
fn flood_of_doses_hides_no_genuine_dose() {
    let app = TestApp::start();
    let own = dose("OWN");
    let corrected = FeedRow {
        sent_at: "2026-01-01T08:00:00+07:00".to_owned(),
        batch: "B-CORRECTED".to_owned(),
        ..own.clone()
    };
    app.import(std::slice::from_ref(&own));
    let day = |at: usize| civil::date(2021, 2, 1).checked_add(i64::try_from(at).unwrap().days()).unwrap();
    let false_dose = |at: usize| FeedRow {
        sent_at: "2026-01-01T08:00:00+07:00".to_owned(),
        tanggal_vaksinasi: day(at).to_string(),
        dosis_ke: "3".to_owned(),
        ..dose(&format!("F{at}"))
    };
    let incomplete = |at: usize| FeedRow { batch: String::new(), ..false_dose(at) };
    let held = |at: usize| FeedRow { tanggal_lahir: "1990-02-25".to_owned(), ..false_dose(at) };
    app.import(&(0..30).map(false_dose).collect::<Vec<_>>());
    app.import(&(30..1_600).map(incomplete).chain((1_600..3_200).map(held)).collect::<Vec<_>>());
    app.import(&[corrected]);

    let answer = |method: &str, path: &str, cookie: Option<&str>, body: Option<&dyn Fn() -> Value>| {
        // One of five responses within the limit is enough, since other tests run at the same time.
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let body = body.map(|body| body());
            let begun = Instant::now();
            let reply = app.call(method, path, cookie, body);
            took = took.min(begun.elapsed());
            assert_eq!(reply.status, 200, "{path}: {}", reply.code());
            let length = reply.body.to_string().len();
            assert!(length < 1_000_000, "{path}: {length} bytes");
            if took < LATENCY_LIMIT {
                return reply.body;
            }
        }
        panic!("{path}: the fastest response took {took:?}");
    };
    let list = |answer: &Value, name: &str| answer[name].as_array().unwrap().clone();
    let is_own = |dose: &Value| dose["dose_number"] == 1 && dose["diagnosis"]["code"] == "certificate_issued";

    let query = || json!({"name": own.nama, "nik": own.nik, "captcha": app.captcha()});
    let status = answer("POST", StatusRoute::Status.path(), None, Some(&query));
    assert!(list(&status, "doses").iter().any(is_own));
    assert_eq!((list(&status, "doses").len(), &status["more"]), (200, &json!(true)));
    let other = app.status("Somebody Else", &own.nik).body;
    assert_eq!(
        (list(&other, "doses").len(), &other["more"]),
        (0, &Value::Null),
        "another name sees no doses"
    );

    let cookie = app.log_in(&own.no_hp, None);
    let people = answer("GET", HolderRoute::People.path(), Some(&cookie), None);
    assert_eq!((list(&people, "people").len(), &people["more"]), (1, &json!(true)));
    let path = HolderRoute::Certificates.path_of(people["people"][0]["id"].as_str().unwrap());
    let (mut doses, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = answer("GET", &format!("{path}?after={after}"), Some(&cookie), None);
        assert_eq!(page["more"], true);
        assert!(after == 0 || list(&page, "tickets").is_empty(), "only the first page has tickets");
        doses.extend(list(&page, "doses"));
        after = page["next"].clone();
    }
    assert_eq!(doses.len(), 200);
    let with_certificate = doses.iter().filter(|dose| dose["certificate"].is_object()).count();
    assert_eq!(with_certificate, 31, "pages of certificates stay short");
    let genuine = |dose: &&Value| is_own(dose) && dose["certificate"]["batch"] == "B-CORRECTED";
    assert_eq!(doses.iter().filter(genuine).count(), 1);
    for wrong in ["x", "-1"] {
        let wrong = app.call("GET", &format!("{path}?after={wrong}"), Some(&cookie), None);
        assert_eq!((wrong.status, wrong.code()), (422, "invalid_input"));
    }
    answer("GET", &format!("{}/looks", path.trim_end_matches("/certificates")), Some(&cookie), None);

    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    for query in [json!({"identity": own.nik, "why": "x"}), json!({"phone": own.no_hp, "why": "x"})] {
        let found = answer("POST", HelpdeskRoute::FindPeople.path(), Some(&officer), Some(&|| query.clone()));
        let person = &found["people"][0];
        assert_eq!((list(person, "doses").len(), &person["more"]), (100, &json!(true)));
        assert!(list(person, "doses").iter().any(|dose| is_own(&dose["status"])));
    }
}
