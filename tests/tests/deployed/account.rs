//! An emulated AWS account, to which the SAM CLI deploys.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bukti_tests::caller::Caller;
use bukti_tests::ministack::Ministack;
use bukti_tests::program;
use serde_json::Value;
use tempfile::TempDir;

use crate::deployment::Deployed;
use crate::{SITE, STACK};

/// An emulated AWS account, and the tools that deploy to it.
pub struct AwsAccount {
    pub ministack: Ministack,
    pub sam: PathBuf,
    pub built: PathBuf,
    pub folder: TempDir,
}

impl AwsAccount {
    pub fn open() -> Self {
        let variable = |name: &str| -> OsString {
            std::env::var_os(name)
                .ok_or(format!("{name} is not set: see `tests/tests/deployed/main.rs`"))
                .unwrap()
        };
        let folder = TempDir::new().unwrap();
        let ministack = Ministack::start(&variable("BUKTI_PYTHON"), folder.path(), true);
        Self { ministack, sam: variable("BUKTI_SAM").into(), built: variable("BUKTI_BUILT").into(), folder }
    }

    /// A command in the account's AWS environment, with a timeout of ten minutes.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "600"]).arg(program.as_ref());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        // Ignore inherited variables, which may configure another account or deployment.
        let is_configuration = |name: &OsString| {
            [&b"AWS_"[..], b"BUKTI_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_configuration(name)) {
            command.env_remove(name);
        }
        command.envs([("AWS_ENDPOINT_URL", &*self.ministack.url), ("AWS_REGION", "ap-southeast-3")]);
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command.envs([("AWS_DEFAULT_REGION", "ap-southeast-3"), ("SAM_CLI_TELEMETRY", "0")]);
        command
    }

    pub fn run(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}\n{out}\n{err}\n{}", self.log());
        out.into_owned()
    }

    /// The last 40 lines of ministack's log.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("ministack.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Evaluates a Python expression that calls a service through `client("SERVICE")`, and returns
    /// the result as JSON. Uses the boto3 package that the SAM CLI includes.
    pub fn boto3(&self, expression: &str) -> Value {
        let mut python = self.command(self.sam.join("python"));
        python.arg("-c").arg(format!(
            "import boto3, json, sys\nclient = boto3.client\njson.dump({expression}, sys.stdout, default=str)"
        ));
        serde_json::from_str(&self.run(python)).unwrap()
    }

    pub fn bukti(&self, outputs: Option<&BTreeMap<String, String>>, arguments: &[&str]) -> String {
        let mut bukti = self.command(program("bukti"));
        bukti.arg("--aws").args(arguments);
        if let Some(outputs) = outputs {
            bukti.args(["--table", &outputs["Table"], "--bucket", &outputs["Bucket"]]);
            bukti.args(["--public-bucket", &outputs["PublicBucket"], "--site-url", SITE]);
        }
        self.run(bukti)
    }

    /// The hash of the code behind each function's alias, keyed by the function's name.
    pub fn deployed_code(&self) -> BTreeMap<String, String> {
        let hashes = self.boto3(
            "{it['FunctionName']: client('lambda').get_function_configuration(FunctionName=it['FunctionName'], \
             Qualifier='live')['CodeSha256'] for it in client('lambda').list_functions()['Functions']}",
        );
        serde_json::from_value(hashes).unwrap()
    }

    /// Changes the binary of a function without changing its behaviour.
    pub fn change_code_of(&mut self, function: &str) {
        let built = self.folder.path().join("built");
        let copied = Command::new("cp").arg("-r").args([&self.built, &built]).status().unwrap();
        assert!(copied.success());
        let program = built.join(function).join("bootstrap");
        let mut bytes = std::fs::read(&program).unwrap();
        bytes.extend(b"changed");
        std::fs::write(&program, bytes).unwrap();
        self.built = built;
    }

    /// Writes the built template with the version name inserted, as `cargo xtask deploy` does, and
    /// returns its path. Removes the rule that buckets require TLS, which the emulator does not
    /// support.
    pub fn template(&self, version: &str) -> PathBuf {
        let mut template = std::fs::read_to_string(self.built.join("template.yaml")).unwrap();
        let alias = "    AutoPublishAlias: live\n";
        let named = format!("{alias}    Description: Bukti {version}\n");
        for (line, replacement) in
            [("aws:SecureTransport: 'false'", "aws:SecureTransport: 'unknown'"), (alias, &named)]
        {
            assert!(template.contains(line), "{template}");
            template = template.replace(line, replacement);
        }
        let path = self.built.join("template-of-the-test.yaml");
        std::fs::write(&path, template).unwrap();
        path
    }

    /// Deploys this version, with these parameters in addition to the site's URL.
    pub fn deploy(&self, version: &str, parameters: &[&str]) -> Deployed {
        let mut sam = self.command(self.sam.join("sam"));
        sam.arg("deploy").arg("--template-file").arg(self.template(version));
        sam.args(["--stack-name", STACK, "--capabilities", "CAPABILITY_IAM", "--resolve-s3"]);
        sam.args(["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--parameter-overrides"]);
        sam.arg(format!("SiteUrl={SITE}")).args(parameters);
        self.run(sam);
        let outputs = self.boto3(&format!(
            "{{it['OutputKey']: it['OutputValue'] for it in \
             client('cloudformation').describe_stacks(StackName='{STACK}')['Stacks'][0]['Outputs']}}"
        ));
        let outputs: BTreeMap<String, String> = serde_json::from_value(outputs).unwrap();
        let secrets =
            self.boto3("client('secretsmanager').get_secret_value(SecretId='bukti')['SecretString']");
        std::fs::write(self.folder.path().join("secrets.json"), secrets.as_str().unwrap()).unwrap();
        let api = self.boto3(&format!(
            "client('cloudformation').describe_stack_resource(StackName='{STACK}', \
             LogicalResourceId='Api')['StackResourceDetail']['PhysicalResourceId']"
        ));
        let host = format!("{}.execute-api.localhost:{}", api.as_str().unwrap(), self.ministack.port);
        let caller = Caller::new(&self.ministack.url, self.folder.path()).from_origin(SITE);
        Deployed { outputs, caller: caller.for_host(host.clone()), host }
    }

    /// Waits for an SMS with a link to a phone, and skips the first `earlier` of such SMS. Returns
    /// the text and the link's token.
    pub fn sms_link(&self, phone: &str, earlier: usize) -> (String, String) {
        let text = wait_for("SMS with a link", || {
            self.sms(phone).into_iter().filter(|text| text.contains("/s/")).nth(earlier)
        });
        let token = text.split_once("/s/").unwrap().1.split_whitespace().next().unwrap().to_owned();
        (text, token)
    }

    /// The SMS sent to a phone, oldest first.
    pub fn sms(&self, phone: &str) -> Vec<String> {
        let to = bukti_domain::PhoneNumber::parse(phone).unwrap();
        let number = to.e164().replace('+', "%2B");
        let path = format!("{}/_ministack/sns/sms-messages?phoneNumber={number}", self.ministack.url);
        let answer = Caller::direct(&self.ministack.url).call("GET", &path, None, b"").json();
        let mut texts = Vec::new();
        collect_messages(&answer, &mut texts);
        texts
    }
}

/// Collects the text of every message in a response of ministack.
pub fn collect_messages(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| collect_messages(value, texts)),
        Value::Object(all) => {
            for (name, value) in all {
                match value.as_str() {
                    Some(text) if name.eq_ignore_ascii_case("message") => texts.push(text.to_owned()),
                    _ => collect_messages(value, texts),
                }
            }
        }
        _ => {}
    }
}

/// Calls `find` until it returns a value. Panics after two minutes.
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what} within 120 s");
        std::thread::sleep(Duration::from_millis(500));
    }
}
