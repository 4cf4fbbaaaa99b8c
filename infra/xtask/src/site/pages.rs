//! Assembles the site: assets whose names contain a hash of their content, and an HTML document for
//! each pre-rendered page.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::styles;
use super::wasm::{Chunks, VERIFIER};
use crate::Project;
use crate::files::{copy_below, files_below, hex};

/// The paths of the pages that work offline. The first page is also served at `/verify`, which is
/// printed on every certificate.
const OFFLINE: [&str; 2] = ["/verifikasi", "/en/verify"];
/// The lazy-loaded chunk that the offline pages need.
const OFFLINE_CHUNK: &str = "verify";

/// The output of the site's native program; see `site/src/prerender.rs`.
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

/// Writes the site into the folder `new`.
///
/// # Errors
/// If a file cannot be read or written, or if a template has an unknown placeholder.
pub fn assemble(
    project: &Project,
    work: &Path,
    chunks: &Chunks,
    prerendered: &Prerendered,
    new: &Path,
) -> Result<()> {
    let source = project.root.join("site");
    let assets = new.join("assets");
    fs::create_dir_all(&assets)?;
    copy_below(&source.join("public"), new)?;

    let site = write_hashed_folder(&assets, "site", &work.join("site"))?;
    let css = write_hashed(&assets, "bukti", "css", styles::merge(&source)?.as_bytes())?;
    let (js, wasm) = (format!("{site}/bukti.js"), format!("{site}/bukti_bg.wasm"));
    let download = download_function(project)?;
    let address = |name: &str| format!("/assets/{name}");
    let start = fill(
        project,
        &source.join("start.js"),
        &[("js", &address(&js)), ("wasm", &address(&wasm)), ("download", &download)],
    )?;
    let start = write_hashed(&assets, "start", "js", start.as_bytes())?;
    let verifier_wasm =
        write_hashed(&assets, VERIFIER, "wasm", &fs::read(work.join(VERIFIER).join("verifier_bg.wasm"))?)?;
    let verifier_glue = fs::read_to_string(work.join(VERIFIER).join("verifier.js"))?;
    let worker = fill(
        project,
        &source.join("verifier/worker.js"),
        &[("glue", &verifier_glue), ("wasm", &address(&verifier_wasm)), ("download", &download)],
    )?;
    let worker = write_hashed(&assets, "verifier_worker", "js", worker.as_bytes())?;
    let mut texts = BTreeMap::new();
    for (language, all) in &prerendered.texts {
        texts.insert(
            language.as_str(),
            write_hashed(&assets, &format!("texts-{language}"), "json", &serde_json::to_vec(all)?)?,
        );
    }

    let text_file = |language: &str| {
        texts.get(language).map(|name| address(name)).context("a language of a page has no texts")
    };
    let chunk_files = |chunk: &str| -> Vec<String> {
        let files = chunks.get(chunk).into_iter().flatten();
        files.map(|file| address(&format!("{site}/{file}.wasm"))).collect()
    };
    let text_files: Vec<String> = texts
        .iter()
        .map(|(language, name)| {
            format!(r#"<meta name="bukti-texts-{language}" content="{}" />"#, address(name))
        })
        .collect();
    for page in &prerendered.pages {
        let mut links = vec![
            format!(r#"<link rel="preload" href="{}" as="fetch" crossorigin />"#, text_file(&page.language)?),
            // `modulepreload` is not used here, because browsers cache a failed load of a module.
            format!(r#"<link rel="preload" href="{}" as="fetch" crossorigin />"#, address(&js)),
        ];
        let chunk = page.part.iter().flat_map(|part| chunk_files(part));
        let modules = std::iter::once(address(&wasm)).chain(chunk);
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
                ("title", &escape(&page.title)),
                ("description", &escape(&page.description)),
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
    files.extend(chunk_files(OFFLINE_CHUNK));
    files.extend(texts.values().map(|name| address(name)));
    // Browsers compare service workers byte by byte, so a changed version makes them cache the new
    // files.
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

/// Returns the source of the JavaScript function `download`, which fetches a file with a timeout.
///
/// # Errors
/// If the file cannot be read.
pub fn download_function(project: &Project) -> Result<String> {
    let path = project.root.join("site/download.js");
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", project.relative(&path)))
}

/// Reads a template and replaces its placeholders, which have the form `{{name}}`.
fn fill(project: &Project, path: &Path, values: &[(&str, &str)]) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", project.relative(path)))?;
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = values.iter().map(|(known, _)| *known).collect();
            bail!("{}: unknown placeholder `{name}` (known: {})", project.relative(path), known.join(", "));
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Escapes a text for HTML, including double-quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Writes a file whose name contains a hash of its content. Returns the name.
fn write_hashed(folder: &Path, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
    let name = format!("{stem}-{}.{extension}", &hex(&Sha256::digest(content))[..12]);
    fs::write(folder.join(&name), content)?;
    Ok(name)
}

/// Copies a folder to a name that contains a hash of its content. The folder is hashed as a whole,
/// because its files refer to each other. Returns the name.
fn write_hashed_folder(assets: &Path, stem: &str, folder: &Path) -> Result<String> {
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
    fn does_not_replace_placeholders_in_values() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_owned(), target: folder.path().join("target") };
        let page = folder.path().join("page.html");
        fs::write(&page, "<p>{{one}}</p>{{two}}").unwrap();
        assert_eq!(fill(&project, &page, &[("one", "{{two}}"), ("two", "2")]).unwrap(), "<p>{{two}}</p>2");
        let error = fill(&project, &page, &[("one", "1")]).unwrap_err().to_string();
        assert_eq!(error, "page.html: unknown placeholder `two` (known: one)");
    }
}
