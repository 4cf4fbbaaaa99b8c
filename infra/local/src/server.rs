//! The HTTP server of the listener: bounds how many connections are open, how long the headers of a
//! request may take, and how slowly its body may come and its answer be read.
//!
//! Without these a few hundred connections that send or read nothing use up the process's file
//! descriptors.

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

/// How much of a body or an answer must get across within [`Limits::piece`], in bytes: a slow phone
/// uploads 20 KB a second.
const PIECE: usize = 32 * 1024;

/// What the connections of a listener may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many may be open. Further ones wait in the backlog of the listener, without a file descriptor.
    pub(crate) connections: usize,
    /// How long a connection may wait for the headers of a request, the first or a further one, to be complete.
    pub(crate) headers: Duration,
    /// How long [`PIECE`] bytes of a body or an answer may take, or what is left of it. Bodies and
    /// answers as a whole have no limit here: what gets on may be large.
    pub(crate) piece: Duration,
}

impl Limits {
    /// Those of the embedded stack: half of the 1,024 file descriptors that a process usually may open.
    pub(crate) const DEFAULT: Self =
        Self { connections: 512, headers: Duration::from_secs(10), piece: Duration::from_secs(30) };
}

/// Serves requests until `closed` is true, and then ends once those under way are answered.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    mut closed: watch::Receiver<bool>,
) {
    let app = app.layer(map_request(move |request: Request| async move {
        request.map(|body| Body::new(SteadyBody { body, progress: Progress::new(limits.piece) }))
    }));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.headers);
    let (places, connections) = (Arc::new(Semaphore::new(limits.connections)), GracefulShutdown::new());
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, Listener::accept(&mut listener).await.0)
        };
        let (place, stream) = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => break,
            accepted = accepted => accepted,
        };
        let service = TowerToHyperService::new(app.clone());
        let stream = SteadyStream { stream, progress: Progress::new(limits.piece) };
        let connection = connections.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // One that fails was closed by the other side, or took too long.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Watches over how bytes get across: while the other side is waited for, [`PIECE`] of them need
/// less than a limit.
struct Progress {
    limit: Duration,
    /// The end of the time for this piece, once the other side was waited for.
    ends: Option<Pin<Box<Sleep>>>,
    /// Bytes of this piece that got across.
    moved: usize,
}

impl Progress {
    fn new(limit: Duration) -> Self {
        Self { limit, ends: None, moved: 0 }
    }

    fn moved(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= PIECE {
            self.restart();
        }
    }

    fn restart(&mut self) {
        (self.ends, self.moved) = (None, 0);
    }

    /// Waits for the other side: an error once that takes too long.
    fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limit;
        let ends = self.ends.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(ends.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the other side is too slow"))
    }
}

/// A request's body that fails where it comes too slowly.
struct SteadyBody {
    body: Body,
    progress: Progress,
}

impl http_body::Body for SteadyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => {
                self.progress.poll_too_slow(context).map(|error| Some(Err(axum::Error::new(error))))
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.progress.moved(frame.data_ref().map_or(0, Bytes::len));
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

/// A connection whose writes fail where the other side reads too slowly.
struct SteadyStream {
    stream: TcpStream,
    progress: Progress,
}

impl SteadyStream {
    fn written(
        &mut self,
        polled: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => self.progress.poll_too_slow(context).map(Err),
            Poll::Ready(written) => {
                self.progress.moved(written.as_ref().map_or(0, |bytes| *bytes));
                polled
            }
        }
    }
}

impl AsyncRead for SteadyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for SteadyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called once all that there was is written: what comes next is another piece.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.progress.restart();
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

    /// A server with two places, and a way to stop it.
    async fn start(headers: Duration) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let app = Router::new().fallback(async || "answered");
        start_app(app, Limits { connections: 2, headers, ..Limits::DEFAULT }).await
    }

    async fn start_app(app: Router, limits: Limits) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, closed) = watch::channel(false);
        tokio::spawn(serve(listener, app, limits, closed));
        (address, stop)
    }

    async fn ask(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Connections that send nothing, and the beginning of a request.
    async fn half_open(address: std::net::SocketAddr) -> [TcpStream; 2] {
        let silent = TcpStream::connect(address).await.unwrap();
        let mut begun = TcpStream::connect(address).await.unwrap();
        begun.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
        [silent, begun]
    }

    #[tokio::test]
    async fn half_open_connections_end_in_time() {
        let (address, _stop) = start(Duration::from_millis(300)).await;
        let held = half_open(address).await;
        let answer = timeout(Duration::from_secs(20), ask(address)).await.expect("the places are free again");
        assert!(answer.ends_with("answered"), "{answer}");
        for mut stream in held {
            let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new())).await;
            end.expect("the server closed it").unwrap();
        }
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_for_a_place() {
        let (address, stop) = start(Duration::from_secs(600)).await;
        let held = half_open(address).await;
        let mut waiting = tokio::spawn(ask(address));
        assert!(timeout(Duration::from_millis(500), &mut waiting).await.is_err(), "both places are taken");
        drop(held);
        let answer = timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        stop.send_replace(true);
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        timeout(Duration::from_secs(20), refused).await.expect("nothing is accepted after the stop");
    }

    #[tokio::test]
    async fn uploads_need_progress_but_may_be_slow() {
        let app = Router::new().fallback(async |body: Body| match body.collect().await {
            Ok(body) => (StatusCode::OK, body.to_bytes().len().to_string()),
            Err(error) => (StatusCode::REQUEST_TIMEOUT, error.to_string()),
        });
        let limits = Limits { piece: Duration::from_secs(1), ..Limits::DEFAULT };
        let (address, _stop) = start_app(app, limits).await;
        // Pieces of an upload, with a pause before each, until it is answered.
        let upload = async |piece: usize, pieces: usize| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                "PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 400000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..pieces {
                sleep(Duration::from_millis(300)).await;
                if stream.write_all(&vec![b'x'; piece]).await.is_err() {
                    break;
                }
            }
            let mut answer = String::new();
            let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
            read.expect("it is answered").unwrap();
            answer
        };
        let (steady, stalled, trickling) =
            futures::join!(upload(40_000, 10), upload(40_000, 3), upload(100, 20));
        assert!(steady.starts_with("HTTP/1.1 200") && steady.ends_with("400000"), "{steady}");
        for ended in [stalled, trickling] {
            assert!(ended.starts_with("HTTP/1.1 408"), "{ended}");
        }
    }

    #[tokio::test]
    async fn answers_that_nobody_reads_end() {
        let app = Router::new().fallback(async || vec![b'x'; 64 * 1024 * 1024]);
        let limits = Limits { connections: 1, piece: Duration::from_millis(500), ..Limits::DEFAULT };
        let (address, _stop) = start_app(app, limits).await;
        let mut unread = TcpStream::connect(address).await.unwrap();
        unread.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let answer = timeout(Duration::from_secs(20), ask(address)).await.expect("the place is free again");
        assert!(answer.len() > 64 * 1024 * 1024, "one that is read arrives: {} bytes", answer.len());
    }
}
