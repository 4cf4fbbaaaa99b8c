//! ICVP: certificates of vaccinations against diseases other than COVID-19.

use bukti_domain::FeedRow;
use bukti_paper::Paper;
use bukti_tests::{TestApp, call, csv, dose, import, outbox};
use bukti_wire::HolderRoute;
use serde_json::json;
use tempfile::TempDir;

use bukti_tests::stack_process::StackProcess;

const PHONE: &str = "0821-0669-0743";

/// A dose that the person of [`dose`] received late in 2025.
fn late_dose(event_id: &str, vaccine: &str, day: &str) -> FeedRow {
    let sent_at = "2025-12-01T08:00:00+07:00".into();
    FeedRow { sent_at, vaksin: vaccine.into(), tanggal_vaksinasi: day.into(), ..dose(event_id) }
}

#[test]
fn pilgrim_gets_international_certificates_beside_covid_19() {
    let app = TestApp::start();
    let mut booster = late_dose("POLIO-2", "bOPV", "2025-11-28");
    booster.dosis_ke = "2".into();
    let report = app.import(&[
        late_dose("MENINGO", "Menveo", "2025-11-20"),
        late_dose("POLIO", "bOPV (Bio Farma)", "2025-10-30"),
        dose("COVID"),
        late_dose("FEVER", "Stamaril", "2025-09-19"),
        late_dose("BOOKLET", "Stamaril", "2025-09-18"),
        booster,
    ]);
    let outcomes: Vec<_> = report.values().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["issued", "issued", "issued", "issued", "rejected", "issued"]);
    assert_eq!(report[&6].1, "vaccination_before_icvp");

    let doses = app.status("Iwan Ibrahim Purnomo", "3171012401896246").body["doses"].clone();
    let shown: Vec<_> = doses
        .as_array()
        .unwrap()
        .iter()
        .map(|dose| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            (text(&dose["disease"]["name"]["id"]), text(&dose["diagnosis"]["code"]))
        })
        .collect();
    let issued = |disease: &str| (disease.to_owned(), "certificate_issued".to_owned());
    assert_eq!(
        shown,
        [
            issued("COVID-19"),
            ("Demam kuning".to_owned(), "dose_before_icvp".to_owned()),
            issued("Demam kuning"),
            issued("Polio"),
            issued("Meningitis meningokokus"),
            issued("Polio"),
        ],
        "sorted by day"
    );

    // One SMS is sent for the first dose of each series, and none for the second dose.
    let messages = app.messages_to(PHONE);
    assert_eq!((messages.len(), app.messages().len()), (4, 4));
    let mut opened = Vec::new();
    for message in &messages {
        let token = message.token().unwrap();
        let text = message.text.replace(app.url(), "https://bukti.example.go.id").replace(&token, "[token]");
        assert_eq!(
            text,
            "Sertifikat vaksin dosis 1 Anda siap. Unduh/cetak: https://bukti.example.go.id/s/[token] (siapkan \
             tgl lahir). Jangan dibagikan. Info: 119 ext 9",
            "the SMS names no disease, since it may go to a mistyped number"
        );
        let reply = app.post(HolderRoute::Link.path(), json!({"token": token, "birth_date": "1989-01-24"}));
        assert_eq!(reply.status, 200, "{reply:?}");
        let (status, pdf) = app.fetch(reply.body["document"]["url"].as_str().unwrap());
        assert_eq!(status, 200);
        let certificate = &reply.body["certificate"];
        assert_eq!(Paper::read(pdf).qr_text(0), certificate["qr_text"].as_str().unwrap());
        let picture = certificate["picture"].as_str().unwrap();
        let vaccine = certificate["vaccine"].as_str().unwrap();
        let disease = certificate["disease"]["name"]["id"].as_str().unwrap();
        assert!(picture.contains(&format!("{disease} · {vaccine}")), "{picture}");
        opened.push(json!([
            vaccine,
            certificate["disease"]["code"],
            certificate["doses_in_series"],
            picture.contains("Sertifikat Vaksinasi Internasional"),
            reply.body["document"]["file_name"],
        ]));
    }
    opened.sort_by_key(ToString::to_string);
    assert_eq!(
        opened,
        [
            json!(["CoronaVac", "covid-19", 2, false, "sertifikat-vaksin-covid-19-dosis-1.pdf"]),
            json!(["Menveo", "meningococcal", null, true, "sertifikat-vaksin-meningococcal-dosis-1.pdf"]),
            json!(["Stamaril", "yellow-fever", null, true, "sertifikat-vaksin-yellow-fever-dosis-1.pdf"]),
            json!(["bOPV (Bio Farma)", "polio", null, true, "sertifikat-vaksin-polio-dosis-1.pdf"]),
        ]
    );
}

#[test]
fn custom_vaccine_is_issued_after_catalogue_is_extended() {
    let folder = TempDir::new().unwrap();
    let (data, feed) = (folder.path().join("stack"), folder.path().join("feed.csv"));
    std::fs::write(&feed, csv(&[late_dose("CHOLERA", "vero kolera-x", "2025-11-03")])).unwrap();
    let vaccines = folder.path().join("vaccines.json");
    let file = json!({
        "diseases": [{"code": "cholera", "name": {"id": "Kolera", "en": "Cholera"}}],
        "vaccines": [{
            "name": "Vero Kolera X",
            "disease": "cholera",
            "primary_doses": 2,
            "icvp": {"vp": "choleraX1"}
        }],
    });
    std::fs::write(&vaccines, file.to_string()).unwrap();

    let running = StackProcess::start(&data, &[]);
    let (_, report) = import(&running.url, &feed);
    assert_eq!(report[&2], ("rejected".to_owned(), "vaccine_unknown".to_owned()));
    drop(running);

    let running = StackProcess::start(&data, &["--vaccines".as_ref(), vaccines.as_ref()]);
    // Import the same rows again. Rows that were rejected for an unknown vaccine are validated
    // again.
    let (_, report) = import(&running.url, &feed);
    assert_eq!(report[&2], ("issued".to_owned(), String::new()));
    running.wait_until_idle();
    let token = outbox(&running.url)[0].token().unwrap();
    let request = json!({"token": token, "birth_date": "1989-01-24"});
    let opened = call(&running.url, "POST", HolderRoute::Link.path(), None, Some(request)).body;
    let certificate = &opened["certificate"];
    assert_eq!(certificate["vaccine"], "Vero Kolera X");
    assert_eq!(certificate["disease"], json!({"code": "cholera", "name": {"id": "Kolera", "en": "Cholera"}}));
}
