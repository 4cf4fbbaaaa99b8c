//! Limits for senders of doses: requests per minute, doses per person, and SMS per phone and
//! facility.

use std::collections::BTreeMap;

use bukti_domain::FeedRow;
use bukti_store::Cause;
use bukti_tests::caller::RawResponse;
use bukti_tests::{TestApp, csv, dose, dose_for, ndjson, retraction};
use bukti_wire::OtpRoute;
use futures::StreamExt;

use crate::senders::{FACILITY, job, key, row_result, rows, send};

#[test]
fn sender_rate_limit_spans_its_keys() {
    let app = TestApp::start();
    let keys = [FACILITY, FACILITY].map(|code| key(&app, ["--facility", code]));
    let others = key(&app, ["--facility", "P3201010102"]);
    let sent = send(&app, &keys[0], "text/csv", &csv(&[dose("E1")])).json();
    // The test may run across two one-minute windows, each with a limit of 120 requests.
    let responses: Vec<RawResponse> =
        (0..300).map(|at| job(&app, &keys[at % 2], sent["job"].as_str().unwrap())).collect();
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    responses.iter().for_each(|answer| *counts.entry(answer.status).or_default() += 1);
    assert!(counts[&200] >= 119 && counts[&200] <= 239 && counts[&429] >= 60, "{counts:?}");
    let full = responses.iter().find(|answer| answer.status == 429).unwrap();
    let wait: u64 = full.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(job(&app, &others, "missing").status, 404, "other senders have their own limit");
}

#[test]
fn doses_over_daily_quota_of_person_are_held() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", FACILITY]);
    // The rows differ in dose number and date, so that each is a different dose.
    let given = |from: u32, to: u32| -> Vec<FeedRow> {
        let given = |at: u32| FeedRow {
            tanggal_vaksinasi: format!("2021-01-{:02}", 1 + at % 28),
            dosis_ke: (1 + at / 28).to_string(),
            ..dose(&format!("E{at}"))
        };
        (from..to).map(given).collect()
    };
    let answer = send(&app, &own, "application/x-ndjson", &ndjson(&given(0, 30)));
    let held = rows(&answer).into_iter().filter(|row| *row == row_result("held", "too_many_doses")).count();
    assert_eq!(held, 10, "of 30 in one request");
    let more = send(&app, &own, "application/x-ndjson", &ndjson(&given(30, 32)));
    let over = row_result("held", "too_many_doses");
    assert_eq!(rows(&more), [over.clone(), over], "the quota spans requests");
    assert_eq!(
        send(&app, &own, "application/x-ndjson", &ndjson(&given(30, 32))).body,
        more.body,
        "a retry gets the same response"
    );

    let other = send(&app, &own, "application/x-ndjson", &ndjson(&[dose_for(1, "O1")]));
    assert_eq!(rows(&other), [row_result("issued", "")], "another person has a quota of their own");
    let hub = key(&app, ["--hub", "dinkes"]);
    let later = FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..given(31, 32).remove(0) };
    for again in [given(30, 31).remove(0), later] {
        let confirmed = send(&app, &hub, "application/x-ndjson", &ndjson(&[again]));
        assert_eq!(rows(&confirmed), [row_result("issued", "")], "a hub confirms a held dose");
    }
    let retracted =
        send(&app, &own, "application/x-ndjson", &ndjson(&[retraction("E0", "2021-02-01T08:00:00+07:00")]));
    assert_eq!(rows(&retracted), [row_result("retracted", "")], "a dose can be retracted over the quota");
}

#[test]
fn repeated_and_corrected_doses_consume_no_quota() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", FACILITY]);
    let given = |at: u32| FeedRow {
        tanggal_vaksinasi: format!("2021-01-{:02}", 1 + at),
        dosis_ke: (1 + at % 9).to_string(),
        ..dose(&format!("E{at}"))
    };
    let sent = |file: &[FeedRow]| rows(&send(&app, &own, "application/x-ndjson", &ndjson(file)));
    let file: Vec<FeedRow> = (0..15).map(given).collect();
    for _ in 0..3 {
        assert_eq!(sent(&file), vec![row_result("issued", ""); 15], "the same file again");
    }
    assert_eq!(sent(&(15..20).map(given).collect::<Vec<_>>()), vec![row_result("issued", ""); 5]);
    let over = vec![row_result("held", "too_many_doses")];
    assert_eq!(sent(&[given(20)]), over);

    let later = |row: FeedRow| FeedRow { sent_at: "2021-02-01T08:00:00+07:00".into(), ..row };
    let corrected = FeedRow { batch: "CORRECTED".into(), ..later(given(0)) };
    assert_eq!(sent(&[corrected]), [row_result("issued", "")], "a correction over the quota");
    assert_eq!(sent(&[later(given(20))]), over, "a held dose is not released by a correction");
    // A new event counts once, regardless of its number of rows, and all its rows get the same
    // decision.
    let rows_of = |event: &str, person: usize| -> Vec<FeedRow> {
        let row = |at: u32| FeedRow {
            sent_at: format!("2021-03-01T08:00:{at:02}+07:00"),
            batch: format!("B{at}"),
            ..dose_for(person, event)
        };
        (0..60).map(row).collect()
    };
    let many = sent(&rows_of("E30", 2));
    assert_eq!(many.last(), Some(&row_result("issued", "")));
    assert!(many[..59].iter().all(|row| *row == row_result("superseded", "")), "{many:?}");
    // Moving another person's dose to this person does not bypass the quota.
    assert_eq!(sent(&[dose_for(1, "E21")]), [row_result("issued", "")]);
    assert_eq!(sent(&[later(given(21))]), over);
}

#[test]
fn phone_gets_20_dose_sms_daily() {
    let app = TestApp::start();
    let own = key(&app, ["--facility", FACILITY]);
    let family: Vec<FeedRow> = (1..=40).map(|person| dose_for(person, &format!("E{person}"))).collect();
    send(&app, &own, "application/x-ndjson", &ndjson(&family));
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 20);
    // The limit does not affect other SMS to the phone, such as one-time codes.
    let phone = &family[0].no_hp;
    let cookie = app.log_in(phone, None);
    assert_eq!(app.messages().len(), 21);
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 200);
    let other_phone = FeedRow { no_hp: "0821-0669-0744".into(), ..dose_for(41, "E41") };
    send(&app, &own, "application/x-ndjson", &ndjson(&[other_phone]));
    app.wait_until_idle();
    assert_eq!(app.messages_to("0821-0669-0744").len(), 1);
}

#[test]
fn facility_has_daily_limit_of_dose_sms() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let phone = |number: usize| bukti_domain::PhoneNumber::parse(&format!("0812{number:08}")).unwrap();
        let own = Cause::Dose { facility: Some(FACILITY) };
        let sms = &sms;
        let first = sms.allow(own, &phone(0), now).await.unwrap();
        let allow = |at: usize| async move { sms.allow(own, &phone(at), now).await.is_ok() };
        let allowed: Vec<bool> =
            futures::stream::iter((1..5_010).map(allow)).buffer_unordered(20).collect().await;
        let sent = allowed.into_iter().filter(|allowed| *allowed).count();
        assert_eq!(sent + 1, 5_000);
        sms.give_back(&first, now).await.unwrap();
        assert!(
            sms.allow(own, &phone(0), now).await.is_ok(),
            "an SMS that the service rejected returns its quota"
        );
        // SMS that the facility's limit rejected did not consume the phone's quota.
        let other = Cause::Dose { facility: Some("P3201010102") };
        assert!(sms.allow(other, &phone(0), now).await.is_ok());
    });
}

#[test]
fn other_sms_consume_no_quota_of_security_notices() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let (sms, now) = (bukti_store::Sms::new(&aws), jiff::Timestamp::now());
        let to = bukti_domain::PhoneNumber::parse("081234567890").unwrap();
        let others = [
            Cause::Helpdesk,
            Cause::Request,
            Cause::Dose { facility: None },
            Cause::Dose { facility: Some(FACILITY) },
        ];
        for cause in others {
            for _ in 0..30 {
                let _ = sms.allow(cause, &to, now).await;
            }
            assert!(sms.allow(cause, &to, now).await.is_err());
        }
        let notice = Cause::Security { facility: Some(FACILITY) };
        for _ in 0..20 {
            assert!(sms.allow(notice, &to, now).await.is_ok());
        }
        assert!(sms.allow(notice, &to, now).await.is_err());
    });
}
