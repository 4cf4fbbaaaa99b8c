//! The in-process connector: the HTTP client of the functions' SDKs, which calls the embedded
//! services without sockets. Requests, signatures and responses are the same as over the network.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri, header};
use bytes::Bytes;
use tokio::sync::watch;

use crate::dispatch::{Dispatcher, FromFunctions, dispatch};

/// An HTTP client for the SDKs that passes requests to the dispatcher.
#[derive(Clone)]
pub(crate) struct InProcessConnector {
    dispatcher: Weak<Dispatcher>,
    /// Whether the stack is closed. If so, requests fail as they would at a closed port.
    closed: watch::Receiver<bool>,
}

impl fmt::Debug for InProcessConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcessConnector")
    }
}

impl InProcessConnector {
    pub(crate) fn new(dispatcher: Weak<Dispatcher>, closed: watch::Receiver<bool>) -> Self {
        Self { dispatcher, closed }
    }
}

impl HttpClient for InProcessConnector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcessConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let dispatcher = self.dispatcher.upgrade().filter(|_| !*self.closed.borrow());
        HttpConnectorFuture::new(async move {
            let dispatcher = dispatcher.ok_or_else(|| ConnectorError::io("the stack is closed".into()))?;
            let mut request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Before a retry, the SDK marks the connection as unusable. Without a connection it
            // would log a warning.
            if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
                capture.set_connection_retriever(|| {
                    Some(ConnectionMetadata::builder().proxied(false).poison_fn(|| {}).build())
                });
            }
            // As in a request that arrives at the port, the host is in a header and the URI
            // contains only the path.
            let uri = std::mem::take(request.uri_mut());
            let host = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
            if let Some(host) = host {
                request.headers_mut().insert(header::HOST, host);
            }
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse::<Uri>().map_err(|error| ConnectorError::user(error.into()))?;
            request.extensions_mut().insert(FromFunctions);
            let is_head = request.method() == Method::HEAD;
            let mut response = dispatch(State(dispatcher), request.map(Body::new)).await;
            if is_head {
                // The HTTP server omits the body of a HEAD response, so it is removed here, too.
                *response.body_mut() = Body::empty();
            }
            let response = response.map(|body| SdkBody::from_body_1_x(SyncBody(Mutex::new(body))));
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Makes a body `Sync`, which the SDKs require.
struct SyncBody(Mutex<Body>);

impl HttpBody for SyncBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let body = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(context)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
