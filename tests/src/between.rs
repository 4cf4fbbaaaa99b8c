//! Between functions and the services of a stack: what passes is looked at, held up or cut off.

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

/// A call of a service.
pub struct Call {
    /// Method, path, headers.
    pub parts: Parts,
    /// The body.
    pub body: Bytes,
}

impl Call {
    fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// DynamoDB's operation; none for another service.
    pub fn operation(&self) -> Option<String> {
        self.header("x-amz-target").split_once('.').map(|(_, operation)| operation.to_owned())
    }

    /// Whether it is one of SNS.
    pub fn is_sns(&self) -> bool {
        self.header("authorization").contains("/sns/")
    }

    /// Whether it changes something.
    pub fn is_write(&self) -> bool {
        match self.operation() {
            Some(operation) => !["Get", "BatchGet", "Query", "Scan", "Describe", "TransactGet"]
                .iter()
                .any(|read| operation.starts_with(read)),
            None => !matches!(self.parts.method.as_str(), "GET" | "HEAD"),
        }
    }
}

/// The services behind.
#[derive(Clone)]
pub struct Services {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Services {
    /// Hands a call on, and gives the answer.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub async fn hand_on(&self, call: Call) -> Result<axum::http::Response<Bytes>, Error> {
        let Call { mut parts, body } = call;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = Uri::try_from(format!("{}{path}", self.url))?;
        let answer = self.client.request(axum::http::Request::from_parts(parts, Full::new(body))).await?;
        let (parts, body) = answer.into_parts();
        Ok(axum::http::Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

/// Why a call has no answer: the connection breaks off.
#[derive(Debug)]
pub struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was reset")
    }
}

impl std::error::Error for Reset {}

type Pass =
    dyn Fn(Services, Call) -> BoxFuture<'static, Result<axum::http::Response<Bytes>, Error>> + Send + Sync;

/// Opens a way to the services at this address, in the runtime of the caller; gives its own address.
///
/// # Errors
///
/// Where no port is free.
pub async fn open<F>(
    services: &str,
    pass: impl Fn(Services, Call) -> F + Send + Sync + 'static,
) -> std::io::Result<String>
where
    F: Future<Output = Result<axum::http::Response<Bytes>, Error>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let services =
        Services { url: services.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() };
    let pass: Arc<Pass> = Arc::new(move |services, call| Box::pin(pass(services, call)));
    let app = Router::new().fallback(answer).with_state((services, pass));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

async fn answer(State((services, pass)): State<(Services, Arc<Pass>)>, request: Request) -> Response {
    let passed = async {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        pass(services, Call { parts, body }).await
    };
    match passed.await {
        Ok(answer) => answer.map(Body::from),
        Err(error) if error.is::<Reset>() => {
            // The server closes the connection when the body fails.
            let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other(Reset)) });
            Response::new(Body::from_stream(broken))
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// The functions' view of a stack whose services they reach by such a way, and what opening it gave. `open` gets the address of
/// the services. All of it runs in a runtime of its own, which goes on as long as the test: the stack's is not to be waited
/// for while it starts.
pub fn beside<T: Send + 'static>(
    aws: &Aws,
    open: impl AsyncFnOnce(String) -> std::io::Result<(T, String)> + Send + 'static,
) -> (T, Aws) {
    let settings = (*aws.settings).clone();
    let services = settings.endpoint.clone().unwrap();
    let opened = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let opened = runtime.block_on(async {
            let (opened, url) = open(services).await.unwrap();
            (opened, Aws::connect(Settings { endpoint: Some(url), ..settings }).await.unwrap())
        });
        std::mem::forget(runtime);
        opened
    });
    opened.join().unwrap()
}

/// How many writes still pass; of the last one the answer is lost, and then nothing passes any more: as for a process that
/// dies there.
#[derive(Clone)]
pub struct Cut(Arc<AtomicUsize>);

impl Cut {
    /// Opens a way that lets everything pass until it is told otherwise.
    ///
    /// # Errors
    ///
    /// As [`open`].
    pub async fn open(services: &str) -> std::io::Result<(Self, String)> {
        let cut = Self(Arc::new(AtomicUsize::new(usize::MAX)));
        let left = Arc::clone(&cut.0);
        let url = open(services, move |services, call| {
            let left = Arc::clone(&left);
            async move {
                let lost = || Err("the process has died".into());
                let counts = call.is_write();
                let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    Some(if counts && left != usize::MAX { left.saturating_sub(1) } else { left })
                });
                match before.unwrap_or_default() {
                    0 => lost(),
                    1 if counts => {
                        services.hand_on(call).await?;
                        lost()
                    }
                    _ => services.hand_on(call).await,
                }
            }
        })
        .await?;
        Ok((cut, url))
    }

    /// Lets so many writes pass from now on, of which the answer to the last is lost.
    pub fn after(&self, writes: usize) {
        self.0.store(writes, Ordering::SeqCst);
    }

    /// Whether all of them have passed.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}
