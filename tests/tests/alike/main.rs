//! Timing side channels: neither the response nor its latency reveals whether a record exists.
//!
//! `cargo xtask test --only alike` runs this test, since latency measurements need an idle machine.
//! `BUKTI_ALIKE` sets the number of calls of each kind. Each comparison sends calls of two kinds in
//! random order. Their responses must be identical byte for byte, and the 99 % confidence interval
//! of the shift between their latencies must lie within ±1 ms.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod statistics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bukti_domain::{FeedRow, PhoneNumber};
use bukti_local::Handlers;
use bukti_records::{Revocation, Token};
use bukti_store::{Aws, Certificates, Device, Doses, Links, Sessions};
use bukti_tests::caller::RawResponse;
use bukti_tests::{TestApp, dose};
use bukti_wire::{HolderRoute, OtpRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::statistics::{Comparison, Random};

/// The largest permitted shift between latencies, in milliseconds.
const LARGEST_SHIFT: f64 = 1.0;

/// The number of concurrent calls to routes that pad failed requests. Such calls spend most of
/// their time waiting.
const PADDED_CONCURRENCY: usize = 4;

struct Call {
    path: &'static str,
    cookie: Option<String>,
    body: String,
}

impl Call {
    fn new(path: &'static str, body: &Value) -> Self {
        Self { path, cookie: None, body: body.to_string() }
    }
}

/// Compares kinds of calls, prints a row for each comparison, and collects failures.
struct Comparisons {
    random: Random,
    failures: Vec<String>,
}

impl Comparisons {
    /// Sends the calls of both kinds in random order, `concurrency` at a time, and compares the
    /// responses and latencies of the two kinds.
    fn compare(
        &mut self,
        app: &TestApp,
        what: &str,
        expected: u16,
        concurrency: usize,
        kinds: [Vec<Call>; 2],
    ) {
        app.wait_until_idle();
        let mut calls: Vec<(usize, Call)> = Vec::new();
        for (kind, of_kind) in kinds.into_iter().enumerate() {
            calls.extend(of_kind.into_iter().map(|call| (kind, call)));
        }
        self.random.shuffle(&mut calls);
        let send = |(kind, call): &(usize, Call)| {
            let began = Instant::now();
            let mut raw = app.caller().call("POST", call.path, call.cookie.as_deref(), call.body.as_bytes());
            let time = i64::try_from(began.elapsed().as_nanos()).unwrap();
            assert_eq!(raw.status, expected, "{what}: {raw:?}");
            // Drop the token in the cookie, which is random.
            for (_, value) in raw.headers.iter_mut().filter(|(name, _)| name == "set-cookie") {
                *value = value.split('=').next().unwrap_or_default().to_owned();
            }
            (*kind, time, raw)
        };
        let answers: Vec<(usize, i64, RawResponse)> = std::thread::scope(|scope| {
            let chunks = calls.chunks(calls.len().div_ceil(concurrency));
            let threads: Vec<_> =
                chunks.map(|chunk| scope.spawn(move || chunk.iter().map(send).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let different = answers.iter().filter(|(.., raw)| *raw != answers[0].2).count();
        let times = [0, 1].map(|kind| {
            answers.iter().filter(|answer| answer.0 == kind).map(|answer| answer.1).collect::<Vec<_>>()
        });
        let comparison = Comparison::of(&times[0], &times[1]);
        let is_alike = comparison.interval.0 > -LARGEST_SHIFT && comparison.interval.1 < LARGEST_SHIFT;
        println!(
            "{what:<46}{:>6}{:>9.2}{:>9.2}{:>+9.3}  [{:+.3}, {:+.3}]{:>10.2e}  {}",
            times[0].len(),
            comparison.medians.0,
            comparison.medians.1,
            comparison.shift,
            comparison.interval.0,
            comparison.interval.1,
            comparison.p,
            if is_alike { "alike" } else { "NOT ALIKE" }
        );
        if different > 0 {
            self.failures.push(format!("{what}: {different} responses differ"));
        }
        if !is_alike {
            self.failures.push(format!("{what}: latencies differ by {:?} ms", comparison.interval));
        }
    }
}

/// A dose of a person with their own NIK and phone.
fn person(at: usize) -> FeedRow {
    const NAMES: [&str; 8] = ["Iwan", "Ayu", "Budi", "Siti", "Wahyu", "Dewi", "Agus", "Rina"];
    let (day, month, year) = (1 + at % 28, 1 + at % 12, 50 + at % 50);
    FeedRow {
        nik: format!("317101{day:02}{month:02}{year:02}{:04}", 1000 + at % 9000),
        nama: format!("{} {} Purnomo", NAMES[at % 8], NAMES[at / 8 % 8]),
        tanggal_lahir: format!("19{year}-{month:02}-{day:02}"),
        no_hp: format!("0812{:08}", 10_000_000 + at * 7),
        ..dose(&format!("ALIKE-{at}"))
    }
}

#[test]
#[ignore = "takes minutes and a quiet machine: cargo xtask test --only alike"]
fn existing_and_missing_records_are_indistinguishable() {
    let calls: usize = std::env::var("BUKTI_ALIKE").map_or(2000, |calls| calls.parse().unwrap());
    // Pause the stream handlers, since on AWS they do not run on the same machine as the routes.
    let is_paused = Arc::new(AtomicBool::new(false));
    let pauses = Arc::clone(&is_paused);
    let app = TestApp::start_with_handlers(move |aws| {
        let mut handlers = Handlers::bukti(aws);
        for source in &mut handlers.streams {
            let (handler, pauses) = (Arc::clone(&source.handler), Arc::clone(&pauses));
            source.handler = Arc::new(move |event| match pauses.load(Ordering::Relaxed) {
                true => Box::pin(async { Default::default() }),
                false => handler(event),
            });
        }
        handlers
    });
    let mut random = Random(2026);
    let mut people: Vec<FeedRow> = (0..2 * calls).map(person).collect();
    random.shuffle(&mut people);
    let (known, unknown) = people.split_at(calls);
    app.import(known);
    is_paused.store(true, Ordering::Relaxed);
    app.with_aws(async |aws: Aws| {
        let sessions = Sessions::new(&aws);
        for row in known {
            let phone = PhoneNumber::parse(&row.no_hp).unwrap();
            let device = Device { browser: None, system: None };
            sessions.open(&phone, Some(row.nama.clone()), &device, Timestamp::now()).await.unwrap();
        }
    });
    let mut all = Comparisons { random, failures: Vec::new() };
    println!(
        "{:<46}{:>6}{:>9}{:>9}{:>9}  {:<18}{:>8}  (milliseconds)",
        "what", "calls", "median", "median", "shift", "99 %", "p"
    );

    let status = |row: &FeedRow, name: &str| {
        let captcha = app.caller().captcha();
        Call::new(StatusRoute::Status.path(), &json!({"name": name, "nik": row.nik, "captcha": captcha}))
    };
    let kinds = [known, unknown].map(|rows| rows.iter().map(|row| status(row, "Kartika Rahayu")).collect());
    all.compare(&app, "status: known number, wrong name / unknown", 200, PADDED_CONCURRENCY, kinds);

    let otp = |row: &FeedRow| {
        let captcha = app.caller().captcha();
        Call::new(OtpRoute::Otp.path(), &json!({"phone": row.no_hp, "captcha": captcha}))
    };
    let kinds = [known, unknown].map(|rows| rows.iter().map(otp).collect());
    all.compare(&app, "code: phone with dose and account / unknown", 202, 1, kinds);

    let wrong = |row: &FeedRow| {
        let call = otp(row);
        let requested = app.caller().call("POST", call.path, None, call.body.as_bytes());
        let cookie = requested.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let body = json!({"phone": row.no_hp, "code": "000000"});
        Call { cookie: Some(cookie), ..Call::new(OtpRoute::LogIn.path(), &body) }
    };
    let kinds = [known, unknown].map(|rows| rows.iter().map(wrong).collect());
    all.compare(&app, "session: wrong code, account / none", 422, PADDED_CONCURRENCY, kinds);

    let download = |row: &FeedRow| {
        let captcha = app.caller().captcha();
        let request = json!({"name": row.nama, "nik": row.nik, "birth_date": row.tanggal_lahir,
            "vaccination_date": row.tanggal_vaksinasi, "vaccine": row.vaksin, "captcha": captcha});
        Call::new(StatusRoute::Download.path(), &request)
    };
    let kinds = [known, unknown].map(|rows| rows.iter().map(download).collect());
    all.compare(&app, "quick download: right facts / unknown number", 202, 1, kinds);

    for kind in [DeadLink::Expired, DeadLink::Refused, DeadLink::Replaced, DeadLink::Revoked] {
        let tokens = app.with_aws(async |aws: Aws| dead_links(&aws, known, kind).await);
        compare_links(&mut all, &app, kind, known, &tokens);
    }
    assert!(all.failures.is_empty(), "{:#?}", all.failures);
}

/// The reason why a link is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeadLink {
    Expired,
    Refused,
    /// The phone was corrected after the link was sent.
    Replaced,
    /// The certificate was revoked.
    Revoked,
}

async fn dead_links(aws: &Aws, people: &[FeedRow], kind: DeadLink) -> Vec<Token> {
    let (doses, links, certificates) = (Doses::new(aws), Links::new(aws), Certificates::new(aws));
    let now = Timestamp::now();
    let mut tokens = Vec::new();
    for row in people {
        let mut dose = doses.of_event(&aws.keys.event(&row.event_id)).await.unwrap().unwrap();
        let token = Token::generate().unwrap();
        let made = if kind == DeadLink::Expired { now - SignedDuration::from_hours(31 * 24) } else { now };
        if kind == DeadLink::Replaced {
            dose.phone_version -= 1;
        }
        if kind == DeadLink::Revoked {
            let id = dose.certificate_id.as_ref().unwrap();
            certificates.revoke(id, Revocation::Revoked("alike"), now).await.unwrap();
        }
        links.make(&token, &dose, None, made).await.unwrap();
        if kind == DeadLink::Refused {
            links.refuse(token.secret(), now).await.unwrap();
        }
        tokens.push(token);
    }
    tokens
}

fn compare_links(all: &mut Comparisons, app: &TestApp, kind: DeadLink, people: &[FeedRow], tokens: &[Token]) {
    let open = |row: &FeedRow, token: &Token| {
        Call::new(
            HolderRoute::Link.path(),
            &json!({"token": token.secret(), "birth_date": row.tanggal_lahir}),
        )
    };
    let dead = people.iter().zip(tokens).map(|(row, token)| open(row, token)).collect();
    let missing = people.iter().map(|row| open(row, &Token::generate().unwrap())).collect();
    let what = format!("link: {kind:?} / never there").to_lowercase();
    all.compare(app, &what, 410, PADDED_CONCURRENCY, [dead, missing]);
}
