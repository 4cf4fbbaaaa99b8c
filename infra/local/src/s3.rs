//! S3: serves a folder with s3s and s3s-fs, using path-style URLs. s3s verifies every signature.
//!
//! This module adds what s3s-fs lacks: the `response-*` parameters of presigned URLs, the removal
//! of an object's sidecar files on deletion, the events of feeds, and the template's lifecycle
//! rules.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::feed_source::FeedSource;

/// Starts a runtime for file access, with one thread and one blocking thread.
///
/// s3s-fs performs about fifteen steps per object on blocking threads. In the shared pool, waking a
/// different thread for each step costs as much as the file access itself.
fn start_file_runtime(closed: oneshot::Receiver<()>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("files".to_owned());
    thread.spawn(move || {
        let _ = runtime.block_on(closed);
    })?;
    Ok(handle)
}

/// The S3 service of the stack, for all of its buckets.
pub(crate) struct S3 {
    service: S3Service,
    root: PathBuf,
    /// The runtime for file access. It ends when `_keep_open` is dropped.
    file_runtime: Handle,
    _keep_open: oneshot::Sender<()>,
}

impl S3 {
    /// Opens a service for the buckets in a folder.
    pub(crate) fn open(root: &Path, access_key: &str, secret_key: &str) -> Result<Self> {
        let files = s3s_fs::FileSystem::new(root).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
        let (_keep_open, closed) = oneshot::channel();
        let file_runtime = start_file_runtime(closed)?;
        Ok(Self { service: builder.build(), root: root.to_owned(), file_runtime, _keep_open })
    }

    /// Handles a call. If it uploads a feed, passes the feed to `feeds`.
    pub(crate) async fn handle(&self, request: Request, feeds: Option<&FeedSource>) -> Response {
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let has_parameter =
            |name: &str| form_urlencoded::parse(query.as_bytes()).any(|(found, _)| found == name);
        // In a multipart upload, only the final POST creates the object.
        let puts_object = match method {
            Method::PUT => !has_parameter("uploadId"),
            Method::POST => has_parameter("uploadId"),
            _ => false,
        };
        let feed = feeds.filter(|_| puts_object && FeedSource::is_feed(key)).cloned();
        let feed = feed.map(|feeds| (feeds, key.to_owned(), self.root.join(bucket).join(key)));
        let (service, caller_runtime) = (self.service.clone(), Handle::current());
        let call = async move {
            let result = service.call(request.map(s3s::Body::http_body_unsync)).await;
            // Delivered from this task, which completes even if the caller disconnects.
            if let Some((feeds, key, file)) = feed
                && result.as_ref().is_ok_and(|response| response.status().is_success())
            {
                let size = tokio::fs::metadata(file).await.map_or(0, |file| file.len());
                let _guard = caller_runtime.enter();
                feeds.deliver(&key, size);
            }
            result
        };
        let result = self.file_runtime.spawn(call).await.map_err(|ended| format!("{ended:?}"));
        let result = result.and_then(|result| result.map_err(|error| format!("{error:?}")));
        let mut response = match result {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(error, "a call of the bucket failed");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return response;
            }
        };
        if !response.status().is_success() {
            return response;
        }
        match method {
            Method::GET | Method::HEAD => override_headers(&mut response, &query),
            Method::DELETE if !key.is_empty() && !has_parameter("uploadId") => {
                self.remove_sidecars(bucket, key).await
            }
            _ => {}
        }
        response
    }

    /// Removes all objects under a prefix that are older than `max_age`, and folders that are left
    /// empty.
    pub(crate) async fn expire(&self, bucket: &str, prefix: &str, max_age: Duration) -> io::Result<()> {
        let (top, now) = (self.root.join(bucket), SystemTime::now());
        let mut folders = vec![top.join(prefix)];
        let mut at = 0;
        while let Some(folder) = folders.get(at) {
            at += 1;
            let mut entries = match tokio::fs::read_dir(folder).await {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            while let Some(entry) = entries.next_entry().await? {
                let (path, metadata) = (entry.path(), entry.metadata().await?);
                if metadata.is_dir() {
                    folders.push(path);
                } else if now.duration_since(metadata.modified()?).is_ok_and(|age| age > max_age) {
                    tokio::fs::remove_file(&path).await?;
                    if let Some(key) = path.strip_prefix(&top).ok().and_then(Path::to_str) {
                        self.remove_sidecars(bucket, key).await;
                    }
                }
            }
        }
        for folder in folders.iter().skip(1).rev() {
            // This fails if the folder is not empty.
            let _ = tokio::fs::remove_dir(folder).await;
        }
        Ok(())
    }

    async fn remove_sidecars(&self, bucket: &str, key: &str) {
        let (bucket, key) = (URL_SAFE_NO_PAD.encode(bucket), URL_SAFE_NO_PAD.encode(key));
        for kind in ["internal", "metadata"] {
            // Most objects do not have these files.
            let _ =
                tokio::fs::remove_file(self.root.join(format!(".bucket-{bucket}.object-{key}.{kind}.json")))
                    .await;
        }
    }
}

/// Sets the headers that the parameters of a presigned URL specify. The signature covers the
/// parameters.
fn override_headers(response: &mut Response, query: &str) {
    const HEADERS: [(&str, HeaderName); 6] = [
        ("response-content-type", header::CONTENT_TYPE),
        ("response-content-disposition", header::CONTENT_DISPOSITION),
        ("response-content-language", header::CONTENT_LANGUAGE),
        ("response-content-encoding", header::CONTENT_ENCODING),
        ("response-cache-control", header::CACHE_CONTROL),
        ("response-expires", header::EXPIRES),
    ];
    for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
        let overridden = HEADERS.iter().find(|(name, _)| *name == parameter);
        if let (Some((_, name)), Ok(value)) = (overridden, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
}
