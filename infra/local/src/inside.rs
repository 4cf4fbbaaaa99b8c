//! The way from the functions' SDKs to the services that does not leave the process: the same requests and answers, signed the same,
//! without sockets and threads that wait for each other. Everybody else comes by the port.

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

use crate::front::{self, Front, OfFunctions};

/// A client of the SDKs whose requests the stack answers.
#[derive(Clone)]
pub(crate) struct Inside {
    front: Weak<Front>,
    /// Whether the stack is closed: who comes later finds nobody, as on the port.
    closed: watch::Receiver<bool>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inside")
    }
}

impl Inside {
    pub(crate) fn new(front: Weak<Front>, closed: watch::Receiver<bool>) -> Self {
        Self { front, closed }
    }
}

impl HttpClient for Inside {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Inside {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let front = self.front.upgrade().filter(|_| !*self.closed.borrow());
        HttpConnectorFuture::new(async move {
            let front = front.ok_or_else(|| ConnectorError::io("the stack is closed".into()))?;
            let mut request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            // Where another try is called for, the SDK closes the connection, and complains where there is none.
            if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
                capture.set_connection_retriever(|| {
                    Some(ConnectionMetadata::builder().proxied(false).poison_fn(|| {}).build())
                });
            }
            // As it would come by the port: the host apart from the path.
            let uri = std::mem::take(request.uri_mut());
            let host = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
            if let Some(host) = host {
                request.headers_mut().insert(header::HOST, host);
            }
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse::<Uri>().map_err(|error| ConnectorError::user(error.into()))?;
            request.extensions_mut().insert(OfFunctions);
            let is_head = request.method() == Method::HEAD;
            let mut answer = front::answer(State(front), request.map(Body::new)).await;
            if is_head {
                // What the server of a port leaves out.
                *answer.body_mut() = Body::empty();
            }
            let answer = answer.map(|body| SdkBody::from_body_1_x(Shareable(Mutex::new(body))));
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A body that the SDKs take: theirs can be looked at from several threads.
struct Shareable(Mutex<Body>);

impl HttpBody for Shareable {
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
