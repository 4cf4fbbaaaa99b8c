//! The API as a whole.

use bukti_tests::TestApp;
use bukti_wire::ROUTES;
use serde_json::json;

#[test]
fn the_document_is_served_and_its_routes_answer() {
    let app = TestApp::start();
    let document = app.call("GET", "/api/openapi.json", None, None);
    assert_eq!(document.status, 200);
    for route in ROUTES {
        assert!(document.body["paths"][route.path][route.method.to_lowercase()].is_object(), "{route:?}");
        let path = route.path.replace(['{', '}'], "x");
        let reply = app.call(route.method, &path, None, Some(json!({})));
        assert!(reply.status < 500 && reply.status != 404, "{route:?}: {reply:?}");
    }
}

#[test]
fn problems_have_a_code_and_speak_the_callers_language() {
    let app = TestApp::start();
    let missing = app.call("GET", "/api/nothing", None, None);
    assert_eq!((missing.status, missing.code()), (404, "not_found"));
    assert_eq!(app.post("/api/status", json!("x")).code(), "invalid_json");
    assert_eq!(app.post("/api/status", json!({"name": "x".repeat(20_000)})).code(), "body_too_large");
    let problem = app.post("/api/otp", json!({"phone": "021-5551234", "captcha": ""}));
    assert_eq!(problem.body["type"], "urn:bukti:problem:invalid_input");
    assert!(!problem.body["detail"].as_str().unwrap().contains("problems."), "{problem:?}");
}

#[test]
fn the_template_has_every_route() {
    let template = std::fs::read_to_string(bukti_tests::root().join("infra/template.yaml")).unwrap();
    for route in ROUTES {
        let name = route.function.name();
        let function = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let line = format!(
            "RouteKey: \"{} {}\", Target: !Sub \"integrations/${{{function}Integration}}\"",
            route.method, route.path
        );
        assert!(template.contains(&line), "{line}");
    }
    assert_eq!(template.matches("RouteKey:").count(), ROUTES.len());
}
