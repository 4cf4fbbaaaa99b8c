//! The edge of the deployment: client IPs, the edge key, and padded failures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bukti_local::Handlers;
use bukti_tests::{TestApp, call, dose};
use bukti_wire::{HolderRoute, OtpRoute, StatusRoute};
use serde_json::json;

use crate::captchas::{HOME, cost};

#[test]
fn failed_requests_are_padded_to_minimum_latency() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let session = app.log_in("0813 5555 0000", Some("Stranger"));
    let path = HolderRoute::Certificates.path_of("A".repeat(24));
    let status = |name: &str, nik: &str| json!({"name": name, "nik": nik, "captcha": app.captcha()});
    for (method, path, body) in [
        ("POST", StatusRoute::Status.path(), status("Kartika Rahayu", "3171012401896246")),
        ("POST", StatusRoute::Status.path(), status("Kartika Rahayu", "3171012401896247")),
        (
            "POST",
            StatusRoute::Status.path(),
            json!({"name": "Iwan", "nik": "3171012401896246", "captcha": "e30="}),
        ),
        ("POST", OtpRoute::LogIn.path(), json!({"phone": "081234567890", "code": "000000"})),
        ("POST", HolderRoute::Link.path(), json!({"token": "A".repeat(22), "birth_date": "1989-01-24"})),
        ("POST", HolderRoute::RefuseLink.path(), json!({"token": "A".repeat(22)})),
        ("POST", &HolderRoute::Document.path_of("0000-0000-0000-0000"), json!({})),
        ("GET", &*path, json!({})),
    ] {
        let began = Instant::now();
        app.call(method, path, Some(&session), Some(body));
        assert!(began.elapsed() >= Duration::from_millis(100), "{method} {path}");
    }
}

#[test]
fn spoofed_address_headers_are_ignored() {
    let app = TestApp::start();
    let log_in_from = |viewer: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}/api/sessions", app.url());
        let request = agent.post(url).header("x-bukti-viewer", viewer).header("x-bukti-edge", "guessed");
        let request = request.header("x-forwarded-for", viewer).header("content-type", "application/json");
        request.send(json!({"phone": "081234567890", "code": "000000"}).to_string()).unwrap()
    };
    for at in 0..5 {
        assert_eq!(log_in_from(&format!("10.0.0.{at}")).status(), 410);
    }
    let challenge = call(app.url(), "GET", StatusRoute::Captcha.path(), None, None).body;
    assert_eq!(
        challenge["parameters"]["cost"],
        2 * cost(&app, HOME),
        "the failures count for the address of the connection"
    );
}

#[test]
fn requests_bypassing_the_edge_are_rejected() {
    let app = TestApp::start_with_handlers(|aws| {
        let mut aws = aws.clone();
        Arc::make_mut(&mut aws.settings).edge_only = true;
        Handlers::bukti(&aws)
    });
    for (method, path) in [
        ("GET", StatusRoute::Vaccines.path()),
        ("GET", StatusRoute::Captcha.path()),
        ("DELETE", OtpRoute::LogOut.path()),
    ] {
        let direct = call(app.url(), method, path, None, None);
        assert_eq!((direct.status, direct.code()), (421, "misdirected"), "{method} {path}");
        assert!(app.call(method, path, None, None).status < 300, "{method} {path}");
    }
}
