//! Many who ask at once: how many answers a second, and how long they take.
//!
//! Who asks runs on the same machine, so what it computes is missing to the stack.

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

/// How many ask at the same time, each over a connection of their own.
const CONNECTIONS: usize = 64;
/// How many do where it is too much, …
const CROWD: usize = 10 * CONNECTIONS;
/// … and how long they may then wait to be told to come again, in milliseconds.
const GOAL_TURNED_AWAY: f64 = 100.0;
/// Answers that are not counted, while everything gets warm.
const WARM: Duration = Duration::from_secs(1);

/// Who is told to come again does so after this, sooner than asked: the crowd is to stay one.
const COMES_AGAIN: Duration = Duration::from_millis(100);

/// Status looks a second at least …
const GOAL: f64 = 3000.0;
/// … of which 99 in a hundred take at most so many milliseconds.
const GOAL_P99: f64 = 50.0;

/// What a run came to.
struct Outcome {
    /// Milliseconds for each answer that was what was asked for, in order.
    answered: Vec<f64>,
    /// For each other, by status.
    refused: BTreeMap<u16, Vec<f64>>,
    time: Duration,
}

impl Outcome {
    fn rate(&self) -> f64 {
        self.answered.len() as f64 / self.time.as_secs_f64()
    }

    /// As a row of the table.
    fn print(&self, name: &str) {
        let refused: Vec<String> =
            self.refused.iter().map(|(status, times)| format!("{} x {status}", times.len())).collect();
        println!(
            "{name:<20} {:>10.0} {:>9.1} {:>9.1}  {}",
            self.rate(),
            at(&self.answered, 0.5),
            at(&self.answered, 0.99),
            refused.join(", ")
        );
    }
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
        caller
            .post(StatusRoute::Status.path(), &json!({"name": name, "nik": nik, "captcha": caller.captcha()}))
    };
    let captcha = |caller: &Caller, _| caller.call("GET", StatusRoute::Captcha.path(), None, b"");
    let certificates = |caller: &Caller, _| caller.call("GET", &list, Some(&cookie), b"");
    let callers = |many| (0..many).map(|_| Caller::new(url, data)).collect::<Vec<_>>();
    let time = Duration::from_secs(seconds);

    println!("{CONNECTIONS} connections, {seconds} s each, who asks on the same machine\n");
    println!("{:<20} {:>10} {:>9} {:>9}  refused", "what", "answers/s", "p50 ms", "p99 ms");
    type Ask<'a> = &'a (dyn Fn(&Caller, usize) -> RawResponse + Sync);
    let asked: [(&str, Ask<'_>); 2] = [("captcha", &captcha), ("certificate list", &certificates)];
    for (name, ask) in asked {
        ensure!(ask(&caller, 0).status == 200, "{name} is not answered");
        run(callers(CONNECTIONS), ask, time)?.print(name);
    }
    ensure!(look(&caller, 0).status == 200, "status is not answered");
    let status = run(callers(CONNECTIONS), &look, time)?;
    status.print("status");
    let crowd = run(callers(CROWD), &look, time)?;
    crowd.print(&format!("status, {CROWD} ask"));
    let after = run(callers(CONNECTIONS), &look, time)?;
    after.print("status, afterwards");

    let reached = |is: bool| if is { "reached" } else { "missed" };
    let (rate, p99) = (status.rate(), at(&status.answered, 0.99));
    println!(
        "\n{GOAL} looks a second: {}; p99 under {GOAL_P99} ms: {}",
        reached(rate >= GOAL),
        reached(p99 < GOAL_P99)
    );
    let turned_away = crowd.refused.get(&503).map_or(0.0, |times| at(times, 0.99));
    let shed =
        crowd.refused.keys().all(|status| matches!(status, 429 | 503)) && turned_away < GOAL_TURNED_AWAY;
    println!(
        "{CROWD} at once: p99 of those told to come again {turned_away:.1} ms, under {GOAL_TURNED_AWAY}: {}; as fast as before afterwards: {}",
        reached(shed),
        reached(after.rate() > 0.9 * rate)
    );
    println!("looks_per_s={rate:.0} p50_ms={:.1} p99_ms={p99:.1}", at(&status.answered, 0.5));
    Ok(())
}

/// Rows of people whose name and identity number can be asked for, with a phone.
pub(crate) fn people(feed: &Path) -> Result<Vec<FeedRow>> {
    let rows = csv::Reader::from_path(feed).with_context(|| format!("{} is not there", feed.display()))?;
    let rows: Vec<FeedRow> = rows.into_deserialize().collect::<Result<_, _>>()?;
    let can_ask = |row: &FeedRow| {
        let known = Nik::parse(&row.nik).is_some() && PersonName::parse(&row.nama).is_some();
        known && row.no_hp.starts_with("08")
    };
    let people: Vec<_> = rows.into_iter().filter(can_ask).collect();
    ensure!(!people.is_empty(), "nobody in the feed has number and phone");
    Ok(people)
}

/// The cookie of somebody's session, and the address of their certificates.
fn log_in(caller: &Caller, url: &str, people: &[FeedRow]) -> Result<(String, String)> {
    for person in people {
        let asked = json!({"phone": person.no_hp, "name": person.nama, "captcha": caller.captcha()});
        let asked: Reply = caller.post(OtpRoute::Otp.path(), &asked).into();
        if asked.status != 202 {
            continue;
        }
        let code = outbox(url).pop().context("no code was sent")?.text;
        let code = code.rsplit('#').next().unwrap_or_default().trim().to_owned();
        let code = json!({"phone": person.no_hp, "code": code}).to_string();
        let session: Reply =
            caller.call("POST", OtpRoute::LogIn.path(), asked.cookie.as_deref(), code.as_bytes()).into();
        let cookie = session.cookie.context("nobody was logged in")?;
        let listed = caller.call("GET", HolderRoute::People.path(), Some(&cookie), b"").json();
        if let Some(id) = listed["people"][0]["id"].as_str() {
            return Ok((cookie, HolderRoute::Certificates.path_of(id)));
        }
    }
    anyhow::bail!("nobody in the feed can log in")
}

fn run(
    callers: Vec<Caller>,
    ask: &(dyn Fn(&Caller, usize) -> RawResponse + Sync),
    time: Duration,
) -> Result<Outcome> {
    let over = AtomicBool::new(false);
    let (began, many) = (Instant::now(), callers.len());
    let taken: Vec<Vec<(u16, f64)>> = std::thread::scope(|scope| {
        let askers: Vec<_> = callers
            .iter()
            .enumerate()
            .map(|(first, caller)| {
                let over = &over;
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    for at in (first..).step_by(many) {
                        let asked = Instant::now();
                        let answer = ask(caller, at);
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        if asked.duration_since(began) >= WARM {
                            taken.push((answer.status, asked.elapsed().as_secs_f64() * 1000.0));
                        }
                        if answer.status == 503 {
                            std::thread::sleep(COMES_AGAIN);
                        }
                    }
                    taken
                })
            })
            .collect();
        std::thread::sleep(WARM + time);
        over.store(true, Ordering::Relaxed);
        askers.into_iter().filter_map(|asker| asker.join().ok()).collect()
    });
    let mut by_status: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
    for (status, ms) in taken.into_iter().flatten() {
        by_status.entry(status).or_default().push(ms);
    }
    by_status.values_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    let answered = by_status.remove(&200).unwrap_or_default();
    ensure!(!answered.is_empty(), "nothing was answered");
    Ok(Outcome { answered, refused: by_status, time })
}

/// The time that this part of the answers took at most.
fn at(times: &[f64], part: f64) -> f64 {
    let place = (times.len().saturating_sub(1) as f64 * part) as usize;
    times.get(place).copied().unwrap_or_default()
}
