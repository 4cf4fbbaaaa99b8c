//! The status of doses: whether a dose has a certificate and, if not, why.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_tests::{TestApp, dose, run_1000_times_concurrently};
use bukti_wire::StatusRoute;
use serde_json::{Value, json};

const NAME: &str = "Iwan Ibrahim Purnomo";
const NIK: &str = "3171012401896246";

fn codes(answer: &Value) -> Vec<(u64, &str)> {
    let doses = answer["doses"].as_array().unwrap().iter();
    doses
        .map(|dose| (dose["dose_number"].as_u64().unwrap_or(0), dose["diagnosis"]["code"].as_str().unwrap()))
        .collect()
}

#[test]
fn each_diagnosis_has_code_actor_and_next_step() {
    let app = TestApp::start();
    let mut rows = vec![
        dose("issued"),
        dose("no batch"),
        dose("held"),
        dose("no phone"),
        dose("landline"),
        dose("rejected"),
    ];
    for (at, row) in rows.iter_mut().enumerate() {
        row.dosis_ke = (at + 1).to_string();
    }
    rows[1].batch.clear();
    rows[2].jenis_kelamin = "P".into();
    rows[3].no_hp.clear();
    rows[4].no_hp = "021-5551234".into();
    rows[5].tanggal_vaksinasi = "2021-02-30".into();
    app.import(&rows);

    let reply = app.status(NAME, NIK);
    assert_eq!(reply.status, 200);
    assert_eq!(
        codes(&reply.body),
        [
            (1, "certificate_issued"),
            (2, "dose_incomplete"),
            (3, "dose_held"),
            (4, "certificate_issued_phone_missing"),
            (5, "certificate_issued_phone_invalid"),
            (6, "dose_rejected"),
        ]
    );
    insta::assert_json_snapshot!("status", reply.body, {
        ".doses[].issued_on" => insta::dynamic_redaction(|day, _| {
            if day.is_nil() { day } else { "[day]".into() }
        })
    });
}

#[test]
fn wrong_name_and_unknown_number_get_same_response() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let wrong_name = app.status("Somebody Else", NIK);
    let unknown = app.status(NAME, "3171012401896247");
    assert_eq!((wrong_name.status, unknown.status), (200, 200));
    assert_eq!(wrong_name.body, unknown.body);
    assert_eq!(wrong_name.body["none"]["code"], "dose_not_received");
    assert_eq!(wrong_name.body["doses"], json!([]));
}

#[test]
fn accepts_name_variants_and_passports() {
    let app = TestApp::start();
    let mut titled = dose("E1");
    titled.nama = "Dr. H. Muhammad Fauzi, S.Pd.".into();
    let mut foreigner = dose("E2");
    (foreigner.nik, foreigner.paspor, foreigner.nama) =
        (String::new(), "A1687353".into(), "José Ximenes".into());
    app.import(&[titled, foreigner]);
    for name in ["M. FAUZI", "moh fauzi", "Muhammad Fauzi"] {
        assert_eq!(
            codes(&app.status(name, "3171 0124 0189 6246").body),
            [(1, "certificate_issued")],
            "{name}"
        );
    }
    let request = json!({"name": "jose ximenes", "passport": "a-1687353", "captcha": app.captcha()});
    assert_eq!(codes(&app.post(StatusRoute::Status.path(), request).body), [(1, "certificate_issued")]);
}

#[test]
fn captcha_counts_at_most_once() {
    let app = TestApp::start();
    let captcha = app.captcha();
    let request_status = |captcha: &str| {
        app.post(StatusRoute::Status.path(), json!({"name": NAME, "nik": NIK, "captcha": captcha}))
    };
    assert_eq!(request_status("bm9uc2Vuc2U=").code(), "captcha_wrong");
    assert_eq!(request_status(&captcha).status, 200);
    let again = request_status(&captcha);
    assert_eq!((again.status, again.code()), (422, "captcha_reused"));
    // The same captcha in another encoding is rejected, too.
    let json = STANDARD.decode(&captcha).unwrap();
    let mut spaced = json.clone();
    spaced.push(b' ');
    assert_eq!(request_status(&STANDARD.encode(spaced)).code(), "captcha_reused");
}

#[test]
fn concurrent_uses_of_captcha_count_once() {
    let app = TestApp::start();
    let captcha = app.captcha();
    let request = json!({"name": NAME, "nik": NIK, "captcha": captcha});
    let replies = run_1000_times_concurrently(|| app.post(StatusRoute::Status.path(), request.clone()));
    let counted = replies.into_iter().filter(|reply| reply.status == 200).count();
    assert_eq!(counted, 1);
}

#[test]
fn status_reports_field_errors_without_consuming_captcha() {
    let app = TestApp::start();
    let captcha = app.captcha();
    let errors = |request: Value| {
        let reply = app.post(StatusRoute::Status.path(), request);
        assert_eq!((reply.status, reply.code()), (422, "invalid_input"));
        let errors = reply.body["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|e| format!("{} {}", e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        errors(json!({"name": " ", "nik": "317", "captcha": captcha})),
        ["name missing", "nik invalid"]
    );
    assert_eq!(errors(json!({"name": "Iwan", "captcha": captcha})), ["nik missing"]);
    assert_eq!(
        errors(json!({"name": "Iwan", "nik": NIK, "passport": "A123456", "captcha": captcha})),
        ["passport invalid"]
    );
    // Requests with field errors consume no captcha.
    assert_eq!(
        app.post(StatusRoute::Status.path(), json!({"name": NAME, "nik": NIK, "captcha": captcha})).status,
        200
    );
}
