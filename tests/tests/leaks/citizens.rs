//! Flows of citizens: status, quick download, log-in, account, links.

use bukti_domain::FeedRow;
use bukti_tests::caller::RawResponse;
use bukti_tests::download_request;
use bukti_wire::{DocumentForm, HolderRoute, OtpRoute, ROUTES, StatusRoute};
use serde_json::json;

use crate::needles::Kind;
use crate::scenario::Scenario;

impl Scenario {
    pub fn status(&mut self, name: &str, subject: &FeedRow) -> RawResponse {
        let mut request = json!({"name": name, "captcha": self.stack.caller.captcha()});
        let (field, number) =
            if subject.nik.is_empty() { ("passport", &subject.paspor) } else { ("nik", &subject.nik) };
        request[field] = json!(number);
        self.post(StatusRoute::Status.path(), &request, &[subject])
    }

    pub fn request_download(&mut self, subject: &FeedRow) -> RawResponse {
        let request = download_request(subject, &self.stack.caller.captcha());
        self.post(StatusRoute::Download.path(), &request, &[subject])
    }

    pub fn status_and_download(&mut self, people: &[FeedRow], samples: &[FeedRow]) {
        self.call("GET", StatusRoute::Captcha.path(), None, b"", &[]);
        self.call("GET", StatusRoute::Vaccines.path(), None, b"", &[]);
        for subject in people.iter().chain(samples) {
            self.status(&subject.nama, subject);
            self.status("Kuncoro Wiradinato", subject);
        }
        assert_eq!(self.status(&people[0].nama, &people[0]).json()["doses"].as_array().unwrap().len(), 2);
        for subject in [&people[2], &people[5]] {
            assert_eq!(self.request_download(subject).status, 202);
        }
        // A repeated request within five minutes, which gets the same response. Then a request with
        // a wrong fact, and a request for an unknown person.
        assert_eq!(self.request_download(&people[5]).status, 202);
        self.request_download(&FeedRow { tanggal_lahir: "1971-03-15".into(), ..people[0].clone() });
        self.request_download(&FeedRow { nik: "3171041403718399".into(), ..people[0].clone() });
        self.stack.wait_until_idle();
    }

    /// Triggers every kind of problem with requests that contain personal data.
    pub fn errors(&mut self, people: &[FeedRow]) {
        let (subject, other) = (&people[0], &people[4]);
        let broken =
            format!(r#"{{"name":"{}","nik":"{}","phone":"{}" "#, subject.nama, subject.nik, subject.no_hp);
        let unknown =
            json!({"name": subject.nama, subject.nik.clone(): subject.nama, "captcha": subject.no_hp})
                .to_string();
        let wrong_types =
            json!({"name": {"of": subject.nama}, "nik": [subject.nik], "phone": {"is": subject.no_hp}, "code": subject.nama,
            "token": {"of": subject.nik}, "birth_date": subject.nama})
            .to_string();
        let wrong_values =
            json!({"name": "12", "nik": format!("{}x", subject.nik), "captcha": subject.nama}).to_string();
        let bad_captcha =
            json!({"name": subject.nama, "nik": subject.nik, "captcha": subject.nama}).to_string();
        let long = json!({"name": subject.nama.repeat(2_000), "nik": subject.nik}).to_string();
        let longest = json!({"name": subject.nama.repeat(80_000), "nik": subject.nik}).to_string();
        for route in ROUTES {
            let path = route
                .path
                .replace("{person}", &subject.nik)
                .replace("{session}", &subject.no_hp)
                .replace("{certificate}", &subject.nama.replace(' ', "%20"));
            for body in
                [&broken, &unknown, &wrong_types, &wrong_values, &bad_captcha, &long, &longest, &subject.nama]
            {
                for cookie in [None, Some(&*format!("bukti={}", subject.nik))] {
                    if route.method != "GET" {
                        self.call(route.method, &path, cookie, body.as_bytes(), &[]);
                    }
                }
            }
            self.call(
                route.method,
                &format!("{path}?nik={}&phone={}", subject.nik, subject.no_hp),
                None,
                b"{}",
                &[],
            );
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
            let name = subject.nama.replace(' ', "%20");
            self.call("GET", &format!("{path}/{}/{name}?to={}", subject.nik, subject.no_hp), None, b"", &[]);
            self.call("POST", &format!("{path}/{name}"), None, subject.nik.as_bytes(), &[]);
        }
        // Use a captcha twice.
        let captcha = self.stack.caller.captcha();
        let request = json!({"name": other.nama, "nik": other.nik, "captcha": captcha});
        assert_eq!(self.post(StatusRoute::Status.path(), &request, &[]).status, 200);
        assert_eq!(self.post(StatusRoute::Status.path(), &request, &[]).json()["code"], "captcha_reused");
        for (path, request) in [
            (OtpRoute::Otp.path(), json!({"phone": subject.no_hp, "name": subject.nama, "captcha": captcha})),
            (OtpRoute::Otp.path(), json!({"phone": "021-5558301", "name": subject.nama, "captcha": captcha})),
            (OtpRoute::Otp.path(), json!({"phone": subject.nama})),
            (OtpRoute::LogIn.path(), json!({"phone": subject.no_hp, "code": "12345"})),
            (OtpRoute::LogIn.path(), json!({"phone": other.no_hp, "code": "123456"})),
            (HolderRoute::Link.path(), json!({"token": subject.nik, "birth_date": subject.tanggal_lahir})),
            (HolderRoute::Link.path(), json!({"token": subject.nama, "birth_date": "14-03-1971"})),
            (HolderRoute::RefuseLink.path(), json!({"token": subject.nama})),
        ] {
            assert!(self.post(path, &request, &[]).status >= 400);
        }
    }

    pub fn account(&mut self, people: &[FeedRow]) {
        let family = [&people[0], &people[1]];
        for (phone, name, subjects) in
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
                    self.call("POST", OtpRoute::Otp.path(), cookie.as_deref(), request.as_bytes(), subjects);
                assert_eq!(answer.status, status);
                cookie = cookie.or_else(|| self.code_cookie(&answer));
            }
            let code = self.sms(phone).last().unwrap().text.rsplit('#').next().unwrap().trim().to_owned();
            let wrong = if code == "000000" { "000001" } else { "000000" };
            let mut statuses = Vec::new();
            for code in [wrong, &code, &code] {
                let tried = json!({"phone": phone, "code": code}).to_string();
                let answer =
                    self.call("POST", OtpRoute::LogIn.path(), cookie.as_deref(), tried.as_bytes(), subjects);
                statuses.push(answer.status);
            }
            assert_eq!(statuses, [422, 201, 410]);
            let opened = self.responses[self.responses.len() - 2].raw.clone();
            let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            self.needles.add(Kind::SessionToken, cookie.split_once('=').unwrap().1);
            let cookie = Some(&*cookie);
            self.call("GET", OtpRoute::Session.path(), cookie, b"", subjects);
            let open = self.call("GET", OtpRoute::Sessions.path(), cookie, b"", subjects).json();
            assert_eq!(open["sessions"].as_array().unwrap().len(), 1);
            let other = OtpRoute::EndSession.path_of(&people[4].nik);
            assert_eq!(self.call("DELETE", &other, cookie, b"", subjects).status, 404);
            let listed = self.call("GET", HolderRoute::People.path(), cookie, b"", subjects).json();
            assert_eq!(listed["people"].as_array().unwrap().len(), subjects.len());
            for listed in listed["people"].as_array().unwrap() {
                let who = subjects.iter().find(|row| listed["name"] == row.nama).unwrap();
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
            // Requests for other people's records or missing records, with personal data as the
            // ids.
            for path in [
                HolderRoute::Certificates.path_of(&people[4].nik),
                HolderRoute::Document.path_of(&people[4].nik),
            ] {
                let method = if path.ends_with("document") { "POST" } else { "GET" };
                assert_eq!(self.call(method, &path, cookie, b"", subjects).status, 404);
            }
            assert_eq!(self.call("DELETE", OtpRoute::LogOut.path(), cookie, b"", subjects).status, 204);
            assert_eq!(self.call("GET", HolderRoute::People.path(), cookie, b"", subjects).status, 401);
        }
    }

    pub fn links(&mut self, people: &[FeedRow]) {
        let open = |scenario: &mut Self, token: &str, birth_date: &str, form: &str, subject: &FeedRow| {
            let request = json!({"token": token, "birth_date": birth_date, "form": form});
            scenario.post(HolderRoute::Link.path(), &request, &[subject])
        };
        for subject in [&people[2], &people[3], &people[6]] {
            let token = self.token(&subject.no_hp);
            assert_eq!(open(self, &token, "1950-01-01", "card", subject).status, 422);
            for form in DocumentForm::ALL {
                let answer = open(self, &token, &subject.tanggal_lahir, form.code(), subject).json();
                self.needles.add(Kind::QrText, answer["certificate"]["qr_text"].as_str().unwrap());
                self.fetch(&answer["document"]["url"], subject);
            }
        }
        let (locked, refused) = (&people[4], &people[5]);
        let token = self.token(&locked.no_hp);
        for _ in 0..6 {
            open(self, &token, "1950-01-01", "a4", locked);
        }
        assert_eq!(open(self, &token, &locked.tanggal_lahir, "a4", locked).status, 403);
        // Refuse the link of the quick download.
        let token = self.token(&refused.no_hp);
        assert_eq!(
            self.post(HolderRoute::RefuseLink.path(), &json!({"token": token}), &[refused]).status,
            204
        );
        assert_eq!(open(self, &token, &refused.tanggal_lahir, "a4", refused).status, 410);
        assert_eq!(open(self, "AAAAAAAAAAAAAAAAAAAAAA", "1950-01-01", "a4", refused).status, 410);
    }
}
