//! How much a caller may ask for, and what is sent at most.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use bukti_domain::{CaseNumber, FeedRow, PhoneNumber};
use bukti_local::Handlers;
use bukti_records::{ItemKind, Rate};
use bukti_store::{Aws, Payer, Rates, Settings, Sms, SmsError, Taken};
use bukti_tests::{Reply, TestApp, call, csv, dose, import, outbox, run_1000_times_concurrently, solve};
use bukti_wire::{HelpdeskRoute, HolderRoute, OtpRoute, StatusRoute};
use jiff::{SignedDuration, Timestamp, ToSpan, civil};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::access::table_service;
use bukti_tests::stack_process::StackProcess;

const HOME: &str = "36.68.1.2";

/// What a challenge costs to whoever asks from an address.
fn cost(app: &TestApp, address: &str) -> u64 {
    let challenge = app.call_from(address, "GET", StatusRoute::Captcha.path(), None, None).body;
    challenge["parameters"]["cost"].as_u64().unwrap()
}

/// The window of allowances.
fn hour() -> i64 {
    Timestamp::now().as_second() / 3_600
}

fn post(app: &TestApp, address: &str, path: &str, body: Value) -> Reply {
    app.call_from(address, "POST", path, None, Some(body))
}

fn look(app: &TestApp, address: &str, nik: &str, captcha: &str) -> Reply {
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
    let (held, other) = (app.captcha(), app.captcha());
    for _ in 0..5 {
        assert_eq!(look(&app, HOME, "3171012401896246", "bm9uc2Vuc2U=").code(), "captcha_wrong");
    }
    assert_eq!(cost(&app, HOME), 2 * easy);
    assert_eq!(cost(&app, "36.68.1.3"), easy);
    // An easy one still counts one step later, for others of the same address.
    assert_eq!(look(&app, HOME, "3171012401896246", &held).status, 200);
    for _ in 0..5 {
        post(&app, HOME, OtpRoute::LogIn.path(), json!({"phone": "081234567890", "code": "000000"}));
    }
    assert_eq!(cost(&app, HOME), 4 * easy, "codes that are wrong count as well");
    assert_eq!(
        look(&app, HOME, "3171012401896246", &other).code(),
        "captcha_expired",
        "and not two steps later"
    );
    assert_eq!(look(&app, "36.68.1.3", "3171012401896246", &other).status, 200, "that has not used it up");

    let hard = solve(app.call_from(HOME, "GET", StatusRoute::Captcha.path(), None, None).body);
    assert_eq!(look(&app, HOME, "3171012401896247", &hard).status, 200, "nobody is found");
    let again = look(&app, HOME, "3171012401896246", &hard);
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
    assert_eq!(cost(&app, "36.68.1.3"), easy, "neighbours in the network are not concerned");
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
    let from = |viewer: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}/api/sessions", app.url());
        let request = agent.post(url).header("x-bukti-viewer", viewer).header("x-bukti-edge", "guessed");
        let request = request.header("x-forwarded-for", viewer).header("content-type", "application/json");
        request.send(json!({"phone": "081234567890", "code": "000000"}).to_string()).unwrap()
    };
    for at in 0..5 {
        assert_eq!(from(&format!("10.0.0.{at}")).status(), 410);
    }
    let challenge = call(app.url(), "GET", StatusRoute::Captcha.path(), None, None).body;
    assert_eq!(challenge["parameters"]["cost"], 2 * cost(&app, HOME), "all were the one who connects");
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
    // Windows are hours: where one turns meanwhile, both have let some through, and another address tries again.
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
    assert_eq!(try_from("36.68.1.3").status, 410, "a neighbour has an allowance of their own");
    // It is counted in the table, where all instances of a function see it.
    let counted = app.with_aws(async |aws: Aws| {
        let scan = table_service(&aws).await.scan().table_name(&aws.settings.table);
        let scan = scan.filter_expression("sk = :rate AND taken = :all");
        let scan = scan.expression_attribute_values(":rate", sort_key(ItemKind::Rate));
        let scan = scan.expression_attribute_values(":all", AttributeValue::N("600".to_owned()));
        scan.into_paginator().items().send().try_collect().await.unwrap().len()
    });
    assert!(counted >= 1, "no count of 600 is in the table");
}

/// The routes that have an allowance: their answer to who has some left, how much of it an address may have in an hour, and
/// how much its network.
const ALLOWANCES: [(&str, u16, u32, u32); 7] = [
    (StatusRoute::Status.path(), 200, 1_000, 10_000),
    (OtpRoute::Otp.path(), 202, 300, 3_000),
    (OtpRoute::LogIn.path(), 410, 600, 6_000),
    (StatusRoute::Download.path(), 202, 60, 600),
    (HolderRoute::Link.path(), 410, 600, 6_000),
    (HolderRoute::RefuseLink.path(), 410, 600, 6_000),
    (HelpdeskRoute::Case.path(), 404, 600, 6_000),
];

/// A request of theirs that nothing but an allowance stops, each of another phone or number.
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

fn sort_key(kind: ItemKind) -> AttributeValue {
    AttributeValue::S(kind.sort_key().unwrap().to_owned())
}

/// Sets counts of so many taken to another number: nobody asks six thousand times to find out what is then.
async fn set_counts(aws: &Aws, from: u32, to: u32) {
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
    let (mut networks, mut asked) = (0.., 0);
    for (path, allowed, of_address, of_network) in ALLOWANCES {
        // As above: where an hour turns meanwhile, another network tries again.
        let answers = networks.by_ref().find_map(|network| {
            let began = hour();
            let mut ask = |address: String| {
                asked += 1;
                post(&app, &address, path, request(&app, path, asked)).status
            };
            let host = |host: u8| format!("36.68.{network}.{host}");
            let mut answers = vec![ask(host(1))];
            app.with_aws(async |aws| set_counts(&aws, 1, of_address - 1).await);
            answers.extend([1, 1, 2].map(|number| ask(host(number))));
            // What was refused to the address has cost the network nothing.
            app.with_aws(async |aws| set_counts(&aws, of_address + 1, of_network - 1).await);
            answers.extend([3, 4].map(|number| ask(host(number))));
            answers.push(ask(format!("36.69.{network}.1")));
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
    // Where an hour turns meanwhile, the counts begin anew: once more.
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
    // Where an hour turns meanwhile, the counts begin anew: once more.
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
    assert_eq!(open(&link, "1989-01-25"), 422, "a wrong birth date");
    assert_eq!(open(&link, "1989-01-24"), 200);
    assert_eq!(refuse(&link), 204);
    let asked = app.request_code(phone, None);
    assert_eq!(log_in(&app.last_code(phone), asked.cookie.as_deref()), 201);
}

#[test]
fn sms_are_denied_when_budget_is_unavailable() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        // Nobody listens there.
        let settings =
            Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..(*aws.settings).clone() };
        let aws = Aws::connect(settings).await.unwrap();
        let to = PhoneNumber::parse("081234567890").unwrap();
        let spent = Sms::new(&aws).spend(Payer::OnRecord { network: None }, &to, Timestamp::now()).await;
        assert!(matches!(spent, Err(SmsError::Uncounted(_))), "{spent:?}");
    });
}

/// Spends SMS of a budget of so many a day, for phones of this kind; gives how many there were
/// until the first was refused, and whether that is said.
async fn spend(aws: &Aws, per_day: u32, payer: Payer<'_>, phone: impl Fn(u32) -> String) -> (u32, bool) {
    let mut aws = aws.clone();
    Arc::make_mut(&mut aws.settings).sms_per_day = per_day;
    let (sms, now) = (Sms::new(&aws), Timestamp::now());
    for spent in 0..=per_day {
        let to = PhoneNumber::parse(&phone(spent)).unwrap();
        match sms.spend(payer, &to, now).await {
            Ok(_) => {}
            Err(SmsError::Withheld) => return (spent, false),
            Err(error) => {
                assert!(matches!(error, SmsError::BudgetSpent { .. }), "{error:?}");
                return (spent, true);
            }
        }
    }
    unreachable!("more than the budget was spent");
}

#[test]
fn sms_budget_reserves_shares_for_known_phones_and_officers() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let phone = |number: u32| format!("08123{number:04}{number:04}");
        let networks: Vec<String> = (0..20).map(|network| network.to_string()).collect();
        let mut strangers = 0;
        for network in &networks {
            let (spent, is_said) =
                spend(&aws, 200, Payer::Stranger { network }, |at| phone(strangers + at)).await;
            assert!(!is_said, "it would tell which phones are on record");
            strangers += spent;
        }
        let mut spent = vec![(strangers, false)];
        for payer in [Payer::OnRecord { network: None }, Payer::KnownDevice, Payer::Officer] {
            spent.push(spend(&aws, 200, payer, phone).await);
        }
        assert_eq!(spent, [(120, false), (60, true), (10, true), (10, true)], "60, 90, 95 and 100 % of 200");
        let last = spend(&aws, 200, Payer::Stranger { network: "last" }, phone).await;
        assert_eq!(last, (0, true), "nothing is left for anybody");
    });
}

#[test]
fn strangers_sms_are_limited_per_network_and_block() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let one_network = Payer::Stranger { network: "36.68.1.0/24" };
        let anywhere = |number: u32| format!("0812{number:04}0000");
        assert_eq!(spend(&aws, 2_000, one_network, anywhere).await, (40, false), "2 %");
        let other = Payer::Stranger { network: "36.68.2.0/24" };
        assert_eq!(
            spend(&aws, 2_000, other, |number| format!("08139999{number:04}")).await,
            (20, false),
            "1 %"
        );
    });
}

#[test]
fn phones_on_record_have_separate_sms_limits() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let anywhere = |number: u32| format!("0812{number:04}0000");
        let one_block = |number: u32| format!("08139999{number:04}");
        let of = |network| Payer::OnRecord { network: Some(network) };
        // What a stranger in the network and with the block has spent is not theirs.
        spend(&aws, 2_000, Payer::Stranger { network: "one" }, one_block).await;
        assert_eq!(spend(&aws, 2_000, of("one"), anywhere).await, (100, false), "5 %");
        assert_eq!(spend(&aws, 2_000, of("other"), one_block).await, (60, false), "3 %");
        let devices = spend(&aws, 2_000, Payer::KnownDevice, one_block).await;
        assert_eq!(devices, (60, true), "3 % of their own");
        // What a part refused has cost the network nothing.
        assert_eq!(spend(&aws, 2_000, of("other"), anywhere).await, (40, false));
    });
}

#[test]
fn unsent_sms_returns_budget() {
    let app = TestApp::start();
    app.with_aws(async |mut aws| {
        Arc::make_mut(&mut aws.settings).sms_per_day = 1;
        let (sms, now) = (Sms::new(&aws), Timestamp::now());
        let to = PhoneNumber::parse("081234567890").unwrap();
        for payer in [Payer::Stranger { network: "net" }, Payer::OnRecord { network: Some("net") }] {
            for _ in 0..30 {
                let spent = sms.spend(payer, &to, now).await.unwrap();
                sms.give_back(&spent, now).await.unwrap();
            }
        }
    });
}

#[test]
fn held_dose_puts_no_phone_on_record() {
    let app = TestApp::start();
    let held = FeedRow { tanggal_lahir: "1989-01-25".into(), ..dose("E1") };
    app.import(std::slice::from_ref(&held));
    app.with_aws(async |aws| {
        let phone = aws.keys.phone(&PhoneNumber::parse(&held.no_hp).unwrap());
        let doses = bukti_store::Doses::new(&aws);
        let verdicts: Vec<_> =
            doses.of_phone_key(&phone).await.unwrap().0.iter().map(|it| it.verdict).collect();
        assert_eq!(verdicts, [bukti_domain::Verdict::Held]);
        assert!(!doses.has_phone_key(&phone).await.unwrap());
    });
    app.import(&[dose("E2")]);
    app.with_aws(async |aws| {
        let phone = aws.keys.phone(&PhoneNumber::parse(&held.no_hp).unwrap());
        assert!(bukti_store::Doses::new(&aws).has_phone_key(&phone).await.unwrap());
    });
}

#[test]
fn spent_sms_budget_gives_every_phone_same_response() {
    let app = TestApp::start_with_handlers(|aws| {
        let mut aws = aws.clone();
        Arc::make_mut(&mut aws.settings).sms_per_day = 20;
        Handlers::bukti(&aws)
    });
    app.import(&[dose("E1")]);
    let budget = async |aws: Aws, payer: Payer<'_>, most: u32| {
        for number in 0..most {
            let to = PhoneNumber::parse(&format!("0811{number:04}0000")).unwrap();
            let mut aws = aws.clone();
            Arc::make_mut(&mut aws.settings).sms_per_day = 20;
            Sms::new(&aws).spend(payer, &to, Timestamp::now()).await.unwrap();
        }
    };
    // A request whose code the budget withholds has a record, whose code is none.
    app.with_aws(async |aws| budget(aws, Payer::OnRecord { network: None }, 12).await);
    let sent = app.messages().len();
    let asked = app.request_code("081234567890", None);
    assert_eq!((asked.status, app.messages().len()), (202, sent));
    let cookie = asked.cookie.unwrap();
    let token = cookie.split(['=', ';']).nth(1).unwrap();
    let codes = app.with_aws(async |aws| {
        let code = async || {
            let scan = table_service(&aws).await.scan().table_name(&aws.settings.table);
            let scan = scan.filter_expression("sk = :otp");
            let scan = scan.expression_attribute_values(":otp", sort_key(ItemKind::Otp));
            let items = scan.send().await.unwrap().items.unwrap_or_default();
            items.iter().map(|item| item["code"].as_s().unwrap().clone()).collect::<Vec<_>>()
        };
        let kept = code().await;
        let phone = PhoneNumber::parse("081234567890").unwrap();
        bukti_store::Otps::new(&aws).withhold(token, &phone).await.unwrap();
        [kept, code().await]
    });
    assert_eq!((codes[0].len(), &codes[0]), (1, &codes[1]), "the code is the one of withheld requests");
    // With the rest spent all are told, also a phone whose own allowance others have spent.
    app.with_aws(async |aws| {
        let (otps, phone) = (bukti_store::Otps::new(&aws), PhoneNumber::parse("081234567891").unwrap());
        for _ in 0..10 {
            let requester = bukti_store::Requester { network: "127.0.0.0/24", ..Default::default() };
            otps.request(&phone, None, requester, Timestamp::now()).await.unwrap();
        }
        for network in 0..20 {
            let network = network.to_string();
            let requester =
                bukti_store::Requester { network: &network, is_proven: true, ..Default::default() };
            otps.request(&phone, None, requester, Timestamp::now()).await.unwrap();
        }
        budget(aws, Payer::OnRecord { network: None }, 6).await;
    });
    for phone in ["081234567892", "081234567891", &dose("E1").no_hp] {
        let code = app.request_code(phone, None);
        assert_eq!((code.status, code.code()), (503, "sms_budget_spent"), "{phone}");
    }
}

#[test]
fn rate_window_holds_under_concurrent_requests() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let rates = Rates::new(&aws);
        let rate = Rate { name: "test", window: SignedDuration::from_hours(1), most: 7 };
        let now = Timestamp::from_second(7_200).unwrap();
        let takes = (0..100).map(|_| rates.take(&rate, "somebody", now));
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
        assert_eq!(rates.taken(&rate, "somebody", now).await.unwrap(), 7);
        assert_eq!(rates.take(&rate, "somebody else", now).await.unwrap(), Taken::Now(1));
        let next = now + SignedDuration::from_hours(1);
        assert_eq!(rates.take(&rate, "somebody", next).await.unwrap(), Taken::Now(1));
    });
}

#[test]
fn strangers_get_no_sms_once_budget_is_spent() {
    let app = TestApp::start_with_handlers(|aws| {
        let mut aws = aws.clone();
        Arc::make_mut(&mut aws.settings).sms_per_day = 3;
        Handlers::bukti(&aws)
    });
    app.import(&[dose("E1")]);
    let easy = cost(&app, HOME);
    for at in 0..2 {
        assert_eq!(app.request_code(&format!("08123456789{at}"), None).status, 202);
    }
    assert_eq!(app.messages().len(), 3, "the link after a first dose has not cost one");
    assert_eq!(cost(&app, HOME), 16 * easy, "captchas get harder for everybody");
    // The share of strangers is spent. They are answered as ever: the answer would tell whose phone
    // is on record.
    assert_eq!(app.request_code("081234567892", None).status, 202);
    assert_eq!(app.messages().len(), 3);
    assert_eq!(app.request_code(&dose("E1").no_hp, None).status, 202);
    let sent = app.messages().len();
    assert_eq!(sent, 4, "a phone on record has a share of its own");

    let code = app.request_code("081234567893", None);
    assert_eq!((code.status, code.code()), (503, "sms_budget_spent"));
    assert!((1..=86_400).contains(&code.body["retry_after"].as_u64().unwrap()));
    let withheld = || {
        let metrics = String::from_utf8(app.caller().call("GET", "/_metrics", None, b"").body).unwrap();
        let line =
            metrics.lines().find_map(|line| line.strip_prefix("bukti_sms_total{result=\"withheld\"} "));
        line.map_or(0.0, |count| count.parse::<f64>().unwrap())
    };
    let before = withheld();
    assert_eq!(app.request_download(&dose("E1")).status, 202, "answered as ever");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), sent, "nothing is sent to who asks");
    assert_eq!(withheld(), before + 1.0, "but it is counted");
    app.import(&[FeedRow { nik: "3171012401890002".into(), ..dose("E2") }]);
    assert_eq!(app.messages().len(), sent + 1, "the link after a first dose goes out");
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

#[test]
fn foreign_phones_get_sms_only_in_allowed_countries() {
    let folder = TempDir::new().unwrap();
    let feed = folder.path().join("feed.csv");
    let with_phone =
        |event: &str, nik: &str, phone: &str| FeedRow { nik: nik.into(), no_hp: phone.into(), ..dose(event) };
    let rows = [
        with_phone("MY", "3171012401896246", "+60 12-345 6789"),
        with_phone("SG", "3171012401896247", "0065 8123 4567"),
        with_phone("US", "3171012401896248", "+1 202 555 0100"),
    ];
    std::fs::write(&feed, csv(&rows)).unwrap();
    let allowed: [&OsStr; 2] = ["--phone-countries".as_ref(), "+60,+65".as_ref()];
    for (options, expected) in [(&[][..], &[][..]), (&allowed, &["+60123456789", "+6581234567"])] {
        let running = StackProcess::start(&folder.path().join(expected.len().to_string()), options);
        let (_, report) = import(&running.url, &feed);
        assert!(report.values().all(|(outcome, _)| outcome == "issued"), "{report:?}");
        running.wait_until_idle();
        let mut sent_to: Vec<_> = outbox(&running.url).into_iter().map(|message| message.to).collect();
        sent_to.sort();
        assert_eq!(sent_to, expected);
        let settings = call(&running.url, "GET", "/settings.json", None, None).body;
        assert_eq!(settings["phone_countries"].as_str().is_some(), !expected.is_empty());
    }
}

/// How fast an answer is at least. Without optimisation, and beside other tests, the stack is many
/// times slower; all doses of a flood would take longer still.
const IN_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 1 });

/// Whoever has an API key can report any number of doses under somebody's number and phone.
#[test]
fn flood_of_doses_hides_no_genuine_dose() {
    let app = TestApp::start();
    let own = dose("OWN");
    let corrected = FeedRow {
        sent_at: "2026-01-01T08:00:00+07:00".to_owned(),
        batch: "B-CORRECTED".to_owned(),
        ..own.clone()
    };
    app.import(std::slice::from_ref(&own));
    let day = |at: usize| civil::date(2021, 2, 1).checked_add(i64::try_from(at).unwrap().days()).unwrap();
    let false_dose = |at: usize| FeedRow {
        sent_at: "2026-01-01T08:00:00+07:00".to_owned(),
        tanggal_vaksinasi: day(at).to_string(),
        dosis_ke: "3".to_owned(),
        ..dose(&format!("F{at}"))
    };
    let incomplete = |at: usize| FeedRow { batch: String::new(), ..false_dose(at) };
    let held = |at: usize| FeedRow { tanggal_lahir: "1990-02-25".to_owned(), ..false_dose(at) };
    app.import(&(0..30).map(false_dose).collect::<Vec<_>>());
    app.import(&(30..1_600).map(incomplete).chain((1_600..3_200).map(held)).collect::<Vec<_>>());
    app.import(&[corrected]);

    let answer = |method: &str, path: &str, cookie: Option<&str>, body: Option<&dyn Fn() -> Value>| {
        // Other tests may run meanwhile: one answer in time is enough.
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let body = body.map(|body| body());
            let begun = Instant::now();
            let reply = app.call(method, path, cookie, body);
            took = took.min(begun.elapsed());
            assert_eq!(reply.status, 200, "{path}: {}", reply.code());
            let length = reply.body.to_string().len();
            assert!(length < 1_000_000, "{path}: {length} bytes");
            if took < IN_TIME {
                return reply.body;
            }
        }
        panic!("{path}: {took:?}");
    };
    let list = |answer: &Value, name: &str| answer[name].as_array().unwrap().clone();
    let is_own = |dose: &Value| dose["dose_number"] == 1 && dose["diagnosis"]["code"] == "certificate_issued";

    let query = || json!({"name": own.nama, "nik": own.nik, "captcha": app.captcha()});
    let status = answer("POST", StatusRoute::Status.path(), None, Some(&query));
    assert!(list(&status, "doses").iter().any(is_own));
    assert_eq!((list(&status, "doses").len(), &status["more"]), (200, &json!(true)));
    let other = app.status("Somebody Else", &own.nik).body;
    assert_eq!((list(&other, "doses").len(), &other["more"]), (0, &Value::Null), "tells no stranger");

    let cookie = app.log_in(&own.no_hp, None);
    let people = answer("GET", HolderRoute::People.path(), Some(&cookie), None);
    assert_eq!((list(&people, "people").len(), &people["more"]), (1, &json!(true)));
    let path = HolderRoute::Certificates.path_of(people["people"][0]["id"].as_str().unwrap());
    let (mut doses, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = answer("GET", &format!("{path}?after={after}"), Some(&cookie), None);
        assert_eq!(page["more"], true);
        assert!(after == 0 || list(&page, "tickets").is_empty(), "tickets come once");
        doses.extend(list(&page, "doses"));
        after = page["next"].clone();
    }
    assert_eq!(doses.len(), 200);
    let with_certificate = doses.iter().filter(|dose| dose["certificate"].is_object()).count();
    assert_eq!(with_certificate, 31, "a page of certificates is short enough as well");
    let genuine = |dose: &&Value| is_own(dose) && dose["certificate"]["batch"] == "B-CORRECTED";
    assert_eq!(doses.iter().filter(genuine).count(), 1);
    for wrong in ["x", "-1"] {
        let wrong = app.call("GET", &format!("{path}?after={wrong}"), Some(&cookie), None);
        assert_eq!((wrong.status, wrong.code()), (422, "invalid_input"));
    }
    answer("GET", &format!("{}/looks", path.trim_end_matches("/certificates")), Some(&cookie), None);

    let desk = app.log_in_officer("0811-0000-0001", "Rina", "officer");
    for query in [json!({"identity": own.nik, "why": "x"}), json!({"phone": own.no_hp, "why": "x"})] {
        let found = answer("POST", HelpdeskRoute::FindPeople.path(), Some(&desk), Some(&|| query.clone()));
        let person = &found["people"][0];
        assert_eq!((list(person, "doses").len(), &person["more"]), (100, &json!(true)));
        assert!(list(person, "doses").iter().any(|dose| is_own(&dose["status"])));
    }
}
