//! Serves the static site and the public lists as CloudFront does.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bukti_store::PublicFiles;
use percent_encoding::percent_decode_str;

/// The security headers that CloudFront adds to every response, as defined in the template.
const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; \
         connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(self)"),
    ("cross-origin-opener-policy", "same-origin"),
];

const NO_SITE: &str = "Bukti runs without its site. Run `cargo xtask up` to build the site and start both, or \
    `bukti-local --site DIR` to serve a built one.\n";

/// The folder of the built site, if there is one.
pub(crate) struct Site {
    root: Option<PathBuf>,
}

impl Site {
    /// Opens a site. Without a folder, every path responds with a text that explains how to get a
    /// site.
    ///
    /// # Errors
    ///
    /// If the folder does not exist.
    pub(crate) fn open(root: Option<&Path>) -> std::io::Result<Self> {
        Ok(Self { root: root.map(Path::canonicalize).transpose()? })
    }

    /// Handles a request for a path of the site. Only GET and HEAD are allowed.
    pub(crate) async fn handle(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
        let mut response = if method != Method::GET && method != Method::HEAD {
            plain_text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n")
        } else if let Some(root) = &self.root {
            serve(root, path, headers).await
        } else {
            plain_text(StatusCode::OK, NO_SITE)
        };
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        add_security_headers(&mut response);
        response
    }
}

/// Serves a file of the public bucket to pages of any origin.
pub(crate) async fn public_file(bucket: &Path, method: &Method, path: &str) -> Response<Body> {
    let found = async {
        let name = file_name(path)?;
        let root = tokio::fs::canonicalize(bucket).await.ok()?;
        let (path, _) = file_below(&root, root.join(&name)).await?;
        Some((name, tokio::fs::read(path).await.ok()?))
    };
    let mut response = if method != Method::GET && method != Method::HEAD {
        plain_text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n")
    } else if let Some((name, content)) = found.await {
        let mut response = Response::new(Body::from(content));
        let content_type = HeaderValue::from_static(PublicFiles::content_type(&name));
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        let cache_control = HeaderValue::from_static(PublicFiles::CACHE_CONTROL);
        response.headers_mut().insert(header::CACHE_CONTROL, cache_control);
        response
    } else {
        plain_text(StatusCode::NOT_FOUND, "Not found.\n")
    };
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    add_security_headers(&mut response);
    response
}

pub(crate) fn add_security_headers<B>(response: &mut Response<B>) {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

async fn serve(root: &Path, path: &str, headers: &HeaderMap) -> Response<Body> {
    let Some(name) = file_name(path) else { return plain_text(StatusCode::NOT_FOUND, "Not found.\n") };
    let mut status = StatusCode::OK;
    let mut found = find(root, page_of(&name), headers).await;
    if found.is_none() && !name.contains('.') {
        status = StatusCode::NOT_FOUND;
        let page = if name.starts_with("en/") { "en/404.html" } else { "404.html" };
        found = find(root, page, headers).await;
    }
    let Some(found) = found else { return plain_text(StatusCode::NOT_FOUND, "Not found.\n") };
    let tag = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let unchanged = tag.split(',').any(|tag| tag.trim() == found.etag);
    let content = match tokio::fs::read(&found.path).await {
        Ok(_) if unchanged => Vec::new(),
        Ok(content) => content,
        Err(error) => {
            tracing::warn!(%error, path = %found.path.display(), "cannot read a file of the site");
            return plain_text(StatusCode::NOT_FOUND, "Not found.\n");
        }
    };
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = if unchanged { StatusCode::NOT_MODIFIED } else { status };
    let is_immutable = name.starts_with("assets/");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&found.name)));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(if is_immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = found.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if let Ok(tag) = HeaderValue::from_str(&found.etag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Returns the file or folder that serves a path. All links in SMS share one page. `/verify`, which
/// is printed on every certificate, is the Indonesian page of the verifier.
fn page_of(name: &str) -> &str {
    // Links have the form `s/TOKEN`, optionally with a language tag in front, such as `en/s/TOKEN`.
    let folder = name.rsplit_once('/').filter(|(_, token)| !token.is_empty()).map(|(folder, _)| folder);
    match folder {
        _ if name == "verify" => "verifikasi",
        Some(folder) if folder == "s" || folder.strip_suffix("/s").is_some_and(|tag| tag.len() == 2) => {
            folder
        }
        _ => name,
    }
}

/// Decodes the path of a file below the root. Returns `None` if a component is hidden or could lead
/// outside the root.
fn file_name(path: &str) -> Option<String> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_safe = |part: &&str| !part.starts_with('.') && !part.contains(['\\', '\0']);
    parts.iter().all(is_safe).then(|| parts.join("/"))
}

struct SiteFile {
    path: PathBuf,
    /// The name without the suffix of the encoding.
    name: String,
    encoding: Option<&'static str>,
    etag: String,
}

/// Finds a file, or the index of a folder, in the best encoding that the browser accepts.
async fn find(root: &Path, name: &str, headers: &HeaderMap) -> Option<SiteFile> {
    let mut name = name.to_owned();
    let mut path = root.join(&name);
    if tokio::fs::metadata(&path).await.ok()?.is_dir() {
        name = format!("{name}/index.html");
        path = root.join(name.trim_start_matches('/'));
    }
    for (encoding, extension) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(headers, encoding) {
            let mut encoded = path.clone().into_os_string();
            encoded.push(extension);
            if let Some((path, etag)) = file_below(root, encoded.into()).await {
                return Some(SiteFile { path, name, encoding: Some(encoding), etag });
            }
        }
    }
    let (path, etag) = file_below(root, path).await?;
    Some(SiteFile { path, name, encoding: None, etag })
}

/// Returns the canonical path of a file and its ETag. `None` if a symbolic link leads outside the
/// root.
async fn file_below(root: &Path, path: PathBuf) -> Option<(PathBuf, String)> {
    let path = tokio::fs::canonicalize(path).await.ok().filter(|path| path.starts_with(root))?;
    let data = tokio::fs::metadata(&path).await.ok().filter(std::fs::Metadata::is_file)?;
    let changed = data.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    Some((path, format!("W/\"{changed:x}-{:x}\"", data.len())))
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|choice| {
            let (name, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
            let weight = weight.trim().trim_start_matches("q=").parse().unwrap_or(1.0);
            name.trim().eq_ignore_ascii_case(encoding) && weight > 0.0
        })
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

fn plain_text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn get(site: &Site, path: &str, accept: &str) -> (StatusCode, HeaderMap, String) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, accept.parse().unwrap());
        let (parts, body) = site.handle(&Method::GET, path, &headers).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        fs::create_dir_all(site.join("assets")).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        for (page, content) in
            [("index.html", "index"), ("404.html", "none"), ("en/404.html", "none, in English")]
                .into_iter()
                .chain([
                    ("masuk/index.html", "log in"),
                    ("s/index.html", "link"),
                    ("en/s/index.html", "link, in English"),
                    ("verifikasi/index.html", "verify"),
                ])
        {
            fs::create_dir_all(site.join(page).parent().unwrap()).unwrap();
            fs::write(site.join(page), content).unwrap();
        }
        fs::write(site.join("sw.js"), "service worker").unwrap();
        fs::write(site.join("assets/app-1.wasm"), "plain").unwrap();
        fs::write(site.join("assets/app-1.wasm.br"), "brotli").unwrap();
        fs::write(site.join("assets/app-1.wasm.gz"), "gzip").unwrap();
        fs::write(site.join(".hidden"), "hidden").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), site.join("link.txt")).unwrap();
        folder
    }

    #[tokio::test]
    async fn serves_assets_in_best_encoding_as_immutable() {
        let folder = folder();
        let site = Site::open(Some(&folder.path().join("site"))).unwrap();
        for (accept, encoding, body) in [
            ("gzip, deflate, br", Some("br"), "brotli"),
            ("gzip, br;q=0", Some("gzip"), "gzip"),
            ("identity", None, "plain"),
        ] {
            let (status, headers, found) = get(&site, "/assets/app-1.wasm", accept).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(headers.get("content-encoding").map(|value| value.to_str().unwrap()), encoding);
            assert_eq!(headers["content-type"], "application/wasm");
            assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(found, body);
        }
    }

    #[tokio::test]
    async fn serves_pages_by_path_and_404_for_others() {
        let folder = folder();
        let site = Site::open(Some(&folder.path().join("site"))).unwrap();
        let (good, none) = (StatusCode::OK, StatusCode::NOT_FOUND);
        for (path, status, page) in [
            ("/", good, "index"),
            ("//", good, "index"),
            ("/masuk", good, "log in"),
            ("/masuk/", good, "log in"),
            ("/s/AbC_-1", good, "link"),
            ("/en/s/AbC_-1", good, "link, in English"),
            ("/verify", good, "verify"),
            ("/nowhere", none, "none"),
            ("/s/a/b", none, "none"),
            ("/en/nowhere", none, "none, in English"),
        ] {
            let (found, headers, body) = get(&site, path, "").await;
            assert_eq!((found, body.as_str()), (status, page), "{path}");
            assert_eq!(headers["cache-control"], "no-cache");
            assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        }
        assert_eq!(get(&site, "/assets/app-2.wasm", "").await.0, StatusCode::NOT_FOUND);
        let (_, headers, _) = get(&site, "/sw.js", "").await;
        assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(headers["cache-control"], "no-cache", "a service worker must be revalidated");
        let (_, headers, _) = get(&site, "/", "").await;
        let mut conditional = HeaderMap::new();
        conditional.insert(header::IF_NONE_MATCH, headers["etag"].clone());
        let response = site.handle(&Method::GET, "/", &conditional).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let response = site.handle(&Method::POST, "/", &conditional).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn rejects_hidden_files_and_paths_out_of_the_root() {
        let folder = folder();
        let site = Site::open(Some(&folder.path().join("site"))).unwrap();
        for path in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/assets/..%2f..%2fsecret.txt",
            "/..%5csecret.txt",
            "/link.txt",
            "/.hidden",
            "/%2Fetc/passwd.txt",
            "/a%00.txt",
        ] {
            let (status, _, body) = get(&site, path, "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
            assert!(!body.contains("secret") && !body.contains("hidden"), "{path}");
        }
    }

    #[tokio::test]
    async fn serves_public_files_to_every_origin() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("trust/revocation")).unwrap();
        fs::write(folder.path().join("trust/did.json"), "{}").unwrap();
        fs::write(folder.path().join("trust/revocation/index.cose"), "x").unwrap();
        for (path, kind) in [
            ("/trust/did.json", "application/did+json"),
            ("/trust/revocation/index.cose", "application/cose"),
        ] {
            let response = public_file(folder.path(), &Method::GET, path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()["content-type"], kind);
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            assert_eq!(response.headers()["cache-control"], "public, max-age=300");
        }
        for path in ["/trust/revocation", "/trust/signers", "/trust/../trust/did.json", "/trust/%2e%2e/x"] {
            let response = public_file(folder.path(), &Method::GET, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn security_headers_equal_those_of_the_template() {
        let template = include_str!("../../template.yaml");
        let (_, policy) = template.split_once("SecurityHeadersConfig: &SecurityHeadersConfig\n").unwrap();
        let (policy, _) = policy.split_once("\n\n").unwrap();
        let (_, content) = policy.split_once("ContentSecurityPolicy: !Sub >-\n").unwrap();
        let lines = content.lines().take_while(|line| line.starts_with("              "));
        let content = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        // The embedded bucket has the same origin as the site.
        let (before, bucket) = content.split_once(" https://${AWS::StackName}-documents-").unwrap();
        let content = format!("{before};{}", bucket.split_once(';').unwrap().1);
        let mut expected = vec![("content-security-policy", &*content)];
        let policies = [
            ("ContentTypeOptions: { Override: true }", ("x-content-type-options", "nosniff")),
            (
                "ReferrerPolicy: { Override: true, ReferrerPolicy: no-referrer }",
                ("referrer-policy", "no-referrer"),
            ),
        ];
        expected
            .extend(policies.into_iter().filter(|(line, _)| policy.contains(line)).map(|(_, header)| header));
        expected.extend(policy.lines().filter_map(|line| {
            let item = line.trim().strip_prefix("- { Header: ")?.strip_suffix(" }")?;
            item.split_once(", Override: true, Value: ")
        }));
        assert_eq!(expected, HEADERS);
        assert!(
            policy.contains("StrictTransportSecurity: { Override: true,"),
            "CloudFront adds HSTS, which needs TLS"
        );
        // Both policies share these headers, and each of the three behaviours has one of the
        // policies.
        assert_eq!(template.matches("Config: *SecurityHeadersConfig").count(), 1);
        assert_eq!(template.matches("Config: *CustomHeadersConfig").count(), 1);
        assert_eq!(template.matches("ResponseHeadersPolicyId: !Ref SecurityHeaders").count(), 2);
        assert_eq!(template.matches("ResponseHeadersPolicyId: !Ref PublicHeaders").count(), 1);
    }

    #[tokio::test]
    async fn says_how_to_get_a_site_if_there_is_none() {
        let site = Site::open(None).unwrap();
        assert!(get(&site, "/", "").await.2.contains("cargo xtask up"));
    }
}
