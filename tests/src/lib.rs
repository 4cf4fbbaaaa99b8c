//! What the journeys have in common: a stack of their own on a free port, feeds, and a caller of its API.
//!
//! The real sample feed is read from `../shared/data/satudata` beside the project, where it is there; tests that need it
//! say so and pass where it is not.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use altcha::{Challenge, Payload, SolveChallengeOptions, solve_challenge};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bukti_domain::FeedRow;
use bukti_domain::feed::COLUMNS;
use bukti_local::{Handlers, Options, Stack};
use bukti_records::JobRecord;
use bukti_store::{Aws, Endpoint, Feeds, Jobs, Settings};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute, StatusRoute};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller::{Caller, Raw};

pub mod between;
pub mod caller;
pub mod expected;
pub mod ministack;
pub mod people;
pub mod running;

/// A stack on a free port with data of its own, and a caller of its API.
pub struct TestApp {
    url: String,
    // In the order in which they go: the stack before its runtime and its data.
    stack: Option<Stack>,
    runtime: tokio::runtime::Runtime,
    caller: Caller,
    started: Instant,
    /// The folder of its data.
    pub data: TempDir,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; `null` where there is none.
    pub body: Value,
    /// The `Cache-Control` header.
    pub cache_control: Option<String>,
    /// The first cookie that it sets, as it is sent back.
    pub cookie: Option<String>,
    /// The whole header of it.
    pub set_cookie: Option<String>,
}

impl Reply {
    /// The stable code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl From<Raw> for Reply {
    fn from(raw: Raw) -> Self {
        let header = |name: &str| raw.header(name).map(str::to_owned);
        let (cache_control, set_cookie) = (header("cache-control"), header("set-cookie"));
        Self {
            status: raw.status,
            body: if raw.body.is_empty() { Value::Null } else { serde_json::from_slice(&raw.body).unwrap() },
            cache_control,
            cookie: set_cookie.as_ref().and_then(|cookie| cookie.split(';').next()).map(str::to_owned),
            set_cookie,
        }
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// An SMS of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// E.164.
    pub to: String,
    /// The sender's id.
    pub from: String,
    /// The text.
    pub text: String,
}

impl Message {
    /// The token of the link in it.
    pub fn token(&self) -> Option<String> {
        let (_, rest) = self.text.split_once("/s/")?;
        rest.split_whitespace().next().map(str::to_owned)
    }

    /// The text as it is on AWS, the token left out. It is one part: 160 characters of GSM-7's basic set.
    pub fn one_part(&self, app: &TestApp) -> String {
        let text = self.text.replace(app.url(), "https://bukti.example.go.id");
        let is_gsm7 = |c: char| c.is_ascii_alphanumeric() || " \n@#!\"%&'()*+,-./:;<=>?_".contains(c);
        assert!(text.chars().all(is_gsm7), "{text}");
        assert!(text.chars().count() <= 160, "{} characters: {text}", text.chars().count());
        self.token().map_or(text.clone(), |token| text.replace(&token, "[token]"))
    }
}

/// Waits where the hour is about to end. Allowances are counted by the hour and by the day, from the
/// full hour on: a journey that went on beyond it would find them full again.
fn not_shortly_before_the_hour() {
    const JOURNEY: i64 = 60;
    let left = 3600 - jiff::Timestamp::now().as_second() % 3600;
    if left < JOURNEY {
        std::thread::sleep(Duration::from_secs(left.unsigned_abs()));
    }
}

/// A line of a report: outcome and reasons.
pub type Report = BTreeMap<u64, (String, String)>;

impl TestApp {
    /// Starts a stack with empty data.
    pub fn start() -> Self {
        Self::start_with(Handlers::bukti)
    }

    /// Starts a stack with empty data and these functions.
    pub fn start_with(handlers: impl FnOnce(&Aws) -> Handlers) -> Self {
        Self::start_by(|_| {}, handlers)
    }

    /// Starts a stack with empty data, otherwise than usual.
    pub fn start_by(change: impl FnOnce(&mut Options), handlers: impl FnOnce(&Aws) -> Handlers) -> Self {
        not_shortly_before_the_hour();
        let started = Instant::now();
        let data = TempDir::new().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut options = Options { port: 0, data: data.path().to_owned(), ..Options::default() };
        change(&mut options);
        let stack = runtime.block_on(Stack::start_with(options, handlers)).unwrap();
        let caller = Caller::new(stack.url(), data.path());
        Self { url: stack.url().to_owned(), stack: Some(stack), runtime, caller, started, data }
    }

    /// Stops the stack and starts it again with the same data, on another port.
    pub fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// Stops the stack, does something with the folder of its data, and starts it again, on another port.
    pub fn restart_after(&mut self, work: impl FnOnce(&Path)) {
        let stack = self.stack.take().unwrap();
        let options = Options { port: 0, data: self.data.path().to_owned(), ..Options::default() };
        self.runtime.block_on(stack.stop());
        work(self.data.path());
        let stack = self.runtime.block_on(Stack::start_with(options, Handlers::bukti)).unwrap();
        self.url = stack.url().to_owned();
        self.caller = Caller::new(&self.url, self.data.path());
        self.stack = Some(stack);
    }

    /// The address of the stack.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does with the stack's table and keys what no route does.
    pub fn with_aws<T>(&self, work: impl AsyncFnOnce(Aws) -> T) -> T {
        let info = self.stack.as_ref().unwrap().info();
        let settings =
            Settings::local(&info.endpoint, &info.access_key, &info.secret_key, info.secrets.clone());
        self.runtime.block_on(async { work(Aws::connect(settings).await.unwrap()).await })
    }

    /// Drops a feed under this name, as a hub does, and waits until all that comes of it is done.
    pub fn drop_feed(&self, name: &str, feed: Vec<u8>) {
        self.drop_feeds(vec![(name.to_owned(), feed)]);
    }

    /// Drops some at once.
    pub fn drop_feeds(&self, feeds: Vec<(String, Vec<u8>)>) {
        self.with_aws(async |aws| {
            let (_, s3) = Endpoint::of(&aws.settings).unwrap().clients().await;
            for (name, feed) in feeds {
                let key = format!("{}{name}", Feeds::DROP);
                let request = s3.put_object().bucket(&aws.settings.bucket).key(key);
                request.body(feed.into()).send().await.unwrap();
            }
        });
        self.settle();
    }

    /// A job of the intake.
    pub fn job(&self, job: &str) -> Option<JobRecord> {
        self.with_aws(async |aws| Jobs::new(&aws).get(job).await.unwrap())
    }

    /// Who calls it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Runs a command of `bukti` with this stack.
    pub fn bukti(&self, arguments: &[&str]) -> Said {
        let output = Command::new(program("bukti"))
            .args(arguments)
            .args(["--endpoint", &self.url])
            .env("XDG_STATE_HOME", self.data.path().join("state"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What [`TestApp::bukti`] says where it succeeds.
    pub fn bukti_well(&self, arguments: &[&str]) -> String {
        let said = self.bukti(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    }

    /// The QR text of the certificate that the last link to a phone leads to.
    pub fn qr_text(&self, phone: &str, birth_date: &str) -> String {
        let token = self.messages_to(phone).iter().rev().find_map(Message::token).unwrap();
        let opened = self.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": birth_date}));
        opened.body["certificate"]["qr_text"].as_str().unwrap().to_owned()
    }

    /// Waits until every record of the stream and every feed is worked off.
    pub fn settle(&self) {
        let stack = self.stack.as_ref().unwrap();
        assert!(
            self.runtime.block_on(stack.wait_idle(Duration::from_secs(300))),
            "the stack does not come to rest"
        );
    }

    /// Imports rows through the command line, waits until all is done, and returns the report.
    pub fn import(&self, rows: &[FeedRow]) -> Report {
        let feed = self.data.path().join("feed-of-the-test.csv");
        std::fs::write(&feed, csv(rows)).unwrap();
        let (output, report) = import(&self.url, &feed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.settle();
        report
    }

    /// Calls the API, each time from another network.
    pub fn call(&self, method: &str, path: &str, cookie: Option<&str>, body: Option<Value>) -> Reply {
        self.caller.call(method, path, cookie, &bytes(body)).into()
    }

    /// Calls the API from this address, as the content delivery network hands it on.
    pub fn call_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        self.caller.call_from(address, method, path, cookie, &bytes(body)).into()
    }

    /// Posts to the API, logged in or not.
    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, None, Some(body))
    }

    /// Asks for the status of a person, with a captcha solved for it.
    pub fn status(&self, name: &str, nik: &str) -> Reply {
        self.post(StatusRoute::Status.path(), json!({"name": name, "nik": nik, "captcha": self.captcha()}))
    }

    /// Asks for a quick download with the facts of a row and a captcha solved for it.
    pub fn download(&self, facts: &FeedRow) -> Reply {
        self.post(StatusRoute::Download.path(), self.download_request(facts))
    }

    /// The request of [`TestApp::download`].
    pub fn download_request(&self, facts: &FeedRow) -> Value {
        download_request(facts, &self.captcha())
    }

    /// A solved captcha.
    pub fn captcha(&self) -> String {
        solve(self.call("GET", StatusRoute::Captcha.path(), None, None).body)
    }

    /// Asks for a one-time code, with a name for a new account, and a captcha solved for it.
    pub fn ask_code(&self, phone: &str, name: Option<&str>) -> Reply {
        let captcha = self.captcha();
        self.post(
            OtpRoute::Otp.path(),
            match name {
                Some(name) => json!({"phone": phone, "name": name, "captcha": captcha}),
                None => json!({"phone": phone, "captcha": captcha}),
            },
        )
    }

    /// Logs in with the code of an SMS and returns the cookie.
    pub fn log_in(&self, phone: &str, name: Option<&str>) -> String {
        let asked = self.ask_code(phone, name);
        assert_eq!(asked.status, 202);
        let reply = self.try_code(phone, &self.last_code(phone), asked.cookie.as_deref());
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.cookie.unwrap()
    }

    /// Tries a code with the cookie of the request that it was sent for.
    pub fn try_code(&self, phone: &str, code: &str, cookie: Option<&str>) -> Reply {
        self.call("POST", OtpRoute::LogIn.path(), cookie, Some(json!({"phone": phone, "code": code})))
    }

    /// Makes an officer; gives the secret of the authenticator.
    pub fn appoint(&self, phone: &str, name: &str, role: &str) -> String {
        let said = self.bukti_well(&["officer", "add", phone, "--name", name, "--role", role]);
        let (_, secret) = said.split_once("?secret=").unwrap();
        secret.split('&').next().unwrap().to_owned()
    }

    /// An officer who has logged in with both factors; gives the cookie.
    pub fn officer(&self, phone: &str, name: &str, role: &str) -> String {
        let secret = self.appoint(phone, name, role);
        let cookie = self.log_in(phone, None);
        let shown = self.call(
            "POST",
            HelpdeskRoute::SecondFactor.path(),
            Some(&cookie),
            Some(json!({"code": authenticator_code(&secret)})),
        );
        assert_eq!((shown.status, &shown.body["name"]), (200, &json!(name)), "{}", shown.code());
        cookie
    }

    /// The code of the last SMS to a phone.
    pub fn last_code(&self, phone: &str) -> String {
        let message = self.messages_to(phone).pop().unwrap();
        message.text.rsplit('#').next().unwrap().trim().to_owned()
    }

    /// All SMS that were sent, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        outbox(&self.url)
    }

    /// The SMS to a phone, written as people write it.
    pub fn messages_to(&self, phone: &str) -> Vec<Message> {
        let to = bukti_domain::PhoneNumber::parse(phone).unwrap();
        self.messages().into_iter().filter(|message| message.to == to.e164()).collect()
    }

    /// The certificates of the stack's signer and of its root, PEM.
    pub fn signer(&self) -> (String, String) {
        (self.bukti_well(&["keys", "export"]), self.bukti_well(&["keys", "export", "--root"]))
    }

    /// Fetches what a presigned address holds: status and bytes.
    pub fn fetch(&self, url: &str) -> (u16, Vec<u8>) {
        let raw = self.caller.call("GET", url, None, b"");
        (raw.status, raw.body)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(stack) = self.stack.take() {
            self.runtime.block_on(stack.stop());
        }
        let test = std::thread::current();
        let seconds = self.started.elapsed().as_secs_f32();
        append("BUKTI_TIMES", &format!("{seconds:.1} {}\n", test.name().unwrap_or("a test")));
    }
}

fn bytes(body: Option<Value>) -> Vec<u8> {
    body.map(|body| body.to_string().into_bytes()).unwrap_or_default()
}

/// Does something a thousand times, by fifty threads at the same time.
pub fn a_thousand_times<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..50).map(|_| scope.spawn(|| (0..20).map(|_| work()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// What is the same of the base64 of these bytes, wherever in a longer text they stand.
pub fn in_base64(bytes: &[u8]) -> BTreeSet<String> {
    let mut encoded = BTreeSet::new();
    for before in 0..3 {
        let padded = [&vec![0; before], bytes].concat();
        // Letters that hold bits of a neighbour are left out.
        let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            encoded.insert(text[from..to].to_owned());
        }
    }
    encoded
}

/// Today (UTC), `YYYY-MM-DD`.
pub fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// The code that an officer's authenticator shows now, by its secret (base32).
pub fn authenticator_code(secret: &str) -> String {
    let secret = totp_rs::Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let totp = totp_rs::TOTP::new_unchecked(totp_rs::Algorithm::SHA1, 6, 0, 30, secret);
    totp.generate(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// A quick download with the facts of a row and a solved captcha.
pub fn download_request(facts: &FeedRow, captcha: &str) -> Value {
    let mut asked = json!({
        "name": facts.nama,
        "birth_date": facts.tanggal_lahir,
        "vaccination_date": facts.tanggal_vaksinasi,
        "vaccine": facts.vaksin,
        "captcha": captcha,
    });
    let (field, number) =
        if facts.nik.is_empty() { ("passport", &facts.paspor) } else { ("nik", &facts.nik) };
    asked[field] = json!(number);
    asked
}

/// How many SMS the embedded SNS left out since its start, since they had been sent.
pub fn repeated(url: &str) -> u64 {
    call(url, "GET", "/_stack.json", None, None).body["repeated_sms"].as_u64().unwrap()
}

/// The solution of a captcha, as it is sent.
pub fn solve(challenge: Value) -> String {
    let challenge: Challenge = serde_json::from_value(challenge).unwrap();
    let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).unwrap().unwrap();
    STANDARD.encode(serde_json::to_vec(&Payload { challenge, solution }).unwrap())
}

/// Calls the API of a stack.
pub fn call(url: &str, method: &str, path: &str, cookie: Option<&str>, body: Option<Value>) -> Reply {
    Caller::direct(url).call(method, path, cookie, &bytes(body)).into()
}

/// The SMS that a stack sent.
pub fn outbox(url: &str) -> Vec<Message> {
    let messages = call(url, "GET", "/_sms.json", None, None).body;
    let text = |message: &Value, field: &str| message[field].as_str().unwrap().to_owned();
    let messages = messages.as_array().unwrap().iter();
    messages
        .map(|message| Message {
            to: text(message, "to"),
            from: text(message, "from"),
            text: text(message, "message"),
        })
        .collect()
}

/// Imports a file through the command line, as an admin does, and returns what it said and its report.
pub fn import(url: &str, feed: &Path) -> (Output, Report) {
    let report = feed.with_extension("report");
    let output = Command::new(program("bukti"))
        .args(["import", "--endpoint", url, "--report"])
        .args([&report, feed])
        .output()
        .unwrap();
    (output, read_report(&report))
}

/// Reads a report; empty where there is none.
pub fn read_report(report: &Path) -> Report {
    let Ok(mut reader) = csv::Reader::from_path(report) else { return Report::new() };
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["line", "event_id", "outcome", "reasons", "duplicate_of"]
    );
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| (row[0].parse().unwrap(), (row[2].to_owned(), row[3].to_owned()))).collect()
}

/// A program of the project, built if need be.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        // `cargo xtask test` has built all. Two packages alone have fewer features, so that much would
        // be compiled again.
        if std::env::var_os("BUKTI_IS_BUILT").is_some() {
            return;
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "bukti-cli", "--package", "bukti-local"])
            .current_dir(root())
            .status()
            .unwrap();
        assert!(built.success());
    });
    // Tests are in `deps` beside the programs.
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join(name)
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of the sample feed, where it is there; says so where it is not.
pub fn sample_feed() -> Option<PathBuf> {
    beside("data/satudata")
}

/// The folder of cases after bug reports from the field, where it is there; says so where it is not.
pub fn field_cases() -> Option<PathBuf> {
    beside("field")
}

fn beside(folder: &str) -> Option<PathBuf> {
    let folder = root().join("../shared").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    left_out(&format!("{} is not there", folder.display()));
    None
}

/// Says that the test that runs is left out, and why. `cargo xtask test` lists such tests at its
/// end: they are added to the file that `BUKTI_LEFT_OUT` names.
pub fn left_out(why: &str) {
    let test = std::thread::current();
    let said = format!("{}: {why}\n", test.name().unwrap_or("a test"));
    eprint!("left out: {said}");
    append("BUKTI_LEFT_OUT", &said);
}

/// Adds a line to the file that this variable names, if it does.
fn append(variable: &str, line: &str) {
    if let Some(list) = std::env::var_os(variable) {
        let mut list = OpenOptions::new().create(true).append(true).open(list).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
}

/// Rows as a feed.
pub fn csv(rows: &[FeedRow]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).unwrap();
    }
    if rows.is_empty() {
        writer.write_record(COLUMNS).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Rows as an NDJSON feed.
pub fn ndjson(rows: &[FeedRow]) -> Vec<u8> {
    rows.iter().map(|row| format!("{}\n", json!(row))).collect::<String>().into_bytes()
}

/// Rows as a FHIR Bundle in the national form: an entry for each row, then the Patients and Locations that they refer to.
pub fn bundle(rows: &[FeedRow]) -> Vec<u8> {
    let identified = |system: &str, value: &str| {
        let system = format!("https://fhir.kemkes.go.id/id/{system}");
        (!value.is_empty()).then(|| json!({"use": "official", "system": system, "value": value}))
    };
    let immunizations = rows.iter().enumerate().map(|(at, row)| {
        json!({"resource": {
            "resourceType": "Immunization",
            "meta": {"lastUpdated": row.sent_at},
            "identifier": [{"system": "https://hub.example.go.id/events", "value": row.event_id}],
            "status": if row.status.is_empty() { "completed" } else { &row.status },
            "vaccineCode": {"text": row.vaksin},
            "patient": {"reference": format!("urn:uuid:{at}")},
            "occurrenceDateTime": row.tanggal_vaksinasi,
            "location": {"identifier": {"value": row.kode_faskes}, "display": row.nama_faskes},
            "lotNumber": row.batch,
            "protocolApplied": [{"doseNumberString": row.dosis_ke}],
        }})
    });
    let patients = rows.iter().enumerate().map(|(at, row)| {
        let gender = match &*row.jenis_kelamin {
            "L" => "male",
            "P" => "female",
            other => other,
        };
        let identifiers = [identified("nik", &row.nik), identified("paspor", &row.paspor)];
        json!({"fullUrl": format!("urn:uuid:{at}"), "resource": {
            "resourceType": "Patient",
            "identifier": identifiers.into_iter().flatten().collect::<Vec<_>>(),
            "name": [{"text": row.nama}],
            "telecom": [{"system": "phone", "use": "mobile", "value": row.no_hp}],
            "gender": gender,
            "birthDate": row.tanggal_lahir,
        }})
    });
    let entry: Vec<Value> = immunizations.chain(patients).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entry}).to_string().into_bytes()
}

/// The dose of [`dose`] as another person of the same name and birth date has it, by a number below 10,000.
pub fn dose_for(person: usize, event_id: &str) -> FeedRow {
    FeedRow { nik: format!("317101240189{person:04}"), ..dose(event_id) }
}

/// A row that retracts an event, sent at this time.
pub fn retraction(event_id: &str, sent_at: &str) -> FeedRow {
    FeedRow {
        event_id: event_id.into(),
        sent_at: sent_at.into(),
        status: "entered-in-error".into(),
        ..FeedRow::default()
    }
}

/// A complete first dose of a man born on 24 January 1989; tests change what they are about.
pub fn dose(event_id: &str) -> FeedRow {
    FeedRow {
        event_id: event_id.into(),
        sent_at: "2021-01-29T08:41:34+07:00".into(),
        nik: "3171012401896246".into(),
        nama: "Iwan Ibrahim Purnomo".into(),
        tanggal_lahir: "1989-01-24".into(),
        jenis_kelamin: "L".into(),
        no_hp: "0821-0669-0743".into(),
        dosis_ke: "1".into(),
        vaksin: "CoronaVac".into(),
        batch: "AZ56327A".into(),
        tanggal_vaksinasi: "2021-01-29".into(),
        kode_faskes: "P3174020101".into(),
        nama_faskes: "Puskesmas Kebayoran Baru".into(),
        ..FeedRow::default()
    }
}
