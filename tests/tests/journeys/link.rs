//! Links: the SMS for a first dose, wrong birth dates, and corrections.

use bukti_paper::Paper;
use bukti_records::LinkAttempt;
use bukti_store::Links;
use bukti_tests::{TestApp, dose, run_1000_times_concurrently};
use bukti_wire::HolderRoute;
use jiff::Timestamp;
use serde_json::json;

const PHONE: &str = "0821-0669-0743";

fn open(app: &TestApp, token: &str, birth_date: &str) -> bukti_tests::Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": birth_date}))
}

#[test]
fn first_dose_sms_link_opens_with_birth_date() {
    let app = TestApp::start();
    let mut second = dose("E2");
    second.dosis_ke = "2".into();
    app.import(&[dose("E1"), second]);
    app.import(&[dose("E1")]);

    let messages = app.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0];
    let token = message.token().unwrap();
    assert_eq!(token.len(), 22, "131 bits");
    assert_eq!((&*message.to, &*message.from), ("+6282106690743", "1199"));
    insta::assert_snapshot!("first_dose_sms", message.single_part_text(&app));

    let wrong = open(&app, &token, "1989-01-25");
    assert_eq!((wrong.code(), &wrong.body["tries_left"]), ("birth_date_wrong", &json!(4)));
    assert_eq!(open(&app, &token, "24-01-1989").code(), "invalid_input");
    let right = open(&app, &token, "1989-01-24");
    assert_eq!(right.status, 200, "{right:?}");
    assert_eq!(right.body["certificate"]["name"], "Iwan Ibrahim Purnomo");
    let (status, pdf) = app.fetch(right.body["document"]["url"].as_str().unwrap());
    assert_eq!(status, 200);
    assert_eq!(Paper::read(pdf).qr_text(0), right.body["certificate"]["qr_text"].as_str().unwrap());
}

#[test]
fn locks_link_after_five_wrong_birth_dates() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    for left in (1..5).rev() {
        assert_eq!(open(&app, &token, "2000-01-01").body["tries_left"], left);
    }
    assert_eq!(open(&app, &token, "2000-01-01").code(), "link_locked");
    assert_eq!(
        open(&app, &token, "1989-01-24").code(),
        "link_locked",
        "the right birth date does not unlock the link"
    );
    assert_eq!(open(&app, "AAAAAAAAAAAAAAAAAAAAAA", "1989-01-24").code(), "link_dead");

    app.wait_until_idle();
    let messages = app.messages_to(PHONE);
    assert_eq!(messages.len(), 2, "the owner gets one notice of the lock");
    let text = messages[1].text.replace(app.url(), "https://bukti.example.go.id");
    assert_eq!(
        text,
        "Tautan sertifikat vaksin Anda dikunci karena tgl lahir salah 5 kali. Data Anda aman. Tautan baru: \
         https://bukti.example.go.id/unduh Info: 119 ext 9"
    );
    assert!(text.len() <= 160);
}

#[test]
fn corrected_phone_gets_no_notice_of_old_link() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    for _ in 0..3 {
        open(&app, &token, "2000-01-01");
    }
    let mut corrected = dose("E1");
    (corrected.sent_at, corrected.no_hp) = ("2021-02-01T08:00:00+07:00".into(), "0858 7656 1159".into());
    app.import(&[corrected]);
    assert_eq!(open(&app, &token, "2000-01-01").code(), "link_dead");
    // The fifth attempt was in progress when the phone was corrected. It locks the link
    // nevertheless.
    app.with_aws(async |aws| {
        let (links, now) = (Links::new(&aws), Timestamp::now());
        let tried = links.count_try(&token, now).await.unwrap();
        let LinkAttempt::Counted(link) = tried else { unreachable!("{tried:?}") };
        assert_eq!(link.tries_left, 0);
        links.lock(&link, now).await.unwrap();
    });
    assert_eq!(open(&app, &token, "1989-01-24").code(), "link_locked");
    app.wait_until_idle();
    let messages = app.messages();
    assert_eq!(messages.len(), 2, "one link for each phone: {messages:?}");
    assert!(messages.iter().all(|message| message.token().is_some()), "{messages:?}");
}

#[test]
fn concurrent_wrong_birth_dates_count_five_attempts() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let replies = run_1000_times_concurrently(|| open(&app, &token, "2000-01-01"));
    let wrong = replies.into_iter().filter(|reply| reply.code() == "birth_date_wrong").count();
    // The fifth attempt is checked as well, but the response is `link_locked`, since no attempts
    // remain.
    assert_eq!(wrong, 4);
}

#[test]
fn corrected_phone_gets_new_link_and_old_one_dies() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let old = app.messages_to(PHONE)[0].token().unwrap();

    let mut corrected = dose("E1");
    (corrected.sent_at, corrected.no_hp) = ("2021-02-01T08:00:00+07:00".into(), "0858 7656 1159".into());
    let report = app.import(&[corrected.clone()]);
    assert_eq!(report[&2], ("issued".to_owned(), "phone_corrected".to_owned()));

    assert_eq!(open(&app, &old, "1989-01-24").code(), "link_dead");
    let new = app.messages_to("0858 7656 1159");
    assert_eq!((new.len(), app.messages().len()), (1, 2));
    assert_eq!(open(&app, &new[0].token().unwrap(), "1989-01-24").status, 200);

    // Undo the correction: the first phone gets a new link, since its old link is dead.
    (corrected.sent_at, corrected.no_hp) = ("2021-02-02T08:00:00+07:00".into(), PHONE.into());
    app.import(&[corrected]);
    let again = app.messages_to(PHONE);
    assert_eq!(again.len(), 2);
    assert_eq!(open(&app, &again[1].token().unwrap(), "1989-01-24").status, 200);
}

#[test]
fn corrected_name_keeps_link_and_shows_new_certificate() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let before = open(&app, &token, "1989-01-24").body["certificate"]["id"].clone();
    let mut corrected = dose("E1");
    (corrected.sent_at, corrected.nama) = ("2021-02-01T08:00:00+07:00".into(), "Iwan Ibrahim Purnama".into());
    app.import(&[corrected]);
    let after = open(&app, &token, "1989-01-24").body["certificate"].clone();
    assert_eq!(after["name"], "Iwan Ibrahim Purnama");
    assert_ne!(after["id"], before);
    assert_eq!(app.messages().len(), 1, "the phone is the same: no second SMS");
}
