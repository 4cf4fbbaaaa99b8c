//! Builds the web site: WebAssembly, its JavaScript, styles and files, each under a name that changes with
//! its content, so that browsers and CloudFront may keep them for good; only `index.html` and `sw.js` are asked for anew.
//!
//! There are two modules: the site, and the verifier, which is loaded only when its page is opened.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::toolchain::{self, Choice, Toolchain};
use crate::{Project, run};

/// The packages that are compiled, and what their files are called.
const MODULES: [(&str, &str); 2] = [("bukti-site", "bukti"), ("bukti-verifier", VERIFIER)];
const VERIFIER: &str = "verifier";

/// What the site is made from: a change in any of these builds it again.
const INPUTS: [&str; 9] = [
    "site",
    "functions/domain",
    "functions/hcert",
    "functions/trust",
    "functions/wire",
    "functions/locales",
    "infra/xtask/src",
    "Cargo.lock",
    // The profile.
    "Cargo.toml",
];

/// What gets a precompressed copy. Pictures and fonts (woff2) are compressed already.
const TEXT: [&str; 10] = ["html", "js", "css", "wasm", "svg", "json", "txt", "xml", "webmanifest", "ico"];
/// Smaller files than this gain nothing.
const COMPRESS_FROM: usize = 1024;

/// Debian 12's wasm-opt (108) exports the table of functions under the name of wasm-bindgen's table of
/// references, and the site would not start. 120 (Debian 13) and later were seen to work. They save about 1 %
/// of the compressed size.
const WASM_OPT_FROM: u32 = 120;

/// What rustc and wasm-bindgen use; wasm-opt takes these for errors unless they are named.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

#[derive(Args)]
pub struct Options {
    /// Compile with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    pub wasm_toolchain: Option<Choice>,
}

/// Builds the site where something changed and gives its folder, `target/site`.
///
/// # Errors
/// When no toolchain can be had, the site does not compile, or `index.html` has an unknown placeholder.
pub fn build(project: &Project, forced: Option<Choice>) -> Result<PathBuf> {
    let began = Instant::now();
    let folder = project.target.join("site");
    let stamp = project.target.join("site.stamp");
    let optimiser = optimiser(project);
    let inputs = inputs_hash(project, optimiser.is_some())?;
    let had = fs::read_to_string(&stamp).unwrap_or_default();
    let same_toolchain = |name: &str| match forced {
        None => true,
        Some(Choice::Rustup) => name == Toolchain::Active.name(),
        Some(Choice::Debian) => name == Toolchain::Debian.name(),
    };
    if let Some((hash, name)) = had.split_once(' ')
        && hash == inputs
        && same_toolchain(name)
        && folder.join("index.html").is_file()
    {
        run::say(format!("site: nothing changed, {} stays", project.show(&folder)));
        return Ok(folder);
    }
    check_bindgen_version(project)?;

    let toolchain = toolchain::choose(project, forced)?;
    run::say(format!("site: compiling with the {} toolchain (minutes the first time)", toolchain.name()));
    let work = project.target.join("site-bindgen");
    clear(&work)?;
    if optimiser.is_none() {
        run::say(format!(
            "site: no wasm-opt of version {WASM_OPT_FROM} or later here; the wasm stays a little larger"
        ));
    }
    for (package, name) in MODULES {
        let (mut cargo, compiled) = toolchain.build(project, package);
        run::stream(
            &mut cargo,
            "The compiler's message above says where. The site must compile for wasm32.",
        )?;
        bind(&compiled, name, &work)?;
        if let Some(optimiser) = &optimiser {
            optimise(project, optimiser, &work.join(format!("{name}_bg.wasm")));
        }
    }

    // Made beside the old one and then put in its place, so that a failure leaves the old site whole.
    let new = project.target.join("site.new");
    clear(&new)?;
    assemble(project, &work, &new)?;
    compress(&new)?;
    let _ = fs::remove_file(&stamp);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::rename(&new, &folder).with_context(|| format!("cannot write {}", folder.display()))?;
    fs::write(&stamp, format!("{inputs} {}", toolchain.name()))?;
    print_sizes(project, &folder, began.elapsed())?;
    Ok(folder)
}

/// A hash over names and contents of everything that the site is made from.
fn inputs_hash(project: &Project, optimised: bool) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update([u8::from(optimised)]);
    for input in INPUTS {
        let path = project.root.join(input);
        let files = if path.is_dir() { files_below(&path)? } else { vec![path] };
        for file in files.iter().filter(|file| file.is_file()) {
            let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            hash.update(file.strip_prefix(&project.root)?.as_os_str().as_encoded_bytes());
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
    }
    Ok(hex(&hash.finalize()))
}

/// wasm-bindgen's macro and its tool speak a format of their own that changes between versions.
fn check_bindgen_version(project: &Project) -> Result<()> {
    let lock = fs::read_to_string(project.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let (macros, tool) = (locked(&lock, "wasm-bindgen"), locked(&lock, "wasm-bindgen-cli-support"));
    match (macros, tool) {
        (Some(macros), Some(tool)) if macros == tool => Ok(()),
        (Some(macros), Some(tool)) => bail!(
            "Cargo.lock has wasm-bindgen {macros} but wasm-bindgen-cli-support {tool}. They must be \
             the same: run `cargo update -p wasm-bindgen-cli-support --precise {macros}`"
        ),
        _ => {
            bail!("Cargo.lock lacks wasm-bindgen or wasm-bindgen-cli-support: run `cargo update --workspace`")
        }
    }
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// Writes `NAME.js` and `NAME_bg.wasm`, which a browser can load.
fn bind(compiled: &Path, name: &str, work: &Path) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name(name).web(true)?.typescript(false);
    bindgen.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(work).context("wasm-bindgen cannot read the compiled site")
}

/// A wasm-opt that is new enough, if there is one.
fn optimiser(project: &Project) -> Option<PathBuf> {
    let path = run::found("wasm-opt")?;
    let version = run::capture(project.command(&path).arg("--version"), "").ok()?;
    let number: u32 = version.split_whitespace().find_map(|word| word.parse().ok())?;
    (number >= WASM_OPT_FROM).then_some(path)
}

/// Makes the wasm smaller by some percent, or says in a line why not.
fn optimise(project: &Project, optimiser: &Path, wasm: &Path) {
    let smaller = wasm.with_extension("opt.wasm");
    let mut command = project.command(optimiser);
    command.arg("-Oz").args(WASM_FEATURES).arg(wasm).arg("-o").arg(&smaller);
    let done = run::capture(&mut command, "").and_then(|_| Ok(fs::rename(&smaller, wasm)?));
    if let Err(error) = done {
        let error = format!("{error:#}");
        let first = error.lines().next().unwrap_or_default();
        run::say(format!("site: wasm-opt failed; the wasm stays a little larger: {first}"));
    }
}

/// Gives everything its final name and fills in `index.html`.
fn assemble(project: &Project, work: &Path, new: &Path) -> Result<()> {
    let source = project.root.join("site");
    let assets = new.join("assets");
    fs::create_dir_all(&assets)?;
    let public = source.join("public");
    if public.is_dir() {
        copy_below(&public, new)?;
    }
    let snippets = work.join("snippets");
    if snippets.is_dir() {
        copy_below(&snippets, &assets.join("snippets"))?;
    }
    let module = |name: &str| -> Result<(String, String)> {
        let wasm =
            put(&assets, &format!("{name}_bg"), "wasm", &fs::read(work.join(format!("{name}_bg.wasm")))?)?;
        let js = put(&assets, name, "js", &fs::read(work.join(format!("{name}.js")))?)?;
        Ok((js, wasm))
    };
    let (js, wasm) = module("bukti")?;
    let (verifier_js, verifier_wasm) = module(VERIFIER)?;
    let css = put(&assets, "bukti", "css", &styles(&source.join("styles"))?)?;
    let start = put(&assets, "start", "js", start_script(&js, &wasm).as_bytes())?;
    let worker = fill(
        project,
        &source.join("verifier/worker.js"),
        &[("{{js}}", &verifier_js), ("{{wasm}}", &verifier_wasm)],
    )?;
    let worker = put(&assets, "verifier_worker", "js", worker.as_bytes())?;

    let address = |name: &str| format!("/assets/{name}");
    let page = source.join("index.html");
    let html = fill(
        project,
        &page,
        &[
            ("{{wasm}}", &address(&wasm)),
            ("{{js}}", &address(&js)),
            ("{{css}}", &address(&css)),
            ("{{start}}", &address(&start)),
            ("{{verifier}}", &address(&worker)),
        ],
    )?;
    if !html.contains("/assets/start-") {
        bail!("{}: needs <script type=\"module\" src=\"{{{{start}}}}\"></script>", project.show(&page));
    }
    fs::write(new.join("index.html"), &html)?;
    let assets = [&css, &js, &start, &wasm, &worker, &verifier_js, &verifier_wasm].map(|name| address(name));
    let files: Vec<&str> = ["/", "/favicon.svg", "/settings.json"]
        .into_iter()
        .chain(assets.iter().map(String::as_str))
        .collect();
    // Browsers compare the service worker byte by byte: a new version makes them keep the new files.
    let version = hex(&Sha256::digest(&html));
    let service_worker = fill(
        project,
        &source.join("sw.js"),
        &[("{{version}}", &version[..12]), ("{{files}}", &serde_json::to_string(&files)?)],
    )?;
    fs::write(new.join("sw.js"), service_worker)?;
    Ok(())
}

/// A file of the site with its placeholders filled in.
fn fill(project: &Project, path: &Path, values: &[(&str, &str)]) -> Result<String> {
    let mut text = fs::read_to_string(path).with_context(|| format!("cannot read {}", project.show(path)))?;
    for (placeholder, value) in values {
        text = text.replace(placeholder, value);
    }
    if let Some(at) = text.find("{{") {
        let unknown: String = text[at..].chars().take(20).collect();
        let known: Vec<&str> = values.iter().map(|(placeholder, _)| *placeholder).collect();
        bail!("{}: `{unknown}` is no placeholder; there are {}", project.show(path), known.join(", "));
    }
    Ok(text)
}

/// A file of its own, since the content security policy forbids scripts in the page. The page may style
/// `html[data-start=failed]` to tell a reader whose browser cannot run the site.
fn start_script(js: &str, wasm: &str) -> String {
    format!(
        "import init from \"./{js}\";\n\
         init({{ module_or_path: new URL(\"./{wasm}\", import.meta.url) }}).catch((error) => {{\n  \
           document.documentElement.dataset.start = \"failed\";\n  \
           throw error;\n\
         }});\n"
    )
}

/// All style sheets as one, in the order of their names.
fn styles(folder: &Path) -> Result<Vec<u8>> {
    let mut css = Vec::new();
    if folder.is_dir() {
        for file in files_below(folder)?.iter().filter(|file| has_extension(file, &["css"])) {
            css.extend(fs::read(file)?);
            css.push(b'\n');
        }
    }
    Ok(css)
}

/// Writes a file under a name that holds a hash of its content, and gives that name.
fn put(folder: &Path, stem: &str, extension: &str, content: &[u8]) -> Result<String> {
    let hash = hex(&Sha256::digest(content));
    let name = format!("{stem}-{}.{extension}", &hash[..12]);
    fs::write(folder.join(&name), content)?;
    Ok(name)
}

/// Puts a `.br` and a `.gz` beside every file that gains by it.
fn compress(folder: &Path) -> Result<()> {
    for file in files_below(folder)?.iter().filter(|file| has_extension(file, &TEXT)) {
        let content = fs::read(file)?;
        if content.len() < COMPRESS_FROM {
            continue;
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&content)?;
        let mut brotli = Vec::new();
        let best = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
        brotli::BrotliCompress(&mut content.as_slice(), &mut brotli, &best)?;
        for (extension, compressed) in [("gz", gzip.finish()?), ("br", brotli)] {
            let mut name = file.clone().into_os_string();
            name.push(".");
            name.push(extension);
            fs::write(name, compressed)?;
        }
    }
    Ok(())
}

fn print_sizes(project: &Project, folder: &Path, took: Duration) -> Result<()> {
    run::say(format!("site: {} made in {:.0} s", project.show(folder), took.as_secs_f32()));
    eprintln!("  {:<34}{:>11}{:>13}", "file", "KB", "KB brotli");
    let row = |name: &str, (raw, brotli): (u64, u64)| {
        eprintln!("  {name:<34}{:>11.1}{:>13.1}", kilobytes(raw), kilobytes(brotli));
    };
    let (mut first_load, mut verifier) = ((0, 0), (0, 0));
    for file in files_below(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        let listed = name.starts_with("assets") || name == "index.html";
        if !listed || has_extension(&file, &["br", "gz"]) {
            continue;
        }
        let raw = fs::metadata(&file)?.len();
        let brotli = fs::metadata(format!("{}.br", file.display())).map_or(raw, |metadata| metadata.len());
        let part = if name.contains(VERIFIER) { &mut verifier } else { &mut first_load };
        *part = (part.0 + raw, part.1 + brotli);
        row(&name, (raw, brotli));
    }
    row("first visit together", first_load);
    row("page /verify, in addition", verifier);
    Ok(())
}

fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1000.0
}

/// All files below a folder, in the order of their names, without hidden ones.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        // What editors and systems leave lying about is hidden, what a server must publish is in .well-known.
        let hidden = entry
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b".") && name != ".well-known");
        if hidden {
            continue;
        }
        if entry.is_dir() { files.extend(files_below(&entry)?) } else { files.push(entry) }
    }
    Ok(files)
}

pub fn copy_below(from: &Path, to: &Path) -> Result<()> {
    for file in files_below(from)? {
        let copy = to.join(file.strip_prefix(from)?);
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&file, &copy).with_context(|| format!("cannot copy to {}", copy.display()))?;
    }
    Ok(())
}

/// Makes a folder that is empty.
fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension().and_then(|extension| extension.to_str()).is_some_and(|it| extensions.contains(&it))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_tells_the_version_of_the_very_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-shared\"\nversion = \"0.2.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked(lock, "leptos"), None);
    }

    #[test]
    fn the_start_script_names_both_files() {
        let script = start_script("bukti-1.js", "bukti_bg-2.wasm");
        assert!(script.contains("from \"./bukti-1.js\";"));
        assert!(script.contains("new URL(\"./bukti_bg-2.wasm\", import.meta.url)"));
    }
}
