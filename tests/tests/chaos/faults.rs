//! Upstream that fail in a fifth of all calls, and a stream that brings its records twice and out of order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use axum::http::{Response, StatusCode};
use bukti_local::{Handlers, Retry, StreamSource};
use bukti_store::Aws;
use bukti_tests::expected::{assert_report, assert_sms, generate_feed};
use bukti_tests::proxy::{self, Call, ConnectionReset, Upstream, connect_through};
use bukti_tests::{TestApp, deduplicated_sms, dose, dose_for, import};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{books, people, request};

/// Of a hundred calls so many fail.
const FAIL: u32 = 20;

/// How calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Refused for now, nothing done.
    Throttled,
    /// Status 500, nothing done.
    Failed,
    /// The connection breaks off, nothing done.
    Reset,
    /// The connection breaks off when it was done.
    ResetAfterwards,
    /// The answer comes long after whoever asked has gone, and it was done.
    TimedOutAfterwards,
    /// It takes its time.
    Slow,
}

/// Decides, by a seed, and counts.
struct Chance {
    random: StdRng,
    calls: u64,
    faults: BTreeMap<Fault, u64>,
}

type Shared = Arc<Mutex<Chance>>;

fn fault(chance: &Shared) -> Option<Fault> {
    let mut chance = chance.lock().unwrap();
    chance.calls += 1;
    let fault = match chance.random.random_range(0..1000) {
        // Those who wait for an answer in vain wait for five seconds.
        0..2 => Fault::TimedOutAfterwards,
        _ if !chance.random.random_ratio(FAIL, 100) => return None,
        thousand => match thousand % 5 {
            0 => Fault::Throttled,
            1 => Fault::Failed,
            2 => Fault::Reset,
            3 => Fault::ResetAfterwards,
            _ => Fault::Slow,
        },
    };
    *chance.faults.entry(fault).or_default() += 1;
    Some(fault)
}

type Answer = Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

async fn pass(services: Upstream, call: Call, fault: Option<Fault>) -> Answer {
    match fault {
        None => services.forward(call).await,
        Some(Fault::Throttled) => {
            Ok(refusal(&call, StatusCode::BAD_REQUEST, "ThrottlingException", "Throttling"))
        }
        Some(Fault::Failed) => {
            Ok(refusal(&call, StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "InternalFailure"))
        }
        Some(Fault::Reset) => Err(ConnectionReset.into()),
        Some(Fault::ResetAfterwards) => {
            services.forward(call).await?;
            Err(ConnectionReset.into())
        }
        Some(Fault::TimedOutAfterwards) => {
            services.forward(call).await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Err(ConnectionReset.into())
        }
        Some(Fault::Slow) => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            services.forward(call).await
        }
    }
}

/// A refusal as the service that is called writes it.
fn refusal(call: &Call, status: StatusCode, json: &str, xml: &str) -> Response<Bytes> {
    let body = if call.operation().is_some() {
        format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{json}\",\"message\":\"by chance\"}}")
    } else if call.is_sns() {
        format!("<ErrorResponse><Error><Type>Receiver</Type><Code>{xml}</Code></Error></ErrorResponse>")
    } else {
        let code = if status == StatusCode::BAD_REQUEST { "SlowDown" } else { "InternalError" };
        format!("<Error><Code>{code}</Code><Message>by chance</Message></Error>")
    };
    let mut answer = Response::new(body.into());
    // S3 throttles by 503.
    let throttled = status == StatusCode::BAD_REQUEST && call.operation().is_none() && !call.is_sns();
    *answer.status_mut() = if throttled { StatusCode::SERVICE_UNAVAILABLE } else { status };
    answer
}

/// Bukti's functions among services that fail.
fn handlers(aws: &Aws, chance: &Shared) -> Handlers {
    let of_calls = Arc::clone(chance);
    let ((), aws) = connect_through(aws, async move |services| {
        let url =
            proxy::start(&services, move |services, call| pass(services, call, fault(&of_calls))).await?;
        Ok(((), url))
    });
    let mut handlers = Handlers::bukti(&aws);
    handlers.streams = handlers.streams.into_iter().map(|source| disordered(source, chance)).collect();
    handlers
}

/// A stream that brings records twice, also long after, and the last first.
fn disordered(source: StreamSource, chance: &Shared) -> StreamSource {
    let (inner, chance) = (Arc::clone(&source.handler), Arc::clone(chance));
    let before: Arc<Mutex<VecDeque<Event>>> = Arc::default();
    let handler = move |mut event: Event| {
        let again = {
            let (mut chance, mut before) = (chance.lock().unwrap(), before.lock().unwrap());
            before.push_back(event.clone());
            if before.len() > 50 {
                before.pop_front();
            }
            if chance.random.random_ratio(FAIL, 100) {
                event.records.reverse();
            }
            if chance.random.random_ratio(FAIL, 100) {
                let record = event.records[chance.random.random_range(0..event.records.len())].clone();
                event.records.push(record);
            }
            let at = chance.random.random_range(0..before.len());
            chance.random.random_ratio(FAIL, 100).then(|| before[at].clone())
        };
        let inner = Arc::clone(&inner);
        Box::pin(async move {
            if let Some(again) = again {
                // Nobody waits for what becomes of it.
                let _ = inner(again).await;
            }
            inner(event).await
        }) as futures::future::BoxFuture<'static, _>
    };
    StreamSource { handler: Arc::new(handler), ..source }
}

#[test]
fn nothing_is_lost_when_a_fifth_of_calls_fail() {
    let (rows, seed) = (request("BUKTI_CHAOS_ROWS", 150), request("BUKTI_CHAOS_SEED", 1));
    let random = StdRng::seed_from_u64(seed);
    let chance = Arc::new(Mutex::new(Chance { random, calls: 0, faults: BTreeMap::new() }));
    let began = Instant::now();
    // What fails at each of eleven tries is one of many thousands.
    let app = TestApp::start_with_handlers(|aws| handlers(aws, &chance));
    let (feed, expected) = generate_feed(app.data.path(), people(rows), seed);
    let (output, report) = import(app.url(), &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    app.wait_until_idle();
    let letters = app.bukti_ok(&["deadletters", "list"]);
    assert_eq!(letters, "", "nothing was given up");
    assert_report(&report, &expected);
    assert_sms(&app.messages(), &expected);
    let books = app.with_aws(async |aws| aws);
    let books = books::balanced(&books, app.data.path(), &expected);
    let chance = chance.lock().unwrap();
    println!(
        "{} rows, seed {seed}: {} calls, {:?}; {:.0} s; {} certificates, {} superseded; SMS that were sent again: {}; \
         documents that nobody names: {}",
        expected.len(),
        chance.calls,
        chance.faults,
        began.elapsed().as_secs_f64(),
        books.good,
        books.superseded,
        deduplicated_sms(app.url()),
        books.left_over
    );
    assert_eq!(chance.faults.len(), 6, "of each kind: {:?}", chance.faults);
}

/// Bukti's functions, of which some fail with some events: by the function's name.
fn failing(aws: &Aws, fails: impl Fn(&str, &Event) -> bool + Clone + Send + Sync + 'static) -> Handlers {
    let mut handlers = Handlers::bukti(aws);
    let ailing = |source: StreamSource| {
        let (inner, fails) = (Arc::clone(&source.handler), fails.clone());
        let handler = move |event: Event| {
            let (fails, inner) = (fails(source.name, &event), Arc::clone(&inner));
            Box::pin(async move {
                assert!(!fails, "ill");
                inner(event).await
            }) as futures::future::BoxFuture<'static, _>
        };
        StreamSource { handler: Arc::new(handler), ..source }
    };
    handlers.streams = handlers.streams.into_iter().map(ailing).collect();
    handlers
}

#[test]
fn failing_records_become_dead_letters_until_redriven() {
    let cured = Arc::new(AtomicBool::new(false));
    let is_cured = Arc::clone(&cured);
    let fast = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(4), retries: 3 };
    let app = TestApp::start_with_options(
        |options| options.stream_retry = fast,
        |aws| {
            let poisons: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
            failing(aws, move |function, event| {
                let key = |record: &EventRecord, name: &str| format!("{:?}", record.change.keys.get(name));
                let keys = event.records.iter().map(|record| key(record, "pk") + &key(record, "sk"));
                // The first dose at `issue`, the first certificate at `notify`.
                let keys: Vec<String> = keys.filter(|key| !key.contains("SIGNER")).collect();
                let mut poisons = poisons.lock().unwrap();
                if let (Some(first), false) = (keys.first(), poisons.contains_key(function)) {
                    poisons.insert(function.to_owned(), first.clone());
                }
                !is_cured.load(Ordering::SeqCst) && poisons.get(function).is_some_and(|it| keys.contains(it))
            })
        },
    );
    let rows: Vec<_> = (0..20)
        .map(|at| bukti_domain::FeedRow {
            no_hp: format!("0821-0669-{at:04}"),
            ..dose_for(at, &format!("E{at}"))
        })
        .collect();
    app.import(&rows);
    // One dose at `issue`, and of the others one certificate at `notify`.
    assert_eq!(app.messages().len(), 18, "the others went on");
    let letters = app.bukti_ok(&["deadletters", "list"]);
    let letters: Vec<&str> = letters.lines().collect();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(
        letters.iter().any(|letter| letter.contains("issue") && letter.ends_with(" DOSE")),
        "{letters:?}"
    );
    assert!(
        letters.iter().any(|letter| letter.contains("notify") && letter.ends_with(" CERTIFICATE")),
        "{letters:?}"
    );
    let output = app.bukti(&["deadletters", "redrive"]);
    assert_eq!((output.code, &*output.stdout), (1, "0 worked off, 2 left\n"), "{}", output.stderr);
    cured.store(true, Ordering::SeqCst);
    assert_eq!(app.bukti_ok(&["deadletters", "redrive"]), "2 worked off, 0 left\n");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 20);
    assert_eq!(app.bukti_ok(&["deadletters", "list"]), "");
    let lacking = ["deadletters", "list", "--by-table", "--older-than", "0s"];
    assert_eq!(app.bukti_ok(&lacking), "", "nor does the table lack anything");
    let keyless = app.caller().call("POST", "/_dead_letters/redrive", None, b"");
    assert_eq!(keyless.status, 403, "not without the key");
}

/// As on AWS, where what was set aside is known by what the table lacks.
#[test]
fn lost_dead_letters_are_recovered_from_the_table() {
    let ill = Arc::new(Mutex::new("issue"));
    let never = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(1), retries: 0 };
    let app = TestApp::start_with_options(
        |options| options.stream_retry = never,
        |aws| {
            let ill = Arc::clone(&ill);
            failing(aws, move |function, _| *ill.lock().unwrap() == function)
        },
    );
    let list = ["deadletters", "list", "--by-table", "--older-than", "0s"];
    let redrive = ["deadletters", "redrive", "--by-table", "--older-than", "0s"];
    app.import(&[dose("E1")]);
    assert_eq!(app.bukti_ok(&["deadletters", "list", "--by-table"]), "", "it may be under way");
    for lacks in ["issue   certificate", "notify  sms"] {
        let lacking = app.bukti_ok(&list);
        assert!(lacking.contains(lacks) && lacking.lines().count() == 1, "{lacking}");
        assert_eq!(app.messages().len(), 0);
        // What comes next fails at the next function.
        *ill.lock().unwrap() = if lacks.starts_with("issue") { "notify" } else { "none" };
        assert_eq!(app.bukti_ok(&redrive), lacking);
        app.wait_until_idle();
    }
    assert_eq!(app.bukti_ok(&redrive), "");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1);
}
