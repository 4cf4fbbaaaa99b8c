//! The HTTP server of the listener: bounds how many connections are open, and how long the headers of a request may take.
//!
//! Without these a few hundred connections that send nothing use up the process's file descriptors.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// What the connections of a listener may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many may be open. Further ones wait in the backlog of the listener, without a file descriptor.
    pub(crate) connections: usize,
    /// How long a connection may wait for the headers of a request, the first or a further one, to be complete.
    pub(crate) headers: Duration,
}

impl Limits {
    /// Those of the embedded stack: half of the 1,024 file descriptors that a process usually may open.
    pub(crate) const DEFAULT: Self = Self { connections: 512, headers: Duration::from_secs(10) };
}

/// Serves requests until `closed` is true, and then ends once those under way are answered.
pub(crate) async fn serve(
    mut listener: TcpListener,
    app: Router,
    limits: Limits,
    mut closed: watch::Receiver<bool>,
) {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// A server with two places, and a way to stop it.
    async fn start(headers: Duration) -> (std::net::SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, closed) = watch::channel(false);
        let app = Router::new().fallback(async || "answered");
        tokio::spawn(serve(listener, app, Limits { connections: 2, headers }, closed));
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
}
