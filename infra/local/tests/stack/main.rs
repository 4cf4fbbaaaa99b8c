//! Tests the stack from the outside, with the AWS SDKs and plain HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

/// Creates an AWS SDK client for a stack.
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

mod events;
mod http;
mod s3;
mod signatures;
mod sns;
mod start;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_local::{Filter, Handlers, Options, Stack, StreamSource};
use bukti_store::concerns_publishing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn start(data: &Path) -> Stack {
    Stack::start(Options { port: 0, data: data.to_owned(), ..Default::default() }).await.unwrap()
}

/// Functions that record the events they are invoked with.
#[derive(Clone, Default)]
struct Recorder {
    /// The number of dose records received from the stream.
    records: Arc<AtomicUsize>,
    /// The keys of the feeds received.
    feeds: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn handlers(&self) -> Handlers {
        let (records, feeds) = (Arc::clone(&self.records), Arc::clone(&self.feeds));
        Handlers {
            http: Arc::new(|_, _| Box::pin(async { lambda_http::Response::new("a response".into()) })),
            intake: Arc::new(move |event| {
                let key = event.records[0].s3.object.key.clone().unwrap();
                feeds.lock().unwrap().push(key);
                Box::pin(async { Ok(()) })
            }),
            publish: Arc::new(|| Box::pin(async { Ok(()) })),
            publish_trigger: Arc::default(),
            streams: vec![StreamSource {
                name: "test",
                filter: Filter::of(&["{}"]),
                handler: Arc::new(move |event| {
                    // The stream also contains the first signer, which is not counted.
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

/// Sends a raw HTTP request. Returns the status, head and body of the response.
async fn send(url: &str, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    let response = String::from_utf8_lossy(&response).into_owned();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

async fn get(url: &str, path: &str) -> (u16, String, String) {
    let host = url.strip_prefix("http://").unwrap();
    send(url, &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
}
