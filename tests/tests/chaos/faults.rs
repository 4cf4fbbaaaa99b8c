//! Fault injection: a fifth of all calls to the services fail, and the stream delivers duplicates
//! and reorders records.

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

use crate::{consistency, env_number, people_for_rows};

/// The percentage of calls that fail, and of batches that are reordered, duplicated or redelivered.
const FAULT_PERCENT: u32 = 20;

/// A kind of injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// The call is throttled and has no effect.
    Throttled,
    /// The call fails with status 500 and has no effect.
    Failed,
    /// The connection is reset before the call takes effect.
    Reset,
    /// The connection is reset after the call has taken effect.
    ResetAfterwards,
    /// The call takes effect, but the response arrives long after the client's timeout.
    TimedOutAfterwards,
    /// The call succeeds after a delay.
    Slow,
}

/// A seeded source of random faults, which counts the faults of each kind.
struct FaultSource {
    random: StdRng,
    calls: u64,
    counts: BTreeMap<Fault, u64>,
}

type SharedFaults = Arc<Mutex<FaultSource>>;

fn next_fault(faults: &SharedFaults) -> Option<Fault> {
    let mut faults = faults.lock().unwrap();
    faults.calls += 1;
    let fault = match faults.random.random_range(0..1000) {
        // Rare, since each of these faults costs a client timeout of five seconds.
        0..2 => Fault::TimedOutAfterwards,
        _ if !faults.random.random_ratio(FAULT_PERCENT, 100) => return None,
        thousand => match thousand % 5 {
            0 => Fault::Throttled,
            1 => Fault::Failed,
            2 => Fault::Reset,
            3 => Fault::ResetAfterwards,
            _ => Fault::Slow,
        },
    };
    *faults.counts.entry(fault).or_default() += 1;
    Some(fault)
}

type ProxyResult = Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

async fn forward(upstream: Upstream, call: Call, fault: Option<Fault>) -> ProxyResult {
    match fault {
        None => upstream.forward(call).await,
        Some(Fault::Throttled) => {
            Ok(error_response(&call, StatusCode::BAD_REQUEST, "ThrottlingException", "Throttling"))
        }
        Some(Fault::Failed) => Ok(error_response(
            &call,
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "InternalFailure",
        )),
        Some(Fault::Reset) => Err(ConnectionReset.into()),
        Some(Fault::ResetAfterwards) => {
            upstream.forward(call).await?;
            Err(ConnectionReset.into())
        }
        Some(Fault::TimedOutAfterwards) => {
            upstream.forward(call).await?;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Err(ConnectionReset.into())
        }
        Some(Fault::Slow) => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            upstream.forward(call).await
        }
    }
}

/// An error response in the format of the called service.
fn error_response(call: &Call, status: StatusCode, json: &str, xml: &str) -> Response<Bytes> {
    let body = if call.operation().is_some() {
        format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{json}\",\"message\":\"injected\"}}")
    } else if call.is_sns() {
        format!("<ErrorResponse><Error><Type>Receiver</Type><Code>{xml}</Code></Error></ErrorResponse>")
    } else {
        let code = if status == StatusCode::BAD_REQUEST { "SlowDown" } else { "InternalError" };
        format!("<Error><Code>{code}</Code><Message>injected</Message></Error>")
    };
    let mut response = Response::new(body.into());
    // S3 reports throttling with status 503.
    let throttled = status == StatusCode::BAD_REQUEST && call.operation().is_none() && !call.is_sns();
    *response.status_mut() = if throttled { StatusCode::SERVICE_UNAVAILABLE } else { status };
    response
}

/// Bukti's functions, connected to the services through a proxy that injects faults.
fn handlers(aws: &Aws, faults: &SharedFaults) -> Handlers {
    let call_faults = Arc::clone(faults);
    let ((), aws) = connect_through(aws, async move |services| {
        let url = proxy::start(&services, move |upstream, call| {
            let fault = next_fault(&call_faults);
            forward(upstream, call, fault)
        })
        .await?;
        Ok(((), url))
    });
    let mut handlers = Handlers::bukti(&aws);
    handlers.streams = handlers.streams.into_iter().map(|source| with_disorder(source, faults)).collect();
    handlers
}

/// An event source that reorders records, duplicates them, and redelivers earlier batches.
fn with_disorder(source: StreamSource, faults: &SharedFaults) -> StreamSource {
    let (inner, faults) = (Arc::clone(&source.handler), Arc::clone(faults));
    let earlier: Arc<Mutex<VecDeque<Event>>> = Arc::default();
    let handler = move |mut event: Event| {
        let redelivered = {
            let (mut faults, mut earlier) = (faults.lock().unwrap(), earlier.lock().unwrap());
            earlier.push_back(event.clone());
            if earlier.len() > 50 {
                earlier.pop_front();
            }
            if faults.random.random_ratio(FAULT_PERCENT, 100) {
                event.records.reverse();
            }
            if faults.random.random_ratio(FAULT_PERCENT, 100) {
                let record = event.records[faults.random.random_range(0..event.records.len())].clone();
                event.records.push(record);
            }
            let at = faults.random.random_range(0..earlier.len());
            faults.random.random_ratio(FAULT_PERCENT, 100).then(|| earlier[at].clone())
        };
        let inner = Arc::clone(&inner);
        Box::pin(async move {
            if let Some(redelivered) = redelivered {
                // The result of a redelivery is ignored, since the first delivery has its own
                // result.
                let _ = inner(redelivered).await;
            }
            inner(event).await
        }) as futures::future::BoxFuture<'static, _>
    };
    StreamSource { handler: Arc::new(handler), ..source }
}

#[test]
fn nothing_is_lost_when_a_fifth_of_calls_fail() {
    let (rows, seed) = (env_number("BUKTI_CHAOS_ROWS", 150), env_number("BUKTI_CHAOS_SEED", 1));
    let random = StdRng::seed_from_u64(seed);
    let faults = Arc::new(Mutex::new(FaultSource { random, calls: 0, counts: BTreeMap::new() }));
    let began = Instant::now();
    // At this fault rate, a call is very unlikely to fail in all of its attempts.
    let app = TestApp::start_with_handlers(|aws| handlers(aws, &faults));
    let (feed, expected) = generate_feed(app.data.path(), people_for_rows(rows), seed);
    let (output, report) = import(app.url(), &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    app.wait_until_idle();
    let letters = app.bukti_ok(&["deadletters", "list"]);
    assert_eq!(letters, "", "some events became dead letters");
    assert_report(&report, &expected);
    assert_sms(&app.messages(), &expected);
    let aws = app.with_aws(async |aws| aws);
    let summary = consistency::check(&aws, app.data.path(), &expected);
    let faults = faults.lock().unwrap();
    println!(
        "{} rows, seed {seed}: {} calls, {:?}; {:.0} s; {} certificates, {} superseded; duplicate SMS: {}; \
         orphaned documents: {}",
        expected.len(),
        faults.calls,
        faults.counts,
        began.elapsed().as_secs_f64(),
        summary.valid,
        summary.superseded,
        deduplicated_sms(app.url()),
        summary.orphaned_documents
    );
    assert_eq!(faults.counts.len(), 6, "not every kind of fault occurred: {:?}", faults.counts);
}

/// Bukti's functions, which fail if `fails` returns true for the function's name and the event.
fn failing(aws: &Aws, fails: impl Fn(&str, &Event) -> bool + Clone + Send + Sync + 'static) -> Handlers {
    let mut handlers = Handlers::bukti(aws);
    let failing = |source: StreamSource| {
        let (inner, fails) = (Arc::clone(&source.handler), fails.clone());
        let handler = move |event: Event| {
            let (fails, inner) = (fails(source.name, &event), Arc::clone(&inner));
            Box::pin(async move {
                assert!(!fails, "injected failure");
                inner(event).await
            }) as futures::future::BoxFuture<'static, _>
        };
        StreamSource { handler: Arc::new(handler), ..source }
    };
    handlers.streams = handlers.streams.into_iter().map(failing).collect();
    handlers
}

#[test]
fn failing_records_become_dead_letters_until_redriven() {
    let is_fixed = Arc::new(AtomicBool::new(false));
    let works_again = Arc::clone(&is_fixed);
    let fast = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(4), retries: 3 };
    let app = TestApp::start_with_options(
        |options| options.stream_retry = fast,
        |aws| {
            let failing_keys: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
            failing(aws, move |function, event| {
                let key = |record: &EventRecord, name: &str| format!("{:?}", record.change.keys.get(name));
                let keys = event.records.iter().map(|record| key(record, "pk") + &key(record, "sk"));
                // `issue` fails for the first dose, `notify` for the first certificate.
                let keys: Vec<String> = keys.filter(|key| !key.contains("SIGNER")).collect();
                let mut failing_keys = failing_keys.lock().unwrap();
                if let (Some(first), false) = (keys.first(), failing_keys.contains_key(function)) {
                    failing_keys.insert(function.to_owned(), first.clone());
                }
                !works_again.load(Ordering::SeqCst)
                    && failing_keys.get(function).is_some_and(|it| keys.contains(it))
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
    // One dose fails in `issue`, and one of the other certificates in `notify`.
    assert_eq!(app.messages().len(), 18, "failing records do not block the others");
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
    assert_eq!((output.code, &*output.stdout), (1, "0 processed, 2 left\n"), "{}", output.stderr);
    is_fixed.store(true, Ordering::SeqCst);
    assert_eq!(app.bukti_ok(&["deadletters", "redrive"]), "2 processed, 0 left\n");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 20);
    assert_eq!(app.bukti_ok(&["deadletters", "list"]), "");
    let lacking = ["deadletters", "list", "--by-table", "--older-than", "0s"];
    assert_eq!(app.bukti_ok(&lacking), "", "the table lacks nothing");
    let keyless = app.caller().call("POST", "/_dead_letters/redrive", None, b"");
    assert_eq!(keyless.status, 403, "a redrive needs the key");
}

/// With `--by-table`, the command searches the table for missing certificates and SMS, as it always
/// does on AWS.
#[test]
fn lost_dead_letters_are_recovered_from_the_table() {
    let failing_function = Arc::new(Mutex::new("issue"));
    let never = Retry { first: Duration::from_millis(1), longest: Duration::from_millis(1), retries: 0 };
    let app = TestApp::start_with_options(
        |options| options.stream_retry = never,
        |aws| {
            let failing_function = Arc::clone(&failing_function);
            failing(aws, move |function, _| *failing_function.lock().unwrap() == function)
        },
    );
    let list = ["deadletters", "list", "--by-table", "--older-than", "0s"];
    let redrive = ["deadletters", "redrive", "--by-table", "--older-than", "0s"];
    app.import(&[dose("E1")]);
    assert_eq!(
        app.bukti_ok(&["deadletters", "list", "--by-table"]),
        "",
        "recent work may still be under way"
    );
    for lacks in ["issue   certificate", "notify  sms"] {
        let lacking = app.bukti_ok(&list);
        assert!(lacking.contains(lacks) && lacking.lines().count() == 1, "{lacking}");
        assert_eq!(app.messages().len(), 0);
        // Once `issue` works again, `notify` fails.
        *failing_function.lock().unwrap() = if lacks.starts_with("issue") { "notify" } else { "none" };
        assert_eq!(app.bukti_ok(&redrive), lacking);
        app.wait_until_idle();
    }
    assert_eq!(app.bukti_ok(&redrive), "");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), 1);
}
