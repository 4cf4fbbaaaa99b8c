//! Tests calls to DynamoDB and SNS that are not signed with the stack's keys.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use aws_sdk_sns::error::ProvideErrorMetadata;
use bukti_local::StackInfo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Recorder, get, send, start};

#[tokio::test]
async fn calls_need_the_secret_key_of_the_stack() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let info = stack.info().clone();
    let served = get(stack.url(), "/_stack.json").await.2;
    assert!(!served.contains(&info.access_key) && !served.contains(&info.secret_key));
    let file = data.path().join("access-keys.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let keys: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        (&keys["access_key"], &keys["secret_key"]),
        (&info.access_key.clone().into(), &info.secret_key.clone().into())
    );

    // The URL of every document contains the access key id, but not the secret key.
    let stranger = StackInfo { secret_key: "another".to_owned(), ..info.clone() };
    let rejected = client!(aws_sdk_dynamodb, &stranger).list_tables().send().await.unwrap_err();
    assert_eq!(rejected.raw_response().unwrap().status().as_u16(), 403);
    let sns = client!(aws_sdk_sns, &stranger);
    let rejected = sns.publish().phone_number("+6281234567890").message("x").send().await.unwrap_err();
    assert_eq!(rejected.into_service_error().code(), Some("SignatureDoesNotMatch"));
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
    assert!(!file.exists(), "the keys are removed when the stack stops");
}

#[tokio::test]
async fn rejects_unsigned_calls_before_their_body() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let host = stack.url().strip_prefix("http://").unwrap();
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    // A call with a wrong signature, up to the first byte of a long body.
    let wrongly_signed = |access_key: &str, target: &str| {
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
    assert_eq!(send(stack.url(), &wrongly_signed("stranger", target)).await.0, 403);
    assert!(begun.elapsed() < Duration::from_secs(5), "rejected by the headers alone");
    // Document URLs contain the access key id. A caller who knows it can send a body, but only
    // within the time limit.
    let timed_out = tokio::time::timeout(Duration::from_secs(30), async {
        send(stack.url(), &wrongly_signed(&stack.info().access_key, target)).await.0
    });
    assert_eq!(timed_out.await, Ok(408));

    // Ten bodies of 16 MiB exceed the memory limit for bodies.
    let head = wrongly_signed(&stack.info().access_key, target).replace("1000000", "16777216");
    let long = head + &" ".repeat(16_777_214);
    let calls = (0..10).map(async |_| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let (begun, mut response) = (std::time::Instant::now(), Vec::new());
        // This fails if the server rejects the call and closes the connection.
        let _ = stream.write_all(long.as_bytes()).await;
        let _ = stream.read_to_end(&mut response).await;
        begun.elapsed() < Duration::from_secs(5) && !response.starts_with(b"HTTP/1.1 408")
    });
    let functions = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let key = "bk_01234567_AAAAAAAAAAAAAAAAAAAAAA";
        let request = format!(
            "GET /api/intake/jobs/0123 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\n\r\n"
        );
        send(stack.url(), &request).await.0
    };
    let (rejected, functions) = futures::future::join(futures::future::join_all(calls), functions).await;
    let rejected = rejected.into_iter().filter(|rejected| *rejected).count();
    assert!((2..10).contains(&rejected), "{rejected} of 10 calls were rejected at once");
    assert_eq!(functions, 401, "calls of functions are not affected");
    stack.stop().await;
}
