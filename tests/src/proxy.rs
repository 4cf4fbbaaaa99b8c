//! A proxy between the functions and a stack's services, for fault injection: it can inspect, delay
//! or fail calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bukti_store::{Aws, Settings};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A call to an AWS service.
pub struct Call {
    /// The method, URI and headers.
    pub parts: Parts,
    /// The complete request body.
    pub body: Bytes,
}

impl Call {
    fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The DynamoDB operation, such as `PutItem`; `None` for other services.
    pub fn operation(&self) -> Option<String> {
        self.header("x-amz-target").split_once('.').map(|(_, operation)| operation.to_owned())
    }

    /// Whether the call goes to SNS, according to the scope of its signature.
    pub fn is_sns(&self) -> bool {
        self.header("authorization").contains("/sns/")
    }

    /// Whether the call may change data: any DynamoDB operation that is not a read, or any HTTP
    /// method other than GET and HEAD.
    pub fn is_write(&self) -> bool {
        match self.operation() {
            Some(operation) => !["Get", "BatchGet", "Query", "Scan", "Describe", "TransactGet"]
                .iter()
                .any(|read| operation.starts_with(read)),
            None => !matches!(self.parts.method.as_str(), "GET" | "HEAD"),
        }
    }
}

/// An HTTP client for the services behind the proxy.
#[derive(Clone)]
pub struct Upstream {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Upstream {
    /// Forwards a call to the services and returns their response.
    ///
    /// # Errors
    ///
    /// Returns an error if the services close the connection before the response is complete.
    pub async fn forward(&self, call: Call) -> Result<axum::http::Response<Bytes>, Error> {
        let Call { mut parts, body } = call;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = Uri::try_from(format!("{}{path}", self.url))?;
        let response = self.client.request(axum::http::Request::from_parts(parts, Full::new(body))).await?;
        let (parts, body) = response.into_parts();
        Ok(axum::http::Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

/// The error that a handler returns to make the proxy close the connection without a response.
#[derive(Debug)]
pub struct ConnectionReset;

impl std::fmt::Display for ConnectionReset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was reset")
    }
}

impl std::error::Error for ConnectionReset {}

type Handler =
    dyn Fn(Upstream, Call) -> BoxFuture<'static, Result<axum::http::Response<Bytes>, Error>> + Send + Sync;

/// Starts a proxy to the services at this URL, on the current runtime. Returns the proxy's URL.
///
/// # Errors
///
/// Returns an error if no port is free.
pub async fn start<F>(
    services: &str,
    handler: impl Fn(Upstream, Call) -> F + Send + Sync + 'static,
) -> std::io::Result<String>
where
    F: Future<Output = Result<axum::http::Response<Bytes>, Error>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let upstream =
        Upstream { url: services.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() };
    let handler: Arc<Handler> = Arc::new(move |upstream, call| Box::pin(handler(upstream, call)));
    let app = Router::new().fallback(respond).with_state((upstream, handler));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

async fn respond(State((upstream, handler)): State<(Upstream, Arc<Handler>)>, request: Request) -> Response {
    let response = async {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        handler(upstream, Call { parts, body }).await
    };
    match response.await {
        Ok(response) => response.map(Body::from),
        Err(error) if error.is::<ConnectionReset>() => {
            // The server closes the connection if the body stream fails.
            let broken =
                futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other(ConnectionReset)) });
            Response::new(Body::from_stream(broken))
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Connects the functions to a stack's services through a proxy. `start` receives the services'
/// URL, and returns the proxy's URL together with a value for the caller.
///
/// The proxy has its own runtime, which runs until the test process ends, because the stack's
/// runtime is blocked while the stack starts.
pub fn connect_through<T: Send + 'static>(
    aws: &Aws,
    start: impl AsyncFnOnce(String) -> std::io::Result<(T, String)> + Send + 'static,
) -> (T, Aws) {
    let settings = (*aws.settings).clone();
    let services = settings.endpoint.clone().unwrap();
    let started = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let started = runtime.block_on(async {
            let (value, url) = start(services).await.unwrap();
            (value, Aws::connect(Settings { endpoint: Some(url), ..settings }).await.unwrap())
        });
        std::mem::forget(runtime);
        started
    });
    started.join().unwrap()
}

/// Simulates a crash after a number of writes. The last write reaches its service but the response
/// is lost, and all later calls fail, as if the process had been killed. The value is the number of
/// remaining writes; `usize::MAX` if no crash is scheduled.
#[derive(Clone)]
pub struct CrashPoint(Arc<AtomicUsize>);

impl CrashPoint {
    /// Starts a proxy that forwards every call until [`CrashPoint::crash_after`] schedules a crash.
    ///
    /// # Errors
    ///
    /// Returns an error if no port is free.
    pub async fn start(services: &str) -> std::io::Result<(Self, String)> {
        let crash_point = Self(Arc::new(AtomicUsize::new(usize::MAX)));
        let left = Arc::clone(&crash_point.0);
        let url = start(services, move |upstream, call| {
            let left = Arc::clone(&left);
            async move {
                let crashed = || Err("the process has crashed".into());
                let is_write = call.is_write();
                let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    Some(if is_write && left != usize::MAX { left.saturating_sub(1) } else { left })
                });
                match before.unwrap_or_default() {
                    0 => crashed(),
                    1 if is_write => {
                        upstream.forward(call).await?;
                        crashed()
                    }
                    _ => upstream.forward(call).await,
                }
            }
        })
        .await?;
        Ok((crash_point, url))
    }

    /// Schedules a crash after this many more writes. The response to the last write is lost.
    pub fn crash_after(&self, writes: usize) {
        self.0.store(writes, Ordering::SeqCst);
    }

    /// Whether the crash has happened, so that all further calls fail.
    pub fn has_crashed(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}
