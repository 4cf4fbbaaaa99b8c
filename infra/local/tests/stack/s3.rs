//! Tests S3: presigned URLs, uploads and lifecycle rules.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bukti_local::StackInfo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Recorder, get};

#[tokio::test]
async fn presigned_urls_work_unchanged_until_they_expire() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
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
    assert_eq!(left, 2, "only the two buckets, without sidecar files of the object");
    stack.stop().await;
}

#[tokio::test]
async fn stalled_uploads_time_out_without_an_object() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
    let bucket = &stack.info().bucket;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    let presigning = PresigningConfig::expires_in(Duration::from_secs(300)).unwrap();
    let put = s3.put_object().bucket(bucket).key("evidence/a").presigned(presigning).await.unwrap();
    let path = put.uri().strip_prefix(stack.url()).unwrap();
    let host = stack.url().strip_prefix("http://").unwrap();
    let partial = format!("PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000000\r\n\r\nx");
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(partial.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut response)).await;
    ended.expect("the server closes the connection").unwrap();
    let response = String::from_utf8_lossy(&response);
    assert!(!response.starts_with("HTTP/1.1 2"), "{response}");
    assert!(s3.head_object().bucket(bucket).key("evidence/a").send().await.is_err());
    stack.stop().await;
}

#[tokio::test]
async fn removes_copies_older_than_a_day_at_start() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
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
    let entries = || std::fs::read_dir(data.path().join("bucket")).unwrap().count();
    let entries_before = entries();
    stack.stop().await;

    let stack = Recorder::default().start(data.path()).await;
    let deadline = SystemTime::now() + Duration::from_secs(20);
    while bucket.join("copies/B").exists() {
        assert!(SystemTime::now() < deadline, "the expired copies were not removed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stack.stop().await;
    let exists = |key: &str| bucket.join(key).exists();
    assert!(!exists("copies/A/old-card.pdf"));
    assert!(exists("copies/A/young-card.pdf") && exists("certificates/A/old.pdf"));
    assert!(exists("copies-of-another/old.pdf"));
    let sidecars_before = entries_before - 2;
    assert_eq!(sidecars_before % 5, 0, "all five objects have the same number of sidecar files");
    assert_eq!(entries() - 2, sidecars_before / 5 * 3, "sidecar files of removed objects remain");
}
