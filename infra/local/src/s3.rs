//! S3 by s3s over a folder: path style, every signature checked.
//!
//! Added to it: the `response-*` parameters of a presigned address, which s3s-fs leaves out; the sidecar files that s3s-fs
//! leaves behind when an object is deleted; the events of feeds; and the end of what the template's lifecycle rules end.

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

use crate::feeds::Feeds;

/// A thread with one other for files, of their own. s3s-fs has each file of an object opened, written and named by another thread,
/// fifteen steps in all; where that is whoever is free of many, waking them costs as much as the files.
fn of_files(closed: oneshot::Receiver<()>) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build()?;
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().name("files".to_owned());
    thread.spawn(move || {
        let _ = runtime.block_on(closed);
    })?;
    Ok(handle)
}

/// The bucket service.
pub(crate) struct S3 {
    service: S3Service,
    root: PathBuf,
    /// Where its files are worked on, until this is dropped.
    files: Handle,
    _open: oneshot::Sender<()>,
}

impl S3 {
    /// The buckets of a folder.
    pub(crate) fn open(root: &Path, access_key: &str, secret_key: &str) -> Result<Self> {
        let files = s3s_fs::FileSystem::new(root).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
        let (_open, closed) = oneshot::channel();
        Ok(Self { service: builder.build(), root: root.to_owned(), files: of_files(closed)?, _open })
    }

    /// Answers a call; tells `feeds` of an object that was put.
    pub(crate) async fn answer(&self, request: Request, feeds: Option<&Feeds>) -> Response {
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let parameter = |name: &str| form_urlencoded::parse(query.as_bytes()).any(|(found, _)| found == name);
        // A part of an upload is no object yet; its completion is a POST.
        let puts = match method {
            Method::PUT => !parameter("uploadId"),
            Method::POST => parameter("uploadId"),
            _ => false,
        };
        let feed = feeds.filter(|_| puts && Feeds::takes(key)).cloned();
        let feed = feed.map(|feeds| (feeds, key.to_owned(), self.root.join(bucket).join(key)));
        let (service, here) = (self.service.clone(), Handle::current());
        let call = async move {
            let answered = service.call(request.map(s3s::Body::http_body_unsync)).await;
            // Told here, since whoever put it may be gone.
            if let Some((feeds, key, file)) = feed
                && answered.as_ref().is_ok_and(|answer| answer.status().is_success())
            {
                let size = tokio::fs::metadata(file).await.map_or(0, |file| file.len());
                let _there = here.enter();
                feeds.put(&key, size);
            }
            answered
        };
        let answered = self.files.spawn(call).await.map_err(|ended| format!("{ended:?}"));
        let answered = answered.and_then(|answered| answered.map_err(|error| format!("{error:?}")));
        let mut response = match answered {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::warn!(error, "the bucket failed");
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
            Method::DELETE if !key.is_empty() && !parameter("uploadId") => {
                self.remove_sidecars(bucket, key).await
            }
            _ => {}
        }
        response
    }

    /// Removes the objects below a prefix that were put longer ago than this.
    pub(crate) async fn expire(&self, bucket: &str, prefix: &str, kept_for: Duration) -> io::Result<()> {
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
                } else if now.duration_since(metadata.modified()?).is_ok_and(|age| age > kept_for) {
                    tokio::fs::remove_file(&path).await?;
                    if let Some(key) = path.strip_prefix(&top).ok().and_then(Path::to_str) {
                        self.remove_sidecars(bucket, key).await;
                    }
                }
            }
        }
        for folder in folders.iter().skip(1).rev() {
            // One that is not empty stays.
            let _ = tokio::fs::remove_dir(folder).await;
        }
        Ok(())
    }

    async fn remove_sidecars(&self, bucket: &str, key: &str) {
        let (bucket, key) = (URL_SAFE_NO_PAD.encode(bucket), URL_SAFE_NO_PAD.encode(key));
        for kind in ["internal", "metadata"] {
            // Often there is none.
            let _ =
                tokio::fs::remove_file(self.root.join(format!(".bucket-{bucket}.object-{key}.{kind}.json")))
                    .await;
        }
    }
}

/// Sets the headers that the (signed) address asks for.
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
        let wanted = HEADERS.iter().find(|(name, _)| *name == parameter);
        if let (Some((_, name)), Ok(value)) = (wanted, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
}
