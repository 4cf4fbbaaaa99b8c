//! Puts the site together: assets under names that change with their content, and around each page, as it was rendered
//! ahead, its document.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::module::{Parts, VERIFIER};
use super::styles;
use crate::Project;
use crate::files::{copy_below, files_below, hex};

/// The pages that open without the net, by their paths, and the part of the site that they need. Two addresses lead to the
/// first one: the other stands on every certificate.
const OFFLINE: [&str; 2] = ["/verifikasi", "/en/verify"];
const OFFLINE_PART: &str = "verify";

/// What the site's own program prints: see `site/src/prerender.rs`.
#[derive(Deserialize)]
pub struct Prerendered {
    texts: BTreeMap<String, BTreeMap<String, String>>,
    pages: Vec<Page>,
}

#[derive(Deserialize)]
struct Page {
    file: String,
    language: String,
    addresses: BTreeMap<String, String>,
    part: Option<String>,
    title: String,
    description: String,
    body: String,
}

/// Writes the site into a folder.
///
/// # Errors
/// When a file cannot be read or written, or one of ours has an unknown placeholder.
pub fn assemble(
    project: &Project,
    work: &Path,
    parts: &Parts,
    ahead: &Prerendered,
    new: &Path,
) -> Result<()> {
    let source = project.root.join("site");
    let assets = new.join("assets");
    fs::create_dir_all(&assets)?;
    copy_below(&source.join("public"), new)?;

    let site = put_folder(&assets, "site", &work.join("site"))?;
    let css = put(&assets, "bukti", "css", styles::all(&source)?.as_bytes())?;
    let (js, wasm) = (format!("{site}/bukti.js"), format!("{site}/bukti_bg.wasm"));
    let download = download_function(project)?;
    let address = |name: &str| format!("/assets/{name}");
    let start = fill(
        project,
        &source.join("start.js"),
        &[("js", &address(&js)), ("wasm", &address(&wasm)), ("download", &download)],
    )?;
    let start = put(&assets, "start", "js", start.as_bytes())?;
    let verifier_wasm =
        put(&assets, VERIFIER, "wasm", &fs::read(work.join(VERIFIER).join("verifier_bg.wasm"))?)?;
    let verifier_glue = fs::read_to_string(work.join(VERIFIER).join("verifier.js"))?;
    let worker = fill(
        project,
        &source.join("verifier/worker.js"),
        &[("glue", &verifier_glue), ("wasm", &address(&verifier_wasm)), ("download", &download)],
    )?;
    let worker = put(&assets, "verifier_worker", "js", worker.as_bytes())?;
    let mut texts = BTreeMap::new();
    for (language, all) in &ahead.texts {
        texts.insert(
            language.as_str(),
            put(&assets, &format!("texts-{language}"), "json", &serde_json::to_vec(all)?)?,
        );
    }

    let text_file =
        |language: &str| texts.get(language).map(|name| address(name)).context("a language has no texts");
    let part_files = |part: &str| -> Vec<String> {
        let files = parts.get(part).into_iter().flatten();
        files.map(|file| address(&format!("{site}/{file}.wasm"))).collect()
    };
    let text_files: Vec<String> = texts
        .iter()
        .map(|(language, name)| {
            format!(r#"<meta name="bukti-texts-{language}" content="{}" />"#, address(name))
        })
        .collect();
    for page in &ahead.pages {
        let mut links = vec![
            format!(r#"<link rel="preload" href="{}" as="fetch" crossorigin />"#, text_file(&page.language)?),
            // Not as a module: a browser keeps one that failed.
            format!(r#"<link rel="preload" href="{}" as="fetch" crossorigin />"#, address(&js)),
        ];
        let part = page.part.iter().flat_map(|part| part_files(part));
        let modules = std::iter::once(address(&wasm)).chain(part);
        links.extend(modules.map(|module| {
            format!(
                r#"<link rel="preload" href="{module}" as="fetch" type="application/wasm" crossorigin />"#
            )
        }));
        links.extend(page.addresses.iter().map(|(language, path)| {
            format!(r#"<link rel="alternate" hreflang="{language}" href="{path}" />"#)
        }));
        if page.addresses.is_empty() {
            links.push(r#"<meta name="robots" content="noindex" />"#.to_owned());
        }
        let html = fill(
            project,
            &source.join("page.html"),
            &[
                ("language", &page.language),
                ("title", &escaped(&page.title)),
                ("description", &escaped(&page.description)),
                ("texts", &text_files.join("\n    ")),
                ("verifier", &address(&worker)),
                ("css", &address(&css)),
                ("start", &address(&start)),
                ("links", &links.join("\n    ")),
                ("body", &page.body),
            ],
        )?;
        let file = new.join(&page.file);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, html).with_context(|| format!("cannot write {}", file.display()))?;
    }

    let shared = [&js, &wasm, &css, &start, &worker, &verifier_wasm].map(|name| address(name));
    let mut files: Vec<String> = OFFLINE.map(str::to_owned).into_iter().chain(shared).collect();
    files.extend(["/favicon.svg".to_owned(), "/settings.json".to_owned()]);
    files.extend(part_files(OFFLINE_PART));
    files.extend(texts.values().map(|name| address(name)));
    // Browsers compare the service worker byte by byte: a new version makes them keep the new files.
    let mut version = Sha256::new();
    for page in OFFLINE {
        version.update(fs::read(new.join(page.trim_start_matches('/')).join("index.html"))?);
    }
    let version = hex(&version.finalize());
    let service_worker = fill(
        project,
        &source.join("sw.js"),
        &[("version", &version[..12]), ("files", &serde_json::to_string(&files)?), ("download", &download)],
    )?;
    fs::write(new.join("sw.js"), service_worker)?;
    Ok(())
}

/// The JavaScript function by which files are fetched that must not hang.
///
/// # Errors
/// When it cannot be read.
pub fn download_function(project: &Project) -> Result<String> {
    let path = project.root.join("site/download.js");
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", project.show(&path)))
}

/// A file of the site with its placeholders, `{{name}}`, filled in.
fn fill(project: &Project, path: &Path, values: &[(&str, &str)]) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", project.show(path)))?;
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = values.iter().map(|(known, _)| *known).collect();
            bail!("{}: `{name}` is no placeholder; there are {}", project.show(path), known.join(", "));
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A text as it stands in HTML, also within quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Writes a file under a name that holds a hash of its content, and gives that name.
fn put(folder: &Path, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
    let name = format!("{stem}-{}.{extension}", &hex(&Sha256::digest(content))[..12]);
    fs::write(folder.join(&name), content)?;
    Ok(name)
}

/// Copies a folder whose files name each other under a name that holds a hash of them all, and gives that name.
fn put_folder(assets: &Path, stem: &str, folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files_below(folder)? {
        hash.update(file.strip_prefix(folder)?.as_os_str().as_encoded_bytes());
        hash.update(fs::read(file)?);
    }
    let name = format!("{stem}-{}", &hex(&hash.finalize())[..12]);
    copy_below(folder, &assets.join(&name))?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_owned(), target: folder.path().join("target") };
        let page = folder.path().join("page.html");
        fs::write(&page, "<p>{{one}}</p>{{two}}").unwrap();
        assert_eq!(fill(&project, &page, &[("one", "{{two}}"), ("two", "2")]).unwrap(), "<p>{{two}}</p>2");
        let error = fill(&project, &page, &[("one", "1")]).unwrap_err().to_string();
        assert_eq!(error, "page.html: `two` is no placeholder; there are one");
    }
}
