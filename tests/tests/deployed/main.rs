//! The real template with the real functions, deployed by the SAM CLI to an emulated account whose
//! roles are enforced.
//!
//! `cargo xtask test --only deploy` compiles the functions for Lambda and runs it; `BUKTI_SAM` is
//! the folder of the SAM CLI, `BUKTI_BUILT` what `sam build` made, `BUKTI_PYTHON` the Python that
//! has ministack. What the emulation drops in silence is held by `tests/deploy/template_test.py`
//! and the journeys on the embedded stack; so is what officers do, since the emulation knows no
//! table in a statement of PartiQL and refuses the audit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bukti_domain::FeedRow;
use bukti_records::ItemKind;
use bukti_tests::caller::{Caller, RawResponse};
use bukti_tests::ministack::Ministack;
use bukti_tests::{csv, dose, download_request, people, program, read_report, sample_feed};
use bukti_wire::{HolderRoute, OtpRoute, SenderRoute, StatusRoute};
use serde_json::{Value, json};
use tempfile::TempDir;

const STACK: &str = "bukti-test";
const SITE: &str = "https://bukti.example.go.id";
const PHONE: &str = "0813-5555-0042";
const BORN: &str = "1989-01-24";

/// An emulated account, and what works with it.
struct Account {
    ministack: Ministack,
    sam: PathBuf,
    built: PathBuf,
    folder: TempDir,
}

/// What was deployed to it.
struct Deployed {
    outputs: BTreeMap<String, String>,
    /// The API's.
    host: String,
    caller: Caller,
}

impl Account {
    fn open() -> Self {
        let variable = |name: &str| -> OsString {
            std::env::var_os(name).ok_or(format!("{name} is not set: see the top of this file")).unwrap()
        };
        let folder = TempDir::new().unwrap();
        let ministack = Ministack::start(&variable("BUKTI_PYTHON"), folder.path(), true);
        Self { ministack, sam: variable("BUKTI_SAM").into(), built: variable("BUKTI_BUILT").into(), folder }
    }

    /// A program with this account as its AWS environment, and minutes to end.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "600"]).arg(program.as_ref());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        // The machine may be set up for an account and a Bukti of its own.
        let is_set_up = |name: &OsString| {
            [&b"AWS_"[..], b"BUKTI_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_set_up(name)) {
            command.env_remove(name);
        }
        command.envs([("AWS_ENDPOINT_URL", &*self.ministack.url), ("AWS_REGION", "ap-southeast-3")]);
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command.envs([("AWS_DEFAULT_REGION", "ap-southeast-3"), ("SAM_CLI_TELEMETRY", "0")]);
        command
    }

    fn run(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}\n{out}\n{err}\n{}", self.log());
        out.into_owned()
    }

    /// The end of what the account says.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("ministack.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Asks a service by boto3, which comes with the SAM CLI: an expression with
    /// `client("SERVICE")`.
    fn ask(&self, expression: &str) -> Value {
        let mut python = self.command(self.sam.join("python"));
        python.arg("-c").arg(format!(
            "import boto3, json, sys\nclient = boto3.client\njson.dump({expression}, sys.stdout, default=str)"
        ));
        serde_json::from_str(&self.run(python)).unwrap()
    }

    fn bukti(&self, outputs: Option<&BTreeMap<String, String>>, arguments: &[&str]) -> String {
        let mut bukti = self.command(program("bukti"));
        bukti.arg("--aws").args(arguments);
        if let Some(outputs) = outputs {
            bukti.args(["--table", &outputs["Table"], "--bucket", &outputs["Bucket"]]);
            bukti.args(["--public-bucket", &outputs["PublicBucket"], "--site-url", SITE]);
        }
        self.run(bukti)
    }

    /// The code that runs behind each function's alias, by the function's name.
    fn running(&self) -> BTreeMap<String, String> {
        let running = self.ask(
            "{it['FunctionName']: client('lambda').get_function_configuration(FunctionName=it['FunctionName'], \
             Qualifier='live')['CodeSha256'] for it in client('lambda').list_functions()['Functions']}",
        );
        serde_json::from_value(running).unwrap()
    }

    /// Makes a function's program another that does the same.
    fn change_code_of(&mut self, function: &str) {
        let built = self.folder.path().join("built");
        let copied = Command::new("cp").arg("-r").args([&self.built, &built]).status().unwrap();
        assert!(copied.success());
        let program = built.join(function).join("bootstrap");
        let mut bytes = std::fs::read(&program).unwrap();
        bytes.extend(b"changed");
        std::fs::write(&program, bytes).unwrap();
        self.built = built;
    }

    /// What was built, with the version's name as `cargo xtask deploy` puts it in. The account has
    /// no TLS, and the buckets refuse who comes without, so that is left out.
    fn template(&self, version: &str) -> PathBuf {
        let mut template = std::fs::read_to_string(self.built.join("template.yaml")).unwrap();
        let alias = "    AutoPublishAlias: live\n";
        let named = format!("{alias}    Description: Bukti {version}\n");
        for (line, instead) in
            [("aws:SecureTransport: 'false'", "aws:SecureTransport: 'unknown'"), (alias, &named)]
        {
            assert!(template.contains(line), "{template}");
            template = template.replace(line, instead);
        }
        let path = self.built.join("template-of-the-test.yaml");
        std::fs::write(&path, template).unwrap();
        path
    }

    /// Deploys what was built as this version, with these parameters beside the site's address.
    fn deploy(&self, version: &str, parameters: &[&str]) -> Deployed {
        let mut sam = self.command(self.sam.join("sam"));
        sam.arg("deploy").arg("--template-file").arg(self.template(version));
        sam.args(["--stack-name", STACK, "--capabilities", "CAPABILITY_IAM", "--resolve-s3"]);
        sam.args(["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--parameter-overrides"]);
        sam.arg(format!("SiteUrl={SITE}")).args(parameters);
        self.run(sam);
        let outputs = self.ask(&format!(
            "{{it['OutputKey']: it['OutputValue'] for it in \
             client('cloudformation').describe_stacks(StackName='{STACK}')['Stacks'][0]['Outputs']}}"
        ));
        let outputs: BTreeMap<String, String> = serde_json::from_value(outputs).unwrap();
        let secrets = self.ask("client('secretsmanager').get_secret_value(SecretId='bukti')['SecretString']");
        std::fs::write(self.folder.path().join("secrets.json"), secrets.as_str().unwrap()).unwrap();
        let api = self.ask(&format!(
            "client('cloudformation').describe_stack_resource(StackName='{STACK}', \
             LogicalResourceId='Api')['StackResourceDetail']['PhysicalResourceId']"
        ));
        let host = format!("{}.execute-api.localhost:{}", api.as_str().unwrap(), self.ministack.port);
        let caller = Caller::new(&self.ministack.url, self.folder.path()).from_origin(SITE);
        Deployed { outputs, caller: caller.for_host(host.clone()), host }
    }

    /// The SMS to a phone with a link, after so many before it, and the link's token; waits for it.
    fn link_to(&self, phone: &str, before: usize) -> (String, String) {
        let text = at_last("SMS with a link", || {
            self.sms(phone).into_iter().filter(|text| text.contains("/s/")).nth(before)
        });
        let token = text.split_once("/s/").unwrap().1.split_whitespace().next().unwrap().to_owned();
        (text, token)
    }

    /// The SMS to a phone, oldest first.
    fn sms(&self, phone: &str) -> Vec<String> {
        let to = bukti_domain::PhoneNumber::parse(phone).unwrap();
        let number = to.e164().replace('+', "%2B");
        let path = format!("{}/_ministack/sns/sms-messages?phoneNumber={number}", self.ministack.url);
        let answer = Caller::direct(&self.ministack.url).call("GET", &path, None, b"").json();
        let mut texts = Vec::new();
        texts_in(&answer, &mut texts);
        texts
    }
}

/// Every message in an answer of ministack's.
fn texts_in(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| texts_in(value, texts)),
        Value::Object(all) => {
            for (name, value) in all {
                match value.as_str() {
                    Some(text) if name.eq_ignore_ascii_case("message") => texts.push(text.to_owned()),
                    _ => texts_in(value, texts),
                }
            }
        }
        _ => {}
    }
}

/// Tries until something is there, as people do.
fn at_last<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "there is no {what}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

impl Deployed {
    fn post(&self, path: &str, body: &Value) -> RawResponse {
        self.caller.post(path, body)
    }

    fn status(&self, row: &FeedRow) -> RawResponse {
        let captcha = self.caller.captcha();
        self.post(StatusRoute::Status.path(), &json!({"name": row.nama, "nik": row.nik, "captcha": captcha}))
    }

    /// Sends a code and logs in with it; gives the cookie.
    fn log_in(&self, account: &Account, phone: &str) -> String {
        let captcha = self.caller.captcha();
        let request = self.post(OtpRoute::Otp.path(), &json!({"phone": phone, "captcha": captcha}));
        assert_eq!(request.status, 202, "{}", String::from_utf8_lossy(&request.body));
        let code = at_last("code", || account.sms(phone).into_iter().rev().find(|text| text.contains('#')));
        let code = code.rsplit('#').next().unwrap().trim().to_owned();
        let cookie = request.header("set-cookie").unwrap().split(';').next();
        let code = json!({"phone": phone, "code": code}).to_string();
        let opened = self.caller.call("POST", OtpRoute::LogIn.path(), cookie, code.as_bytes());
        assert_eq!(opened.status, 201, "{}", String::from_utf8_lossy(&opened.body));
        opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    }

    fn fetch(&self, address: &Value) -> Vec<u8> {
        let raw = self.caller.call("GET", address.as_str().unwrap(), None, b"");
        assert_eq!(raw.status, 200, "{}", String::from_utf8_lossy(&raw.body));
        raw.body
    }
}

/// The sample feed where it is there, else the people of hard names; a person of our own in any
/// case.
fn feed(folder: &Path) -> (PathBuf, Option<PathBuf>) {
    let file = folder.join("feed.csv");
    let Some(sample) = sample_feed() else {
        let mut rows: Vec<FeedRow> = people::with_difficult_names().into_iter().flatten().collect();
        rows.push(ours());
        std::fs::write(&file, csv(&rows)).unwrap();
        return (file, None);
    };
    let mut text = std::fs::read_to_string(sample.join("doses-1.csv")).unwrap();
    let own = String::from_utf8(csv(&[ours()])).unwrap();
    text.push_str(own.split_once('\n').unwrap().1);
    std::fs::write(&file, text).unwrap();
    (file, Some(sample.join("doses-1.expected.csv")))
}

#[test]
#[ignore = "needs what sam build makes: cargo xtask test --only deploy"]
fn stack_deploys_serves_updates_and_keeps_data_on_deletion() {
    let mut account = Account::open();
    account.bukti(None, &["keys", "init", "--organisation", "Bukti"]);
    let began = Instant::now();
    let deployed = account.deploy("1", &[]);
    println!("deployed in {:.0} s", began.elapsed().as_secs_f32());
    account.bukti(Some(&deployed.outputs), &["keys", "init"]);
    account.bukti(Some(&deployed.outputs), &["trust", "publish"]);

    drops_what_only_the_template_promises(&account, &deployed);
    shows_the_site(&account, &deployed);
    let token = serves_a_person(&account, &deployed);
    takes_what_a_hub_sends(&account, &deployed);
    hears_of_changes(&account, &deployed, &token);
    answers_nobody_who_goes_round_the_edge(&deployed);
    fails_where_a_permission_is_missing(&account, &deployed);

    // A function's code has changed: that function is another, all others are as they were.
    let (before, running) = (account.ask(&count(&deployed)), account.running());
    account.change_code_of("StatusFunction");
    let deployed = Deployed { outputs: account.deploy("1", &[]).outputs, ..deployed };
    let changed = account.running().into_iter().filter(|(name, code)| running[name] != *code);
    let changed: Vec<String> = changed.map(|(name, _)| name).collect();
    assert!(matches!(&changed[..], [name] if name.contains("StatusFunction")), "{changed:?}");
    assert_eq!(deployed.status(&ours()).status, 200);

    // Settings have changed: the functions say another name, and the data are the same.
    let deployed = account.deploy("2", &["ServiceName=Bukti2"]);
    assert_eq!(account.ask(&count(&deployed)), before);
    deployed.log_in(&account, "0813 5555 0001");
    let code = account.sms("0813 5555 0001").pop().unwrap();
    assert!(code.contains("Bukti2"), "{code}");

    // Deleted: the data stay.
    let mut delete = account.command(account.sam.join("sam"));
    delete.args(["delete", "--stack-name", STACK, "--no-prompts", "--region", "ap-southeast-3"]);
    account.run(delete);
    assert_eq!(account.ask(&count(&deployed)), before);
    let buckets = account.ask("[it['Name'] for it in client('s3').list_buckets()['Buckets']]");
    assert!(buckets.as_array().unwrap().contains(&json!(deployed.outputs["Bucket"])), "{buckets}");
    assert_eq!(account.ask("client('lambda').list_functions()['Functions']"), json!([]));
}

/// The dose of a person whom no other feed has.
fn ours() -> FeedRow {
    FeedRow { nik: "3171012401899042".into(), no_hp: PHONE.into(), ..dose("OURS") }
}

/// What the emulation leaves out, so that only `template_test.py` holds it. Where this fails, it
/// can be tested for real.
fn drops_what_only_the_template_promises(account: &Account, deployed: &Deployed) {
    let table = &deployed.outputs["Table"];
    let dropped = account.ask(&format!(
        "[client('dynamodb').describe_time_to_live(TableName='{table}')['TimeToLiveDescription']['TimeToLiveStatus'], \
         client('dynamodb').describe_continuous_backups(TableName='{table}')['ContinuousBackupsDescription']\
         ['PointInTimeRecoveryDescription']['PointInTimeRecoveryStatus'], \
         client('dynamodb').describe_table(TableName='{table}')['Table'].get('SSEDescription')]"
    ));
    assert_eq!(dropped, json!(["DISABLED", "DISABLED", null]), "the emulation has learned something");
}

/// How many doses the table has.
fn count(deployed: &Deployed) -> String {
    format!(
        "sum(it['sk']['S'] == '{}' for page in client('dynamodb').get_paginator('scan').paginate(TableName='{}') \
         for it in page['Items'])",
        ItemKind::Dose.sort_key().unwrap(),
        deployed.outputs["Table"]
    )
}

/// The site is uploaded as `cargo xtask deploy` does, and CloudFront answers with it. (Emulated, it
/// does not reach the API.)
fn shows_the_site(account: &Account, deployed: &Deployed) {
    let site = account.folder.path().join("site");
    let write = |name: &str, text: &str| {
        let file = site.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("index.html", "the first page");
    write("masuk/index.html", "the login page");
    write("404.html", "no such page");
    write("assets/site-1.js", "plain");
    write("assets/site-1.js.br", "smaller");
    let upload = || {
        let mut python = account.command(account.sam.join("python"));
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/xtask/src/upload_site.py")).arg(&site);
        python.args([&deployed.outputs["SiteBucket"], &deployed.outputs["Distribution"]]);
        let settings = account.folder.path().join("settings.json");
        std::fs::write(&settings, &deployed.outputs["SiteSettings"]).unwrap();
        account.run({
            python.stdin(std::fs::File::open(settings).unwrap());
            python
        })
    };
    assert!(upload().starts_with("9 of 9 files uploaded, 0 removed"));
    let host = deployed.outputs["SiteAddress"].strip_prefix("https://").unwrap();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let get = |path: &str, encodings: &str, scheme: &str| {
        let request = agent.get(format!("{}{path}", account.ministack.url)).header("host", host);
        let request = request.header("accept-encoding", encodings).header("x-forwarded-proto", scheme);
        let mut answer = request.call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let header = |name: &str| answer.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        (answer.status().as_u16(), text, header("cache-control"), header("content-security-policy"))
    };
    let (status, text, kept, policy) = get("/masuk", "gzip", "https");
    assert_eq!((status, &*text, kept.as_deref()), (200, "the login page", Some("no-cache")));
    assert!(policy.unwrap().contains("default-src"));
    assert_eq!(get("/", "gzip", "https").1, "the first page");
    assert_eq!(get("/", "gzip", "http").0, 301);
    let (status, text, ..) = get("/nowhere", "gzip", "https");
    assert_eq!((status, &*text), (404, "no such page"));
    let (_, text, kept, _) = get("/assets/site-1.js", "gzip, br", "https");
    assert_eq!((&*text, kept.as_deref()), ("smaller", Some("public, max-age=31536000, immutable")));
    assert_eq!(get("/assets/site-1.js", "gzip", "https").1, "plain");
    assert!(get("/settings.json", "gzip", "https").1.contains("phone_countries"));
    // The verifiers' lists lie in another bucket. They are public without the site.
    assert_eq!(get("/trust/signers.json", "gzip", "https").0, 200);

    // What has not changed is left alone; what is no longer there goes.
    assert!(upload().starts_with("0 of 9 files uploaded, 0 removed\n"));
    write("masuk/index.html", "the page to log in");
    std::fs::remove_file(site.join("index.html")).unwrap();
    assert!(upload().starts_with("2 of 7 files uploaded, 2 removed, the others invalidated"));
    assert_eq!(get("/masuk", "gzip", "https").1, "the page to log in");
    let list =
        "client('cloudfront').list_invalidations(DistributionId='DIST')['InvalidationList']['Quantity']";
    assert_eq!(account.ask(&list.replace("DIST", &deployed.outputs["Distribution"])), json!(2));
}

/// A dose that comes by the API, with a key.
fn takes_what_a_hub_sends(account: &Account, deployed: &Deployed) {
    let key = account.bukti(Some(&deployed.outputs), &["key", "add", "--hub", "DINKES"]);
    let authorization = format!("Bearer {}", key.trim());
    let headers = [("authorization", &*authorization), ("content-type", "text/csv")];
    let row =
        FeedRow { nik: "3171012401899043".into(), no_hp: "0813-5555-0043".into(), ..dose("SENT-BY-API") };
    let sent = deployed.caller.send(
        "POST",
        SenderRoute::SendDoses.path(),
        &headers,
        &csv(std::slice::from_ref(&row)),
    );
    assert_eq!(sent.status, 200, "{}", String::from_utf8_lossy(&sent.body));
    assert_eq!(sent.json()["rows"][0]["outcome"], "issued", "{}", sent.json());
    at_last("certificate of what was sent", || {
        let answer = deployed.status(&row).json();
        (answer["doses"][0]["diagnosis"]["code"] == "certificate_issued").then_some(())
    });
}

/// Gives the token of the SMS's link.
fn serves_a_person(account: &Account, deployed: &Deployed) -> String {
    let (feed, expected) = feed(account.folder.path());
    let report = feed.with_extension("report");
    account.bukti(
        Some(&deployed.outputs),
        &["import", "--report", report.to_str().unwrap(), feed.to_str().unwrap()],
    );
    let report = read_report(&report);
    if let Some(expected) = expected {
        for row in csv::Reader::from_path(expected).unwrap().records().map(|row| row.unwrap()) {
            let (outcome, reasons) = &report[&row[0].parse().unwrap()];
            assert_eq!((&**outcome, &**reasons), (&row[3], &row[4]), "line {}", &row[0]);
        }
    }
    println!("{} rows taken in", report.len());

    let row = ours();
    let answer = at_last("certificate", || {
        let answer = deployed.status(&row).json();
        (answer["doses"][0]["diagnosis"]["code"] == "certificate_issued").then_some(answer)
    });
    assert_eq!(answer["doses"].as_array().unwrap().len(), 1);
    // The SMS with its link.
    let (text, token) = account.link_to(PHONE, 0);
    assert!(text.contains(&format!("{SITE}/s/")), "{text}");
    let opened = deployed.post(HolderRoute::Link.path(), &json!({"token": token, "birth_date": BORN}));
    assert_eq!(opened.status, 200, "{}", String::from_utf8_lossy(&opened.body));
    assert!(deployed.fetch(&opened.json()["document"]["url"]).starts_with(b"%PDF"));
    // The account.
    let cookie = deployed.log_in(account, PHONE);
    let people = deployed.caller.call("GET", HolderRoute::People.path(), Some(&cookie), b"").json();
    let id = people["people"][0]["id"].as_str().unwrap();
    let path = HolderRoute::Certificates.path_of(id);
    let certificates = deployed.caller.call("GET", &path, Some(&cookie), b"").json();
    let id = certificates["doses"][0]["certificate"]["id"].as_str().unwrap();
    let path = HolderRoute::Document.path_of(id);
    let document = deployed.caller.call("POST", &path, Some(&cookie), br#"{"form": "card"}"#).json();
    assert!(deployed.fetch(&document["url"]).starts_with(b"%PDF"));
    token
}

/// Each change that people are told of by SMS comes by the table's stream through the filters of
/// its mapping.
fn hears_of_changes(account: &Account, deployed: &Deployed, first: &str) {
    let open = |token: &str, born: &str| {
        deployed.post(HolderRoute::Link.path(), &json!({"token": token, "birth_date": born}))
    };

    // A quick download, whose link is then locked.
    let request =
        deployed.post(StatusRoute::Download.path(), &download_request(&ours(), &deployed.caller.captcha()));
    assert_eq!(request.status, 202, "{}", String::from_utf8_lossy(&request.body));
    let (_, token) = account.link_to(PHONE, 1);
    for _ in 0..5 {
        assert!(open(&token, "2001-01-01").status >= 400);
    }
    assert_eq!(open(&token, BORN).json()["code"], "link_locked");
    at_last("warning", || account.sms(PHONE).into_iter().find(|text| text.contains("dikunci")));

    // A corrected phone.
    const CORRECTED: &str = "0813-5555-0043";
    let sent_at = "2021-02-01T08:00:00+07:00".into();
    let corrected = FeedRow { no_hp: CORRECTED.into(), sent_at, ..ours() };
    let feed = account.folder.path().join("corrected.csv");
    std::fs::write(&feed, csv(&[corrected])).unwrap();
    account.bukti(Some(&deployed.outputs), &["import", feed.to_str().unwrap()]);
    let (_, token) = account.link_to(CORRECTED, 0);
    assert_eq!(open(&token, BORN).status, 200);
    assert_eq!(open(first, BORN).json()["code"], "link_dead");
}

fn answers_nobody_who_goes_round_the_edge(deployed: &Deployed) {
    let direct = Caller::direct(deployed.caller.url()).for_host(deployed.host.clone());
    let direct = direct.call("GET", StatusRoute::Vaccines.path(), None, b"");
    assert_eq!((direct.status, direct.json()["code"].as_str()), (421, Some("misdirected")));
}

/// Without one permission, that function fails and no other.
fn fails_where_a_permission_is_missing(account: &Account, deployed: &Deployed) {
    let role = account.ask(&format!(
        "client('cloudformation').describe_stack_resource(StackName='{STACK}', \
         LogicalResourceId='StatusFunctionRole')['StackResourceDetail']['PhysicalResourceId']"
    ));
    let (role, row) = (role.as_str().unwrap(), ours());
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:Query", "Resource": "*"}]}"#;
    account.ask(&format!(
        "client('iam').put_role_policy(RoleName='{role}', PolicyName='taken-away', PolicyDocument='{policy}')"
    ));
    let refused = deployed.status(&row);
    assert!(refused.status >= 500, "{}", String::from_utf8_lossy(&refused.body));
    deployed.log_in(account, "0813 5555 0000");
    account.ask(&format!("client('iam').delete_role_policy(RoleName='{role}', PolicyName='taken-away')"));
    assert_eq!(deployed.status(&row).status, 200);
}
