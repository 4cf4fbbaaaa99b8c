//! Races: one call is blocked at the worst moment while another request changes the same dose.

use std::time::{Duration, Instant};

use axum::http::{Method, Response};
use bukti_domain::FeedRow;
use bukti_local::Handlers;
use bukti_tests::proxy::{self, Call, Upstream, connect_through};
use bukti_tests::{TestApp, csv, dose, dose_for, retraction};
use bukti_wire::{HolderRoute, SenderRoute};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::watch;

const PHONE: &str = "0821-0669-0743";
const OTHER: &str = "0821-0669-0744";
const BIRTH_DATE: &str = "1989-01-24";
const LATER: &str = "2021-02-01T08:00:00+07:00";

/// Blocks the first matching call to a service until the test releases it.
#[derive(Clone)]
struct CallGate {
    is_blocked: watch::Sender<bool>,
    is_released: watch::Sender<bool>,
}

impl CallGate {
    /// Starts a stack whose functions block at the first matching call.
    fn start(matches: impl Fn(&Call) -> bool + Clone + Send + Sync + 'static) -> (TestApp, Self) {
        let gate = Self { is_blocked: watch::Sender::new(false), is_released: watch::Sender::new(false) };
        let proxy_gate = gate.clone();
        let app = TestApp::start_with_handlers(|aws| {
            let ((), aws) = connect_through(aws, async move |services| {
                let pass = move |upstream, call| proxy_gate.clone().pass(upstream, call, matches.clone());
                Ok(((), proxy::start(&services, pass).await?))
            });
            Handlers::bukti(&aws)
        });
        (app, gate)
    }

    async fn pass(
        self,
        upstream: Upstream,
        call: Call,
        matches: impl Fn(&Call) -> bool,
    ) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        if matches(&call) && !self.is_blocked.send_replace(true) {
            // `wait_for` fails only if the sender is dropped, but `self` holds the sender.
            let _ = self.is_released.subscribe().wait_for(|is_released| *is_released).await;
        }
        upstream.forward(call).await
    }

    /// Waits until a call is blocked. Panics after 20 s.
    fn wait_until_blocked(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !*self.is_blocked.borrow() {
            assert!(Instant::now() < deadline, "no matching call arrived within 20 s");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn release(&self) {
        self.is_released.send_replace(true);
    }
}

fn key(app: &TestApp, hub: &str) -> String {
    app.bukti_ok(&["api-key", "create", "--hub", hub]).trim().to_owned()
}

/// Sends a row. Returns its outcome.
fn send(app: &TestApp, key: &str, row: &FeedRow) -> String {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", &*authorization), ("content-type", "text/csv")];
    let answer =
        app.caller().send("POST", SenderRoute::SendDoses.path(), &headers, &csv(std::slice::from_ref(row)));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["rows"][0]["outcome"].as_str().unwrap().to_owned()
}

fn is_document(call: &Call) -> bool {
    call.parts.method == Method::PUT && call.parts.uri.path().contains("/certificates/")
}

/// Opens each link that was sent. Returns the problem codes, with an empty code for a link that
/// opens.
fn link_codes(app: &TestApp) -> Vec<String> {
    let links = app.messages().into_iter().filter_map(|message| message.token());
    links
        .map(|token| app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE})))
        .map(|reply| reply.code().to_owned())
        .collect()
}

#[test]
fn dose_sent_by_two_concurrent_senders_is_issued_once() {
    let app = TestApp::start();
    let keys = ["satu", "dua"].map(|hub| key(&app, hub));
    let rows: Vec<FeedRow> = (0..10)
        .map(|at| FeedRow { no_hp: format!("0821-0669-{at:04}"), ..dose_for(at, &format!("E{at}")) })
        .collect();
    for row in &rows {
        let mut outcomes = std::thread::scope(|scope| {
            let senders = [0, 1].map(|at| {
                scope.spawn({
                    let (app, key) = (&app, &keys[at]);
                    move || send(app, key, row)
                })
            });
            senders.map(|sender| sender.join().unwrap())
        });
        outcomes.sort();
        assert_eq!(outcomes, ["duplicate", "issued"]);
    }
    app.wait_until_idle();
    assert_eq!(app.messages().len(), rows.len());
    assert_eq!(bukti_tests::expected::count_documents(app.data.path()), rows.len());
}

#[test]
fn dose_corrected_during_printing_has_one_valid_certificate() {
    let (app, gate) = CallGate::start(is_document);
    let key = key(&app, "hub");
    assert_eq!(send(&app, &key, &dose("E1")), "issued");
    gate.wait_until_blocked();
    let corrected = FeedRow { sent_at: LATER.into(), nama: "Iwan Ibrahim Purnama".into(), ..dose("E1") };
    assert_eq!(send(&app, &key, &corrected), "issued");
    gate.release();
    app.wait_until_idle();
    let messages = app.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let request = json!({"token": messages[0].token(), "birth_date": BIRTH_DATE});
    let opened = app.post(HolderRoute::Link.path(), request);
    assert_eq!(opened.body["certificate"]["name"], "Iwan Ibrahim Purnama");
    app.bukti_ok(&["trust", "publish"]);
    let status = app.status("Iwan Ibrahim Purnama", "3171012401896246");
    assert_eq!(status.body["doses"].as_array().unwrap().len(), 1);
    assert_eq!(status.body["doses"][0]["diagnosis"]["code"], "certificate_issued");
}

#[test]
fn dose_retracted_during_printing_has_no_valid_certificate() {
    let (app, gate) = CallGate::start(is_document);
    let key = key(&app, "hub");
    assert_eq!(send(&app, &key, &dose("E1")), "issued");
    gate.wait_until_blocked();
    assert_eq!(send(&app, &key, &retraction("E1", LATER)), "retracted");
    // Give the retraction's worker time to look for the certificate before the document is stored.
    std::thread::sleep(Duration::from_secs(1));
    gate.release();
    app.wait_until_idle();
    let status = app.status("Iwan Ibrahim Purnomo", "3171012401896246");
    assert_eq!(status.body["doses"][0]["diagnosis"]["code"], "dose_retracted");
    assert!(link_codes(&app).iter().all(|code| code == "link_dead"), "{:?}", app.messages());
    let notices = app.messages_to(PHONE).into_iter().filter(|sms| sms.text.contains("membatalkan")).count();
    assert_eq!(notices, 1, "{:?}", app.messages());
    let lacks = ["deadletters", "list", "--by-table", "--older-than", "0s"];
    assert_eq!(app.bukti_ok(&lacks), "", "an unrevoked certificate is left, or an SMS is missing");
    let revoked = app.bukti_ok(&["trust", "publish"]);
    assert!(revoked.contains("revoked certificates 1,"), "{revoked}");
}

#[test]
fn dose_retracted_while_sms_is_sent_has_dead_link() {
    let (app, gate) = CallGate::start(Call::is_sns);
    let key = key(&app, "hub");
    assert_eq!(send(&app, &key, &dose("E1")), "issued");
    gate.wait_until_blocked();
    assert_eq!(send(&app, &key, &retraction("E1", LATER)), "retracted");
    gate.release();
    app.wait_until_idle();
    let messages = app.messages_to(PHONE);
    assert_eq!(messages.len(), 2, "the link and the notice of the retraction: {messages:?}");
    assert_eq!(link_codes(&app), ["link_dead"]);
}

#[test]
fn phone_corrected_while_sms_is_sent_kills_old_link() {
    let (app, gate) = CallGate::start(Call::is_sns);
    let key = key(&app, "hub");
    assert_eq!(send(&app, &key, &dose("E1")), "issued");
    gate.wait_until_blocked();
    let corrected = FeedRow { sent_at: LATER.into(), no_hp: OTHER.into(), ..dose("E1") };
    assert_eq!(send(&app, &key, &corrected), "issued");
    gate.release();
    app.wait_until_idle();
    assert_eq!((app.messages_to(PHONE).len(), app.messages_to(OTHER).len()), (1, 1));
    let mut codes = link_codes(&app);
    codes.sort();
    assert_eq!(codes, ["", "link_dead"], "only the link to the corrected phone opens");
}

#[test]
fn certificate_revoked_during_downloads_is_not_served_afterwards() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let token = app.messages()[0].token().unwrap();
    let open = || app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": BIRTH_DATE}));
    let id = open().body["certificate"]["id"].as_str().unwrap().to_owned();
    let revoked = watch::Sender::new(false);
    std::thread::scope(|scope| {
        let openers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut opened = 0;
                    loop {
                        let is_revoked = *revoked.borrow();
                        let reply = open();
                        match (reply.status, is_revoked) {
                            (200, false) => opened += 1,
                            (200, true) => panic!("the certificate opened after its revocation"),
                            _ if is_revoked => return opened,
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        app.bukti_ok(&["revoke", &id, "--reason", "test", "--no-publish"]);
        revoked.send_replace(true);
        for opener in openers {
            assert!(opener.join().unwrap() > 0, "no download succeeded before the revocation");
        }
    });
    assert_eq!(open().code(), "link_dead");
}
