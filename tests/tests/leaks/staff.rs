//! Flows of officers, senders and admins: corrections, revocation, cases, API keys, damaged feeds.

use bukti_domain::FeedRow;
use bukti_tests::{csv, fhir_bundle, ndjson};
use bukti_wire::{HelpdeskRoute, HolderRoute, SenderRoute};
use serde_json::{Value, json};

use crate::needles::Kind;
use crate::scenario::Scenario;

impl Scenario {
    /// Corrects a phone, a name and a missing batch. Returns the corrected rows.
    pub fn correct(&mut self, people: &[FeedRow]) -> Vec<FeedRow> {
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

    pub fn revoke(&mut self, subject: &FeedRow) {
        let token = self.token(&subject.no_hp);
        let link_request = json!({"token": token, "birth_date": subject.tanggal_lahir});
        let opened = self.post(HolderRoute::Link.path(), &link_request, &[subject]).json();
        let id = opened["certificate"]["id"].as_str().unwrap();
        let output = self.bukti(&["revoke", id, "0123456789ABCDEF", "--reason", "a stolen form"]);
        assert!(output.contains("revoked"), "{output}");
        self.bukti(&["trust", "publish"]);
        self.bukti(&["signing-key", "list"]);
        assert_eq!(self.post(HolderRoute::Link.path(), &link_request, &[subject]).status, 410);
        self.status(&subject.nama, subject);
        for path in ["/trust/did.json", "/trust/signers.json", "/trust/revocation/index.json"] {
            self.call("GET", path, None, b"", &[]);
        }
    }

    /// Runs a case about a wrong phone, from its opening to the new certificate, and records all
    /// views of officers and admins.
    pub fn helpdesk(&mut self, subject: &FeedRow) {
        let output =
            self.bukti(&["officer", "add", "0811 5555 0102", "--name", "Petugas", "--role", "supervisor"]);
        // This output shows the secret to the admin on purpose, so it is not searched.
        self.cli_output.pop();
        let secret = output.split_once("?secret=").unwrap().1.split('&').next().unwrap().to_owned();
        self.needles.add(Kind::OfficerSecret, &secret);
        let (person, officer) = (self.log_in("0813 5555 0101"), self.log_in("0811 5555 0102"));
        let (person, officer) = (Some(&*person), Some(&*officer));
        let send = |scenario: &mut Self, path: &str, cookie: Option<&str>, body: Value| {
            scenario.call("POST", path, cookie, body.to_string().as_bytes(), &[subject])
        };
        let code = bukti_tests::authenticator_code(&secret);
        let shown = send(self, HelpdeskRoute::SecondFactor.path(), officer, json!({"code": code}));
        assert_eq!(shown.status, 200);

        let identity =
            if subject.nik.is_empty() { ("passport", &subject.paspor) } else { ("nik", &subject.nik) };
        let mut request = json!({"correction": "phone", "name": subject.nama, "birth_date": subject.tanggal_lahir, "note": subject.nama});
        request[identity.0] = json!(identity.1);
        let number =
            send(self, HelpdeskRoute::OpenCase.path(), person, request.clone()).json()["number"].clone();
        let number = number.as_str().unwrap();
        request["correction"] = json!(subject.nama);
        assert_eq!(send(self, HelpdeskRoute::OpenCase.path(), person, request).status, 422);
        let slot = json!({"content_type": "image/png", "bytes": 4});
        assert_eq!(send(self, &HelpdeskRoute::Evidence.path_of(number), person, slot).status, 201);
        self.call("GET", HelpdeskRoute::Cases.path(), person, b"", &[subject]);
        let lookup = json!({"number": number, "birth_date": subject.tanggal_lahir});
        assert_eq!(self.post(HelpdeskRoute::Case.path(), &lookup, &[subject]).status, 200);

        self.call("GET", HelpdeskRoute::Queue.path(), officer, b"", &[subject]);
        let path = HelpdeskRoute::OfficerCase.path_of(number);
        let seen = self.call("GET", &path, officer, b"", &[subject]).json();
        let search = json!({"identity": identity.1, "why": "telepon"});
        assert_eq!(send(self, HelpdeskRoute::FindPeople.path(), officer, search).status, 200);
        assert_eq!(
            send(
                self,
                HelpdeskRoute::FindPeople.path(),
                officer,
                json!({"identity": subject.nama, "why": "x"})
            )
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
        let people = self.call("GET", HolderRoute::People.path(), person, b"", &[subject]).json();
        let id = people["people"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(self.call("GET", &HelpdeskRoute::AccessLog.path_of(&id), person, b"", &[]).status, 200);
        self.bukti(&["officer", "list"]);
        self.bukti(&["audit", "export", "--from", &bukti_tests::today()]);
        self.bukti(&["facility", "report"]);
    }

    /// Sends valid and invalid doses in every format with a hub's API key.
    pub fn sender(&mut self, people: &[FeedRow]) {
        let key = self.bukti(&["api-key", "create", "--hub", "satudata"]);
        // This output shows the API key to the admin on purpose, so it is not searched.
        self.cli_output.pop();
        let key = key.trim();
        self.needles.add(Kind::ApiKey, key.rsplit_once('_').unwrap().1);
        let authorization = format!("Bearer {key}");
        let mut send = |kind: &str, body: &[u8]| {
            let (path, headers) =
                (SenderRoute::SendDoses.path(), [("authorization", &*authorization), ("content-type", kind)]);
            let raw = self.stack.caller.send("POST", path, &headers, body);
            self.record("POST", path, raw, &[])
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
        self.record("GET", &path, raw, &[]);
        self.bukti(&["api-key", "list"]);
    }

    /// Imports damaged files that contain personal data.
    pub fn bad_feeds(&mut self, people: &[FeedRow]) {
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
