//! An HTTP client for the embedded stack and for the trust files of a site.

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

/// The request timeout for an embedded stack, which runs on this machine.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(3);
/// The request timeout for a site.
const SITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest accepted response, in bytes. No public file is longer.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Fetches a file from an embedded stack; `None` if the file does not exist.
pub(crate) async fn get_local(address: &str) -> Result<Option<Vec<u8>>> {
    get(HttpConnector::new(), address, LOCAL_TIMEOUT).await
}

/// Sends a POST request to an embedded stack, with `key` as bearer token and without a timeout.
pub(crate) async fn post(address: &str, key: &str) -> Result<Vec<u8>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let request = Request::post(address).header("authorization", format!("Bearer {key}"));
    let response = client.request(request.body(Empty::new())?).await.context("the connection failed")?;
    if response.status().as_u16() != 200 {
        bail!("the response is {}", response.status());
    }
    read(response.into_body()).await
}

/// Fetches a file from a site by its `http` or `https` URL; `None` if the file does not exist.
pub(crate) async fn get_from_site(address: &str) -> Result<Option<Vec<u8>>> {
    if address.starts_with("http://") {
        return get(HttpConnector::new(), address, SITE_TIMEOUT).await;
    }
    let connector = HttpsConnectorBuilder::new().with_native_roots();
    let connector = connector.context("this system has no root certificates: install them to use https")?;
    get(connector.https_only().enable_http1().build(), address, SITE_TIMEOUT).await
}

async fn get(
    connector: impl Connect + Clone + Send + Sync + 'static,
    address: &str,
    timeout: Duration,
) -> Result<Option<Vec<u8>>> {
    let address = address.parse().context("this is not an address")?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let fetch = async {
        let response = client.get(address).await.context("the connection failed")?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            status => bail!("the response is {status}"),
        }
        Ok(Some(read(response.into_body()).await?))
    };
    tokio::time::timeout(timeout, fetch).await.context("the response takes too long")?
}

async fn read(
    body: impl Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>,
) -> Result<Vec<u8>> {
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the response broke off: {error}"))?;
    Ok(body.to_bytes().to_vec())
}
