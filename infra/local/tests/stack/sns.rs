//! Tests SNS and the outbox.

use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::MessageAttributeValue;
use bukti_local::StackInfo;

use crate::{Recorder, get};

#[tokio::test]
async fn outbox_keeps_sms_over_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
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
    let rejected = sns.publish().phone_number("081234567890").message("x").send().await.unwrap_err();
    assert_eq!(rejected.into_service_error().code(), Some("InvalidParameter"));
    stack.stop().await;

    let stack = Recorder::default().start(data.path()).await;
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
