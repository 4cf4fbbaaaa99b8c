//! The OpenAPI document, problem codes, routing, and the limits of every route.

use std::path::Path;

use bukti_store::Jobs;
use bukti_tests::{TestApp, dose};
use bukti_wire::{HelpdeskRoute, OtpRoute, ROUTES, Route, StatusRoute};
use serde_json::{Value, json};

use crate::helpdesk::{case_request, decide, open};

#[test]
fn api_document_lists_every_route() {
    let app = TestApp::start();
    let document = app.call("GET", StatusRoute::Openapi.path(), None, None);
    assert_eq!(document.status, 200);
    for route in ROUTES {
        assert!(document.body["paths"][route.path][route.method.to_lowercase()].is_object(), "{route:?}");
        let path = route.path.replace(['{', '}'], "x");
        let reply = app.call(route.method, &path, None, Some(json!({})));
        assert!(reply.status < 500 && reply.status != 404, "{route:?}: {reply:?}");
    }
}

#[test]
fn problems_have_code_and_localised_detail() {
    let app = TestApp::start();
    let missing = app.call("GET", "/api/nothing", None, None);
    assert_eq!((missing.status, missing.code()), (404, "not_found"));
    assert_eq!(app.post(StatusRoute::Status.path(), json!("x")).code(), "invalid_json");
    assert_eq!(
        app.post(StatusRoute::Status.path(), json!({"name": "x".repeat(20_000)})).code(),
        "body_too_large"
    );
    let problem = app.post(OtpRoute::Otp.path(), json!({"phone": "021-5551234", "captcha": ""}));
    assert_eq!(problem.body["type"], "urn:bukti:problem:invalid_input");
    assert!(!problem.body["detail"].as_str().unwrap().contains("problems."), "{problem:?}");
}

#[test]
fn parameters_too_long_for_a_key_are_not_found() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "supervisor");
    let key = app.bukti_ok(&["api-key", "create", "--hub", "satudata"]);
    let authorization = format!("Bearer {}", key.trim());
    let long = "A".repeat(3000);
    for route in ROUTES.iter().filter(|route| route.path.contains('{')) {
        let (before, after) = route.path.split_once('{').unwrap();
        let path = format!("{before}{long}{}", after.split_once('}').unwrap().1);
        let headers = [("authorization", &*authorization), ("cookie", &*officer)];
        let answer = app.caller().send(route.method, &path, &headers, br#"{"why": "x"}"#);
        assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")), "{route:?}");
    }

    let queue = |after: &str| {
        app.call("GET", &format!("{}?after={after}", HelpdeskRoute::Queue.path()), Some(&officer), None)
            .status
    };
    assert_eq!([queue(&long), queue(""), queue("A")], [422, 200, 200]);
    let person = app.log_in("0813-1111-0009", None);
    let case = open(&app, &person, case_request("name", &dose("E1")));
    let grant = json!({"dose": long, "facility_word": "dr. Anita"});
    let decided = decide(&app, &officer, &case, "grant", grant);
    assert_eq!((decided.status, decided.code()), (404, "not_found"));

    // The table rejects a key of this length, and the error is not retryable.
    let refused = app.with_aws(async |aws| Jobs::new(&aws).get(&long).await.map(drop));
    assert!(!refused.unwrap_err().retryable());
}

#[test]
fn template_routes_every_path_to_its_function() {
    let template = std::fs::read_to_string(bukti_tests::root().join("infra/template.yaml")).unwrap();
    assert_eq!(misrouted(&template), Vec::<Route>::new());
    let broken = template.replace("RouteKey: \"ANY /api/otp\"", "RouteKey: \"ANY /api/opt\"");
    assert_eq!(misrouted(&broken), [OtpRoute::Otp.route()]);
}

/// The routes that the template's API Gateway passes to the wrong function or to none.
fn misrouted(template: &str) -> Vec<Route> {
    let keys: Vec<(&str, &str)> = template
        .split("RouteKey: \"ANY ")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once('"').unwrap();
            let (_, function) = rest.split_once("integrations/${").unwrap();
            (path, function.split_once("Integration}").unwrap().0)
        })
        .collect();
    assert_eq!(keys.len(), template.matches("RouteKey:").count(), "every route key is for ANY method");
    let is_misrouted = |route: &Route| {
        let path = route.path_of("x");
        let found = keys.iter().filter(|(key, _)| covers(key, &path));
        // API Gateway prefers full paths to greedy ones, and paths with more segments to paths with
        // fewer segments.
        let chosen = found.max_by_key(|(key, _)| (!key.ends_with("+}"), key.matches('/').count()));
        chosen.is_none_or(|(_, function)| function.to_lowercase() != route.function.name())
    };
    ROUTES.iter().copied().filter(is_misrouted).collect()
}

/// Whether an API Gateway route key matches a path.
fn covers(key: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (key.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(_)) if wanted.ends_with("+}") => return true,
            (Some(wanted), Some(found)) if wanted.starts_with('{') || wanted == found => {}
            _ => return false,
        }
    }
}

/// Calls the API with these headers. Returns the status and the problem code.
fn call_with(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", app.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body("{}").unwrap()).unwrap();
    let body: Value = response.body_mut().read_json().unwrap_or_default();
    (response.status().as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn cross_site_requests_are_rejected() {
    let app = TestApp::start();
    let cookie = app.log_in("081234567890", None);
    for route in ROUTES.iter().filter(|route| route.method != "GET") {
        let path = route.path.replace(['{', '}'], "x");
        for foreign in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
            let headers = [("cookie", &*cookie), ("origin", foreign), ("content-type", "text/plain")];
            let refused = call_with(&app, route.method, &path, &headers);
            assert_eq!(refused, (403, "foreign_origin".to_owned()), "{route:?} from {foreign}");
        }
        let headers = [("cookie", &*cookie), ("sec-fetch-site", "cross-site")];
        assert_eq!(call_with(&app, route.method, &path, &headers).1, "foreign_origin", "{route:?}");
    }
    assert_eq!(app.call("GET", OtpRoute::Session.path(), Some(&cookie), None).status, 200, "still logged in");
}

#[test]
fn headers_over_10_kib_are_rejected() {
    let app = TestApp::start();
    let long = "x".repeat(11 * 1024);
    let answer = call_with(&app, "GET", StatusRoute::Captcha.path(), &[("x-long", &long)]);
    assert_eq!(answer, (431, "headers_too_large".to_owned()));
    assert_eq!(call_with(&app, "GET", StatusRoute::Captcha.path(), &[("x-long", &long[..8 * 1024])]).0, 200);
}

#[test]
fn threat_model_names_only_existing_tests() {
    let root = bukti_tests::root();
    let model = std::fs::read_to_string(root.join("infra/docs/threat-model.md")).unwrap();
    let mut sources = String::new();
    for folder in ["functions", "infra", "tests", "site"] {
        read_sources(&root.join(folder), &mut sources);
    }
    let table = |title: &str| {
        let (_, section) = model.split_once(title).unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        section.lines().filter(|line| line.starts_with("| ")).skip(1)
    };
    let titles = ["\n## Cases", "\n## Availability of a person", "\n## Limits"];
    let rows: Vec<&str> = titles.into_iter().flat_map(table).collect();
    assert!(rows.len() > 45);
    for row in rows {
        let tests = row.split('|').rev().nth(1).unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            let definitions = [format!("fn {name}("), format!("\"{name}"), format!("`{name}")];
            let exists = definitions.iter().any(|text| sources.contains(text));
            assert!(exists, "the threat model names the test {name}, which does not exist");
        }
    }
}

fn read_sources(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs");
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules" && name != "target") {
            read_sources(&path, sources);
        } else if is_source {
            sources.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
