//! Measures cold starts: the time from the start of a function's process to its first response.
//!
//! All functions receive the same requests through Lambda's runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) and read the same table. This
//! module implements the runtime API, since the existing crate would add a second TLS library and a
//! second HTTP client to the workspace.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bukti_domain::FeedRow;
use bukti_tests::caller::Caller;
use bukti_wire::StatusRoute;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};

/// The number of cold starts per function. The functions alternate.
const STARTS: usize = 20;
/// The number of warm requests after each start.
const WARM: usize = 50;
/// How long to wait for a response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The goal for the median cold start, in milliseconds.
const GOAL_MS: f64 = 25.0;
/// The goal for the ratio of Node's time to Bukti's time.
const GOAL_RATIO: f64 = 10.0;
/// The goal for the peak memory, in megabytes.
const GOAL_MEMORY_MB: f64 = 32.0;
/// The goal for the largest zip file, in megabytes.
const GOAL_ZIP_MB: f64 = 4.0;

/// A function to be measured.
#[derive(Clone, Debug, Deserialize)]
pub struct Function {
    /// The function's name in the printed table.
    name: String,
    /// The program and its arguments.
    command: Vec<String>,
    /// The size of the service's largest zip file, in megabytes; `None` if the function is not
    /// self-contained.
    zip_mb: Option<f64>,
}

impl std::str::FromStr for Function {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

/// The measurements of a function over all its starts.
#[derive(Default)]
struct Measurements {
    /// The times from the start of the process to the first response, in milliseconds.
    cold: Vec<f64>,
    /// The times of all later responses, in milliseconds.
    warm: Vec<f64>,
    /// The peak memory, in megabytes.
    memory_mb: f64,
}

/// Starts each function repeatedly and prints the measurements. `url` and `data` are the URL and
/// the data folder of a running stack that has imported the feed. The first function is Bukti's;
/// the second is the peer for the ratio.
///
/// # Errors
///
/// If a function fails, or if its response differs from the responses of the other functions.
pub fn bench(url: &str, data: &Path, feed: &Path, functions: &[Function]) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let caller = Caller::new(url, data);
    let stack = caller.call("GET", "/_stack.json", None, b"").json();
    let keys = std::fs::read(data.join("access-keys.json"))
        .context("cannot read the stack's keys; is this the folder of its data?")?;
    let variables = variables(url, &stack, &serde_json::from_slice(&keys)?);
    let people = crate::load::people(feed)?;
    let people: Vec<&FeedRow> =
        people.iter().filter(|person| has_certificates(&caller, person)).take(STARTS).collect();
    ensure!(
        people.len() == STARTS,
        "fewer than {STARTS} people of the feed have certificates; import a larger feed"
    );
    let mut events = people.iter().cycle().enumerate().map(|(at, person)| event(&caller, at, person));
    let mut measurements: Vec<Measurements> = functions.iter().map(|_| Measurements::default()).collect();
    for person in &people {
        let mut expected: Option<Value> = None;
        // All functions receive a request for the same person, each with a new captcha.
        for (function, measured) in functions.iter().zip(&mut measurements) {
            let first = event(&caller, measured.cold.len(), person);
            let events: Vec<Value> = std::iter::once(first).chain(events.by_ref().take(WARM)).collect();
            let response = runtime.block_on(run_process(function, &variables, events, measured));
            let response = response.with_context(|| format!("{} failed", function.name))?;
            let expected = expected.get_or_insert_with(|| response.clone());
            ensure!(*expected == response, "{} responded {response}; expected {expected}", function.name);
        }
    }
    print(functions, &mut measurements)
}

/// Whether a person has doses and all of them have certificates. The peers do not implement the
/// diagnoses of other doses.
fn has_certificates(caller: &Caller, person: &FeedRow) -> bool {
    let request = json!({"name": person.nama, "nik": person.nik, "captcha": caller.captcha()});
    let response = caller.post(StatusRoute::Status.path(), &request).json();
    let doses = response["doses"].as_array().map(Vec::as_slice).unwrap_or_default();
    !doses.is_empty() && doses.iter().all(|dose| dose["diagnosis"]["code"] == "certificate_issued")
}

/// Returns the fields of a response that must be equal for all functions. The peers do not
/// implement the other fields.
fn comparable_fields(response: &Value) -> Value {
    let doses = response["doses"].as_array().into_iter().flatten();
    let fields = doses.map(|dose| {
        json!([dose["dose_number"], dose["vaccination_date"], dose["facility"], dose["diagnosis"]["code"]])
    });
    fields.collect()
}

/// Returns the functions' environment variables, which the CloudFormation template sets on AWS.
fn variables(url: &str, stack: &Value, keys: &Value) -> HashMap<&'static str, String> {
    let text = |name: &str| stack[name].as_str().unwrap_or_default().to_owned();
    let key = |name: &str| keys[name].as_str().unwrap_or_default().to_owned();
    HashMap::from([
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("AWS_REGION", text("region")),
        ("AWS_DEFAULT_REGION", text("region")),
        ("AWS_ACCESS_KEY_ID", key("access_key")),
        ("AWS_SECRET_ACCESS_KEY", key("secret_key")),
        ("BUKTI_TABLE", text("table")),
        ("BUKTI_BUCKET", text("bucket")),
        ("BUKTI_PUBLIC_BUCKET", text("public_bucket")),
        ("BUKTI_SECRETS", format!("file:{}", text("secrets"))),
        ("BUKTI_SITE_URL", url.to_owned()),
    ])
}

/// Creates a status request in the format of an API Gateway event (payload format 2.0).
fn event(caller: &Caller, at: usize, person: &FeedRow) -> Value {
    let [.., a, b, c] = at.to_be_bytes();
    let path = StatusRoute::Status.path();
    let body = json!({"name": person.nama, "nik": person.nik, "captcha": caller.captcha()}).to_string();
    json!({
        "version": "2.0",
        "routeKey": format!("POST {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "localhost"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": format!("10.{a}.{b}.{c}"), "userAgent": "bench"},
            "requestId": at.to_string(),
            "routeKey": format!("POST {path}"),
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Runs a function's process once. Sends the events, records the times, and returns the comparable
/// fields of the first response.
async fn run_process(
    function: &Function,
    variables: &HashMap<&'static str, String>,
    events: Vec<Value>,
    measured: &mut Measurements,
) -> Result<Value> {
    let (event_sender, pending_events) = mpsc::channel::<Value>(1);
    let (response_sender, mut responses) = mpsc::channel::<Result<Value>>(1);
    let api = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(invocation_ended))
        .route("/2018-06-01/runtime/init/error", post(init_failed))
        .with_state(Arc::new(RuntimeApi { pending_events: Mutex::new(pending_events), response_sender }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, api).into_future());

    let (program, arguments) = function.command.split_first().context("a function has an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables).kill_on_drop(true);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
    command.env("AWS_LAMBDA_FUNCTION_NAME", "status").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("AWS_LAMBDA_LOG_STREAM_NAME", "bench");
    command.env("AWS_LAMBDA_LOG_GROUP_NAME", "bench").stdin(Stdio::null());
    command.stdout(Stdio::null());
    let mut first = None;
    let mut started = Instant::now();
    let process = command.spawn().with_context(|| format!("cannot start {program}"))?;
    for event in events {
        if first.is_some() {
            started = Instant::now();
        }
        event_sender.send(event).await?;
        let response = tokio::time::timeout(TIMEOUT, responses.recv()).await?.context("no response")??;
        let ms = started.elapsed().as_secs_f64() * 1000.0;
        ensure!(response["statusCode"] == 200, "unexpected response: {response}");
        if first.is_none() {
            measured.cold.push(ms);
            let body = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
            first = Some(comparable_fields(&body));
        } else {
            measured.warm.push(ms);
        }
    }
    measured.memory_mb = measured.memory_mb.max(peak_memory_mb(&process)?);
    drop(process);
    server.abort();
    first.context("no requests were sent")
}

/// Returns the peak memory of a process (`VmHWM` in proc(5)), in megabytes.
fn peak_memory_mb(process: &Child) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap_or_default()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kb / 1024.0)
}

/// The state of the runtime API that serves one process.
struct RuntimeApi {
    pending_events: Mutex<mpsc::Receiver<Value>>,
    response_sender: mpsc::Sender<Result<Value>>,
}

async fn next_invocation(State(api): State<Arc<RuntimeApi>>) -> Response {
    let Some(event) = api.pending_events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", "00000000-0000-0000-0000-000000000000"),
        ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:ap-southeast-3:000000000000:function:status"),
    ];
    (headers, event.to_string()).into_response()
}

async fn invocation_ended(
    State(api): State<Arc<RuntimeApi>>,
    Segment((_, kind)): Segment<(String, String)>,
    body: String,
) -> StatusCode {
    let response = match kind.as_str() {
        "response" => serde_json::from_str(&body).context("the response is not JSON"),
        _ => Err(anyhow::anyhow!("the invocation failed: {body}")),
    };
    let _ = api.response_sender.send(response).await;
    StatusCode::ACCEPTED
}

async fn init_failed(State(api): State<Arc<RuntimeApi>>, body: String) -> StatusCode {
    let _ = api.response_sender.send(Err(anyhow::anyhow!("the function did not start: {body}"))).await;
    StatusCode::ACCEPTED
}

fn print(functions: &[Function], measurements: &mut [Measurements]) -> Result<()> {
    println!(
        "{STARTS} alternating cold starts each, with {WARM} warm requests after each; all on the same table\n"
    );
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "function", "cold ms", "worst ms", "warm ms", "memory MB", "zips MB"
    );
    let mut cold = Vec::new();
    for (function, measured) in functions.iter().zip(measurements.iter_mut()) {
        let (cold_median, worst) =
            (median(&mut measured.cold), measured.cold.last().copied().unwrap_or_default());
        let zip = function.zip_mb.map(|zip| format!("{zip:.2}")).unwrap_or_default();
        println!(
            "{:<28} {cold_median:>9.1} {worst:>9.1} {:>9.2} {:>10.1} {zip:>8}",
            function.name,
            median(&mut measured.warm),
            measured.memory_mb
        );
        cold.push(cold_median);
    }
    let ([bukti, node, ..], Some(first), Some(zip_mb)) =
        (&cold[..], measurements.first(), functions.first().and_then(|function| function.zip_mb))
    else {
        anyhow::bail!("two functions and the zip size of the first are needed for the comparison")
    };
    let goal = |reached: bool| if reached { "reached" } else { "missed" };
    println!(
        "\ngoals: {GOAL_MS} ms: {}; Node takes {GOAL_RATIO} times as long: {}; {GOAL_MEMORY_MB} MB of memory: {}; {GOAL_ZIP_MB} MB per zip: {}",
        goal(*bukti <= GOAL_MS),
        goal(node / bukti >= GOAL_RATIO),
        goal(first.memory_mb <= GOAL_MEMORY_MB),
        goal(zip_mb <= GOAL_ZIP_MB)
    );
    println!(
        "cold_ms={bukti:.1} node_ms={node:.1} ratio={:.1} rss_mb={:.1} zip_mb={zip_mb:.2}",
        node / bukti,
        first.memory_mb
    );
    Ok(())
}

/// Sorts the times and returns the median.
fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
