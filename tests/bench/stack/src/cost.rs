//! What AWS takes for a million people: each has two doses taken in, two certificates, an SMS, looks three times at the
//! status, and fetches the certificate twice by the SMS's link. Beside it, what it takes that each logs in and fetches one.
//!
//! Some people are walked through all of that. What the functions ask the services for, how long they compute and how long they
//! wait for answers that come as late as AWS's is measured; the rest is arithmetic with a file of prices. On AWS a function has
//! a core's part that its memory buys, so what it computes takes that much longer.

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
/// At most so many dollars with the signer's key in KMS, and with a sealed one.
const GOALS: [f64; 2] = [60.0, 35.0];
const LOOKS: usize = 3;
const DOWNLOADS: usize = 2;
const BORN: &str = "1989-01-24";

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

/// What people had done for them.
#[derive(Clone, Default)]
struct Used {
    work: BTreeMap<&'static str, Work>,
    /// Requests of the API.
    requests: f64,
    /// Documents that were fetched, and their bytes.
    fetched: f64,
    fetched_bytes: f64,
}

impl Used {
    fn since(&self, before: &Used) -> Used {
        let work = |(name, work): (&&'static str, &Work)| {
            (*name, *work - before.work.get(name).copied().unwrap_or_default())
        };
        Used {
            work: self.work.iter().map(work).collect(),
            requests: self.requests - before.requests,
            fetched: self.fetched - before.fetched,
            fetched_bytes: self.fetched_bytes - before.fetched_bytes,
        }
    }
}

/// What was measured.
struct Measured {
    people: f64,
    /// From the feed to the downloads by the SMS's link.
    all: Used,
    /// A login, and a download from the account.
    account: Used,
    /// Bytes of the table that stay, and of the documents.
    table_bytes: f64,
    document_bytes: f64,
}

/// Walks people through, and prints what a million of them cost.
pub fn bench(prices: &Path, template: &Path, people: usize) -> Result<()> {
    ensure!((1..10_000).contains(&people), "1 to 9,999 people can be measured");
    let text = std::fs::read_to_string(prices).with_context(|| format!("no {}", prices.display()))?;
    let prices: Prices = serde_json::from_str(&text)?;
    let template = std::fs::read_to_string(template)?;
    let measured = walk(&prices, people)?;
    print(&prices, &template, &measured)
}

fn walk(prices: &Prices, people: usize) -> Result<Measured> {
    let ms = |ms| Duration::from_millis(ms);
    let assumed = &prices.assumed;
    let latencies =
        Latencies { dynamodb: ms(assumed.dynamodb_ms), s3: ms(assumed.s3_ms), sns: ms(assumed.sns_ms) };
    let mut functions = None;
    let app = TestApp::start_with_handlers(|aws| {
        let settings = (*aws.settings).clone();
        // Outside the runtime in which the stack starts.
        let started = std::thread::spawn(move || Functions::start(&settings, latencies)).join();
        #[expect(clippy::expect_used, reason = "a bench without functions cannot go on")]
        let started = started.expect("the functions start").expect("the functions start");
        functions.insert(started).handlers()
    });
    let functions = functions.context("the stack took no functions")?;

    let rows: Vec<FeedRow> = (1..=people).flat_map(doses).collect();
    eprintln!("{} doses of {people} people are taken in", rows.len());
    let issued = take_in(&app, &rows);
    ensure!(issued == rows.len() as u64, "{issued} of {} doses were issued", rows.len());
    let links: BTreeMap<String, String> =
        app.messages().into_iter().filter_map(|sms| Some((sms.to.clone(), sms.token()?))).collect();

    eprintln!("they look at their status {LOOKS} times and fetch a certificate {DOWNLOADS} times");
    let mut used = Used::default();
    for rows in rows.chunks(2) {
        let row = &rows[0];
        for _ in 0..LOOKS {
            let captcha = json!(app.caller().captcha());
            call(&app, &mut used, "GET", StatusRoute::Captcha.path(), None, None)?;
            let asked = json!({"name": row.nama, "nik": row.nik, "captcha": captcha});
            let status = call(&app, &mut used, "POST", StatusRoute::Status.path(), None, Some(asked))?;
            ensure!(status.1["doses"].as_array().is_some_and(|doses| doses.len() == 2), "{status:?}");
        }
        let token = links.get(&format!("+62{}", &row.no_hp[1..])).context("somebody had no SMS")?;
        for _ in 0..DOWNLOADS {
            let asked = json!({"token": token, "birth_date": BORN});
            let opened = call(&app, &mut used, "POST", HolderRoute::Link.path(), None, Some(asked))?.1;
            fetch(&app, &mut used, &opened["document"])?;
        }
    }
    app.wait_until_idle();
    let (table_bytes, document_bytes) = sizes(&app)?;
    used.work = functions.work();
    let all = used.clone();

    eprintln!("they log in and fetch a certificate");
    for rows in rows.chunks(2) {
        let row = &rows[0];
        let captcha = json!(app.caller().captcha());
        call(&app, &mut used, "GET", StatusRoute::Captcha.path(), None, None)?;
        let asked = json!({"phone": row.no_hp, "name": row.nama, "captcha": captcha});
        let request = call(&app, &mut used, "POST", OtpRoute::Otp.path(), None, Some(asked))?.0;
        let asked = json!({"phone": row.no_hp, "code": app.last_code(&row.no_hp)});
        let cookie =
            call(&app, &mut used, "POST", OtpRoute::LogIn.path(), request.as_deref(), Some(asked))?.0;
        let cookie = cookie.context("nobody is logged in")?;
        let people = call(&app, &mut used, "GET", HolderRoute::People.path(), Some(&cookie), None)?.1;
        let person = people["people"][0]["id"].as_str().context("an account shows nobody")?;
        let path = HolderRoute::Certificates.path_of(person);
        let certificates = call(&app, &mut used, "GET", &path, Some(&cookie), None)?.1;
        let id = certificates["doses"][0]["certificate"]["id"].as_str().context("no certificate")?;
        let path = HolderRoute::Document.path_of(id);
        let document = call(&app, &mut used, "POST", &path, Some(&cookie), None)?.1;
        fetch(&app, &mut used, &document)?;
    }
    app.wait_until_idle();
    used.work = functions.work();
    let account = used.since(&all);
    Ok(Measured { people: people as f64, all, account, table_bytes, document_bytes })
}

/// Fetches a document.
fn fetch(app: &TestApp, used: &mut Used, document: &Value) -> Result<()> {
    let (status, pdf) = app.fetch(document["url"].as_str().unwrap_or_default());
    ensure!(status == 200, "a document was not there");
    used.fetched += 1.0;
    used.fetched_bytes += pdf.len() as f64;
    Ok(())
}

/// Drops a feed, waits until its certificates are issued and their SMS sent, and gives how many there are.
fn take_in(app: &TestApp, rows: &[FeedRow]) -> u64 {
    app.upload_feed("cost.csv", csv(rows));
    app.job("cost").and_then(|job| job.totals.get("issued").copied()).unwrap_or_default()
}

/// Calls the API; gives the cookie and the body of a good answer.
fn call(
    app: &TestApp,
    used: &mut Used,
    method: &str,
    path: &str,
    cookie: Option<&str>,
    body: Option<Value>,
) -> Result<(Option<String>, Value)> {
    used.requests += 1.0;
    let reply = app.call(method, path, cookie, body);
    ensure!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.code());
    Ok((reply.cookie, reply.body))
}

/// The two doses of a person.
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

/// Bytes of the table's items that stay, as DynamoDB counts them with their copies in indexes, and of the documents.
fn sizes(app: &TestApp) -> Result<(f64, f64)> {
    app.with_aws(async |aws| {
        let settings = &aws.settings;
        // Clients that are not metered.
        let (dynamodb, s3) = Endpoint::of(settings).context("the stack has keys")?.clients().await;
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
            // DynamoDB counts 100 bytes more for each item, and for each copy in an index.
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

/// The bytes of a value: text and bytes as they are, numbers about half a byte a digit.
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

/// The memory of a function in the template, MB.
fn memory(template: &str, function: &str) -> Result<f64> {
    let of = |text: &str| -> Option<f64> {
        let (_, rest) = text.split_once("MemorySize: ")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let everywhere = template.split("\nResources:").next().and_then(of).context("no MemorySize for all")?;
    let (_, own) =
        template.split_once(&format!("\n  {function}Function:")).with_context(|| format!("no {function}"))?;
    // Up to the next resource.
    let end = own.match_indices("\n  ").find(|(at, _)| !own[at + 3..].starts_with([' ', '#']));
    Ok(of(end.map_or(own, |(at, _)| &own[..at])).unwrap_or(everywhere))
}

/// What a function takes for a million people, USD, and what that is made of.
struct Bill {
    memory: f64,
    /// Seconds of a run, and what of it is computed, with the part of a core that the memory buys.
    ran: f64,
    computed: f64,
    dynamodb: f64,
    lambda: f64,
    others: f64,
}

impl Bill {
    fn of(name: &str, work: &Work, people: f64, prices: &Prices, template: &str) -> Result<Self> {
        let millions = |count: f64| count / people;
        let assumed = &prices.assumed;
        let memory = memory(template, name)?;
        let runs = work.runs as f64;
        let computed = work.computed.as_secs_f64() * assumed.mb_of_a_core / memory;
        let ran = work.ran.saturating_sub(work.computed).as_secs_f64() + computed;
        let log = millions(runs) * MILLION * assumed.log_bytes_of_a_run / GB;
        Ok(Self {
            memory,
            ran: ran / runs.max(1.0),
            computed: computed / runs.max(1.0),
            dynamodb: millions(work.asked.writes) * prices.dynamodb_million_writes
                + millions(work.asked.reads) * prices.dynamodb_million_reads,
            lambda: millions(runs) * prices.lambda_million_requests
                + millions(ran) * MILLION * memory / 1024.0 * prices.lambda_gb_second,
            others: millions(work.asked.puts) * prices.s3_million_puts
                + millions(work.asked.gets) * prices.s3_million_gets
                + log * prices.logs_gb
                + millions(runs) * assumed.traced * prices.traces_million,
        })
    }

    fn usd(&self) -> f64 {
        self.dynamodb + self.lambda + self.others
    }
}

/// The bill of each function that people call. `publish` runs by the clock, however many there are.
fn bills(used: &Used, people: f64, prices: &Prices, template: &str) -> Result<BTreeMap<&'static str, Bill>> {
    let called = used.work.iter().filter(|(name, work)| **name != "Publish" && work.runs > 0);
    called.map(|(name, work)| Ok((*name, Bill::of(name, work, people, prices, template)?))).collect()
}

/// What comes to the functions, USD for a million people.
fn network(used: &Used, people: f64, prices: &Prices) -> [(&'static str, f64); 4] {
    let requests = used.requests / people;
    let cloudfront = prices.cloudfront_million_requests + prices.cloudfront_million_functions;
    let log = requests * MILLION * prices.assumed.log_bytes_of_a_request / GB;
    let transfer = used.fetched_bytes / people * MILLION / GB;
    [
        ("API Gateway, requests", requests * prices.api_gateway_million_requests),
        ("CloudFront, requests of the API", requests * cloudfront),
        ("log of the API", log * prices.logs_gb),
        (
            "documents fetched from S3",
            used.fetched / people * prices.s3_million_gets + transfer * prices.transfer_gb,
        ),
    ]
}

fn print(prices: &Prices, template: &str, measured: &Measured) -> Result<()> {
    let people = measured.people;
    println!("\nA million people, by {people} people walked through. Prices of {}:", prices.date);
    println!("{}.\n", prices.region);
    println!(
        "{:<9}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "function", "MB", "runs a", "ms a", "of that", "writes", "reads", "DynamoDB", "Lambda", "S3, logs,"
    );
    println!(
        "{:<9}{:>6}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "", "person", "run", "computed", "a person", "a person", "USD", "USD", "traces"
    );
    let bills = bills(&measured.all, people, prices, template)?;
    for (name, bill) in &bills {
        let work = &measured.all.work[name];
        println!(
            "{:<9}{:>6}{:>9.2}{:>9.1}{:>9.1}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}",
            name.to_lowercase(),
            bill.memory,
            work.runs as f64 / people,
            bill.ran * 1000.0,
            bill.computed * 1000.0,
            work.asked.writes / people,
            work.asked.reads / people,
            bill.dynamodb,
            bill.lambda,
            bill.others,
        );
    }
    let mut sealed: f64 = bills.values().map(Bill::usd).sum();
    println!("\n{:<52}{sealed:>7.2} USD", "the functions, as above");
    for (what, usd) in network(&measured.all, people, prices) {
        sealed += usd;
        println!("{what:<52}{usd:>7.2}");
    }
    // A certificate for each dose. The function waits for the signature.
    let waited = 2.0 * MILLION * prices.assumed.kms_ms as f64 / 1000.0;
    let issue = bills.get("Issue").context("nothing was issued")?;
    let signing =
        2.0 * prices.kms_million_signatures + waited * issue.memory / 1024.0 * prices.lambda_gb_second;
    let kms = sealed + signing;
    println!("{:<52}{sealed:>7.2}", "all, signer's key sealed in the table");
    println!("{:<52}{signing:>7.2}", "AWS KMS signs instead");
    println!("{:<52}{kms:>7.2}", "all, signer's key in AWS KMS");

    let account: f64 =
        self::bills(&measured.account, people, prices, template)?.values().map(Bill::usd).sum();
    let account: f64 =
        account + network(&measured.account, people, prices).iter().map(|(_, usd)| usd).sum::<f64>();
    println!("\n{:<52}{account:>7.2} USD", "Beside it, each login with a download (SMS apart)");

    let a_million = |count: f64| count / people * MILLION;
    let table = a_million(measured.table_bytes) / GB;
    let documents = a_million(measured.document_bytes) / GB;
    println!("and each month that the records are kept:");
    println!(
        "{:<52}{:>7.2} USD",
        format!("table with its copy for recovery, {table:.1} GB"),
        table * (prices.dynamodb_gb_month + prices.dynamodb_recovery_gb_month)
    );
    println!("{:<52}{:>7.2}", format!("documents, {documents:.1} GB"), documents * prices.s3_gb_month);
    let [most_kms, most_sealed] = GOALS;
    let goal = |reached: bool| if reached { "reached" } else { "missed" };
    println!(
        "\ngoals: {most_kms:.0} USD with KMS {}, {most_sealed:.0} USD with the sealed key {}",
        goal(kms <= most_kms),
        goal(sealed <= most_sealed)
    );
    println!("cost_kms_usd={kms:.2} cost_sealed_usd={sealed:.2}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_memory_is_its_own_or_that_of_all() {
        let template = "Globals:\n    MemorySize: 256\nResources:\n  AFunction:\n    Type: x\n  BFunction:\n    P:\n      # y\n      MemorySize: 512\n  C: 1\n";
        assert_eq!(memory(template, "A").unwrap(), 256.0);
        assert_eq!(memory(template, "B").unwrap(), 512.0);
        assert!(memory(template, "C").is_err());
    }

    #[test]
    fn every_person_is_another() {
        let [first, second] = doses(7);
        assert_ne!(first.event_id, second.event_id);
        assert_eq!(first.nik, second.nik);
        assert_ne!(first.nik, doses(8)[0].nik);
        assert!(bukti_domain::Nik::parse(&first.nik).is_some());
    }
}
