//! Rate limits per client IP and network, counted in the table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{CaseNumber, FeedRow};
use bukti_records::{ItemKind, Rate};
use bukti_store::{Aws, Rates, Taken};
use bukti_tests::{Reply, TestApp, dose, run_1000_times_concurrently};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::access::table_service;
use crate::captchas::HOME;

/// The current hourly window of the rate limits, in hours since the Unix epoch.
fn hour() -> i64 {
    Timestamp::now().as_second() / 3_600
}

pub(crate) fn post(app: &TestApp, address: &str, path: &str, body: Value) -> Reply {
    app.call_from(address, "POST", path, None, Some(body))
}

#[test]
fn address_quota_holds_under_concurrent_requests() {
    let app = TestApp::start();
    let try_from = |address: &str| {
        post(
            &app,
            address,
            HolderRoute::Link.path(),
            json!({"token": "AAAAAAAAAAAAAAAAAAAAAA", "birth_date": "1989-01-24"}),
        )
    };
    // If the hourly window ends during the run, two windows accept requests. Repeat with another
    // address.
    let answers = (2..)
        .find_map(|host| {
            let (began, mut answers) = (hour(), BTreeMap::new());
            for reply in run_1000_times_concurrently(|| try_from(&format!("36.68.2.{host}"))) {
                *answers.entry((reply.status, reply.code().to_owned())).or_insert(0) += 1;
                if reply.status == 429 {
                    assert!((1..=3_600).contains(&reply.body["retry_after"].as_u64().unwrap()), "{reply:?}");
                }
            }
            (hour() == began).then_some(answers)
        })
        .unwrap();
    let expected = [((410, "link_dead"), 600), ((429, "too_many_requests"), 400)];
    let answers: Vec<_> =
        answers.iter().map(|((status, code), count)| ((*status, code.as_str()), *count)).collect();
    assert_eq!(answers, expected);
    assert_eq!(try_from("36.68.1.3").status, 410, "other addresses have their own quota");
    // The count is stored in the table, which all instances of a function share.
    let counted = app.with_aws(async |aws: Aws| {
        let scan = table_service(&aws).await.scan().table_name(&aws.settings.table);
        let scan = scan.filter_expression("sk = :rate AND taken = :all");
        let scan = scan.expression_attribute_values(":rate", sort_key(ItemKind::Rate));
        let scan = scan.expression_attribute_values(":all", AttributeValue::N("600".to_owned()));
        scan.into_paginator().items().send().try_collect().await.unwrap().len()
    });
    assert!(counted >= 1, "no count of 600 is in the table");
}

/// The rate-limited routes. For each: the status below the limit, the hourly limit per client IP,
/// and the hourly limit per network.
const QUOTAS: [(&str, u16, u32, u32); 7] = [
    (StatusRoute::Status.path(), 200, 1_000, 10_000),
    (OtpRoute::Otp.path(), 202, 300, 3_000),
    (OtpRoute::LogIn.path(), 410, 600, 6_000),
    (StatusRoute::Download.path(), 202, 60, 600),
    (HolderRoute::Link.path(), 410, 600, 6_000),
    (HolderRoute::RefuseLink.path(), 410, 600, 6_000),
    (HelpdeskRoute::Case.path(), 404, 600, 6_000),
];

/// A request body that only the quota of the route can reject. Each `number` stands for a different
/// phone or NIK.
fn request(app: &TestApp, path: &str, number: u32) -> Value {
    let phone = format!("0812 3456 {number:04}");
    match path {
        _ if path == StatusRoute::Status.path() => {
            json!({"name": "Iwan Ibrahim Purnomo", "nik": "3171012401896246", "captcha": app.captcha()})
        }
        _ if path == OtpRoute::Otp.path() => json!({"phone": phone, "captcha": app.captcha()}),
        _ if path == OtpRoute::LogIn.path() => json!({"phone": phone, "code": "000000"}),
        _ if path == StatusRoute::Download.path() => {
            app.download_request(&FeedRow { nik: format!("317101240189{number:04}"), ..dose("E1") })
        }
        _ if path == HolderRoute::Link.path() => {
            json!({"token": "AAAAAAAAAAAAAAAAAAAAAA", "birth_date": "1989-01-24"})
        }
        _ if path == HelpdeskRoute::Case.path() => {
            json!({"number": CaseNumber::of_bits(number.into()).grouped(), "birth_date": "1989-01-24"})
        }
        _ => json!({"token": "AAAAAAAAAAAAAAAAAAAAAA"}),
    }
}

pub(crate) fn sort_key(kind: ItemKind) -> AttributeValue {
    AttributeValue::S(kind.sort_key().unwrap().to_owned())
}

/// Sets every count that equals `from` to `to`, so that a test does not have to send thousands of
/// requests.
pub(crate) async fn set_counts(aws: &Aws, from: u32, to: u32) {
    let (service, table) = (table_service(aws).await, &aws.settings.table);
    let number = |number: u32| AttributeValue::N(number.to_string());
    let counts = service.scan().table_name(table).filter_expression("sk = :rate AND taken = :from");
    let counts = counts.expression_attribute_values(":rate", sort_key(ItemKind::Rate));
    let mut counts =
        counts.expression_attribute_values(":from", number(from)).into_paginator().items().send();
    while let Some(mut item) = counts.next().await.transpose().unwrap() {
        item.insert("taken".to_owned(), number(to));
        service.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }
}

#[test]
fn routes_have_quotas_per_address_and_network() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let (mut networks, mut requests) = (0.., 0);
    for (path, allowed, of_address, of_network) in QUOTAS {
        // If the hourly window ends during the run, repeat with another network.
        let answers = networks.by_ref().find_map(|network| {
            let began = hour();
            let mut send = |address: String| {
                requests += 1;
                post(&app, &address, path, request(&app, path, requests)).status
            };
            let host = |host: u8| format!("36.68.{network}.{host}");
            let mut answers = vec![send(host(1))];
            app.with_aws(async |aws| set_counts(&aws, 1, of_address - 1).await);
            answers.extend([1, 1, 2].map(|number| send(host(number))));
            // The request that the client IP's limit rejected did not consume the network's quota.
            app.with_aws(async |aws| set_counts(&aws, of_address + 1, of_network - 1).await);
            answers.extend([3, 4].map(|number| send(host(number))));
            answers.push(send(format!("36.69.{network}.1")));
            (hour() == began).then_some(answers)
        });
        let expected = [allowed, allowed, 429, allowed, allowed, 429, allowed];
        assert_eq!(answers.unwrap(), expected, "{path}");
    }
}

#[test]
fn reused_captcha_consumes_no_quota() {
    let app = TestApp::start();
    let download = |captcha: &str| {
        post(&app, HOME, StatusRoute::Download.path(), bukti_tests::download_request(&dose("E1"), captcha))
    };
    // If the hourly window ends during the run, the counts start again from zero. Repeat the
    // requests.
    loop {
        let began = hour();
        let solved = app.captcha();
        let mut answers = vec![download(&solved).status];
        app.with_aws(async |aws| set_counts(&aws, 1, 58).await);
        answers.extend(
            [&solved, &solved, &solved, &app.captcha(), &app.captcha(), &app.captcha()]
                .map(|captcha| download(captcha).status),
        );
        if hour() == began {
            assert_eq!(answers, [202, 422, 422, 422, 202, 202, 429]);
            break;
        }
    }
}

#[test]
fn unknown_tokens_consume_no_quota_of_neighbours() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    let link = app.messages_to(&dose("E1").no_hp).remove(0).token().unwrap();
    let unknown = "A".repeat(22);
    let open = |token: &str, birth_date: &str| {
        post(&app, HOME, HolderRoute::Link.path(), json!({"token": token, "birth_date": birth_date})).status
    };
    let refuse =
        |token: &str| post(&app, HOME, HolderRoute::RefuseLink.path(), json!({"token": token})).status;
    let phone = "081234567890";
    let log_in = |code: &str, cookie: Option<&str>| {
        let body = json!({"phone": phone, "code": code});
        app.call_from(HOME, "POST", OtpRoute::LogIn.path(), cookie, Some(body)).status
    };
    // If the hourly window ends during the run, the counts start again from zero. Repeat the
    // requests.
    loop {
        let began = hour();
        open(&unknown, "1989-01-24");
        app.with_aws(async |aws| set_counts(&aws, 1, 600).await);
        let strangers = [open(&unknown, "1989-01-24"), refuse(&unknown), log_in("000000", None)];
        if hour() == began {
            assert_eq!(strangers, [429; 3]);
            break;
        }
    }
    assert_eq!(open(&link, "1989-01-25"), 422, "a link that exists has another quota");
    assert_eq!(open(&link, "1989-01-24"), 200);
    assert_eq!(refuse(&link), 204);
    let requested = app.request_code(phone, None);
    assert_eq!(log_in(&app.last_code(phone), requested.cookie.as_deref()), 201);
}

#[test]
fn rate_window_holds_under_concurrent_requests() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let rates = Rates::new(&aws);
        let rate = Rate { name: "test", window: SignedDuration::from_hours(1), most: 7 };
        let now = Timestamp::from_second(7_200).unwrap();
        let takes = (0..100).map(|_| rates.take(&rate, "subject", now));
        let taken = futures::future::join_all(takes).await;
        let mut numbers = Vec::new();
        for taken in taken {
            match taken.unwrap() {
                Taken::Now(number) => numbers.push(number),
                Taken::Full { wait } => assert_eq!(wait, 3_600),
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(rates.taken(&rate, "subject", now).await.unwrap(), 7);
        assert_eq!(rates.take(&rate, "other subject", now).await.unwrap(), Taken::Now(1));
        let next = now + SignedDuration::from_hours(1);
        assert_eq!(rates.take(&rate, "subject", next).await.unwrap(), Taken::Now(1));
    });
}
