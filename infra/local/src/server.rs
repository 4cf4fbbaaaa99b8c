//! The HTTP server. It limits the number of connections, the time to send request headers, and how
//! slowly a peer may send a body or read a response.
//!
//! Without these limits, a few hundred idle connections would exhaust the file descriptors of the
//! process.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::map_request;
use axum::serve::Listener;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

/// The number of bytes of a body or response that must be transferred within
/// [`Limits::chunk_time`]. A slow phone uploads about 20 KB per second.
const CHUNK: usize = 32 * 1024;

/// The limits that [`serve`] applies to its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The maximum number of open connections. Further ones wait in the kernel's queue, where they
    /// do not use a file descriptor.
    pub(crate) connections: usize,
    /// The time limit for receiving the complete headers of a request.
    pub(crate) header_time: Duration,
    /// The time limit for transferring [`CHUNK`] bytes of a body or response, or its remainder. The
    /// whole transfer has no limit, so large transfers that make progress succeed.
    pub(crate) chunk_time: Duration,
}

impl Limits {
    /// The limits of the embedded stack. A process may usually open 1,024 files; half of them are
    /// reserved for connections.
    pub(crate) const DEFAULT: Self =
        Self { connections: 512, header_time: Duration::from_secs(10), chunk_time: Duration::from_secs(30) };
}

/// Serves requests until `closed` is true, then returns once all pending responses have been sent.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    mut closed: watch::Receiver<bool>,
) {
    let app = app.layer(map_request(move |request: Request| async move {
        request.map(|body| Body::new(PacedBody { body, timer: ProgressTimer::new(limits.chunk_time) }))
    }));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_time);
    let (slots, connections) = (Arc::new(Semaphore::new(limits.connections)), GracefulShutdown::new());
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, Listener::accept(&mut listener).await.0)
        };
        let (slot, stream) = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => break,
            accepted = accepted => accepted,
        };
        let service = TowerToHyperService::new(app.clone());
        let stream = PacedStream { stream, timer: ProgressTimer::new(limits.chunk_time) };
        let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // This fails if the peer closed the connection or exceeded a time limit.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Limits the time in which a peer transfers [`CHUNK`] bytes. The time starts when the server first
/// waits for the peer, so slow processing in the server does not count.
struct ProgressTimer {
    limit: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The number of bytes of the current chunk transferred so far.
    transferred: usize,
}

impl ProgressTimer {
    fn new(limit: Duration) -> Self {
        Self { limit, deadline: None, transferred: 0 }
    }

    fn record(&mut self, bytes: usize) {
        self.transferred += bytes;
        if self.transferred >= CHUNK {
            self.restart();
        }
    }

    fn restart(&mut self) {
        (self.deadline, self.transferred) = (None, 0);
    }

    /// Returns an error once the deadline has passed. Called while the server waits for the peer.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer is too slow"))
    }
}

/// A request body that fails if it arrives too slowly.
struct PacedBody {
    body: Body,
    timer: ProgressTimer,
}

impl http_body::Body for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => self.timer.poll_timeout(context).map(|error| Some(Err(axum::Error::new(error)))),
            Poll::Ready(Some(Ok(frame))) => {
                self.timer.record(frame.data_ref().map_or(0, Bytes::len));
                polled
            }
            Poll::Ready(_) => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection on which writes fail if the peer reads too slowly.
struct PacedStream {
    stream: TcpStream,
    timer: ProgressTimer,
}

impl PacedStream {
    fn check_progress(
        &mut self,
        polled: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => self.timer.poll_timeout(context).map(Err),
            Poll::Ready(written) => {
                self.timer.record(written.as_ref().map_or(0, |bytes| *bytes));
                polled
            }
        }
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_progress(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check_progress(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once everything has been written, so the next write starts a new chunk.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timer.restart();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Starts a server that allows two connections. Returns its address and the switch that stops
    /// it.
    async fn start(header_time: Duration) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let app = Router::new().fallback(async || "a response");
        start_app(app, Limits { connections: 2, header_time, ..Limits::DEFAULT }).await
    }

    async fn start_app(app: Router, limits: Limits) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, closed) = watch::channel(false);
        tokio::spawn(serve(listener, app, limits, closed));
        (address, stop)
    }

    async fn get(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    /// Opens two connections: one sends nothing, the other only the start of a request.
    async fn half_open(address: std::net::SocketAddr) -> [TcpStream; 2] {
        let idle = TcpStream::connect(address).await.unwrap();
        let mut begun = TcpStream::connect(address).await.unwrap();
        begun.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
        [idle, begun]
    }

    #[tokio::test]
    async fn closes_half_open_connections_after_header_time() {
        let (address, _stop) = start(Duration::from_millis(300)).await;
        let half_open = half_open(address).await;
        let response =
            timeout(Duration::from_secs(20), get(address)).await.expect("the slots are free again");
        assert!(response.ends_with("a response"), "{response}");
        for mut stream in half_open {
            let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new())).await;
            end.expect("the server closes the connection").unwrap();
        }
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_for_a_slot() {
        let (address, stop) = start(Duration::from_secs(600)).await;
        let half_open = half_open(address).await;
        let mut waiting = tokio::spawn(get(address));
        assert!(timeout(Duration::from_millis(500), &mut waiting).await.is_err(), "both slots are occupied");
        drop(half_open);
        let response = timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        assert!(response.ends_with("a response"), "{response}");
        stop.send_replace(true);
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(Duration::from_secs(20), refused).await.expect("no connection is accepted after the stop");
    }

    #[tokio::test]
    async fn uploads_may_be_slow_but_must_progress() {
        let app = Router::new().fallback(async |body: Body| match body.collect().await {
            Ok(body) => (StatusCode::OK, body.to_bytes().len().to_string()),
            Err(error) => (StatusCode::REQUEST_TIMEOUT, error.to_string()),
        });
        let limits = Limits { chunk_time: Duration::from_secs(1), ..Limits::DEFAULT };
        let (address, _stop) = start_app(app, limits).await;
        // Uploads chunks with a pause before each, then reads the response.
        let upload = async |piece_length: usize, pieces: usize| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                "PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 400000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..pieces {
                sleep(Duration::from_millis(300)).await;
                if stream.write_all(&vec![b'x'; piece_length]).await.is_err() {
                    break;
                }
            }
            let mut response = String::new();
            let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut response)).await;
            read.expect("the server responds").unwrap();
            response
        };
        let (steady, stalled, trickling) =
            futures::join!(upload(40_000, 10), upload(40_000, 3), upload(100, 20));
        assert!(steady.starts_with("HTTP/1.1 200") && steady.ends_with("400000"), "{steady}");
        for response in [stalled, trickling] {
            assert!(response.starts_with("HTTP/1.1 408"), "{response}");
        }
    }

    #[tokio::test]
    async fn closes_connections_whose_response_is_not_read() {
        let app = Router::new().fallback(async || vec![b'x'; 64 * 1024 * 1024]);
        let limits = Limits { connections: 1, chunk_time: Duration::from_millis(500), ..Limits::DEFAULT };
        let (address, _stop) = start_app(app, limits).await;
        let mut unread = TcpStream::connect(address).await.unwrap();
        unread.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let response = timeout(Duration::from_secs(20), get(address)).await.expect("the slot is free again");
        assert!(response.len() > 64 * 1024 * 1024, "the response is incomplete: {} bytes", response.len());
    }
}
