//! Tests the dispatch of HTTP requests, and the request guard.

use std::time::Duration;

use bukti_wire::{OtpRoute, StatusRoute};

use crate::{Recorder, get, send, start};

#[tokio::test]
async fn dispatches_by_path_and_host() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
    let url = stack.url();
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let (status, head, body) = get(url, "/_stack.json").await;
    let info: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, info["endpoint"].as_str(), info["backlog"].as_u64()), (200, Some(url), Some(0)));
    assert!(head.contains("cross-origin-resource-policy: same-origin"));
    let (status, _, body) = get(url, StatusRoute::Captcha.path()).await;
    assert_eq!((status, body.as_str()), (200, "a response"));
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
async fn rejects_requests_of_other_sites() {
    let data = tempfile::tempdir().unwrap();
    let stack = Recorder::default().start(data.path()).await;
    assert!(stack.wait_idle(Duration::from_secs(20)).await);
    let url = stack.url();
    let host = url.strip_prefix("http://").unwrap();
    let paths = ["/_stack.json", "/_sms", "/_sms.json", "/_flow", "/_metrics", "/_dead_letters.json"];
    let status_of = async |path: &str, header: &str| {
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
            assert_eq!(status_of(path, header).await, 200, "{path} {header}");
        }
        for header in foreign {
            assert_eq!(status_of(path, header).await, 403, "{path} {header}");
        }
    }
    for path in ["/", "/settings.json", "/bukti-documents/a"] {
        assert_eq!(status_of(path, foreign[0]).await, 403, "{path}");
    }
    // Other sites may link to pages and read the public lists.
    assert_eq!(status_of("/", "sec-fetch-site: cross-site\r\n").await, 200);
    assert_eq!(status_of("/trust/nothing", foreign[0]).await, 404);
    stack.stop().await;
}

#[tokio::test]
async fn functions_respond() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let (status, head, body) = get(stack.url(), StatusRoute::Captcha.path()).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("application/json"));
    assert_eq!(get(stack.url(), OtpRoute::Session.path()).await.0, 401);
    stack.stop().await;
}
