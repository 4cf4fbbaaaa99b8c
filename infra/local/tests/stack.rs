//! The stack from outside: the AWS SDKs, plain HTTP, restarts.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::streams::DynamoDbEventResponse;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_local::{Filter, Handlers, Options, Stack, StackInfo, StartError, StreamSource, demo};
use bukti_records::{EventKey, ItemKey, PersonKey};
use bukti_store::concerns_publishing;
use bukti_wire::{OtpRoute, StatusRoute};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start(data: &Path) -> Stack {
    Stack::start(Options { port: 0, data: data.to_owned(), ..Default::default() }).await.unwrap()
}

/// Functions that note what reaches them.
#[derive(Clone, Default)]
struct Noted {
    records: Arc<AtomicUsize>,
    feeds: Arc<Mutex<Vec<String>>>,
}

impl Noted {
    fn handlers(&self) -> Handlers {
        let (records, feeds) = (Arc::clone(&self.records), Arc::clone(&self.feeds));
        Handlers {
            http: Arc::new(|_, _| Box::pin(async { lambda_http::Response::new("an answer".into()) })),
            intake: Arc::new(move |event| {
                let key = event.records[0].s3.object.key.clone().unwrap();
                feeds.lock().unwrap().push(key);
                Box::pin(async { Ok(()) })
            }),
            publish: Arc::new(|| Box::pin(async { Ok(()) })),
            to_publish: Arc::default(),
            streams: vec![StreamSource {
                name: "test",
                filter: Filter::of(&["{}"]),
                handler: Arc::new(move |event| {
                    // The first signer is in the table, too.
                    let doses = event.records.iter().filter(|record| !concerns_publishing(record)).count();
                    records.fetch_add(doses, Ordering::SeqCst);
                    Box::pin(async { DynamoDbEventResponse::default() })
                }),
            }],
        }
    }

    async fn start(&self, data: &Path) -> Stack {
        let options = Options { port: 0, data: data.to_owned(), ..Default::default() };
        Stack::start_with(options, |_| self.handlers()).await.unwrap()
    }
}

macro_rules! client {
    ($sdk:ident, $info:expr $(, $path_style:ident)?) => {{
        let info: &StackInfo = $info;
        let keys = $sdk::config::Credentials::new(&info.access_key, &info.secret_key, None, None, "test");
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version_latest()
                .endpoint_url(&info.endpoint)
                .region($sdk::config::Region::new(info.region.clone()))
                .credentials_provider(keys)
                $(.$path_style(true))?
                .build(),
        )
    }};
}

/// A plain request, as anything can send it; status, head and body of the answer.
async fn send(url: &str, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

async fn get(url: &str, path: &str) -> (u16, String, String) {
    let host = url.strip_prefix("http://").unwrap();
    send(url, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn requests_are_told_apart() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    let url = stack.url();
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let (status, head, body) = get(url, "/_stack.json").await;
    let info: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, info["endpoint"].as_str(), info["backlog"].as_u64()), (200, Some(url), Some(0)));
    assert!(head.contains("cross-origin-resource-policy: same-origin"));
    let (status, _, body) = get(url, StatusRoute::Captcha.path()).await;
    assert_eq!((status, body.as_str()), (200, "an answer"));
    let (status, head, body) = get(url, "/api/nothing").await;
    assert_eq!(status, 404);
    assert!(head.contains("application/problem+json") && body.contains("\"not_found\""));
    assert!(head.contains("content-security-policy: default-src 'self'"), "as behind CloudFront");
    let (_, head, body) = get(url, "/settings.json").await;
    assert!(head.contains("content-security-policy: default-src 'self'"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["helpdesk_phone"], "119 ext. 9");
    assert!(get(url, "/").await.2.contains("without its site"));
    assert_eq!(get(url, "/_sms").await.0, 200);
    assert_eq!(get(url, "/_sms.json").await.2, "[]");
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        let request = format!("GET /_stack.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let (status, _, body) = send(url, &request).await;
        assert_eq!(status, 421, "{host}");
        assert!(!body.contains("endpoint"));
    }
    stack.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_read_nothing() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let url = stack.url();
    let host = url.strip_prefix("http://").unwrap();
    let paths = ["/_stack.json", "/_sms", "/_sms.json", "/_flow", "/_metrics", "/_dead_letters.json"];
    let ask = async |path: &str, header: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{header}connection: close\r\n\r\n");
        send(url, &request).await.0
    };
    let own = format!("origin: {url}\r\n");
    let good = ["", &own, "sec-fetch-site: none\r\n", "sec-fetch-site: same-origin\r\n"];
    let foreign = [
        "origin: https://evil.example\r\n",
        "origin: null\r\n",
        "origin: http://127.0.0.1:1\r\n",
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
    ];
    for path in paths {
        for header in good {
            assert_eq!(ask(path, header).await, 200, "{path} {header}");
        }
        for header in foreign {
            assert_eq!(ask(path, header).await, 403, "{path} {header}");
        }
    }
    for path in ["/", "/settings.json", "/bukti-documents/a"] {
        assert_eq!(ask(path, foreign[0]).await, 403, "{path}");
    }
    // A link to the site, and the public lists, are for everybody.
    assert_eq!(ask("/", "sec-fetch-site: cross-site\r\n").await, 200);
    assert_eq!(ask("/trust/nothing", foreign[0]).await, 404);
    stack.stop().await;
}

#[tokio::test]
async fn calls_need_the_keys_from_the_owners_file() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let info = stack.info().clone();
    let told = get(stack.url(), "/_stack.json").await.2;
    assert!(!told.contains(&info.access_key) && !told.contains(&info.secret_key));
    let file = data.path().join("access-keys.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let keys: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        (&keys["access_key"], &keys["secret_key"]),
        (&info.access_key.clone().into(), &info.secret_key.clone().into())
    );

    // The access key alone stands in every address of a document.
    let stranger = StackInfo { secret_key: "another".to_owned(), ..info.clone() };
    let refused = client!(aws_sdk_dynamodb, &stranger).list_tables().send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    let sns = client!(aws_sdk_sns, &stranger);
    let refused = sns.publish().phone_number("+6281234567890").message("x").send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("SignatureDoesNotMatch"));
    let host = stack.url().strip_prefix("http://").unwrap();
    for (headers, body) in [
        ("x-amz-target: DynamoDB_20120810.ListTables\r\n".to_owned(), "{}"),
        (
            format!(
                "authorization: AWS4-HMAC-SHA256 Credential={}/20261123/r/sns/aws4_request, SignedHeaders=host, Signature=00\r\n",
                info.access_key
            ),
            "Action=Publish&PhoneNumber=%2B6281234567890&Message=x",
        ),
    ] {
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        assert_eq!(send(stack.url(), &request).await.0, 403, "{headers}");
    }
    assert_eq!(get(stack.url(), "/_sms.json").await.2, "[]");
    stack.stop().await;
    assert!(!file.exists(), "the keys end with the stack");
}

#[tokio::test]
async fn bodies_of_unsigned_calls_are_not_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let host = stack.url().strip_prefix("http://").unwrap();
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let claim = |access_key: &str, target: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 1000000\r\n\
             x-amz-target: {target}\r\nx-amz-date: {now}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={access_key}/{}/r/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, \
             Signature={}\r\n\r\n{{",
            &now[..8],
            "00".repeat(32)
        )
    };
    let target = "DynamoDB_20120810.ListTables";
    let begun = std::time::Instant::now();
    assert_eq!(send(stack.url(), &claim("stranger", target)).await.0, 403);
    assert!(begun.elapsed() < Duration::from_secs(5), "by the headers alone");
    // Whoever knows the access key, which stands in documents' addresses.
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        send(stack.url(), &claim(&stack.info().access_key, target)).await.0
    });
    assert_eq!(waited.await, Ok(408));

    // Ten calls of almost 16 MiB are more than is read at once.
    let head = claim(&stack.info().access_key, target).replace("1000000", "16777216");
    let long = head + &" ".repeat(16_777_214);
    let ends = (0..10).map(async |_| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let (begun, mut answer) = (std::time::Instant::now(), Vec::new());
        // One that is refused is closed while it is being sent.
        let _ = stream.write_all(long.as_bytes()).await;
        let _ = stream.read_to_end(&mut answer).await;
        begun.elapsed() < Duration::from_secs(5) && !answer.starts_with(b"HTTP/1.1 408")
    });
    let functions = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let key = "bk_01234567_AAAAAAAAAAAAAAAAAAAAAA";
        let asked = format!(
            "GET /api/intake/jobs/0123 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\n\r\n"
        );
        send(stack.url(), &asked).await.0
    };
    let (refused, functions) = futures::future::join(futures::future::join_all(ends), functions).await;
    let refused = refused.into_iter().filter(|refused| *refused).count();
    assert!((2..10).contains(&refused), "{refused} of 10");
    assert_eq!(functions, 401, "the functions' own calls are not concerned");
    stack.stop().await;
}

#[tokio::test]
async fn uploads_that_stall_end_and_leave_no_object() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    let bucket = &stack.info().bucket;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    let presigning = PresigningConfig::expires_in(Duration::from_secs(300)).unwrap();
    let put = s3.put_object().bucket(bucket).key("evidence/a").presigned(presigning).await.unwrap();
    let path = put.uri().strip_prefix(stack.url()).unwrap();
    let host = stack.url().strip_prefix("http://").unwrap();
    let begun = format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000000\r\n\r\nx");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    ended.expect("the connection ends").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert!(s3.head_object().bucket(bucket).key("evidence/a").send().await.is_err());
    stack.stop().await;
}

#[test]
fn the_program_writes_files_for_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bukti-local"));
    command.args(["--port", "0", "--data"]).arg(&data).stdout(std::process::Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // The first signer makes the public lists, which S3 writes.
    let list = data.join("bucket/bukti-public/trust/signers.json");
    let deadline = SystemTime::now() + Duration::from_secs(60);
    while !list.exists() && SystemTime::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let written = list.exists();
    let (mut folders, mut open) = (vec![data], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // One that was replaced in the meantime is gone.
            let Ok(found) = std::fs::metadata(&path) else { continue };
            if found.permissions().mode() & 0o077 != 0 {
                open.push(path.clone());
            }
            if found.is_dir() {
                folders.push(path);
            }
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(written, "no list was published");
    assert_eq!(open, Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn sms_lie_in_the_outbox_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    let sns = client!(aws_sdk_sns, stack.info());
    let sender = MessageAttributeValue::builder().data_type("String").string_value("1199").build().unwrap();
    let sent = sns
        .publish()
        .phone_number("+6281234567890")
        .message("Sertifikat <Anda> & lain: http://127.0.0.1/s/a+b %20")
        .message_attributes("AWS.SNS.SMS.SenderID", sender)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.message_id.unwrap().len(), 36);
    let refused = sns.publish().phone_number("081234567890").message("x").send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidParameter"));
    stack.stop().await;

    let stack = Noted::default().start(data.path()).await;
    let sms: serde_json::Value = serde_json::from_str(&get(stack.url(), "/_sms.json").await.2).unwrap();
    assert_eq!(sms.as_array().unwrap().len(), 1);
    assert_eq!(sms[0]["to"], "+6281234567890");
    assert_eq!(sms[0]["from"], "1199");
    assert_eq!(sms[0]["message"], "Sertifikat <Anda> & lain: http://127.0.0.1/s/a+b %20");
    assert!(sms[0]["sent_at"].as_str().unwrap().ends_with('Z'));
    let (_, head, page) = get(stack.url(), "/_sms").await;
    assert!(head.contains("content-security-policy: default-src 'none'"));
    assert!(page.contains("&lt;Anda&gt; &amp; lain"));
    stack.stop().await;
}

#[tokio::test]
async fn presigned_addresses_are_good_as_they_are_and_for_their_time() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    let bucket = "bukti-documents";
    let body = ByteStream::from_static(b"%PDF a document");
    s3.put_object().bucket(bucket).key("documents/a b.pdf").body(body).send().await.unwrap();
    let presign = async |config: PresigningConfig| {
        let request = s3
            .get_object()
            .bucket(bucket)
            .key("documents/a b.pdf")
            .response_content_type("application/pdf")
            .response_content_disposition("attachment; filename=\"x.pdf\"")
            .presigned(config)
            .await
            .unwrap();
        request.uri().strip_prefix(stack.url()).unwrap().to_owned()
    };
    let good = presign(PresigningConfig::expires_in(Duration::from_secs(300)).unwrap()).await;
    let (status, head, body) = get(stack.url(), &good).await;
    assert_eq!((status, body.as_str()), (200, "%PDF a document"));
    assert!(head.contains("content-type: application/pdf"));
    assert!(head.contains("content-disposition: attachment; filename=\"x.pdf\""));

    for tampered in [
        good.replace("x.pdf", "y.pdf"),
        good.replace("documents/a%20b", "documents/other"),
        good.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
    ] {
        assert_ne!(tampered, good);
        assert_eq!(get(stack.url(), &tampered).await.0, 403, "{tampered}");
    }
    let hour = Duration::from_secs(3600);
    let early = PresigningConfig::builder()
        .start_time(SystemTime::now() - hour)
        .expires_in(Duration::from_secs(300))
        .build()
        .unwrap();
    assert_eq!(get(stack.url(), &presign(early).await).await.0, 403, "expired");
    let (status, _, body) = get(stack.url(), "/bukti-documents/documents/a%20b.pdf").await;
    assert_eq!(status, 403, "unsigned");
    assert!(!body.contains("%PDF"));
    let mut info = stack.info().clone();
    info.secret_key = "another".to_owned();
    let stranger = client!(aws_sdk_s3, &info, force_path_style);
    assert!(stranger.list_objects_v2().bucket(bucket).send().await.is_err());

    s3.delete_object().bucket(bucket).key("documents/a b.pdf").send().await.unwrap();
    assert_eq!(get(stack.url(), &good).await.0, 404);
    let left = std::fs::read_dir(data.path().join("bucket")).unwrap().count();
    assert_eq!(left, 2, "the buckets, and nothing of the object beside them");
    stack.stop().await;
}

#[tokio::test]
async fn copies_of_more_than_a_day_ago_are_removed_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let stack = Noted::default().start(data.path()).await;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    let bucket = data.path().join("bucket/bukti-documents");
    for (key, put_at) in [
        ("copies/A/old-card.pdf", hours(25)),
        ("copies/A/young-card.pdf", hours(23)),
        ("copies/B/old-a4.pdf", hours(1000)),
        ("certificates/A/old.pdf", hours(1000)),
        ("copies-of-another/old.pdf", hours(1000)),
    ] {
        let put = s3.put_object().bucket("bukti-documents").key(key).content_type("application/pdf");
        put.body(ByteStream::from_static(b"%PDF")).send().await.unwrap();
        let file = std::fs::File::options().write(true).open(bucket.join(key)).unwrap();
        file.set_modified(put_at).unwrap();
    }
    let beside = || std::fs::read_dir(data.path().join("bucket")).unwrap().count();
    let before = beside();
    stack.stop().await;

    let stack = Noted::default().start(data.path()).await;
    let deadline = SystemTime::now() + Duration::from_secs(20);
    while bucket.join("copies/B").exists() {
        assert!(SystemTime::now() < deadline, "not removed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stack.stop().await;
    let left = |key: &str| bucket.join(key).exists();
    assert!(!left("copies/A/old-card.pdf"));
    assert!(left("copies/A/young-card.pdf") && left("certificates/A/old.pdf"));
    assert!(left("copies-of-another/old.pdf"));
    assert_eq!((before - 2) % 5, 0, "as many files beside each object");
    assert_eq!(beside() - 2, (before - 2) / 5 * 3, "and none of those that are gone");
}

#[tokio::test]
async fn the_table_keeps_its_items_and_the_stream_its_place_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let noted = Noted::default();
    let stack = noted.start(data.path()).await;
    let dose = |number: u32| ItemKey::dose(&EventKey::of_id(&number.to_string()));
    let person = PersonKey::of_id("1");
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let dynamodb = client!(aws_sdk_dynamodb, stack.info());
    for number in 0..30 {
        dynamodb
            .put_item()
            .table_name("bukti")
            .item("pk", s(dose(number).pk()))
            .item("sk", s(dose(number).sk()))
            .item("person", s(person.as_str()))
            .send()
            .await
            .unwrap();
    }
    let again = dynamodb
        .put_item()
        .table_name("bukti")
        .item("pk", s(dose(1).pk()))
        .item("sk", s(dose(1).sk()))
        .condition_expression("attribute_not_exists(pk)")
        .send()
        .await
        .unwrap_err();
    assert!(again.into_service_error().is_conditional_check_failed_exception());
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(noted.records.load(Ordering::SeqCst), 30);
    stack.stop().await;

    let stack = noted.start(data.path()).await;
    let dynamodb = client!(aws_sdk_dynamodb, stack.info());
    let found = dynamodb
        .query()
        .table_name("bukti")
        .index_name("by_person")
        .key_condition_expression("person = :person")
        .expression_attribute_values(":person", s(person.as_str()))
        .send()
        .await
        .unwrap();
    assert_eq!(found.count, 30);
    dynamodb
        .delete_item()
        .table_name("bukti")
        .key("pk", s(dose(1).pk()))
        .key("sk", s(dose(1).sk()))
        .send()
        .await
        .unwrap();
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(noted.records.load(Ordering::SeqCst), 31, "none again, one new");
    stack.stop().await;
}

#[tokio::test]
async fn feeds_make_events_and_what_lies_there_makes_one_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let noted = Noted::default();
    let stack = noted.start(data.path()).await;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    for key in ["intake/feeds/a.csv", "intake/reports/a.csv"] {
        let body = ByteStream::from_static(b"rows");
        s3.put_object().bucket("bukti-documents").key(key).body(body).send().await.unwrap();
    }
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(*noted.feeds.lock().unwrap(), ["intake/feeds/a.csv"]);
    stack.stop().await;

    let stack = noted.start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(noted.feeds.lock().unwrap().len(), 2);
    stack.stop().await;
}

#[tokio::test]
async fn a_feed_in_parts_makes_one_event() {
    let data = tempfile::tempdir().unwrap();
    let noted = Noted::default();
    let stack = noted.start(data.path()).await;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    let (bucket, key) = ("bukti-documents", "intake/feeds/b.csv");
    let upload = s3.create_multipart_upload().bucket(bucket).key(key).send().await.unwrap();
    let id = upload.upload_id.unwrap();
    let part = s3
        .upload_part()
        .bucket(bucket)
        .key(key)
        .upload_id(&id)
        .part_number(1)
        .body(ByteStream::from_static(b"rows"))
        .send()
        .await
        .unwrap();
    assert_eq!(stack.info().table, "bukti");
    assert!(noted.feeds.lock().unwrap().is_empty());
    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(part).build();
    let completed = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
    completed.multipart_upload(parts).send().await.unwrap();
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(*noted.feeds.lock().unwrap(), [key]);
    stack.stop().await;
}

#[tokio::test]
async fn one_stack_per_folder_and_port() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stack = start(data.path()).await;
    let announced = data.path().join("endpoint");
    assert_eq!(std::fs::read_to_string(&announced).unwrap(), stack.url());
    let second = Stack::start(Options { port: 0, data: data.path().to_owned(), ..Default::default() }).await;
    assert!(matches!(second, Err(StartError::Taken { .. })));
    let port = stack.url().rsplit(':').next().unwrap().parse().unwrap();
    let second = Stack::start(Options { port, data: other.path().to_owned(), ..Default::default() }).await;
    let Err(error @ StartError::Port { .. }) = second else { panic!("the port is taken") };
    assert!(error.to_string().contains("--port"), "{error}");
    // Two at once, each with its own data and keys.
    let third = start(other.path()).await;
    assert_ne!(third.info().secret_key, stack.info().secret_key);
    third.stop().await;
    stack.stop().await;
    assert!(!announced.exists());
}

#[tokio::test]
async fn the_functions_answer() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let (status, head, body) = get(stack.url(), StatusRoute::Captcha.path()).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("application/json"));
    assert_eq!(get(stack.url(), OtpRoute::Session.path()).await.0, 401);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_feed_is_taken_in_once_and_the_page_names_examples() {
    const COLUMNS: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,\
                           tanggal_vaksinasi,kode_faskes,nama_faskes,status";
    let row = |event: &str, nik: &str, name: &str, phone: &str, number: &str, batch: &str| {
        format!(
            "{event},2021-02-01T08:00:00+07:00,{nik},,{name},1989-01-24,L,{phone},{number},CoronaVac,{batch},2021-01-29,\
             P3174020101,Puskesmas,\n"
        )
    };
    let rows = [
        row("D1", "3171012401896241", "Iwan <b>", "081200000001", "1", "B1"),
        row("D2", "3171012401896242", "Budi", "081200000002", "1", ""),
        row("D3", "3171012501896243", "Sari", "081200000003", "1", "B1"),
        row("D4", "3171012401896244", "Dewi", "021", "1", "B1"),
        row("D5", "3171012401896245", "Agus", "081200000005", "3", "B1"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (data, feed) = (folder.path().join("data"), folder.path().join("feed.csv"));
    std::fs::write(&feed, format!("{COLUMNS}\n{}", rows.concat())).unwrap();
    let stack = Stack::start(Options { port: 0, data: data.clone(), ..Default::default() }).await.unwrap();
    let (status, _, none) = get(stack.url(), "/_demo").await;
    assert_eq!((status, none.contains("There are none")), (200, true), "{none}");
    for _ in 0..2 {
        demo::take_in(stack.info(), &data, &feed).await.unwrap();
        assert!(stack.wait_idle(Duration::from_secs(60)).await);
    }
    assert_eq!(stack.outbox().unwrap().len(), 1, "of the one complete first dose with a phone, once");
    let (_, _, page) = get(stack.url(), "/_demo").await;
    for name in ["Iwan &lt;b&gt;", "Budi", "Sari", "Dewi", "Agus"] {
        assert!(page.contains(name), "{name}: {page}");
    }
    stack.stop().await;
}
