//! Crashes of the functions while they process an officer's decision.

use std::sync::Arc;
use std::time::Duration;

use bukti_local::Handlers;
use bukti_tests::proxy::{CrashPoint, connect_through};
use bukti_tests::{TestApp, dose};
use bukti_wire::{HelpdeskRoute, HolderRoute};
use serde_json::{Value, json};

use crate::helpdesk::{NEW_PHONE, OLD_PHONE, case_request, dose_of, get, open, open_link, post};

/// Runs an officer's grant on a stack whose functions crash after `writes` writes, then restarts
/// the stack and waits until it is idle. Returns the stack and the person's session cookie, or
/// `None` if a grant needs fewer writes.
fn grant_with_crash(writes: usize) -> Option<(TestApp, String)> {
    let mut started = None;
    let mut app = TestApp::start_with_handlers(|aws| {
        let (crash_point, aws) = connect_through(aws, async |services| CrashPoint::start(&services).await);
        started = Some(crash_point);
        Handlers::bukti(&aws)
    });
    let crash_point = started.unwrap();
    app.import(&[dose("E1")]);
    let person = app.log_in(NEW_PHONE, None);
    let case = open(&app, &person, case_request("phone", &dose("E1")));
    let officer = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    let id = dose_of(&app, &officer, &case);
    let revision = get(&app, &officer, &HelpdeskRoute::OfficerCase.path_of(&case))["revision"].clone();
    let grant = json!({"decision": "grant", "revision": revision, "why": "x", "dose": id, "facility_word": "dr. Ani"});
    crash_point.crash_after(writes);
    decide_through_crash(&mut app, &crash_point, &officer, &case, grant).then_some((app, person))
}

/// Sends a decision to functions that crash, restarts the stack, and retries the decision if the
/// first request failed. Returns `false` if the functions do not crash.
pub(crate) fn decide_through_crash(
    app: &mut TestApp,
    crash_point: &CrashPoint,
    cookie: &str,
    case: &str,
    decision: Value,
) -> bool {
    let path = HelpdeskRoute::Decide.path_of(case);
    let first = post(app, cookie, &path, decision.clone());
    // Wait until the functions crash or have had enough time to process the decision.
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !crash_point.has_crashed() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    if !crash_point.has_crashed() {
        return false;
    }
    app.restart();
    if first.status != 200 {
        // The officer's retry either succeeds or reports that the decision was made before the
        // crash.
        let again = post(app, cookie, &path, decision);
        assert!(again.status == 200 || again.code() == "case_changed", "{}", again.code());
    }
    app.wait_until_idle();
    true
}

#[test]
fn killed_grant_completes_after_restart() {
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let is_finished = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (next, is_finished) = (Arc::clone(&next), Arc::clone(&is_finished));
            std::thread::spawn(move || {
                while !is_finished.load(std::sync::atomic::Ordering::SeqCst) {
                    let writes = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert!(writes < 60, "a grant should have fewer than 60 writes");
                    let Some((app, person)) = grant_with_crash(writes) else {
                        is_finished.store(true, std::sync::atomic::Ordering::SeqCst);
                        break;
                    };
                    assert_grant_is_complete(&app, &person, writes);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    let steps = next.load(std::sync::atomic::Ordering::SeqCst);
    println!("crashed after each of about {steps} writes");
    assert!(steps > 8, "only {steps} writes were tested; a grant has more");
}

/// Asserts that a grant was completed although the functions crashed after `writes` writes.
fn assert_grant_is_complete(app: &TestApp, person: &str, writes: usize) {
    let state = get(app, person, HelpdeskRoute::Cases.path())["cases"][0]["state"].clone();
    assert_eq!(state, "granted", "after {writes} writes");
    let links: Vec<_> = app.messages_to(NEW_PHONE).iter().filter_map(|sms| sms.token()).collect();
    // The link may be sent twice if the functions crash after the SMS service accepts the SMS and
    // before the table records it as sent.
    assert!(
        !links.is_empty() && links.iter().all(|token| *token == links[0]),
        "after {writes} writes: {links:?}"
    );
    assert_eq!(open_link(app, &links[0]).status, 200, "after {writes} writes");
    let old: Vec<_> = app.messages_to(OLD_PHONE).iter().filter_map(|sms| sms.token()).collect();
    assert_eq!(open_link(app, &old[0]).code(), "link_dead", "after {writes} writes");
    let notices = app.messages_to(OLD_PHONE).into_iter().filter(|sms| sms.text.contains("diganti")).count();
    assert!((1..=2).contains(&notices), "after {writes} writes: {notices}");
    let people = get(app, person, HolderRoute::People.path());
    let id = people["people"][0]["id"].as_str().unwrap();
    let certificates = get(app, person, &HolderRoute::Certificates.path_of(id));
    let doses = certificates["doses"].as_array().unwrap();
    assert!(doses.len() == 1 && doses[0]["certificate"].is_object(), "after {writes} writes: {certificates}");
}
