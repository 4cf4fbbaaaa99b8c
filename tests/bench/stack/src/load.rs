//! Measures throughput and latency with many concurrent clients, also under overload.
//!
//! The clients run on the same machine, so their CPU time is not available to the stack.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bukti_domain::{FeedRow, Nik, PersonName};
use bukti_tests::caller::{Caller, RawResponse};
use bukti_tests::{Reply, outbox};
use bukti_wire::{HolderRoute, OtpRoute, StatusRoute};
use serde_json::json;

/// The number of concurrent clients, each with its own connection.
const CONNECTIONS: usize = 64;
/// The number of concurrent clients under overload.
const OVERLOAD_CONNECTIONS: usize = 10 * CONNECTIONS;
/// The goal for the p99 latency of rejections under overload, in milliseconds.
const GOAL_REJECTED_P99: f64 = 100.0;
/// The duration of the warm-up. Its responses are not counted.
const WARM_UP: Duration = Duration::from_secs(1);

/// The delay after which a rejected client retries. It is shorter than `Retry-After`, so that the
/// overload persists.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// The goal for the throughput, in status requests per second.
const GOAL_RATE: f64 = 3000.0;
/// The goal for the p99 latency of status requests, in milliseconds.
const GOAL_P99: f64 = 50.0;

/// The measurements of a run. Times are in milliseconds and sorted.
struct Measurements {
    /// The latencies of responses with status 200.
    succeeded: Vec<f64>,
    /// The latencies of all other responses, keyed by status.
    rejected: BTreeMap<u16, Vec<f64>>,
    duration: Duration,
}

impl Measurements {
    fn rate(&self) -> f64 {
        self.succeeded.len() as f64 / self.duration.as_secs_f64()
    }

    /// Prints the throughput, the latencies and the rejections as a row of the table.
    fn print(&self, name: &str) {
        let rejected: Vec<String> =
            self.rejected.iter().map(|(status, times)| format!("{} x {status}", times.len())).collect();
        println!(
            "{name:<20} {:>10.0} {:>9.1} {:>9.1}  {}",
            self.rate(),
            percentile(&self.succeeded, 0.5),
            percentile(&self.succeeded, 0.99),
            rejected.join(", ")
        );
    }
}

/// Measures a running stack. `url` and `data` are the URL and the data folder of a stack that has
/// imported the feed.
pub fn bench(url: &str, data: &Path, feed: &Path, seconds: u64) -> Result<()> {
    let people = people(feed)?;
    let caller = Caller::new(url, data);
    let (cookie, list) = log_in(&caller, url, &people)?;
    let status = |caller: &Caller, at: usize| {
        let FeedRow { nama: name, nik, .. } = &people[at % people.len()];
        caller
            .post(StatusRoute::Status.path(), &json!({"name": name, "nik": nik, "captcha": caller.captcha()}))
    };
    let captcha = |caller: &Caller, _| caller.call("GET", StatusRoute::Captcha.path(), None, b"");
    let certificates = |caller: &Caller, _| caller.call("GET", &list, Some(&cookie), b"");
    let callers = |count| (0..count).map(|_| Caller::new(url, data)).collect::<Vec<_>>();
    let duration = Duration::from_secs(seconds);

    println!("{CONNECTIONS} connections, {seconds} s each, clients on the same machine\n");
    println!("{:<20} {:>10} {:>9} {:>9}  rejected", "request", "per s", "p50 ms", "p99 ms");
    type SendRequest<'a> = &'a (dyn Fn(&Caller, usize) -> RawResponse + Sync);
    let requests: [(&str, SendRequest<'_>); 2] = [("captcha", &captcha), ("certificate list", &certificates)];
    for (name, send) in requests {
        ensure!(send(&caller, 0).status == 200, "the request for {name} failed; check the logs of the stack");
        run(callers(CONNECTIONS), send, duration)?.print(name);
    }
    ensure!(status(&caller, 0).status == 200, "the status request failed; check the logs of the stack");
    let normal = run(callers(CONNECTIONS), &status, duration)?;
    normal.print("status");
    let overload = run(callers(OVERLOAD_CONNECTIONS), &status, duration)?;
    overload.print(&format!("status, {OVERLOAD_CONNECTIONS} conn."));
    let after = run(callers(CONNECTIONS), &status, duration)?;
    after.print("status, afterwards");

    let goal = |reached: bool| if reached { "reached" } else { "missed" };
    let (rate, p99) = (normal.rate(), percentile(&normal.succeeded, 0.99));
    println!(
        "\ngoals: {GOAL_RATE} status requests per second: {}; p99 under {GOAL_P99} ms: {}",
        goal(rate >= GOAL_RATE),
        goal(p99 < GOAL_P99)
    );
    let rejected_p99 = overload.rejected.get(&503).map_or(0.0, |times| percentile(times, 0.99));
    let is_shed = overload.rejected.keys().all(|status| matches!(status, 429 | 503))
        && rejected_p99 < GOAL_REJECTED_P99;
    println!(
        "{OVERLOAD_CONNECTIONS} connections: p99 of rejections {rejected_p99:.1} ms, under {GOAL_REJECTED_P99} ms: {}; throughput recovers afterwards: {}",
        goal(is_shed),
        goal(after.rate() > 0.9 * rate)
    );
    println!("looks_per_s={rate:.0} p50_ms={:.1} p99_ms={p99:.1}", percentile(&normal.succeeded, 0.5));
    Ok(())
}

/// Returns the rows of people who have a valid name, a valid NIK and a mobile phone number.
pub(crate) fn people(feed: &Path) -> Result<Vec<FeedRow>> {
    let rows = csv::Reader::from_path(feed).with_context(|| format!("cannot read {}", feed.display()))?;
    let rows: Vec<FeedRow> = rows.into_deserialize().collect::<Result<_, _>>()?;
    let is_usable = |row: &FeedRow| {
        let has_person = Nik::parse(&row.nik).is_some() && PersonName::parse(&row.nama).is_some();
        has_person && row.no_hp.starts_with("08")
    };
    let people: Vec<_> = rows.into_iter().filter(is_usable).collect();
    ensure!(!people.is_empty(), "no row of the feed has a valid name, NIK and phone");
    Ok(people)
}

/// Logs in as the first person in the feed for whom that is possible. Returns the session cookie
/// and the path of the person's certificates.
fn log_in(caller: &Caller, url: &str, people: &[FeedRow]) -> Result<(String, String)> {
    for person in people {
        let request = json!({"phone": person.no_hp, "name": person.nama, "captcha": caller.captcha()});
        let requested: Reply = caller.post(OtpRoute::Otp.path(), &request).into();
        if requested.status != 202 {
            continue;
        }
        let code = outbox(url).pop().context("no code was sent")?.text;
        let code = code.rsplit('#').next().unwrap_or_default().trim().to_owned();
        let code = json!({"phone": person.no_hp, "code": code}).to_string();
        let session: Reply =
            caller.call("POST", OtpRoute::LogIn.path(), requested.cookie.as_deref(), code.as_bytes()).into();
        let cookie = session.cookie.context("the log-in failed")?;
        let listed = caller.call("GET", HolderRoute::People.path(), Some(&cookie), b"").json();
        if let Some(id) = listed["people"][0]["id"].as_str() {
            return Ok((cookie, HolderRoute::Certificates.path_of(id)));
        }
    }
    anyhow::bail!("no person of the feed can log in and has a certificate")
}

fn run(
    callers: Vec<Caller>,
    send: &(dyn Fn(&Caller, usize) -> RawResponse + Sync),
    duration: Duration,
) -> Result<Measurements> {
    let stop = AtomicBool::new(false);
    let (started, count) = (Instant::now(), callers.len());
    let responses: Vec<Vec<(u16, f64)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = callers
            .iter()
            .enumerate()
            .map(|(first, caller)| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut responses = Vec::new();
                    for at in (first..).step_by(count) {
                        let sent = Instant::now();
                        let response = send(caller, at);
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        if sent.duration_since(started) >= WARM_UP {
                            responses.push((response.status, sent.elapsed().as_secs_f64() * 1000.0));
                        }
                        if response.status == 503 {
                            std::thread::sleep(RETRY_DELAY);
                        }
                    }
                    responses
                })
            })
            .collect();
        std::thread::sleep(WARM_UP + duration);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut by_status: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
    for (status, ms) in responses.into_iter().flatten() {
        by_status.entry(status).or_default().push(ms);
    }
    by_status.values_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    let succeeded = by_status.remove(&200).unwrap_or_default();
    ensure!(!succeeded.is_empty(), "no request succeeded; check the logs of the stack");
    Ok(Measurements { succeeded, rejected: by_status, duration })
}

/// Returns a percentile of sorted times. `fraction` is from 0 to 1.
fn percentile(times: &[f64], fraction: f64) -> f64 {
    let index = (times.len().saturating_sub(1) as f64 * fraction) as usize;
    times.get(index).copied().unwrap_or_default()
}
