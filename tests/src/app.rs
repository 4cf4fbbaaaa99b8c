//! The embedded stack in the test process, with helpers that act as citizens, officers and admins.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bukti_domain::FeedRow;
use bukti_local::{Handlers, Options, Stack};
use bukti_records::JobRecord;
use bukti_store::{Aws, Endpoint, Feeds, Jobs, Settings};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute, StatusRoute};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::caller::{Caller, json_bytes};
use crate::fixtures::append_line;
use crate::{CommandOutput, Message, Reply, Report, csv, import, outbox, program, solve};

/// An embedded stack on a free port with its own data folder, and an HTTP client for its API.
pub struct TestApp {
    url: String,
    // Fields are dropped in declaration order, and the stack must go before its runtime and data.
    stack: Option<Stack>,
    runtime: tokio::runtime::Runtime,
    caller: Caller,
    started: Instant,
    /// The stack's data folder, which is deleted on drop.
    pub data: TempDir,
}

/// Waits for the next full hour if it is less than a minute away. Rate-limit windows of an hour or
/// a day begin on the hour, so a test that ran across this boundary would see its quotas reset.
fn wait_past_full_hour() {
    const LONGEST_TEST: i64 = 60;
    let left = 3600 - jiff::Timestamp::now().as_second() % 3600;
    if left < LONGEST_TEST {
        std::thread::sleep(Duration::from_secs(left.unsigned_abs()));
    }
}

impl TestApp {
    /// Starts a stack with empty data and Bukti's own functions.
    pub fn start() -> Self {
        Self::start_with_handlers(Handlers::bukti)
    }

    /// Starts a stack with empty data whose functions run these handlers.
    pub fn start_with_handlers(handlers: impl FnOnce(&Aws) -> Handlers) -> Self {
        Self::start_with_options(|_| {}, handlers)
    }

    /// Starts a stack with empty data whose functions run these handlers. `change` adjusts the
    /// default options of the stack.
    pub fn start_with_options(
        change: impl FnOnce(&mut Options),
        handlers: impl FnOnce(&Aws) -> Handlers,
    ) -> Self {
        wait_past_full_hour();
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

    /// Restarts the stack with the same data. Its port changes, and so does its URL.
    pub fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// Stops the stack, runs `work` on its data folder, and starts the stack again on another port.
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

    /// The stack's base URL, which changes at each restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs `work` with direct access to the stack's services, for example to read a table record.
    pub fn with_aws<T>(&self, work: impl AsyncFnOnce(Aws) -> T) -> T {
        let info = self.stack.as_ref().unwrap().info();
        let settings =
            Settings::local(&info.endpoint, &info.access_key, &info.secret_key, info.secrets.clone());
        self.runtime.block_on(async { work(Aws::connect(settings).await.unwrap()).await })
    }

    /// Uploads a feed to the drop folder of the bucket, as a hub does, and waits until the feed has
    /// been processed.
    pub fn upload_feed(&self, name: &str, feed: Vec<u8>) {
        self.upload_feeds(vec![(name.to_owned(), feed)]);
    }

    /// Uploads several feeds, then waits until all of them have been processed.
    pub fn upload_feeds(&self, feeds: Vec<(String, Vec<u8>)>) {
        self.with_aws(async |aws| {
            let (_, s3) = Endpoint::of(&aws.settings).unwrap().clients().await;
            for (name, feed) in feeds {
                let key = format!("{}{name}", Feeds::DROP);
                let request = s3.put_object().bucket(&aws.settings.bucket).key(key);
                request.body(feed.into()).send().await.unwrap();
            }
        });
        self.wait_until_idle();
    }

    /// The record of an import job; `None` if there is no such job.
    pub fn job(&self, job: &str) -> Option<JobRecord> {
        self.with_aws(async |aws| Jobs::new(&aws).get(job).await.unwrap())
    }

    /// The HTTP client that [`TestApp::call`] uses.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Runs a `bukti` command against this stack, without standard input.
    pub fn bukti(&self, arguments: &[&str]) -> CommandOutput {
        let output = Command::new(program("bukti"))
            .args(arguments)
            .args(["--endpoint", &self.url])
            .env("XDG_STATE_HOME", self.data.path().join("state"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        CommandOutput {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a `bukti` command, asserts that it succeeds, and returns its standard output.
    pub fn bukti_ok(&self, arguments: &[&str]) -> String {
        let output = self.bukti(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
        output.stdout
    }

    /// Opens the latest link sent to a phone. Returns the text of the certificate's QR code.
    pub fn qr_text(&self, phone: &str, birth_date: &str) -> String {
        let token = self.messages_to(phone).iter().rev().find_map(Message::token).unwrap();
        let opened = self.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": birth_date}));
        opened.body["certificate"]["qr_text"].as_str().unwrap().to_owned()
    }

    /// Waits until the stack has processed all feeds and stream records. Panics after 300 s.
    pub fn wait_until_idle(&self) {
        let stack = self.stack.as_ref().unwrap();
        assert!(
            self.runtime.block_on(stack.wait_idle(Duration::from_secs(300))),
            "the stack is still busy after 300 s"
        );
    }

    /// Imports rows with `bukti import`, waits until the stack is idle, and returns the job's
    /// report.
    pub fn import(&self, rows: &[FeedRow]) -> Report {
        let feed = self.data.path().join("feed-of-the-test.csv");
        std::fs::write(&feed, csv(rows)).unwrap();
        let (output, report) = import(&self.url, &feed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.wait_until_idle();
        report
    }

    /// Calls the API from a different network each time, so that rate limits do not interfere.
    pub fn call(&self, method: &str, path: &str, cookie: Option<&str>, body: Option<Value>) -> Reply {
        self.caller.call(method, path, cookie, &json_bytes(body)).into()
    }

    /// Calls the API with the client IP `address`, as if CloudFront had reported it.
    pub fn call_from(
        &self,
        address: &str,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        self.caller.call_from(address, method, path, cookie, &json_bytes(body)).into()
    }

    /// Posts JSON to the API without a session.
    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, None, Some(body))
    }

    /// Requests the status of a person's doses, with a solved captcha.
    pub fn status(&self, name: &str, nik: &str) -> Reply {
        self.post(StatusRoute::Status.path(), json!({"name": name, "nik": nik, "captcha": self.captcha()}))
    }

    /// Requests a quick download with the facts in a row and a solved captcha.
    pub fn request_download(&self, facts: &FeedRow) -> Reply {
        self.post(StatusRoute::Download.path(), self.download_request(facts))
    }

    /// The request body that [`TestApp::request_download`] sends.
    pub fn download_request(&self, facts: &FeedRow) -> Value {
        download_request(facts, &self.captcha())
    }

    /// Fetches and solves a captcha. Returns the `captcha` field for a request.
    pub fn captcha(&self) -> String {
        solve(self.call("GET", StatusRoute::Captcha.path(), None, None).body)
    }

    /// Requests a one-time code, with a solved captcha. `name` is the name for a new account.
    pub fn request_code(&self, phone: &str, name: Option<&str>) -> Reply {
        let captcha = self.captcha();
        self.post(
            OtpRoute::Otp.path(),
            match name {
                Some(name) => json!({"phone": phone, "name": name, "captcha": captcha}),
                None => json!({"phone": phone, "captcha": captcha}),
            },
        )
    }

    /// Logs in with the one-time code from the SMS. Returns the session cookie.
    pub fn log_in(&self, phone: &str, name: Option<&str>) -> String {
        let requested = self.request_code(phone, name);
        assert_eq!(requested.status, 202);
        let reply = self.try_code(phone, &self.last_code(phone), requested.cookie.as_deref());
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.cookie.unwrap()
    }

    /// Submits a one-time code, with the cookie that the code request set.
    pub fn try_code(&self, phone: &str, code: &str, cookie: Option<&str>) -> Reply {
        self.call("POST", OtpRoute::LogIn.path(), cookie, Some(json!({"phone": phone, "code": code})))
    }

    /// Adds an officer with `bukti officer add`. Returns the secret of the authenticator in base32.
    pub fn add_officer(&self, phone: &str, name: &str, role: &str) -> String {
        let output = self.bukti_ok(&["officer", "add", phone, "--name", name, "--role", role]);
        let (_, secret) = output.split_once("?secret=").unwrap();
        secret.split('&').next().unwrap().to_owned()
    }

    /// Adds an officer and logs in with both factors. Returns the session cookie.
    pub fn log_in_officer(&self, phone: &str, name: &str, role: &str) -> String {
        let secret = self.add_officer(phone, name, role);
        let cookie = self.log_in(phone, None);
        let reply = self.call(
            "POST",
            HelpdeskRoute::SecondFactor.path(),
            Some(&cookie),
            Some(json!({"code": authenticator_code(&secret)})),
        );
        assert_eq!((reply.status, &reply.body["name"]), (200, &json!(name)), "{}", reply.code());
        cookie
    }

    /// The one-time code in the latest SMS to a phone.
    pub fn last_code(&self, phone: &str) -> String {
        let message = self.messages_to(phone).pop().unwrap();
        message.text.rsplit('#').next().unwrap().trim().to_owned()
    }

    /// All SMS that the stack has sent, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        outbox(&self.url)
    }

    /// The SMS sent to a phone, oldest first. The number may be written in any format.
    pub fn messages_to(&self, phone: &str) -> Vec<Message> {
        let to = bukti_domain::PhoneNumber::parse(phone).unwrap();
        self.messages().into_iter().filter(|message| message.to == to.e164()).collect()
    }

    /// The certificates of the active signer and of the root, in PEM format.
    pub fn signer(&self) -> (String, String) {
        (self.bukti_ok(&["signing-key", "export"]), self.bukti_ok(&["signing-key", "export", "--root"]))
    }

    /// Fetches a presigned URL. Returns the HTTP status and the body.
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
        append_line("BUKTI_TIMES", &format!("{seconds:.1} {}\n", test.name().unwrap_or("a test")));
    }
}

/// The current TOTP code of an authenticator with this base32 secret.
pub fn authenticator_code(secret: &str) -> String {
    let secret = totp_rs::Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let totp = totp_rs::TOTP::new_unchecked(totp_rs::Algorithm::SHA1, 6, 0, 30, secret);
    totp.generate(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

/// The request body for a quick download with the facts in a row and a solved captcha.
pub fn download_request(facts: &FeedRow, captcha: &str) -> Value {
    let mut request = json!({
        "name": facts.nama,
        "birth_date": facts.tanggal_lahir,
        "vaccination_date": facts.tanggal_vaksinasi,
        "vaccine": facts.vaksin,
        "captcha": captcha,
    });
    let (field, number) =
        if facts.nik.is_empty() { ("passport", &facts.paspor) } else { ("nik", &facts.nik) };
    request[field] = json!(number);
    request
}
