//! Tests the event sources: the stream of the table, and the feeds in the bucket.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use bukti_local::StackInfo;
use bukti_records::{EventKey, ItemKey, PersonKey};

use crate::Recorder;

#[tokio::test]
async fn table_and_stream_position_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let stack = recorder.start(data.path()).await;
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
    let rejected = dynamodb
        .put_item()
        .table_name("bukti")
        .item("pk", s(dose(1).pk()))
        .item("sk", s(dose(1).sk()))
        .condition_expression("attribute_not_exists(pk)")
        .send()
        .await
        .unwrap_err();
    assert!(rejected.into_service_error().is_conditional_check_failed_exception());
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(recorder.records.load(Ordering::SeqCst), 30);
    stack.stop().await;

    let stack = recorder.start(data.path()).await;
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
    assert_eq!(recorder.records.load(Ordering::SeqCst), 31, "only the new record is delivered");
    stack.stop().await;
}

#[tokio::test]
async fn delivers_feeds_when_put_and_again_at_start() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let stack = recorder.start(data.path()).await;
    let s3 = client!(aws_sdk_s3, stack.info(), force_path_style);
    for key in ["intake/feeds/a.csv", "intake/reports/a.csv"] {
        let body = ByteStream::from_static(b"rows");
        s3.put_object().bucket("bukti-documents").key(key).body(body).send().await.unwrap();
    }
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(*recorder.feeds.lock().unwrap(), ["intake/feeds/a.csv"]);
    stack.stop().await;

    let stack = recorder.start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(recorder.feeds.lock().unwrap().len(), 2);
    stack.stop().await;
}

#[tokio::test]
async fn multipart_upload_of_a_feed_makes_one_event() {
    let data = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let stack = recorder.start(data.path()).await;
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
    assert!(recorder.feeds.lock().unwrap().is_empty());
    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(part).build();
    let completed = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(&id);
    completed.multipart_upload(parts).send().await.unwrap();
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    assert_eq!(*recorder.feeds.lock().unwrap(), [key]);
    stack.stop().await;
}
