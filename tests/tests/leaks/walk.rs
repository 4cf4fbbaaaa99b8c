//! A walk through every flow, right and wrong, and what was answered.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bukti_domain::{FeedRow, PhoneNumber};
use bukti_tests::caller::{Caller, RawResponse};
use bukti_tests::{csv, dose, download_request, fhir_bundle, ndjson, outbox, program};
use bukti_wire::{
    Access, DocumentForm, HelpdeskRoute, HolderRoute, OtpRoute, ROUTES, Route, SenderRoute, StatusRoute,
    find_route,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::needles::{Kind, Needles};
use crate::places::May;

/// What may be in an answer that is no problem, of the people whom the caller may see. No other
/// route's holds anything. Nor does any problem, nor any header but the cookies of a request for a
/// code and of a new session.
const MAY_HOLD: [(Route, &[Kind]); 5] = [
    // The name that the caller gave the account.
    (OtpRoute::LogIn.route(), &[Kind::Name]),
    (OtpRoute::Session.route(), &[Kind::Name]),
    (HolderRoute::People.route(), &[Kind::Name]),
    // The number is masked.
    (HolderRoute::Certificates.route(), &[Kind::Name, Kind::BirthDate, Kind::QrText]),
    (HolderRoute::Link.route(), &[Kind::Name, Kind::BirthDate, Kind::QrText]),
];

/// What officers see of anybody, in answers that are no problem.
const OFFICERS_MAY: &[Kind] =
    &[Kind::Nik, Kind::Passport, Kind::Name, Kind::Word, Kind::BirthDate, Kind::Phone];

/// The stack as a program of its own, whose logs are kept.
pub struct Stack {
    process: Child,
    pub url: String,
    pub data: PathBuf,
    pub log: PathBuf,
    caller: Caller,
    _folder: TempDir,
}

impl Stack {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (data, log) = (folder.path().join("data"), folder.path().join("log"));
        let file = File::create(&log).unwrap();
        let mut process = Command::new(program("bukti-local"))
            .args(["--port", "0", "--data"])
            .arg(&data)
            .env("RUST_LOG", "warn,bukti=trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Bukti is running at ").unwrap().to_owned();
        let caller = Caller::new(&url, &data);
        Self { process, url, data, log, caller, _folder: folder }
    }

    /// What is at an address.
    pub fn json(&self, path: &str) -> Value {
        self.caller.call("GET", path, None, b"").json()
    }

    fn wait_until_idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(600);
        while self.json("/_stack.json")["backlog"] != 0 {
            assert!(Instant::now() < deadline, "the stack does not come to rest");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer, and what may be in it.
#[derive(Clone)]
pub struct Seen {
    /// Which call it was, without what it said.
    pub what: String,
    pub raw: RawResponse,
    pub is_document: bool,
    pub may: May,
    pub headers_may: May,
}

/// A walk and what it saw.
pub struct Walk {
    pub stack: Stack,
    pub seen: Vec<Seen>,
    /// What the command line said.
    pub output: Vec<(String, Vec<u8>)>,
    pub needles: Needles,
}

/// Somebody of the walk.
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
    // A family's phone, a passport; what is incomplete, malformed, contradictory.
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

impl Walk {
    /// Takes the rows in and walks.
    pub fn through(mut rows: Vec<FeedRow>) -> Self {
        let mut walk =
            Self { stack: Stack::start(), seen: Vec::new(), output: Vec::new(), needles: Needles::default() };
        let samples: Vec<FeedRow> = rows.iter().step_by(rows.len() / 12 + 1).cloned().collect();
        let people = people();
        rows.extend(people.iter().cloned());
        walk.import(&rows, "feed");
        walk.stack.wait_until_idle();

        walk.status_and_download(&people, &samples);
        walk.errors(&people);
        walk.account(&people);
        walk.links(&people);
        rows.extend(walk.correct(&people));
        walk.revoke(&people[6]);
        walk.helpdesk(&people[7]);
        walk.sender(&people[..2]);
        walk.bad_feeds(&people);
        walk.stack.wait_until_idle();

        walk.needles.add_people(&rows);
        for message in outbox(&walk.stack.url) {
            if let Some(token) = message.token() {
                walk.needles.add(Kind::LinkToken, &token);
            } else if let Some((_, code)) = message.text.rsplit_once('#') {
                walk.needles.add(Kind::Code, code.trim());
            }
        }
        walk
    }

    /// What the project says to everybody.
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

    /// Calls a route, and keeps the answer with what may be in it.
    fn call(
        &mut self,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: &[u8],
        of: &[&FeedRow],
    ) -> RawResponse {
        let raw = self.stack.caller.call(method, path, cookie, body);
        self.see(method, path, raw, of)
    }

    /// Keeps an answer with what may be in it.
    fn see(&mut self, method: &str, path: &str, raw: RawResponse, of: &[&FeedRow]) -> RawResponse {
        let route = find_route(method, path).map(|(route, _)| route);
        let (mut may, mut headers_may) = (May::default(), May::default());
        if raw.status < 300 {
            let rule = MAY_HOLD.iter().find(|rule| Some(rule.0) == route);
            for kind in rule.map_or(&[][..], |rule| rule.1) {
                match kind {
                    Kind::QrText => may.kinds.push(Kind::QrText),
                    Kind::BirthDate => {
                        may.own.extend(of.iter().map(|row| (*kind, row.tanggal_lahir.clone())));
                    }
                    _ => may.own.extend(of.iter().map(|row| (*kind, row.nama.to_lowercase()))),
                }
            }
            if route.is_some_and(|route| matches!(route.access, Access::AppointedPhone | Access::Officer)) {
                may.kinds.extend(OFFICERS_MAY);
            }
            if [Some(OtpRoute::Otp.route()), Some(OtpRoute::LogIn.route())].contains(&route) {
                headers_may.kinds.push(Kind::SessionToken);
            }
        }
        let what = format!("{method} {} {}", route.map_or("elsewhere", |route| route.path), raw.status);
        self.seen.push(Seen { what, raw: raw.clone(), is_document: false, may, headers_may });
        raw
    }

    fn post(&mut self, path: &str, body: &Value, of: &[&FeedRow]) -> RawResponse {
        self.call("POST", path, None, body.to_string().as_bytes(), of)
    }

    /// Fetches a document of a person.
    fn fetch(&mut self, address: &Value, of: &FeedRow) {
        let raw = self.stack.caller.call("GET", address.as_str().unwrap(), None, b"");
        assert_eq!(raw.status, 200);
        let may = May {
            kinds: vec![Kind::QrText],
            own: [(Kind::Name, of.nama.to_lowercase()), (Kind::BirthDate, of.tanggal_lahir.clone())].into(),
        };
        let what = "document".to_owned();
        self.seen.push(Seen { what, raw, is_document: true, may, headers_may: May::default() });
    }

    /// Runs a command of `bukti`; gives its standard output.
    fn bukti(&mut self, arguments: &[&str]) -> String {
        let output = Command::new(program("bukti"))
            .args(arguments)
            .args(["--endpoint", &self.stack.url])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        self.said.push((arguments[..1].join(" "), said));
        String::from_utf8(output.stdout).unwrap()
    }

    fn import(&mut self, rows: &[FeedRow], name: &str) {
        self.import_bytes(&csv(rows), name);
    }

    fn import_bytes(&mut self, feed: &[u8], name: &str) {
        // Outside the data folder: an admin's own files.
        let folder = TempDir::new().unwrap();
        let (file, report) = (folder.path().join(name), folder.path().join("report"));
        std::fs::write(&file, feed).unwrap();
        self.bukti(&["import", "--report", report.to_str().unwrap(), file.to_str().unwrap()]);
        self.output.push(("import's report".to_owned(), std::fs::read(&report).unwrap_or_default()));
    }

    /// The SMS to a phone, oldest first.
    fn sms(&self, phone: &str) -> Vec<bukti_tests::Message> {
        let to = PhoneNumber::parse(phone).unwrap();
        let mut messages = outbox(&self.stack.url);
        messages.retain(|message| message.to == to.e164());
        messages
    }

    /// The token of the last link to a phone.
    fn token(&self, phone: &str) -> String {
        self.sms(phone).iter().rev().find_map(bukti_tests::Message::token).unwrap()
    }

    fn status(&mut self, name: &str, of: &FeedRow) -> RawResponse {
        let mut request = json!({"name": name, "captcha": self.stack.caller.captcha()});
        let (field, number) = if of.nik.is_empty() { ("passport", &of.paspor) } else { ("nik", &of.nik) };
        request[field] = json!(number);
        self.post(StatusRoute::Status.path(), &request, &[of])
    }

    fn request_download(&mut self, of: &FeedRow) -> RawResponse {
        let request = download_request(of, &self.stack.caller.captcha());
        self.post(StatusRoute::Download.path(), &request, &[of])
    }

    fn status_and_download(&mut self, people: &[FeedRow], samples: &[FeedRow]) {
        self.call("GET", StatusRoute::Captcha.path(), None, b"", &[]);
        self.call("GET", StatusRoute::Vaccines.path(), None, b"", &[]);
        for of in people.iter().chain(samples) {
            self.status(&of.nama, of);
            self.status("Kuncoro Wiradinato", of);
        }
        assert_eq!(self.status(&people[0].nama, &people[0]).json()["doses"].as_array().unwrap().len(), 2);
        for of in [&people[2], &people[5]] {
            assert_eq!(self.request_download(of).status, 202);
        }
        // Once more, which is too soon and answered alike; then with a wrong fact, and of nobody.
        assert_eq!(self.request_download(&people[5]).status, 202);
        self.request_download(&FeedRow { tanggal_lahir: "1971-03-15".into(), ..people[0].clone() });
        self.request_download(&FeedRow { nik: "3171041403718399".into(), ..people[0].clone() });
        self.stack.wait_until_idle();
    }

    /// Each kind of problem, personal data in whatever caused it.
    fn errors(&mut self, people: &[FeedRow]) {
        let (of, other) = (&people[0], &people[4]);
        let broken = format!(r#"{{"name":"{}","nik":"{}","phone":"{}" "#, of.nama, of.nik, of.no_hp);
        let unknown = json!({"name": of.nama, of.nik.clone(): of.nama, "captcha": of.no_hp}).to_string();
        let wrong_types =
            json!({"name": {"of": of.nama}, "nik": [of.nik], "phone": {"is": of.no_hp}, "code": of.nama,
            "token": {"of": of.nik}, "birth_date": of.nama})
            .to_string();
        let wrong_values =
            json!({"name": "12", "nik": format!("{}x", of.nik), "captcha": of.nama}).to_string();
        let bad_captcha = json!({"name": of.nama, "nik": of.nik, "captcha": of.nama}).to_string();
        let long = json!({"name": of.nama.repeat(2_000), "nik": of.nik}).to_string();
        let longest = json!({"name": of.nama.repeat(80_000), "nik": of.nik}).to_string();
        for route in ROUTES {
            let path = route
                .path
                .replace("{person}", &of.nik)
                .replace("{session}", &of.no_hp)
                .replace("{certificate}", &of.nama.replace(' ', "%20"));
            for body in
                [&broken, &unknown, &wrong_types, &wrong_values, &bad_captcha, &long, &longest, &of.nama]
            {
                for cookie in [None, Some(&*format!("bukti={}", of.nik))] {
                    if route.method != "GET" {
                        self.call(route.method, &path, cookie, body.as_bytes(), &[]);
                    }
                }
            }
            self.call(route.method, &format!("{path}?nik={}&phone={}", of.nik, of.no_hp), None, b"{}", &[]);
            self.call("PATCH", &path, Some(&format!("bukti={}", other.nik)), b"", &[]);
        }
        for path in [
            "/api",
            StatusRoute::Status.path(),
            HolderRoute::People.path(),
            "/api/certificates",
            "/s",
            "/trust",
            "",
            "/bukti-documents",
        ] {
            let name = of.nama.replace(' ', "%20");
            self.call("GET", &format!("{path}/{}/{name}?to={}", of.nik, of.no_hp), None, b"", &[]);
            self.call("POST", &format!("{path}/{name}"), None, of.nik.as_bytes(), &[]);
        }
        // A captcha that was used.
        let captcha = self.stack.caller.captcha();
        let request = json!({"name": other.nama, "nik": other.nik, "captcha": captcha});
        assert_eq!(self.post(StatusRoute::Status.path(), &request, &[]).status, 200);
        assert_eq!(self.post(StatusRoute::Status.path(), &request, &[]).json()["code"], "captcha_reused");
        for (path, request) in [
            (OtpRoute::Otp.path(), json!({"phone": of.no_hp, "name": of.nama, "captcha": captcha})),
            (OtpRoute::Otp.path(), json!({"phone": "021-5558301", "name": of.nama, "captcha": captcha})),
            (OtpRoute::Otp.path(), json!({"phone": of.nama})),
            (OtpRoute::LogIn.path(), json!({"phone": of.no_hp, "code": "12345"})),
            (OtpRoute::LogIn.path(), json!({"phone": other.no_hp, "code": "123456"})),
            (HolderRoute::Link.path(), json!({"token": of.nik, "birth_date": of.tanggal_lahir})),
            (HolderRoute::Link.path(), json!({"token": of.nama, "birth_date": "14-03-1971"})),
            (HolderRoute::RefuseLink.path(), json!({"token": of.nama})),
        ] {
            assert!(self.post(path, &request, &[]).status >= 400);
        }
    }

    fn account(&mut self, people: &[FeedRow]) {
        let family = [&people[0], &people[1]];
        for (phone, name, of) in
            [(&people[0].no_hp, Some(&people[0].nama), &family[..]), (&people[2].no_hp, None, &[&people[2]])]
        {
            let mut cookie = None;
            for status in [202, 429] {
                let mut request = json!({"phone": phone, "captcha": self.stack.caller.captcha()});
                if let Some(name) = name {
                    request["name"] = json!(name);
                }
                let request = request.to_string();
                let answer =
                    self.call("POST", OtpRoute::Otp.path(), cookie.as_deref(), request.as_bytes(), of);
                assert_eq!(answer.status, status);
                cookie = cookie.or_else(|| self.code_cookie(&answer));
            }
            let code = self.sms(phone).last().unwrap().text.rsplit('#').next().unwrap().trim().to_owned();
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let mut statuses = Vec::new();
            for code in [wrong, &code, &code] {
                let tried = json!({"phone": phone, "code": code}).to_string();
                let answer =
                    self.call("POST", OtpRoute::LogIn.path(), cookie.as_deref(), tried.as_bytes(), of);
                statuses.push(answer.status);
            }
            assert_eq!(statuses, [422, 201, 410]);
            let opened = self.seen[self.seen.len() - 2].raw.clone();
            let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            self.needles.add(Kind::SessionToken, cookie.split_once('=').unwrap().1);
            let cookie = Some(&*cookie);
            self.call("GET", OtpRoute::Session.path(), cookie, b"", of);
            let open = self.call("GET", OtpRoute::Sessions.path(), cookie, b"", of).json();
            assert_eq!(open["sessions"].as_array().unwrap().len(), 1);
            let other = OtpRoute::EndSession.path_of(&people[4].nik);
            assert_eq!(self.call("DELETE", &other, cookie, b"", of).status, 404);
            let listed = self.call("GET", HolderRoute::People.path(), cookie, b"", of).json();
            assert_eq!(listed["people"].as_array().unwrap().len(), of.len());
            for listed in listed["people"].as_array().unwrap() {
                let who = of.iter().find(|row| listed["name"] == row.nama).unwrap();
                let path = HolderRoute::Certificates.path_of(listed["id"].as_str().unwrap());
                let answer = self.call("GET", &path, cookie, b"", &[who]).json();
                for dose in answer["doses"].as_array().unwrap() {
                    let certificate = &dose["certificate"];
                    self.needles.add(Kind::QrText, certificate["qr_text"].as_str().unwrap());
                    let path = HolderRoute::Document.path_of(certificate["id"].as_str().unwrap());
                    for form in DocumentForm::ALL {
                        let form = json!({"form": form.code()}).to_string();
                        let answer = self.call("POST", &path, cookie, form.as_bytes(), &[who]).json();
                        self.fetch(&answer["url"], who);
                    }
                    let form = json!({"form": who.nama}).to_string();
                    self.call("POST", &path, cookie, form.as_bytes(), &[who]);
                }
            }
            // What is nobody's or another's, by what a person would be called.
            for path in [
                HolderRoute::Certificates.path_of(&people[4].nik),
                HolderRoute::Document.path_of(&people[4].nik),
            ] {
                let method = if path.ends_with("document") { "POST" } else { "GET" };
                assert_eq!(self.call(method, &path, cookie, b"", of).status, 404);
            }
            assert_eq!(self.call("DELETE", OtpRoute::LogOut.path(), cookie, b"", of).status, 204);
            assert_eq!(self.call("GET", HolderRoute::People.path(), cookie, b"", of).status, 401);
        }
    }

    fn links(&mut self, people: &[FeedRow]) {
        let open = |walk: &mut Self, token: &str, birth_date: &str, form: &str, of: &FeedRow| {
            let request = json!({"token": token, "birth_date": birth_date, "form": form});
            walk.post(HolderRoute::Link.path(), &request, &[of])
        };
        for of in [&people[2], &people[3], &people[6]] {
            let token = self.token(&of.no_hp);
            assert_eq!(open(self, &token, "1950-01-01", "card", of).status, 422);
            for form in DocumentForm::ALL {
                let answer = open(self, &token, &of.tanggal_lahir, form.code(), of).json();
                self.needles.add(Kind::QrText, answer["certificate"]["qr_text"].as_str().unwrap());
                self.fetch(&answer["document"]["url"], of);
            }
        }
        let (locked, refused) = (&people[4], &people[5]);
        let token = self.token(&locked.no_hp);
        for _ in 0..6 {
            open(self, &token, "1950-01-01", "a4", locked);
        }
        assert_eq!(open(self, &token, &locked.tanggal_lahir, "a4", locked).status, 403);
        // The link of the quick download.
        let token = self.token(&refused.no_hp);
        assert_eq!(
            self.post(HolderRoute::RefuseLink.path(), &json!({"token": token}), &[refused]).status,
            204
        );
        assert_eq!(open(self, &token, &refused.tanggal_lahir, "a4", refused).status, 410);
        assert_eq!(open(self, "AAAAAAAAAAAAAAAAAAAAAA", "1950-01-01", "a4", refused).status, 410);
    }

    /// Another phone, another name, a batch that was missing. Gives the rows.
    fn correct(&mut self, people: &[FeedRow]) -> Vec<FeedRow> {
        let later = |row: &FeedRow| FeedRow { sent_at: "2021-05-01T08:00:00+07:00".into(), ..row.clone() };
        let replaced = self.token(&people[3].no_hp);
        let rows = vec![
            FeedRow { no_hp: "(0821) 06699013".into(), ..later(&people[3]) },
            FeedRow { nama: "Dewangga Purwokertono".into(), ..later(&people[4]) },
            FeedRow { batch: "B7".into(), ..later(&people[7]) },
        ];
        self.import(&rows, "corrections");
        self.stack.wait_until_idle();
        let request = json!({"token": replaced, "birth_date": people[3].tanggal_lahir});
        assert_eq!(self.post(HolderRoute::Link.path(), &request, &[&people[3]]).status, 410);
        let request = json!({"token": self.token(&rows[0].no_hp), "birth_date": people[3].tanggal_lahir});
        assert_eq!(self.post(HolderRoute::Link.path(), &request, &[&people[3]]).status, 200);
        for row in &rows {
            self.status(&row.nama, row);
        }
        rows
    }

    fn revoke(&mut self, of: &FeedRow) {
        let token = self.token(&of.no_hp);
        let asked = json!({"token": token, "birth_date": of.tanggal_lahir});
        let opened = self.post(HolderRoute::Link.path(), &asked, &[of]).json();
        let id = opened["certificate"]["id"].as_str().unwrap();
        let output = self.bukti(&["revoke", id, "0123456789ABCDEF", "--reason", "a stolen form"]);
        assert!(output.contains("revoked"), "{output}");
        self.bukti(&["trust", "publish"]);
        self.bukti(&["keys", "list"]);
        assert_eq!(self.post(HolderRoute::Link.path(), &asked, &[of]).status, 410);
        self.status(&of.nama, of);
        for path in ["/trust/did.json", "/trust/signers.json", "/trust/revocation/index.json"] {
            self.call("GET", path, None, b"", &[]);
        }
    }

    /// The cookie of a request for a code: a token as that of a session is.
    fn code_cookie(&mut self, request: &RawResponse) -> Option<String> {
        let cookie = request.header("set-cookie")?.split(';').next()?;
        self.needles.add(Kind::SessionToken, cookie.split_once('=')?.1);
        Some(cookie.to_owned())
    }

    /// Logs in with a phone of nobody's; gives the cookie.
    fn log_in(&mut self, phone: &str) -> String {
        let request = json!({"phone": phone, "captcha": self.stack.caller.captcha()});
        let request = self.post(OtpRoute::Otp.path(), &request, &[]);
        let cookie = self.code_cookie(&request);
        let code = self.sms(phone).last().unwrap().text.rsplit('#').next().unwrap().trim().to_owned();
        let code = json!({"phone": phone, "code": code}).to_string();
        let opened = self.call("POST", OtpRoute::LogIn.path(), cookie.as_deref(), code.as_bytes(), &[]);
        let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        self.needles.add(Kind::SessionToken, cookie.split_once('=').unwrap().1);
        cookie
    }

    /// A wrong phone from the case to the right certificate, and what officers and admins see on the way.
    fn helpdesk(&mut self, of: &FeedRow) {
        let output =
            self.bukti(&["officer", "add", "0811 5555 0102", "--name", "Petugas", "--role", "supervisor"]);
        // It is told this once, to who adds the officer.
        self.output.pop();
        let secret = output.split_once("?secret=").unwrap().1.split('&').next().unwrap().to_owned();
        self.needles.add(Kind::OfficerSecret, &secret);
        let (person, officer) = (self.log_in("0813 5555 0101"), self.log_in("0811 5555 0102"));
        let (person, officer) = (Some(&*person), Some(&*officer));
        let send = |walk: &mut Self, path: &str, cookie: Option<&str>, body: Value| {
            walk.call("POST", path, cookie, body.to_string().as_bytes(), &[of])
        };
        let code = bukti_tests::authenticator_code(&secret);
        let shown = send(self, HelpdeskRoute::SecondFactor.path(), officer, json!({"code": code}));
        assert_eq!(shown.status, 200);

        let identity = if of.nik.is_empty() { ("passport", &of.paspor) } else { ("nik", &of.nik) };
        let mut request =
            json!({"correction": "phone", "name": of.nama, "birth_date": of.tanggal_lahir, "note": of.nama});
        request[identity.0] = json!(identity.1);
        let number =
            send(self, HelpdeskRoute::OpenCase.path(), person, request.clone()).json()["number"].clone();
        let number = number.as_str().unwrap();
        request["correction"] = json!(of.nama);
        assert_eq!(send(self, HelpdeskRoute::OpenCase.path(), person, request).status, 422);
        let slot = json!({"content_type": "image/png", "bytes": 4});
        assert_eq!(send(self, &HelpdeskRoute::Evidence.path_of(number), person, slot).status, 201);
        self.call("GET", HelpdeskRoute::Cases.path(), person, b"", &[of]);
        let lookup = json!({"number": number, "birth_date": of.tanggal_lahir});
        assert_eq!(self.post(HelpdeskRoute::Case.path(), &lookup, &[of]).status, 200);

        self.call("GET", HelpdeskRoute::Queue.path(), officer, b"", &[of]);
        let path = HelpdeskRoute::OfficerCase.path_of(number);
        let seen = self.call("GET", &path, officer, b"", &[of]).json();
        let search = json!({"identity": identity.1, "why": "telepon"});
        assert_eq!(send(self, HelpdeskRoute::FindPeople.path(), officer, search).status, 200);
        assert_eq!(
            send(self, HelpdeskRoute::FindPeople.path(), officer, json!({"identity": of.nama, "why": "x"}))
                .status,
            422
        );
        let mut decision = json!({
            "decision": "grant", "revision": seen["revision"], "why": "cocok", "dose": seen["doses"][0]["id"],
        });
        let decisions = format!("{path}/decisions");
        assert_eq!(send(self, &decisions, officer, decision.clone()).status, 422);
        decision["facility_word"] = json!("dr. Ani");
        assert_eq!(send(self, &decisions, officer, decision).status, 200);
        self.stack.wait_until_idle();
        let people = self.call("GET", HolderRoute::People.path(), person, b"", &[of]).json();
        let id = people["people"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(self.call("GET", &HelpdeskRoute::Looks.path_of(&id), person, b"", &[]).status, 200);
        self.bukti(&["officer", "list"]);
        self.bukti(&["audit", "export", "--from", &bukti_tests::today()]);
        self.bukti(&["facility", "report"]);
    }

    /// A hub with an API key that sends people, in every form, well and badly.
    fn sender(&mut self, people: &[FeedRow]) {
        let key = self.bukti(&["key", "add", "--hub", "satudata"]);
        // It is told this once, to who adds it.
        self.output.pop();
        let key = key.trim();
        self.needles.add(Kind::ApiKey, key.rsplit_once('_').unwrap().1);
        let authorization = format!("Bearer {key}");
        let mut send = |kind: &str, body: &[u8]| {
            let (path, headers) =
                (SenderRoute::SendDoses.path(), [("authorization", &*authorization), ("content-type", kind)]);
            let raw = self.stack.caller.send("POST", path, &headers, body);
            self.see("POST", path, raw, &[])
        };
        let whole = csv(people);
        let answer = send("text/csv", &whole);
        assert_eq!(answer.status, 200);
        let mut wrong = people.to_vec();
        for row in &mut wrong {
            (row.nik, row.paspor, row.sent_at) = (row.nama.clone(), String::new(), "2099".to_owned());
        }
        for rows in [people, &wrong] {
            assert_eq!(send("application/x-ndjson", &ndjson(rows)).status, 200);
            assert_eq!(send("application/fhir+json", &fhir_bundle(rows)).status, 200);
        }
        for kind in ["text/csv", "application/fhir+json"] {
            assert_eq!(send(kind, &whole[..whole.len() - 10]).status, 422);
            assert_eq!(send(kind, people[0].nama.as_bytes()).status, 422);
        }
        let path = SenderRoute::Job.path_of(answer.json()["job"].as_str().unwrap());
        let raw = self.stack.caller.send("GET", &path, &[("authorization", &authorization)], b"");
        assert_eq!(raw.status, 200);
        self.see("GET", &path, raw, &[]);
        self.bukti(&["key", "list"]);
    }

    /// Files that are bad as such, people in them.
    fn bad_feeds(&mut self, people: &[FeedRow]) {
        let good = csv(&people[..2]);
        let broken_off = format!("{}\n\"{}", String::from_utf8_lossy(&good).trim(), people[5].nama);
        let mut not_utf8 = good.clone();
        let at = not_utf8.windows(7).position(|part| part == b"Kuncoro").unwrap();
        not_utf8[at] = 0xff;
        let header = format!("{},{},{}\n", people[0].nik, people[0].nama, people[0].no_hp);
        let long = format!("{}\n{}", String::from_utf8_lossy(&good).trim(), people[4].nama.repeat(10_000));
        let nul = format!(
            "{}\nWALK-X,\0{},{}\n",
            String::from_utf8_lossy(&good).trim(),
            people[4].nik,
            people[4].nama
        );
        for feed in
            [broken_off.as_bytes(), &not_utf8, header.as_bytes(), long.as_bytes(), nul.as_bytes(), b""]
        {
            self.import_bytes(feed, "bad");
            self.stack.wait_until_idle();
        }
    }
}
