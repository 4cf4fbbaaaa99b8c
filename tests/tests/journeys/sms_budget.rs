//! The daily SMS budget and its shares for strangers, phones on record, known devices and officers.

use std::ffi::OsStr;
use std::sync::Arc;

use bukti_domain::{FeedRow, PhoneNumber};
use bukti_local::Handlers;
use bukti_records::ItemKind;
use bukti_store::{Aws, Payer, Settings, Sms, SmsError};
use bukti_tests::stack_process::StackProcess;
use bukti_tests::{TestApp, call, csv, dose, import, outbox};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::access::table_service;
use crate::captchas::{HOME, cost};
use crate::rate_limits::sort_key;

#[test]
fn sms_are_denied_when_budget_is_unavailable() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        // Nothing listens on this port.
        let settings =
            Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..(*aws.settings).clone() };
        let aws = Aws::connect(settings).await.unwrap();
        let to = PhoneNumber::parse("081234567890").unwrap();
        let spent = Sms::new(&aws).spend(Payer::OnRecord { network: None }, &to, Timestamp::now()).await;
        assert!(matches!(spent, Err(SmsError::Uncounted(_))), "{spent:?}");
    });
}

/// Spends a daily budget SMS by SMS until a rejection. Returns the number of accepted SMS, and
/// `true` if the rejection reports a spent budget or `false` if the SMS is withheld silently.
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
            let (spent, is_reported) =
                spend(&aws, 200, Payer::Stranger { network }, |at| phone(strangers + at)).await;
            assert!(!is_reported, "an error would reveal which phones are on record");
            strangers += spent;
        }
        let mut spent = vec![(strangers, false)];
        for payer in [Payer::OnRecord { network: None }, Payer::KnownDevice, Payer::Officer] {
            spent.push(spend(&aws, 200, payer, phone).await);
        }
        assert_eq!(spent, [(120, false), (60, true), (10, true), (10, true)], "60, 90, 95 and 100 % of 200");
        let last = spend(&aws, 200, Payer::Stranger { network: "last" }, phone).await;
        assert_eq!(last, (0, true), "the budget is spent for everybody");
    });
}

#[test]
fn strangers_sms_are_limited_per_network_and_block() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let one_network = Payer::Stranger { network: "36.68.1.0/24" };
        let many_blocks = |number: u32| format!("0812{number:04}0000");
        assert_eq!(spend(&aws, 2_000, one_network, many_blocks).await, (40, false), "2 % of 2,000");
        let other = Payer::Stranger { network: "36.68.2.0/24" };
        assert_eq!(
            spend(&aws, 2_000, other, |number| format!("08139999{number:04}")).await,
            (20, false),
            "1 % of 2,000"
        );
    });
}

#[test]
fn phones_on_record_have_separate_sms_limits() {
    let app = TestApp::start();
    app.with_aws(async |aws| {
        let many_blocks = |number: u32| format!("0812{number:04}0000");
        let one_block = |number: u32| format!("08139999{number:04}");
        let on_record = |network| Payer::OnRecord { network: Some(network) };
        // Strangers in the same network and number block have their own limits.
        spend(&aws, 2_000, Payer::Stranger { network: "one" }, one_block).await;
        assert_eq!(spend(&aws, 2_000, on_record("one"), many_blocks).await, (100, false), "5 % of 2,000");
        assert_eq!(spend(&aws, 2_000, on_record("other"), one_block).await, (60, false), "3 % of 2,000");
        let devices = spend(&aws, 2_000, Payer::KnownDevice, one_block).await;
        assert_eq!(devices, (60, true), "known devices have 3 % of 2,000 of their own");
        // SMS that the number block's limit rejected did not consume the network's quota.
        assert_eq!(spend(&aws, 2_000, on_record("other"), many_blocks).await, (40, false));
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
    let spend = async |aws: Aws, payer: Payer<'_>, count: u32| {
        for number in 0..count {
            let to = PhoneNumber::parse(&format!("0811{number:04}0000")).unwrap();
            let mut aws = aws.clone();
            Arc::make_mut(&mut aws.settings).sms_per_day = 20;
            Sms::new(&aws).spend(payer, &to, Timestamp::now()).await.unwrap();
        }
    };
    // If the budget withholds the SMS of a request, the stored code is replaced by a code that no
    // six digits match.
    app.with_aws(async |aws| spend(aws, Payer::OnRecord { network: None }, 12).await);
    let sent = app.messages().len();
    let reply = app.request_code("081234567890", None);
    assert_eq!((reply.status, app.messages().len()), (202, sent));
    let cookie = reply.cookie.unwrap();
    let token = cookie.split(['=', ';']).nth(1).unwrap();
    let codes = app.with_aws(async |aws| {
        let stored_codes = async || {
            let scan = table_service(&aws).await.scan().table_name(&aws.settings.table);
            let scan = scan.filter_expression("sk = :otp");
            let scan = scan.expression_attribute_values(":otp", sort_key(ItemKind::Otp));
            let items = scan.send().await.unwrap().items.unwrap_or_default();
            items.iter().map(|item| item["code"].as_s().unwrap().clone()).collect::<Vec<_>>()
        };
        let before = stored_codes().await;
        let phone = PhoneNumber::parse("081234567890").unwrap();
        bukti_store::Otps::new(&aws).withhold(token, &phone).await.unwrap();
        [before, stored_codes().await]
    });
    assert_eq!((codes[0].len(), &codes[0]), (1, &codes[1]), "withholding the code again changes nothing");
    // Once the rest of the budget is spent, all phones get an error, even a phone whose own quota
    // other people have spent.
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
        spend(aws, Payer::OnRecord { network: None }, 6).await;
    });
    for phone in ["081234567892", "081234567891", &dose("E1").no_hp] {
        let code = app.request_code(phone, None);
        assert_eq!((code.status, code.code()), (503, "sms_budget_spent"), "{phone}");
    }
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
    assert_eq!(app.messages().len(), 3, "the SMS of a first dose consumes no budget");
    assert_eq!(cost(&app, HOME), 16 * easy, "captchas get harder for all addresses");
    // The share for phones that are not on record is spent. The response stays the same, since a
    // different response would reveal which phones are on record.
    assert_eq!(app.request_code("081234567892", None).status, 202);
    assert_eq!(app.messages().len(), 3);
    assert_eq!(app.request_code(&dose("E1").no_hp, None).status, 202);
    let sent = app.messages().len();
    assert_eq!(sent, 4, "phones on record have a share of their own");

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
    assert_eq!(app.request_download(&dose("E1")).status, 202, "the response stays the same");
    app.wait_until_idle();
    assert_eq!(app.messages().len(), sent, "the SMS of the quick download is withheld");
    assert_eq!(withheld(), before + 1.0, "the withheld SMS is counted");
    app.import(&[FeedRow { nik: "3171012401890002".into(), ..dose("E2") }]);
    assert_eq!(app.messages().len(), sent + 1, "the SMS of a first dose is sent");
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
