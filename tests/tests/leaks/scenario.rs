//! The scenario of the leak test: every flow of citizens, officers, senders and admins, with valid
//! and invalid requests. All responses are recorded.

use std::process::{Command, Stdio};

use bukti_domain::{FeedRow, PhoneNumber};
use bukti_tests::caller::RawResponse;
use bukti_tests::{csv, dose, outbox, program};
use bukti_wire::{Access, HolderRoute, OtpRoute, Route, StatusRoute, find_route};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::needles::{Kind, Needles};
use crate::places::Allowed;
use crate::stack::Stack;

/// The kinds of data, about people whom the caller may see, that successful responses of these
/// routes may contain. Other routes and problems may contain no needles, and neither may headers,
/// except for the cookies that a code request and a log-in set.
const ALLOWED_IN_RESPONSES: [(Route, &[Kind]); 5] = [
    // The name that the caller gave for the account.
    (OtpRoute::LogIn.route(), &[Kind::Name]),
    (OtpRoute::Session.route(), &[Kind::Name]),
    (HolderRoute::People.route(), &[Kind::Name]),
    // The identity number is masked.
    (HolderRoute::Certificates.route(), &[Kind::Name, Kind::BirthDate, Kind::QrText]),
    (HolderRoute::Link.route(), &[Kind::Name, Kind::BirthDate, Kind::QrText]),
];

/// The kinds of data, about any person, that successful responses to officers may contain.
const ALLOWED_FOR_OFFICERS: &[Kind] =
    &[Kind::Nik, Kind::Passport, Kind::Name, Kind::Word, Kind::BirthDate, Kind::Phone];

/// A response, and the needles that it may contain.
#[derive(Clone)]
pub struct RecordedResponse {
    /// The method, route and status of the request.
    pub what: String,
    pub raw: RawResponse,
    pub is_document: bool,
    pub allowed: Allowed,
    pub allowed_in_headers: Allowed,
}

/// A completed scenario and the data that it recorded.
pub struct Scenario {
    pub stack: Stack,
    pub responses: Vec<RecordedResponse>,
    /// The output of each command, with the command's name.
    pub cli_output: Vec<(String, Vec<u8>)>,
    pub needles: Needles,
}

/// A complete row for a person of the scenario.
fn person(at: usize, name: &str, birth_date: &str, sex: &str) -> FeedRow {
    let (year, month, day) = (&birth_date[2..4], &birth_date[5..7], birth_date[8..].parse::<u8>().unwrap());
    let day = if sex == "P" { day + 40 } else { day };
    FeedRow {
        nik: format!("317104{day:02}{month}{year}83{at:02}"),
        nama: name.into(),
        tanggal_lahir: birth_date.into(),
        jenis_kelamin: sex.into(),
        no_hp: format!("0821-0669-90{at:02}"),
        ..dose(&format!("WALK-{at}"))
    }
}

fn people() -> Vec<FeedRow> {
    let mut people = vec![
        person(0, "Kuncoro Wiradinata", "1971-03-14", "L"),
        person(1, "Sekarwangi Wiradinata", "2010-05-06", "P"),
        person(2, "Zbigniew Brzęczyszczykiewicz", "1968-11-23", "L"),
        person(3, "Raden Mas Tirtonegoro, S.Pd.", "1955-07-09", "L"),
        person(4, "Dewangga Purbalingga", "1983-08-17", "L"),
        person(5, "Lintangsari Kusumoprojo", "1992-02-28", "P"),
        person(6, "Bagaskara Hadiningrat", "1947-12-30", "L"),
        person(7, "Jatmikowati Prawirodirdjo", "1964-09-05", "P"),
        person(8, "Tunggulwulung Adikusumo", "1979-04-21", "L"),
        person(9, "Respatiningsih Notokusumo", "1986-06-11", "P"),
    ];
    // Vary the rows: a shared phone, a passport, and incomplete, malformed and contradictory data.
    people[1].no_hp = people[0].no_hp.clone();
    (people[2].nik, people[2].paspor) = (String::new(), "ZX8401177".into());
    people[7].batch = String::new();
    people[8].nik.truncate(14);
    people[9].jenis_kelamin = "L".into();
    let mut second = people[0].clone();
    (second.event_id, second.dosis_ke) = ("WALK-0-2".into(), "2".into());
    (second.tanggal_vaksinasi, second.sent_at) = ("2021-03-01".into(), "2021-03-01T10:00:00+07:00".into());
    people.push(second);
    people
}

impl Scenario {
    /// Imports the rows and runs all flows.
    pub fn run(mut rows: Vec<FeedRow>) -> Self {
        let mut scenario = Self {
            stack: Stack::start(),
            responses: Vec::new(),
            cli_output: Vec::new(),
            needles: Needles::default(),
        };
        let samples: Vec<FeedRow> = rows.iter().step_by(rows.len() / 12 + 1).cloned().collect();
        let people = people();
        rows.extend(people.iter().cloned());
        scenario.import(&rows, "feed");
        scenario.stack.wait_until_idle();

        scenario.status_and_download(&people, &samples);
        scenario.errors(&people);
        scenario.account(&people);
        scenario.links(&people);
        rows.extend(scenario.correct(&people));
        scenario.revoke(&people[6]);
        scenario.helpdesk(&people[7]);
        scenario.sender(&people[..2]);
        scenario.bad_feeds(&people);
        scenario.stack.wait_until_idle();

        scenario.needles.add_people(&rows);
        for message in outbox(&scenario.stack.url) {
            if let Some(token) = message.token() {
                scenario.needles.add(Kind::LinkToken, &token);
            } else if let Some((_, code)) = message.text.rsplit_once('#') {
                scenario.needles.add(Kind::Code, code.trim());
            }
        }
        scenario
    }

    /// The project's public texts, whose words are not personal data.
    pub fn public_texts(&self) -> Vec<u8> {
        let mut texts = self.stack.caller.call("GET", StatusRoute::Openapi.path(), None, b"").body;
        texts.extend(self.stack.caller.call("GET", StatusRoute::Vaccines.path(), None, b"").body);
        let folder = bukti_tests::root().join("functions/lib/locales/texts");
        for language in std::fs::read_dir(folder).unwrap() {
            for file in std::fs::read_dir(language.unwrap().path()).unwrap() {
                texts.extend(std::fs::read(file.unwrap().path()).unwrap());
            }
        }
        texts
    }

    /// Calls a route and records the response. `subjects` are the people whom the caller may see.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: &[u8],
        subjects: &[&FeedRow],
    ) -> RawResponse {
        let raw = self.stack.caller.call(method, path, cookie, body);
        self.record(method, path, raw, subjects)
    }

    /// Records a response together with the needles that it may contain.
    pub fn record(
        &mut self,
        method: &str,
        path: &str,
        raw: RawResponse,
        subjects: &[&FeedRow],
    ) -> RawResponse {
        let route = find_route(method, path).map(|(route, _)| route);
        let (mut allowed, mut allowed_in_headers) = (Allowed::default(), Allowed::default());
        if raw.status < 300 {
            let rule = ALLOWED_IN_RESPONSES.iter().find(|rule| Some(rule.0) == route);
            for kind in rule.map_or(&[][..], |rule| rule.1) {
                match kind {
                    Kind::QrText => allowed.kinds.push(Kind::QrText),
                    Kind::BirthDate => {
                        allowed.values.extend(subjects.iter().map(|row| (*kind, row.tanggal_lahir.clone())));
                    }
                    _ => allowed.values.extend(subjects.iter().map(|row| (*kind, row.nama.to_lowercase()))),
                }
            }
            if route.is_some_and(|route| matches!(route.access, Access::AppointedPhone | Access::Officer)) {
                allowed.kinds.extend(ALLOWED_FOR_OFFICERS);
            }
            if [Some(OtpRoute::Otp.route()), Some(OtpRoute::LogIn.route())].contains(&route) {
                allowed_in_headers.kinds.push(Kind::SessionToken);
            }
        }
        let what = format!("{method} {} {}", route.map_or("elsewhere", |route| route.path), raw.status);
        self.responses.push(RecordedResponse {
            what,
            raw: raw.clone(),
            is_document: false,
            allowed,
            allowed_in_headers,
        });
        raw
    }

    pub fn post(&mut self, path: &str, body: &Value, subjects: &[&FeedRow]) -> RawResponse {
        self.call("POST", path, None, body.to_string().as_bytes(), subjects)
    }

    /// Fetches and records a document of a person.
    pub fn fetch(&mut self, address: &Value, subject: &FeedRow) {
        let raw = self.stack.caller.call("GET", address.as_str().unwrap(), None, b"");
        assert_eq!(raw.status, 200);
        let allowed = Allowed {
            kinds: vec![Kind::QrText],
            values: [
                (Kind::Name, subject.nama.to_lowercase()),
                (Kind::BirthDate, subject.tanggal_lahir.clone()),
            ]
            .into(),
        };
        let what = "document".to_owned();
        self.responses.push(RecordedResponse {
            what,
            raw,
            is_document: true,
            allowed,
            allowed_in_headers: Allowed::default(),
        });
    }

    /// Runs a `bukti` command and records its output. Returns its standard output.
    pub fn bukti(&mut self, arguments: &[&str]) -> String {
        let output = Command::new(program("bukti"))
            .args(arguments)
            .args(["--endpoint", &self.stack.url])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let both = [&output.stdout[..], &output.stderr].concat();
        self.cli_output.push((arguments[..1].join(" "), both));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn import(&mut self, rows: &[FeedRow], name: &str) {
        self.import_bytes(&csv(rows), name);
    }

    pub fn import_bytes(&mut self, feed: &[u8], name: &str) {
        // Use a folder outside the data folder, since these files belong to the admin.
        let folder = TempDir::new().unwrap();
        let (file, report) = (folder.path().join(name), folder.path().join("report"));
        std::fs::write(&file, feed).unwrap();
        self.bukti(&["import", "--report", report.to_str().unwrap(), file.to_str().unwrap()]);
        self.cli_output.push(("import's report".to_owned(), std::fs::read(&report).unwrap_or_default()));
    }

    /// The SMS sent to a phone, oldest first.
    pub fn sms(&self, phone: &str) -> Vec<bukti_tests::Message> {
        let to = PhoneNumber::parse(phone).unwrap();
        let mut messages = outbox(&self.stack.url);
        messages.retain(|message| message.to == to.e164());
        messages
    }

    /// The token of the latest link sent to a phone.
    pub fn token(&self, phone: &str) -> String {
        self.sms(phone).iter().rev().find_map(bukti_tests::Message::token).unwrap()
    }

    /// The cookie that the response to a code request sets. Records its token as a needle, like the
    /// token of a session.
    pub fn code_cookie(&mut self, request: &RawResponse) -> Option<String> {
        let cookie = request.header("set-cookie")?.split(';').next()?;
        self.needles.add(Kind::SessionToken, cookie.split_once('=')?.1);
        Some(cookie.to_owned())
    }

    /// Logs in with a phone that no dose has. Returns the session cookie.
    pub fn log_in(&mut self, phone: &str) -> String {
        let request = json!({"phone": phone, "captcha": self.stack.caller.captcha()});
        let requested = self.post(OtpRoute::Otp.path(), &request, &[]);
        let cookie = self.code_cookie(&requested);
        let code = self.sms(phone).last().unwrap().text.rsplit('#').next().unwrap().trim().to_owned();
        let code = json!({"phone": phone, "code": code}).to_string();
        let opened = self.call("POST", OtpRoute::LogIn.path(), cookie.as_deref(), code.as_bytes(), &[]);
        let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        self.needles.add(Kind::SessionToken, cookie.split_once('=').unwrap().1);
        cookie
    }
}
