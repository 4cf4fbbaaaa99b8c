//! Many who ask at once: how many answers a second, and how long they take.
//!
//! Who asks runs on the same machine, so what it computes is missing to the stack.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bukti_domain::FeedRow;
use bukti_tests::caller::{Caller, Raw};
use bukti_tests::{Reply, outbox};
use serde_json::json;

/// How many ask at the same time, each over a connection of their own.
const CONNECTIONS: usize = 64;
/// Answers that are not counted, while everything gets warm.
const WARM: Duration = Duration::from_secs(1);

/// Status looks a second at least …
const GOAL: f64 = 3000.0;
/// … of which 99 in a hundred take at most so many milliseconds.
const GOAL_P99: f64 = 50.0;

/// What a run came to.
struct Outcome {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Answers that were not what was asked for.
    refused: usize,
}

/// Asks the stack at this address, whose data are here and which has taken this feed in.
///
/// # Errors
///
/// Where the stack does not do what it is asked for, once.
pub fn bench(url: &str, data: &Path, feed: &Path, seconds: u64) -> Result<()> {
    let people = people(feed)?;
    let caller = Caller::new(url, data);
    let (cookie, list) = log_in(&caller, url, &people)?;
    let look = |caller: &Caller, at: usize| {
        let FeedRow { nama: name, nik, .. } = &people[at % people.len()];
        caller.post("/api/status", &json!({"name": name, "nik": nik, "captcha": caller.captcha()}))
    };
    let captcha = |caller: &Caller, _| caller.call("GET", "/api/captcha", None, b"");
    let certificates = |caller: &Caller, _| caller.call("GET", &list, Some(&cookie), b"");
    let callers = || (0..CONNECTIONS).map(|_| Caller::new(url, data)).collect::<Vec<_>>();

    println!("{CONNECTIONS} connections, {seconds} s each, who asks on the same machine\n");
    println!("{:<20} {:>10} {:>9} {:>9} {:>9}", "what", "answers/s", "p50 ms", "p99 ms", "refused");
    let mut status = None;
    type Ask<'a> = &'a (dyn Fn(&Caller, usize) -> Raw + Sync);
    let asked: [(&str, Ask<'_>); 3] =
        [("captcha", &captcha), ("certificate list", &certificates), ("status", &look)];
    for (name, ask) in asked {
        ensure!(ask(&caller, 0).status == 200, "{name} is not answered");
        let outcome = run(callers(), ask, Duration::from_secs(seconds))?;
        println!(
            "{name:<20} {:>10.0} {:>9.1} {:>9.1} {:>9}",
            outcome.rate, outcome.p50, outcome.p99, outcome.refused
        );
        status = Some(outcome);
    }
    let status = status.context("nothing was asked")?;
    let reached = |is: bool| if is { "reached" } else { "missed" };
    println!(
        "\n{GOAL} looks a second: {}; p99 under {GOAL_P99} ms: {}",
        reached(status.rate >= GOAL),
        reached(status.p99 < GOAL_P99)
    );
    println!("looks_per_s={:.0} p50_ms={:.1} p99_ms={:.1}", status.rate, status.p50, status.p99);
    Ok(())
}

/// Rows of people with an identity number and a phone.
fn people(feed: &Path) -> Result<Vec<FeedRow>> {
    let rows = csv::Reader::from_path(feed).with_context(|| format!("{} is not there", feed.display()))?;
    let rows: Vec<FeedRow> = rows.into_deserialize().collect::<Result<_, _>>()?;
    let has_both = |row: &FeedRow| row.nik.len() == 16 && row.no_hp.starts_with("08");
    let people: Vec<_> = rows.into_iter().filter(has_both).collect();
    ensure!(!people.is_empty(), "nobody in the feed has number and phone");
    Ok(people)
}

/// The cookie of somebody's session, and the address of their certificates.
fn log_in(caller: &Caller, url: &str, people: &[FeedRow]) -> Result<(String, String)> {
    for person in people {
        let asked = json!({"phone": person.no_hp, "name": person.nama, "captcha": caller.captcha()});
        if caller.post("/api/otp", &asked).status != 202 {
            continue;
        }
        let code = outbox(url).pop().context("no code was sent")?.text;
        let code = code.rsplit('#').next().unwrap_or_default().trim().to_owned();
        let session: Reply =
            caller.post("/api/sessions", &json!({"phone": person.no_hp, "code": code})).into();
        let cookie = session.cookie.context("nobody was logged in")?;
        let listed = caller.call("GET", "/api/people", Some(&cookie), b"").json();
        if let Some(id) = listed["people"][0]["id"].as_str() {
            return Ok((cookie, format!("/api/people/{id}/certificates")));
        }
    }
    anyhow::bail!("nobody in the feed can log in")
}

fn run(
    callers: Vec<Caller>,
    ask: &(dyn Fn(&Caller, usize) -> Raw + Sync),
    time: Duration,
) -> Result<Outcome> {
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let taken: Vec<(Vec<f64>, usize)> = std::thread::scope(|scope| {
        let askers: Vec<_> = callers
            .iter()
            .enumerate()
            .map(|(first, caller)| {
                let over = &over;
                scope.spawn(move || {
                    let (mut times, mut refused) = (Vec::new(), 0);
                    for at in (first..).step_by(CONNECTIONS) {
                        let asked = Instant::now();
                        let answer = ask(caller, at);
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        if asked.duration_since(began) >= WARM {
                            times.push(asked.elapsed().as_secs_f64() * 1000.0);
                            refused += usize::from(answer.status != 200);
                        }
                    }
                    (times, refused)
                })
            })
            .collect();
        std::thread::sleep(WARM + time);
        over.store(true, Ordering::Relaxed);
        askers.into_iter().filter_map(|asker| asker.join().ok()).collect()
    });
    let refused = taken.iter().map(|(_, refused)| refused).sum();
    let mut times: Vec<f64> = taken.into_iter().flat_map(|(times, _)| times).collect();
    ensure!(!times.is_empty(), "nothing was answered");
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Ok(Outcome { rate: times.len() as f64 / time.as_secs_f64(), p50: at(0.5), p99: at(0.99), refused })
}
