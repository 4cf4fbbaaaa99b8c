//! Estimates the cost on AWS for a million people. Each person has two doses imported and two
//! certificates issued, receives an SMS, requests the status three times, and downloads a
//! certificate twice through the link in the SMS. The cost of a log-in with a download is printed
//! separately.
//!
//! The benchmark simulates a sample of people on the embedded stack, with the latencies of AWS
//! added to the calls. It measures the functions' billable calls, CPU time and waiting time, and
//! computes the cost from a price list. CPU time is scaled to the share of a core that AWS
//! allocates for a function's memory size.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::FeedRow;
use bukti_store::{Documents, Endpoint};
use bukti_tests::{TestApp, csv, dose};
use bukti_wire::{HolderRoute, OtpRoute, StatusRoute};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::functions::{Functions, Work};
use crate::meter::Latencies;

const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1_000_000_000.0;
/// The goals in USD: with the signer's key in KMS, and with a sealed key.
const GOALS: [f64; 2] = [60.0, 35.0];
const STATUS_REQUESTS: usize = 3;
const DOWNLOADS: usize = 2;
const BIRTH_DATE: &str = "1989-01-24";

#[derive(Deserialize)]
struct Prices {
    date: String,
    region: String,
    lambda_million_requests: f64,
    lambda_gb_second: f64,
    api_gateway_million_requests: f64,
    cloudfront_million_requests: f64,
    cloudfront_million_functions: f64,
    dynamodb_million_writes: f64,
    dynamodb_million_reads: f64,
    dynamodb_gb_month: f64,
    dynamodb_recovery_gb_month: f64,
    s3_million_puts: f64,
    s3_million_gets: f64,
    s3_gb_month: f64,
    transfer_gb: f64,
    logs_gb: f64,
    traces_million: f64,
    kms_million_signatures: f64,
    assumed: Assumed,
}

#[derive(Deserialize)]
struct Assumed {
    dynamodb_ms: u64,
    s3_ms: u64,
    sns_ms: u64,
    kms_ms: u64,
    log_bytes_of_a_run: f64,
    log_bytes_of_a_request: f64,
    traced: f64,
    mb_of_a_core: f64,
}

/// The resources that the simulated people consume.
#[derive(Clone, Default)]
struct Consumption {
    work: BTreeMap<&'static str, Work>,
    /// The number of API requests.
    requests: f64,
    /// The number of documents that were downloaded.
    fetched: f64,
    fetched_bytes: f64,
}

impl Consumption {
    fn since(&self, before: &Consumption) -> Consumption {
        let work = |(name, work): (&&'static str, &Work)| {
            (*name, *work - before.work.get(name).copied().unwrap_or_default())
        };
        Consumption {
            work: self.work.iter().map(work).collect(),
            requests: self.requests - before.requests,
            fetched: self.fetched - before.fetched,
            fetched_bytes: self.fetched_bytes - before.fetched_bytes,
        }
    }
}

/// The results of the simulation.
struct Measured {
    people: f64,
    /// The consumption from the feed to the downloads through the link in the SMS.
    main: Consumption,
    /// The consumption of the log-in and of the download from the account.
    account: Consumption,
    /// The size of the table's items that do not expire, in bytes.
    table_bytes: f64,
    document_bytes: f64,
}

/// Simulates this number of people, and prints the estimated cost for a million.
pub fn bench(prices: &Path, template: &Path, people: usize) -> Result<()> {
    ensure!((1..10_000).contains(&people), "the number of people must be from 1 to 9,999");
    let text =
        std::fs::read_to_string(prices).with_context(|| format!("cannot read {}", prices.display()))?;
    let prices: Prices = serde_json::from_str(&text)?;
    let template = std::fs::read_to_string(template)?;
    let measured = simulate(&prices, people)?;
    print(&prices, &template, &measured)
}

fn simulate(prices: &Prices, people: usize) -> Result<Measured> {
    let ms = |ms| Duration::from_millis(ms);
    let assumed = &prices.assumed;
    let latencies =
        Latencies { dynamodb: ms(assumed.dynamodb_ms), s3: ms(assumed.s3_ms), sns: ms(assumed.sns_ms) };
    let mut functions = None;
    let app = TestApp::start_with_handlers(|aws| {
        let settings = (*aws.settings).clone();
        // A separate thread is needed, since a runtime cannot be started within the stack's
        // runtime.
        let started = std::thread::spawn(move || Functions::start(&settings, latencies)).join();
        #[expect(clippy::expect_used, reason = "the benchmark cannot continue without functions")]
        let started = started.expect("the thread panicked").expect("the functions did not start");
        functions.insert(started).handlers()
    });
    let functions = functions.context("the stack did not request its handlers")?;

    let rows: Vec<FeedRow> = (1..=people).flat_map(doses).collect();
    eprintln!("importing {} doses of {people} people", rows.len());
    let issued = import(&app, &rows);
    ensure!(issued == rows.len() as u64, "{issued} of {} doses were issued", rows.len());
    let links: BTreeMap<String, String> =
        app.messages().into_iter().filter_map(|sms| Some((sms.to.clone(), sms.token()?))).collect();

    eprintln!(
        "requesting the status {STATUS_REQUESTS} times and fetching a certificate {DOWNLOADS} times each"
    );
    let mut consumption = Consumption::default();
    for rows in rows.chunks(2) {
        let row = &rows[0];
        for _ in 0..STATUS_REQUESTS {
            let captcha = json!(app.caller().captcha());
            call(&app, &mut consumption, "GET", StatusRoute::Captcha.path(), None, None)?;
            let body = json!({"name": row.nama, "nik": row.nik, "captcha": captcha});
            let status = call(&app, &mut consumption, "POST", StatusRoute::Status.path(), None, Some(body))?;
            ensure!(status.1["doses"].as_array().is_some_and(|doses| doses.len() == 2), "{status:?}");
        }
        let token = links.get(&format!("+62{}", &row.no_hp[1..])).context("a person got no SMS")?;
        for _ in 0..DOWNLOADS {
            let body = json!({"token": token, "birth_date": BIRTH_DATE});
            let opened = call(&app, &mut consumption, "POST", HolderRoute::Link.path(), None, Some(body))?.1;
            fetch(&app, &mut consumption, &opened["document"])?;
        }
    }
    app.wait_until_idle();
    let (table_bytes, document_bytes) = sizes(&app)?;
    consumption.work = functions.work();
    let main = consumption.clone();

    eprintln!("logging in and fetching a certificate each");
    for rows in rows.chunks(2) {
        let row = &rows[0];
        let captcha = json!(app.caller().captcha());
        call(&app, &mut consumption, "GET", StatusRoute::Captcha.path(), None, None)?;
        let body = json!({"phone": row.no_hp, "name": row.nama, "captcha": captcha});
        let request = call(&app, &mut consumption, "POST", OtpRoute::Otp.path(), None, Some(body))?.0;
        let body = json!({"phone": row.no_hp, "code": app.last_code(&row.no_hp)});
        let cookie =
            call(&app, &mut consumption, "POST", OtpRoute::LogIn.path(), request.as_deref(), Some(body))?.0;
        let cookie = cookie.context("a log-in set no session cookie")?;
        let people = call(&app, &mut consumption, "GET", HolderRoute::People.path(), Some(&cookie), None)?.1;
        let person = people["people"][0]["id"].as_str().context("an account has no people")?;
        let path = HolderRoute::Certificates.path_of(person);
        let certificates = call(&app, &mut consumption, "GET", &path, Some(&cookie), None)?.1;
        let id =
            certificates["doses"][0]["certificate"]["id"].as_str().context("a person has no certificate")?;
        let path = HolderRoute::Document.path_of(id);
        let document = call(&app, &mut consumption, "POST", &path, Some(&cookie), None)?.1;
        fetch(&app, &mut consumption, &document)?;
    }
    app.wait_until_idle();
    consumption.work = functions.work();
    let account = consumption.since(&main);
    Ok(Measured { people: people as f64, main, account, table_bytes, document_bytes })
}

fn fetch(app: &TestApp, consumption: &mut Consumption, document: &Value) -> Result<()> {
    let (status, pdf) = app.fetch(document["url"].as_str().unwrap_or_default());
    ensure!(status == 200, "fetching a document failed with status {status}");
    consumption.fetched += 1.0;
    consumption.fetched_bytes += pdf.len() as f64;
    Ok(())
}

/// Imports a feed, waits until its certificates have been issued and the SMS messages sent, and
/// returns the number of certificates.
fn import(app: &TestApp, rows: &[FeedRow]) -> u64 {
    app.upload_feed("cost.csv", csv(rows));
    app.job("cost").and_then(|job| job.totals.get("issued").copied()).unwrap_or_default()
}

/// Calls the API and returns the cookie and the body of the response, which must be successful.
fn call(
    app: &TestApp,
    consumption: &mut Consumption,
    method: &str,
    path: &str,
    cookie: Option<&str>,
    body: Option<Value>,
) -> Result<(Option<String>, Value)> {
    consumption.requests += 1.0;
    let reply = app.call(method, path, cookie, body);
    ensure!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.code());
    Ok((reply.cookie, reply.body))
}

/// Creates the feed rows of a person's two doses.
fn doses(person: usize) -> [FeedRow; 2] {
    [("1", "2021-01-29"), ("2", "2021-02-26")].map(|(number, day)| {
        let event = format!("COST-{person}-{number}");
        FeedRow {
            nik: format!("317101240189{person:04}"),
            no_hp: format!("08215550{person:04}"),
            dosis_ke: number.to_owned(),
            tanggal_vaksinasi: day.to_owned(),
            sent_at: format!("{day}T08:41:34+07:00"),
            ..dose(&event)
        }
    })
}

/// Returns the size of the table's items that do not expire, computed as DynamoDB does and
/// including indexes, and the size of the documents. Both are in bytes.
fn sizes(app: &TestApp) -> Result<(f64, f64)> {
    app.with_aws(async |aws| {
        let settings = &aws.settings;
        // These clients bypass the metering proxy.
        let (dynamodb, s3) = Endpoint::of(settings)
            .context("the settings have no endpoint of an embedded stack")?
            .clients()
            .await;
        let scan = dynamodb.scan().table_name(&settings.table);
        let mut items = scan.into_paginator().items().send();
        let mut table = 0.0;
        while let Some(item) = items.next().await {
            let item = item?;
            if item.contains_key("expires_at") {
                continue;
            }
            let bytes: usize = item.iter().map(|(name, value)| name.len() + size(value)).sum();
            let indexes = ["person", "phone"].iter().filter(|name| item.contains_key(**name)).count();
            // DynamoDB adds 100 bytes to each item and to each copy in an index.
            table += ((bytes + 100) * (1 + indexes)) as f64;
        }
        let list = s3.list_objects_v2().bucket(&settings.bucket).prefix(Documents::FOLDER);
        let mut pages = list.into_paginator().send();
        let mut documents = 0.0;
        while let Some(page) = pages.next().await {
            let sizes = page?.contents.unwrap_or_default();
            documents += sizes.iter().filter_map(|object| object.size).sum::<i64>() as f64;
        }
        Ok((table, documents))
    })
}

/// Returns the size of a value in DynamoDB, in bytes. A string or binary value counts its length; a
/// number takes about half a byte per digit.
fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len() / 2 + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::L(all) => 3 + all.iter().map(|one| 1 + size(one)).sum::<usize>(),
        AttributeValue::M(all) => 3 + all.iter().map(|(name, one)| 1 + name.len() + size(one)).sum::<usize>(),
        AttributeValue::Ss(all) => 3 + all.iter().map(|text| 1 + text.len()).sum::<usize>(),
        _ => 1,
    }
}

/// Returns a function's memory size according to the template, in MB.
fn memory(template: &str, function: &str) -> Result<f64> {
    let of = |text: &str| -> Option<f64> {
        let (_, rest) = text.split_once("MemorySize: ")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let default = template
        .split("\nResources:")
        .next()
        .and_then(of)
        .context("the template has no global MemorySize")?;
    let (_, own) = template
        .split_once(&format!("\n  {function}Function:"))
        .with_context(|| format!("the template has no {function}Function"))?;
    // The resource ends where the next resource begins.
    let end = own.match_indices("\n  ").find(|(at, _)| !own[at + 3..].starts_with([' ', '#']));
    Ok(of(end.map_or(own, |(at, _)| &own[..at])).unwrap_or(default))
}

/// The cost of a function for a million people, in USD, with its components.
struct Bill {
    memory: f64,
    /// The mean duration of an invocation, in seconds.
    duration: f64,
    /// The mean CPU time of an invocation, in seconds, scaled to the function's share of a core.
    cpu: f64,
    dynamodb: f64,
    lambda: f64,
    others: f64,
}

impl Bill {
    fn new(name: &str, work: &Work, people: f64, prices: &Prices, template: &str) -> Result<Self> {
        let millions = |count: f64| count / people;
        let assumed = &prices.assumed;
        let memory = memory(template, name)?;
        let runs = work.runs as f64;
        let cpu = work.cpu.as_secs_f64() * assumed.mb_of_a_core / memory;
        let duration = work.duration.saturating_sub(work.cpu).as_secs_f64() + cpu;
        let log = millions(runs) * MILLION * assumed.log_bytes_of_a_run / GB;
        Ok(Self {
            memory,
            duration: duration / runs.max(1.0),
            cpu: cpu / runs.max(1.0),
            dynamodb: millions(work.usage.writes) * prices.dynamodb_million_writes
                + millions(work.usage.reads) * prices.dynamodb_million_reads,
            lambda: millions(runs) * prices.lambda_million_requests
                + millions(duration) * MILLION * memory / 1024.0 * prices.lambda_gb_second,
            others: millions(work.usage.puts) * prices.s3_million_puts
                + millions(work.usage.gets) * prices.s3_million_gets
                + log * prices.logs_gb
                + millions(runs) * assumed.traced * prices.traces_million,
        })
    }

    fn usd(&self) -> f64 {
        self.dynamodb + self.lambda + self.others
    }
}

/// Computes the bills of all functions except `publish`, which runs on a schedule, so that its cost
/// does not depend on the number of people.
fn bills(
    consumption: &Consumption,
    people: f64,
    prices: &Prices,
    template: &str,
) -> Result<BTreeMap<&'static str, Bill>> {
    let called = consumption.work.iter().filter(|(name, work)| **name != "Publish" && work.runs > 0);
    called.map(|(name, work)| Ok((*name, Bill::new(name, work, people, prices, template)?))).collect()
}

/// Computes the cost of API requests and document downloads for a million people, in USD.
fn network(consumption: &Consumption, people: f64, prices: &Prices) -> [(&'static str, f64); 4] {
    let requests = consumption.requests / people;
    let cloudfront = prices.cloudfront_million_requests + prices.cloudfront_million_functions;
    let log = requests * MILLION * prices.assumed.log_bytes_of_a_request / GB;
    let transfer = consumption.fetched_bytes / people * MILLION / GB;
    [
        ("API Gateway, requests", requests * prices.api_gateway_million_requests),
        ("CloudFront, requests of the API", requests * cloudfront),
        ("log of the API", log * prices.logs_gb),
        (
            "documents fetched from S3",
            consumption.fetched / people * prices.s3_million_gets + transfer * prices.transfer_gb,
        ),
    ]
}

fn print(prices: &Prices, template: &str, measured: &Measured) -> Result<()> {
    let people = measured.people;
    println!("\nA million people, from a simulation of {people}. Prices of {}:", prices.date);
    println!("{}.\n", prices.region);
    println!(
        "{:<9}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "function",
        "MB",
        "runs per",
        "ms per",
        "CPU ms",
        "writes",
        "reads",
        "DynamoDB",
        "Lambda",
        "S3, logs,"
    );
    println!(
        "{:<9}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "", "person", "run", "per run", "/ person", "/ person", "USD", "USD", "traces"
    );
    let bills = bills(&measured.main, people, prices, template)?;
    for (name, bill) in &bills {
        let work = &measured.main.work[name];
        println!(
            "{:<9}{:>6}{:>9.2}{:>9.1}{:>9.1}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}",
            name.to_lowercase(),
            bill.memory,
            work.runs as f64 / people,
            bill.duration * 1000.0,
            bill.cpu * 1000.0,
            work.usage.writes / people,
            work.usage.reads / people,
            bill.dynamodb,
            bill.lambda,
            bill.others,
        );
    }
    let mut sealed: f64 = bills.values().map(Bill::usd).sum();
    println!("\n{:<52}{sealed:>7.2} USD", "the functions, as above");
    for (what, usd) in network(&measured.main, people, prices) {
        sealed += usd;
        println!("{what:<52}{usd:>7.2}");
    }
    // Each person has two certificates, and the function is billed while it waits for KMS.
    let waiting_s = 2.0 * MILLION * prices.assumed.kms_ms as f64 / 1000.0;
    let issue = bills.get("Issue").context("the function issue did not run")?;
    let signing =
        2.0 * prices.kms_million_signatures + waiting_s * issue.memory / 1024.0 * prices.lambda_gb_second;
    let kms = sealed + signing;
    println!("{:<52}{sealed:>7.2}", "total, signer's key sealed in the table");
    println!("{:<52}{signing:>7.2}", "signing with AWS KMS instead");
    println!("{:<52}{kms:>7.2}", "total, signer's key in AWS KMS");

    let account: f64 =
        self::bills(&measured.account, people, prices, template)?.values().map(Bill::usd).sum();
    let account: f64 =
        account + network(&measured.account, people, prices).iter().map(|(_, usd)| usd).sum::<f64>();
    println!("\n{:<52}{account:>7.2} USD", "Additionally, a log-in with a download, without SMS");

    let per_million = |count: f64| count / people * MILLION;
    let table = per_million(measured.table_bytes) / GB;
    let documents = per_million(measured.document_bytes) / GB;
    println!("and for storage per month:");
    println!(
        "{:<52}{:>7.2} USD",
        format!("table with point-in-time recovery, {table:.1} GB"),
        table * (prices.dynamodb_gb_month + prices.dynamodb_recovery_gb_month)
    );
    println!("{:<52}{:>7.2}", format!("documents, {documents:.1} GB"), documents * prices.s3_gb_month);
    let [kms_goal, sealed_goal] = GOALS;
    let goal = |reached: bool| if reached { "reached" } else { "missed" };
    println!(
        "\ngoals: {kms_goal:.0} USD with KMS: {}; {sealed_goal:.0} USD with the sealed key: {}",
        goal(kms <= kms_goal),
        goal(sealed <= sealed_goal)
    );
    println!("cost_kms_usd={kms:.2} cost_sealed_usd={sealed:.2}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_size_is_own_or_global() {
        let template = "Globals:\n    MemorySize: 256\nResources:\n  AFunction:\n    Type: x\n  BFunction:\n    P:\n      # y\n      MemorySize: 512\n  C: 1\n";
        assert_eq!(memory(template, "A").unwrap(), 256.0);
        assert_eq!(memory(template, "B").unwrap(), 512.0);
        assert!(memory(template, "C").is_err());
    }

    #[test]
    fn each_person_has_own_nik() {
        let [first, second] = doses(7);
        assert_ne!(first.event_id, second.event_id);
        assert_eq!(first.nik, second.nik);
        assert_ne!(first.nik, doses(8)[0].nik);
        assert!(bukti_domain::Nik::parse(&first.nik).is_some());
    }
}
