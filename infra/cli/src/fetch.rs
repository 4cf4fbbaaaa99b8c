//! Files over HTTP.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;

/// How long an embedded stack may take to answer. It is on this machine.
const LOCAL_PATIENCE: Duration = Duration::from_secs(3);
/// How long a site may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// No public file is longer.
const LONGEST: usize = 32 * 1024 * 1024;

/// What an address on this machine answers; `None` where there is nothing.
pub(crate) async fn local(address: &str) -> Result<Option<Vec<u8>>> {
    get(HttpConnector::new(), address, LOCAL_PATIENCE).await
}

/// What an address on this machine answers to a POST with this key, which may take as long as it likes.
pub(crate) async fn told(address: &str, key: &str) -> Result<Vec<u8>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let request = Request::post(address).header("authorization", format!("Bearer {key}"));
    let answer = client.request(request.body(Empty::new())?).await.context("the connection failed")?;
    if answer.status().as_u16() != 200 {
        bail!("the answer is {}", answer.status());
    }
    read(answer.into_body()).await
}

/// What an `http` or `https` address answers; `None` where there is nothing.
pub(crate) async fn site(address: &str) -> Result<Option<Vec<u8>>> {
    if address.starts_with("http://") {
        return get(HttpConnector::new(), address, PATIENCE).await;
    }
    let connector = HttpsConnectorBuilder::new().with_native_roots();
    let connector = connector.context("the system has no certificates to check sites with")?;
    get(connector.https_only().enable_http1().build(), address, PATIENCE).await
}

async fn get(
    connector: impl Connect + Clone + Send + Sync + 'static,
    address: &str,
    patience: Duration,
) -> Result<Option<Vec<u8>>> {
    let address = address.parse().context("that is no address")?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let fetch = async {
        let answer = client.get(address).await.context("the connection failed")?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => bail!("the answer is {status}"),
        }
        Ok(Some(read(answer.into_body()).await?))
    };
    tokio::time::timeout(patience, fetch).await.context("it takes too long to answer")?
}

async fn read(
    body: impl Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
) -> Result<Vec<u8>> {
    let body = Limited::new(body, LONGEST).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    Ok(body.to_bytes().to_vec())
}
