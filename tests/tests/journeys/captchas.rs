//! Captchas that become harder after failures, per client IP and network.

use bukti_tests::{Reply, TestApp, dose, solve};
use bukti_wire::{OtpRoute, StatusRoute};
use serde_json::json;

use crate::rate_limits::{post, set_counts};

pub(crate) const HOME: &str = "36.68.1.2";

/// The cost of the captcha that a client IP currently gets.
pub(crate) fn cost(app: &TestApp, address: &str) -> u64 {
    let challenge = app.call_from(address, "GET", StatusRoute::Captcha.path(), None, None).body;
    challenge["parameters"]["cost"].as_u64().unwrap()
}

fn request_status(app: &TestApp, address: &str, nik: &str, captcha: &str) -> Reply {
    post(
        app,
        address,
        StatusRoute::Status.path(),
        json!({"name": "Iwan Ibrahim Purnomo", "nik": nik, "captcha": captcha}),
    )
}

#[test]
fn failures_make_captchas_harder_for_their_address_only() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let easy = cost(&app, HOME);
    let (early, other) = (app.captcha(), app.captcha());
    for _ in 0..5 {
        assert_eq!(request_status(&app, HOME, "3171012401896246", "bm9uc2Vuc2U=").code(), "captcha_wrong");
    }
    assert_eq!(cost(&app, HOME), 2 * easy);
    assert_eq!(cost(&app, "36.68.1.3"), easy);
    // An easy captcha is still accepted after one increase of the cost, so that other people behind
    // the same client IP do not fail.
    assert_eq!(request_status(&app, HOME, "3171012401896246", &early).status, 200);
    for _ in 0..5 {
        post(&app, HOME, OtpRoute::LogIn.path(), json!({"phone": "081234567890", "code": "000000"}));
    }
    assert_eq!(cost(&app, HOME), 4 * easy, "wrong codes count as failures, too");
    assert_eq!(
        request_status(&app, HOME, "3171012401896246", &other).code(),
        "captcha_expired",
        "an easy captcha does not count two steps later"
    );
    assert_eq!(
        request_status(&app, "36.68.1.3", "3171012401896246", &other).status,
        200,
        "the rejection did not consume the captcha"
    );

    let hard = solve(app.call_from(HOME, "GET", StatusRoute::Captcha.path(), None, None).body);
    assert_eq!(request_status(&app, HOME, "3171012401896247", &hard).status, 200, "no person is found");
    let again = request_status(&app, HOME, "3171012401896246", &hard);
    assert_eq!((again.status, again.code()), (422, "captcha_reused"));
}

#[test]
fn captchas_of_shared_address_stay_solvable() {
    let app = TestApp::start();
    let easy = cost(&app, HOME);
    let fail = |address: &str| {
        post(&app, address, OtpRoute::LogIn.path(), json!({"phone": "081234567890", "code": "000000"}))
    };
    fail(HOME);
    app.with_aws(async |aws| set_counts(&aws, 1, 100_000).await);
    assert_eq!(cost(&app, HOME), 8 * easy);
    assert_eq!(cost(&app, "36.68.1.3"), easy, "other addresses of the network are not affected");
}

#[test]
fn harder_captchas_apply_to_whole_ipv6_network() {
    let app = TestApp::start();
    let easy = cost(&app, HOME);
    for at in 0..40 {
        let address = format!("2001:448a:10:{at:x}::1");
        post(&app, &address, OtpRoute::LogIn.path(), json!({"phone": "081234567890", "code": "000000"}));
    }
    assert_eq!(cost(&app, "2001:448a:10:ffff::1"), 2 * easy);
    assert_eq!(cost(&app, "2001:448a:11::1"), easy);
}
