//! Between a function and the services: counts what is asked for, and answers as late as AWS does.

use std::ops::Sub;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;

/// What a function asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Write units of DynamoDB, those of indexes with them.
    pub writes: f64,
    /// Read units of DynamoDB.
    pub reads: f64,
    /// Calls of S3 that cost as PUT does: PUT, LIST.
    pub puts: f64,
    /// Other calls of S3. DELETE costs nothing.
    pub gets: f64,
}

impl Sub for Asked {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            reads: self.reads - before.reads,
            puts: self.puts - before.puts,
            gets: self.gets - before.gets,
        }
    }
}

/// How late each service answers.
#[derive(Clone, Copy)]
pub struct Latencies {
    pub dynamodb: Duration,
    pub s3: Duration,
    pub sns: Duration,
}

/// A way to the services that is metered.
pub struct Meter {
    /// The address for the SDKs.
    pub url: String,
    asked: Arc<Mutex<Asked>>,
}

#[derive(Clone)]
struct Between {
    services: String,
    latencies: Latencies,
    client: Client<HttpConnector, Full<Bytes>>,
    asked: Arc<Mutex<Asked>>,
}

impl Meter {
    /// A way to the services at this address, in the runtime of the caller.
    pub async fn open(services: &str, latencies: Latencies) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Arc::<Mutex<Asked>>::default();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let between = Between { services: services.to_owned(), latencies, client, asked: Arc::clone(&asked) };
        let app = Router::new().fallback(pass).with_state(between);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, asked })
    }

    /// What was asked for until now.
    pub fn asked(&self) -> Asked {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    match between.pass(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl Between {
    async fn pass(&self, request: Request) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        let mut body = body.collect().await?.to_bytes();
        let header =
            |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = header("x-amz-target").split_once('.').map(|(_, operation)| operation.to_owned());
        let is_sns = header("authorization").contains("/sns/");
        if operation.is_some() {
            let mut asked: Value = serde_json::from_slice(&body)?;
            asked["ReturnConsumedCapacity"] = "TOTAL".into();
            body = serde_json::to_vec(&asked)?.into();
            parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let lists = path.contains("list-type=");
        let method = parts.method.clone();
        parts.uri = Uri::try_from(format!("{}{path}", self.services))?;
        let answer = self.client.request(axum::http::Request::from_parts(parts, Full::new(body))).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let late = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(operation) = &operation {
                let answer: Value = serde_json::from_slice(&body)?;
                let (reads, writes) = units(operation, &answer["ConsumedCapacity"]);
                asked.reads += reads;
                asked.writes += writes;
                // A write whose condition does not hold costs as one that is done, and says nothing of it.
                if !parts.status.is_success() && answer["ConsumedCapacity"].is_null() {
                    asked.writes += 1.0;
                }
                self.latencies.dynamodb
            } else if is_sns {
                self.latencies.sns
            } else {
                match method.as_str() {
                    "PUT" | "POST" => asked.puts += 1.0,
                    "GET" if lists => asked.puts += 1.0,
                    "DELETE" => {}
                    _ => asked.gets += 1.0,
                }
                self.latencies.s3
            }
        };
        tokio::time::sleep(late).await;
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

/// The read and write units that an answer of DynamoDB names: of one table, or of several in a list.
fn units(operation: &str, consumed: &Value) -> (f64, f64) {
    if let Value::Array(all) = consumed {
        return all.iter().map(|one| units(operation, one)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    }
    let total = consumed["CapacityUnits"].as_f64().unwrap_or_default();
    let reads = ["Get", "BatchGet", "Query", "Scan", "TransactGet"];
    if reads.iter().any(|read| operation.starts_with(read)) { (total, 0.0) } else { (0.0, total) }
}
