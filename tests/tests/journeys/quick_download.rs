//! Quick download: a request with five facts about a dose sends a link to the phone on record.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};

use bukti_domain::{FeedRow, Identity, Nik, parse_date};
use bukti_local::Handlers;
use bukti_records::{DownloadFacts, LinkAttempt};
use bukti_store::{Aws, Downloads, Links, Settings};
use bukti_tests::{Message, Reply, TestApp, deduplicated_sms, dose};
use bukti_wire::{HolderRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The first dose of a person with their own NIK and phone, which end in `number`.
fn person(number: u32) -> FeedRow {
    FeedRow {
        nik: format!("317101240189{number:04}"),
        no_hp: format!("08210669{number:04}"),
        ..dose(&format!("E{number}"))
    }
}

/// The quick-download SMS that were sent to a person's phone.
fn quick_download_sms(app: &TestApp, person: &FeedRow) -> Vec<Message> {
    let messages = app.messages_to(&person.no_hp).into_iter();
    messages.filter(|message| message.text.contains("Bukan saya")).collect()
}

/// Waits until all earlier requests have been processed. Asserts with a request for another person
/// that the pipeline works.
fn drain_pipeline(app: &TestApp, control: &FeedRow) {
    assert_eq!(app.request_download(control).status, 202);
    app.wait_until_idle();
    assert_eq!(quick_download_sms(app, control).len(), 1, "the pipeline works");
}

/// Converts a row to the identity and the facts of a quick download.
fn identity_and_facts(facts: &FeedRow) -> (Identity, DownloadFacts) {
    let download_facts = DownloadFacts {
        name: facts.nama.clone(),
        birth_date: parse_date(&facts.tanggal_lahir).unwrap().into(),
        vaccination_date: parse_date(&facts.tanggal_vaksinasi).unwrap(),
        vaccine: facts.vaksin.clone(),
    };
    (Identity::Nik(Nik::parse(&facts.nik).unwrap()), download_facts)
}

/// Requests a quick download with the facts in a row, backdated by ten minutes.
fn download_ten_minutes_ago(app: &TestApp, facts: &FeedRow) {
    let (identity, facts) = identity_and_facts(facts);
    let before = Timestamp::now() - SignedDuration::from_mins(10);
    app.with_aws(async |aws| Downloads::new(&aws).ask(&identity, &facts, before).await.unwrap());
    app.wait_until_idle();
}

/// Runs each closure on its own thread. Returns the results in the order of the closures.
fn run_concurrently<T: Send>(work: impl Iterator<Item = impl FnOnce() -> T + Send>) -> Vec<T> {
    std::thread::scope(|scope| {
        let work: Vec<_> = work.map(|work| scope.spawn(work)).collect();
        work.into_iter().map(|work| work.join().unwrap()).collect()
    })
}

fn open(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": "1989-01-24"}))
}

fn refuse(app: &TestApp, token: &str) -> Reply {
    app.post(HolderRoute::RefuseLink.path(), json!({"token": token}))
}

#[test]
fn registered_phone_gets_link_to_requested_dose() {
    let app = TestApp::start();
    let mut second = person(1);
    (second.event_id, second.dosis_ke) = ("E2".into(), "2".into());
    (second.tanggal_vaksinasi, second.sent_at) = ("2021-02-26".into(), "2021-02-26T08:00:00+07:00".into());
    second.no_hp = "0858 7656 1159".into();
    let mut foreigner = person(3);
    (foreigner.nik, foreigner.paspor) = (String::new(), "A1687353".into());
    app.import(&[person(1), second.clone(), foreigner.clone()]);

    // The same facts in other spellings: another name for the vaccine, a title, and extra spaces.
    let request = FeedRow {
        nama: "dr. iwan ibrahim  purnomo".into(),
        nik: "3171 0124 0189 0001".into(),
        vaksin: "sinovac".into(),
        ..second.clone()
    };
    let reply = app.request_download(&request);
    assert_eq!((reply.status, &reply.body), (202, &json!({"resend_after": 300})));
    app.wait_until_idle();

    assert_eq!(quick_download_sms(&app, &person(1)).len(), 0, "the phone of another dose gets no link");
    let links = quick_download_sms(&app, &second);
    assert_eq!((links.len(), &*links[0].from), (1, "1199"));
    insta::assert_snapshot!("quick_download_sms", links[0].single_part_text(&app));
    let token = links[0].token().unwrap();
    let wrong = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": "1989-01-25"}));
    assert_eq!(wrong.code(), "birth_date_wrong", "the link needs the birth date");
    let opened = open(&app, &token);
    assert_eq!((opened.status, &opened.body["certificate"]["dose_number"]), (200, &json!(2)));

    let mut request = foreigner.clone();
    request.paspor = "a-1687353".into();
    assert_eq!(app.request_download(&request).status, 202);
    app.wait_until_idle();
    assert_eq!(open(&app, &quick_download_sms(&app, &foreigner)[0].token().unwrap()).status, 200);
}

#[test]
fn wrong_facts_get_same_response_and_no_sms() {
    let app = TestApp::start();
    let mut people: Vec<FeedRow> = (1..=10).map(person).collect();
    people[6].no_hp.clear();
    people[7].no_hp = "021-5551234".into();
    people[8].batch.clear();
    app.import(&people);
    let token = app.messages_to(&people[9].no_hp)[0].token().unwrap();
    let certificate = open(&app, &token).body["certificate"]["id"].as_str().unwrap().to_owned();
    app.bukti_ok(&["revoke", &certificate, "--reason", "a test"]);
    let before = app.messages();
    assert_eq!(before.len(), 7, "first doses that are complete and have a phone");

    let mut request = people.clone();
    request[0].nama = "Iwan Ibrahim Purnama".into();
    request[1].tanggal_lahir = "1989-01-25".into();
    request[2].tanggal_vaksinasi = "2021-01-28".into();
    request[3].vaksin = "Moderna".into();
    request[4].nik = "3171012401899999".into();
    (request[5].nik, request[5].paspor) = (String::new(), "A1687353".into());
    let replies: Vec<Reply> = request.iter().map(|row| app.request_download(row)).collect();
    let control = person(11);
    app.import(std::slice::from_ref(&control));
    let right = app.request_download(&control);
    app.wait_until_idle();
    assert_eq!(quick_download_sms(&app, &control).len(), 1, "the pipeline works");
    for (at, reply) in replies.iter().enumerate() {
        assert_eq!((reply.status, &reply.body), (right.status, &right.body), "request {at}");
        assert_eq!(reply.cache_control, right.cache_control);
    }
    // The two additional SMS are the control person's SMS for the first dose and quick-download
    // link.
    assert_eq!(app.messages().len(), before.len() + 2, "{:?}", app.messages());
}

/// A TCP proxy that records the requests to a service.
#[derive(Clone)]
struct RecordingProxy {
    url: String,
    recorded: Arc<Mutex<Vec<u8>>>,
}

impl RecordingProxy {
    fn start(url: &str) -> Self {
        let (to, recorded) = (url.trim_start_matches("http://").to_owned(), Arc::default());
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = Self { url: format!("http://{}", proxy.local_addr().unwrap()), recorded };
        let recorded = Arc::clone(&own.recorded);
        std::thread::spawn(move || {
            for caller in proxy.incoming() {
                let (mut caller, mut service) = (caller.unwrap(), TcpStream::connect(&to).unwrap());
                let (mut back, mut from) = (caller.try_clone().unwrap(), service.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut back));
                let recorded = Arc::clone(&recorded);
                std::thread::spawn(move || {
                    let mut bytes = [0; 1 << 16];
                    while let Ok(length @ 1..) = caller.read(&mut bytes) {
                        recorded.lock().unwrap().extend_from_slice(&bytes[..length]);
                        if service.write_all(&bytes[..length]).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        own
    }

    /// The DynamoDB operations since the last call of this method, in lower case.
    fn operations(&self) -> Vec<String> {
        let recorded = std::mem::take(&mut *self.recorded.lock().unwrap());
        let recorded = String::from_utf8_lossy(&recorded).to_lowercase();
        let operations = recorded.split("x-amz-target: dynamodb_20120810.").skip(1);
        operations.map(|rest| rest.lines().next().unwrap().to_owned()).collect()
    }
}

#[test]
fn no_dose_is_read_before_the_response() {
    let proxy = OnceLock::new();
    let app = TestApp::start_with_handlers(|aws| {
        let proxy = proxy.get_or_init(|| RecordingProxy::start(aws.settings.endpoint.as_deref().unwrap()));
        let settings = Settings { endpoint: Some(proxy.url.clone()), ..(*aws.settings).clone() };
        let connected = async || Aws::connect(settings).await.unwrap();
        // Connect on another thread, since this thread blocks the stack's runtime during the start.
        let recorded = std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            scope.spawn(move || runtime.block_on(connected())).join().unwrap()
        });
        // Stream handlers run after the response and are not recorded.
        Handlers { http: Handlers::bukti(&recorded).http, ..Handlers::bukti(aws) }
    });
    let proxy = proxy.get().unwrap();
    app.import(&[person(1), person(2), person(3)]);
    let list = app.data.path().join("protected.txt");
    std::fs::write(&list, person(3).nik).unwrap();
    app.bukti_ok(&["block-download", list.to_str().unwrap()]);
    let wrong = FeedRow { tanggal_lahir: "1989-01-25".into(), ..person(2) };
    for (case, facts) in
        [("right", person(1)), ("wrong", wrong), ("locked", person(3)), ("unknown", person(4))]
    {
        let request = app.download_request(&facts);
        proxy.operations();
        assert_eq!(app.post(StatusRoute::Download.path(), request).status, 202);
        // In this order: the captcha's cost after failures and by the SMS budget, the used captcha,
        // the rate limits of the client IP and the network, and the quick-download request.
        let expected = ["getitem", "getitem", "putitem", "updateitem", "updateitem", "putitem"];
        assert_eq!(proxy.operations(), expected, "{case}");
    }
}

#[test]
fn only_matching_requests_consume_persons_quota() {
    let app = TestApp::start();
    app.import(&[person(1)]);
    let wrong = FeedRow { tanggal_lahir: "1989-01-25".into(), ..person(1) };
    let answers: Vec<Reply> = (0..6).map(|_| app.request_download(&wrong)).collect();
    let right = app.request_download(&person(1));
    app.wait_until_idle();
    assert_eq!(quick_download_sms(&app, &person(1)).len(), 1, "a stranger's wrong requests consume no quota");
    let again = app.request_download(&person(1));
    app.wait_until_idle();
    assert_eq!(quick_download_sms(&app, &person(1)).len(), 1, "one in five minutes");
    let unknown = app.request_download(&person(2));
    for answer in answers.iter().chain([&right, &again]) {
        assert_eq!((answer.status, &answer.body), (202, &unknown.body), "the response is the same");
    }
}

#[test]
fn person_gets_three_quick_downloads_daily() {
    let app = TestApp::start();
    app.import(&[person(1)]);
    let (identity, facts) = identity_and_facts(&person(1));
    let start = Timestamp::now() - SignedDuration::from_mins(55);
    for (minutes, links) in [(0, 1), (4, 1), (5, 2), (10, 3), (15, 3), (50, 3)] {
        let at = start + SignedDuration::from_mins(minutes);
        app.with_aws(async |aws| Downloads::new(&aws).ask(&identity, &facts, at).await.unwrap());
        app.wait_until_idle();
        assert_eq!(quick_download_sms(&app, &person(1)).len(), links, "after {minutes} minutes");
    }
}

#[test]
fn concurrent_requests_and_duplicate_events_send_one_sms() {
    let app = TestApp::start_with_handlers(|aws| {
        let mut handlers = Handlers::bukti(aws);
        for source in &mut handlers.streams {
            let once = Arc::clone(&source.handler);
            source.handler = Arc::new(move |event| {
                let once = Arc::clone(&once);
                Box::pin(async move { tokio::join!(once(event.clone()), once(event)).1 })
            });
        }
        handlers
    });
    app.import(&[person(1)]);
    // Solve all captchas first, so that the requests run concurrently.
    let requests = run_concurrently((0..50).map(|_| || app.download_request(&person(1))));
    let answers = run_concurrently(requests.into_iter().map(|request| {
        let app = &app;
        move || app.post(StatusRoute::Download.path(), request).status
    }));
    assert!(answers.iter().all(|status| *status == 202), "{answers:?}");
    app.wait_until_idle();
    assert_eq!(quick_download_sms(&app, &person(1)).len(), 1);
    assert_eq!(app.messages().len(), 2, "the SMS of the first dose and the link");
    assert_eq!(deduplicated_sms(app.url()), 0, "no SMS was sent twice");
}

#[test]
fn refusal_kills_link_and_locks_quick_download() {
    let app = TestApp::start();
    app.import(&[person(1), person(2), person(3), person(4)]);
    for request in [person(1), person(2), person(3)] {
        download_ten_minutes_ago(&app, &request);
    }
    let token = |person: &FeedRow| quick_download_sms(&app, person)[0].token().unwrap();
    let (refused, other) = (token(&person(1)), token(&person(2)));
    assert_eq!(refuse(&app, &refused).status, 204);
    assert_eq!(refuse(&app, &refused).status, 204, "a refusal is idempotent");
    assert_eq!(open(&app, &refused).code(), "link_dead");
    assert_eq!(open(&app, &other).status, 200);
    let unknown = refuse(&app, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!((unknown.status, unknown.code()), (410, "link_dead"));

    // The link for a first dose can be refused, too, but this does not lock quick download.
    let first_dose = app.messages_to(&person(2).no_hp)[0].token().unwrap();
    assert_eq!(refuse(&app, &first_dose).status, 204);
    assert_eq!(open(&app, &first_dose).code(), "link_dead");

    // After the phone on record has been corrected, the owner of the old phone can no longer refuse
    // links for the person.
    let old = token(&person(3));
    let corrected =
        FeedRow { no_hp: "0858 7656 1159".into(), sent_at: "2021-02-01T08:00:00+07:00".into(), ..person(3) };
    app.import(std::slice::from_ref(&corrected));
    assert_eq!(refuse(&app, &old).code(), "link_dead");

    let replies = [person(1), person(2), corrected.clone()].map(|request| app.request_download(&request));
    for reply in &replies {
        assert_eq!((reply.status, &reply.body), (202, &replies[1].body), "the response is the same");
    }
    drain_pipeline(&app, &person(4));
    let sent = [person(1), person(2), corrected].map(|person| quick_download_sms(&app, &person).len());
    assert_eq!(sent, [1, 2, 1], "none after a refusal through quick download");
}

#[test]
fn locked_link_can_be_refused() {
    let app = TestApp::start();
    app.import(&[person(1), person(2)]);
    download_ten_minutes_ago(&app, &person(1));
    let token = quick_download_sms(&app, &person(1))[0].token().unwrap();
    for _ in 0..5 {
        app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": "2000-01-01"}));
    }
    assert_eq!(open(&app, &token).code(), "link_locked");
    assert_eq!(refuse(&app, &token).status, 204);
    assert_eq!(open(&app, &token).code(), "link_dead");
    assert_eq!(app.request_download(&person(1)).status, 202);
    drain_pipeline(&app, &person(2));
    assert_eq!(quick_download_sms(&app, &person(1)).len(), 1);
}

#[test]
fn refusal_during_opening_wins() {
    let app = TestApp::start();
    app.import(&[person(1)]);
    let token = app.messages()[0].token().unwrap();
    let opened = app.with_aws(async |aws| {
        let (links, now) = (Links::new(&aws), Timestamp::now());
        let LinkAttempt::Counted(link) = links.count_try(&token, now).await.unwrap() else { return None };
        links.refuse(&token, now).await.unwrap();
        Some(links.opened(&link, jiff::Timestamp::now()).await.unwrap())
    });
    assert_eq!(opened, Some(false));
    assert_eq!(open(&app, &token).code(), "link_dead");
}

#[test]
fn quick_download_reports_field_errors_without_consuming_captcha() {
    let app = TestApp::start();
    let captcha = app.captcha();
    let ask = |changed: Value| {
        let mut request = json!({
            "name": "Iwan", "nik": "3171012401890001", "birth_date": "1989-01-24",
            "vaccination_date": "2021-01-29", "vaccine": "CoronaVac", "captcha": captcha,
        });
        request.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        app.post(StatusRoute::Download.path(), request)
    };
    let errors = |changed: Value| {
        let reply = ask(changed);
        assert_eq!((reply.status, reply.code()), (422, "invalid_input"));
        let errors = reply.body["errors"].as_array().unwrap().iter();
        let errors =
            errors.map(|e| format!("{} {}", e["field"].as_str().unwrap(), e["code"].as_str().unwrap()));
        errors.collect::<Vec<_>>()
    };
    assert_eq!(
        errors(
            json!({"name": "", "nik": "317", "birth_date": "24-01-1989", "vaccination_date": " ", "vaccine": "Vitamin C"})
        ),
        ["name missing", "nik invalid", "birth_date invalid", "vaccination_date missing", "vaccine invalid"]
    );
    assert_eq!(errors(json!({"passport": "A1687353"})), ["passport invalid"], "only one number is accepted");
    assert_eq!(ask(json!({"captcha": "bm9uc2Vuc2U="})).code(), "captcha_wrong");
    assert_eq!(ask(json!({})).status, 202, "field errors consume no captcha");
    assert_eq!(ask(json!({"nik": "3171012401890002"})).code(), "captcha_reused");
}

#[test]
fn vaccine_list_is_cacheable() {
    let app = TestApp::start();
    let reply = app.call("GET", StatusRoute::Vaccines.path(), None, None);
    assert_eq!((reply.status, reply.cache_control.as_deref()), (200, Some("public, max-age=3600")));
    let vaccines = reply.body["vaccines"].as_array().unwrap();
    assert_eq!(
        vaccines[0],
        json!({"name": "CoronaVac", "disease": {"code": "covid-19", "name": {"id": "COVID-19", "en": "COVID-19"}}})
    );
    assert!(vaccines.iter().any(|vaccine| vaccine["disease"]["code"] == "yellow-fever"), "{vaccines:?}");
}

#[test]
fn protected_people_get_no_quick_download() {
    let app = TestApp::start();
    app.import(&[person(1), person(2), person(3)]);
    let list = app.data.path().join("protected.txt");
    std::fs::write(&list, format!("{}\n\n", person(1).nik)).unwrap();
    let list = list.to_str().unwrap();
    assert_eq!(app.bukti_ok(&["block-download", list]), "quick download is blocked for 1 person\n");
    let (known, other) = (app.request_download(&person(1)), app.request_download(&person(2)));
    assert_eq!((known.status, &known.body), (202, &other.body), "the response is the same");
    drain_pipeline(&app, &person(3));
    assert_eq!(
        (quick_download_sms(&app, &person(1)).len(), quick_download_sms(&app, &person(2)).len()),
        (0, 1)
    );

    let nonsense = app.data.path().join("nonsense.txt");
    std::fs::write(&nonsense, "3171012401890002\nIwan Purnomo\n").unwrap();
    let output = app.bukti(&["block-download", nonsense.to_str().unwrap()]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("line 2") && !output.stderr.contains("Iwan"), "{}", output.stderr);
    assert_eq!(
        app.bukti_ok(&["block-download", list, "--remove"]),
        "quick download is allowed again for 1 person\n"
    );
}
