//! How soon a function that nobody has called for a while answers: its process is started, and asked as AWS Lambda does.
//!
//! All are asked for the same by the same runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>) and look in the same table. The
//! API is our own few routes: what there is as a crate brings a second TLS and a second HTTP client into the workspace.

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

/// How often each is started, by turns, and how often it is then asked once more.
const STARTS: usize = 20;
const WARM: usize = 50;
/// An answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// From the start of the process to its first answer at most so many milliseconds …
const GOAL_MS: f64 = 25.0;
/// … and Node at least so many times as long, …
const GOAL_RATIO: f64 = 10.0;
/// … with so many megabytes of memory …
const GOAL_MEMORY_MB: f64 = 32.0;
/// … and of each zip at most.
const GOAL_ZIP_MB: f64 = 4.0;

/// What is measured.
#[derive(Clone, Debug, Deserialize)]
pub struct Function {
    /// What it is called in the table.
    name: String,
    /// Its program with arguments.
    command: Vec<String>,
    /// How large the largest zip of its service is, in megabytes, where all that it needs is in there.
    zip_mb: Option<f64>,
}

impl std::str::FromStr for Function {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(json)
    }
}

/// What its lives came to.
#[derive(Default)]
struct Outcome {
    /// Milliseconds from the start of the process to its first answer, and for those after it.
    cold: Vec<f64>,
    warm: Vec<f64>,
    /// The most memory, in megabytes.
    memory_mb: f64,
}

/// Starts each of the functions again and again, on the stack at this address, whose data are here and which has taken this
/// feed in. The first is Bukti's, the second is the one that it is compared with.
///
/// # Errors
///
/// Where one does not answer as the others do.
pub fn bench(url: &str, data: &Path, feed: &Path, functions: &[Function]) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let caller = Caller::new(url, data);
    let stack = caller.call("GET", "/_stack.json", None, b"").json();
    let keys = std::fs::read(data.join("access-keys.json")).context("the stack's keys cannot be read")?;
    let variables = variables(url, &stack, &serde_json::from_slice(&keys)?);
    let people = crate::load::people(feed)?;
    let people: Vec<&FeedRow> =
        people.iter().filter(|person| has_certificates(&caller, person)).take(STARTS).collect();
    ensure!(people.len() == STARTS, "too few in the feed have certificates");
    let mut events = people.iter().cycle().enumerate().map(|(at, person)| event(&caller, at, person));
    let mut outcomes: Vec<Outcome> = functions.iter().map(|_| Outcome::default()).collect();
    for person in &people {
        let mut said: Option<Value> = None;
        // The same person is looked at by all, each with a captcha of their own.
        for (function, outcome) in functions.iter().zip(&mut outcomes) {
            let first = event(&caller, outcome.cold.len(), person);
            let events: Vec<Value> = std::iter::once(first).chain(events.by_ref().take(WARM)).collect();
            let answer = runtime.block_on(live(function, &variables, events, outcome));
            let answer = answer.with_context(|| format!("{} does not answer", function.name))?;
            let before = said.get_or_insert_with(|| answer.clone());
            ensure!(*before == answer, "{} answers {answer}, the first {before}", function.name);
        }
    }
    print(functions, &mut outcomes)
}

/// Whether a person has doses, and certificates of all of them: what else is said of a dose is decided by Bukti's own rules.
fn has_certificates(caller: &Caller, person: &FeedRow) -> bool {
    let asked = json!({"name": person.nama, "nik": person.nik, "captcha": caller.captcha()});
    let answer = caller.post(StatusRoute::Status.path(), &asked).json();
    let doses = answer["doses"].as_array().map(Vec::as_slice).unwrap_or_default();
    !doses.is_empty() && doses.iter().all(|dose| dose["diagnosis"]["code"] == "certificate_issued")
}

/// What stands in an answer that all must say alike. Words and codes for vaccines and diagnoses are Bukti's own.
fn essence(answer: &Value) -> Value {
    let doses = answer["doses"].as_array().into_iter().flatten();
    let essence = doses.map(|dose| {
        json!([dose["dose_number"], dose["vaccination_date"], dose["facility"], dose["diagnosis"]["code"]])
    });
    essence.collect()
}

/// What the functions find in their environment, on AWS by the template.
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

/// A look at the status of a person, as the API gateway hands it on (payload format 2.0).
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

/// One life of a function's process. Gives the essence of its first answer.
async fn live(
    function: &Function,
    variables: &HashMap<&'static str, String>,
    events: Vec<Value>,
    outcome: &mut Outcome,
) -> Result<Value> {
    let (ask, asked) = mpsc::channel::<Value>(1);
    let (answer, mut answers) = mpsc::channel::<Result<Value>>(1);
    let api = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{what}", post(ended))
        .route("/2018-06-01/runtime/init/error", post(not_started))
        .with_state(Arc::new(Api { asked: Mutex::new(asked), answer }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, api).into_future());

    let (program, arguments) = function.command.split_first().context("a function has no program")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables).kill_on_drop(true);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("AWS_LAMBDA_RUNTIME_API", address.to_string());
    command.env("AWS_LAMBDA_FUNCTION_NAME", "status").env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("AWS_LAMBDA_LOG_STREAM_NAME", "bench");
    command.env("AWS_LAMBDA_LOG_GROUP_NAME", "bench").stdin(Stdio::null());
    command.stdout(Stdio::null());
    let mut first = None;
    let mut began = Instant::now();
    let process = command.spawn().with_context(|| format!("cannot start {program}"))?;
    for event in events {
        if first.is_some() {
            began = Instant::now();
        }
        ask.send(event).await?;
        let answer = tokio::time::timeout(PATIENCE, answers.recv()).await?.context("nothing comes")??;
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        ensure!(answer["statusCode"] == 200, "it says {answer}");
        if first.is_none() {
            outcome.cold.push(ms);
            first = Some(essence(&serde_json::from_str(answer["body"].as_str().unwrap_or_default())?));
        } else {
            outcome.warm.push(ms);
        }
    }
    outcome.memory_mb = outcome.memory_mb.max(most_memory_mb(&process)?);
    drop(process);
    server.abort();
    first.context("nothing was asked")
}

/// The most memory that a process has had (proc(5), `VmHWM`), in megabytes.
fn most_memory_mb(process: &Child) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap_or_default()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kb / 1024.0)
}

/// The runtime API of one process.
struct Api {
    asked: Mutex<mpsc::Receiver<Value>>,
    answer: mpsc::Sender<Result<Value>>,
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(event) = api.asked.lock().await.recv().await else {
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

async fn ended(
    State(api): State<Arc<Api>>,
    Segment((_, what)): Segment<(String, String)>,
    body: String,
) -> StatusCode {
    let answer = match what.as_str() {
        "response" => serde_json::from_str(&body).context("an answer that is no JSON"),
        _ => Err(anyhow::anyhow!("it fails: {body}")),
    };
    let _ = api.answer.send(answer).await;
    StatusCode::ACCEPTED
}

async fn not_started(State(api): State<Arc<Api>>, body: String) -> StatusCode {
    let _ = api.answer.send(Err(anyhow::anyhow!("it does not start: {body}"))).await;
    StatusCode::ACCEPTED
}

fn print(functions: &[Function], outcomes: &mut [Outcome]) -> Result<()> {
    println!("{STARTS} starts each, by turns, and {WARM} more looks after each; all in the same table\n");
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "function", "cold ms", "worst ms", "warm ms", "memory MB", "zips MB"
    );
    let mut cold = Vec::new();
    for (function, outcome) in functions.iter().zip(outcomes.iter_mut()) {
        let (median, worst) = (middle(&mut outcome.cold), outcome.cold.last().copied().unwrap_or_default());
        let zip = function.zip_mb.map(|zip| format!("{zip:.2}")).unwrap_or_default();
        println!(
            "{:<28} {median:>9.1} {worst:>9.1} {:>9.2} {:>10.1} {zip:>8}",
            function.name,
            middle(&mut outcome.warm),
            outcome.memory_mb
        );
        cold.push(median);
    }
    let ([bukti, node, ..], Some(first), Some(zip_mb)) =
        (&cold[..], outcomes.first(), functions.first().and_then(|function| function.zip_mb))
    else {
        anyhow::bail!("there is nothing to compare with")
    };
    let reached = |is: bool| if is { "reached" } else { "missed" };
    println!(
        "\n{GOAL_MS} ms: {}; {GOAL_RATIO} times Node: {}; {GOAL_MEMORY_MB} MB of memory: {}; {GOAL_ZIP_MB} MB of each zip: {}",
        reached(*bukti <= GOAL_MS),
        reached(node / bukti >= GOAL_RATIO),
        reached(first.memory_mb <= GOAL_MEMORY_MB),
        reached(zip_mb <= GOAL_ZIP_MB)
    );
    println!(
        "cold_ms={bukti:.1} node_ms={node:.1} ratio={:.1} rss_mb={:.1} zip_mb={zip_mb:.2}",
        node / bukti,
        first.memory_mb
    );
    Ok(())
}

/// The median, and the times in order.
fn middle(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
