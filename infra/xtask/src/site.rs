//! Builds the web site: assets (WebAssembly, JavaScript, styles, texts), and pre-rendered pages in
//! every language.
//!
//! Asset names contain a hash of their content, so browsers and CloudFront may cache assets
//! indefinitely. Pages, `sw.js` and `settings.json` are revalidated on each request. There are two
//! wasm modules: the site, which is split into lazy-loaded chunks, and the verifier.

mod pages;
mod styles;
mod wasm;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use self::wasm::{Chunks, VERIFIER};
use crate::files::{create_empty, files_below, has_extension, hex};
use crate::toolchain::{self, Choice, Toolchain};
use crate::{Project, run};

const SITE: &str = "bukti-site";
/// The packages that are compiled to wasm, each with the name of its output folder.
pub const MODULES: [(&str, &str); 2] = [(SITE, "site"), ("bukti-verifier", VERIFIER)];

/// The sources of the site. A change in any of them triggers a rebuild.
const INPUTS: [&str; 9] = [
    "site",
    "functions/lib/domain",
    "functions/lib/hcert",
    "functions/lib/trust",
    "functions/lib/wire",
    "functions/lib/locales",
    "infra/xtask/src",
    "Cargo.lock",
    // This file contains the build profile.
    "Cargo.toml",
];

/// The extensions of files that get precompressed copies. Images and fonts are already compressed.
const COMPRESSIBLE: [&str; 10] =
    ["html", "js", "css", "wasm", "svg", "json", "txt", "xml", "webmanifest", "ico"];
/// The minimum file size for which compression is worthwhile, in bytes.
const MIN_COMPRESSED_SIZE: usize = 1024;

#[derive(Args)]
pub struct Options {
    /// Compile with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    pub wasm_toolchain: Option<Choice>,
}

/// Builds the site if a source has changed. Returns the output folder, `target/site`.
///
/// # Errors
/// If no toolchain is available, if the site does not compile, or if a template has an unknown
/// placeholder.
pub fn build(project: &Project, forced: Option<Choice>) -> Result<PathBuf> {
    build_with(project, forced, compile_program)
}

/// Builds the site like [`build`], but calls `program` for the path of the program that renders the
/// pages.
///
/// # Errors
/// See [`build`]. Errors of `program` are also returned.
pub fn build_with(
    project: &Project,
    forced: Option<Choice>,
    program: impl FnOnce(&Project) -> Result<PathBuf>,
) -> Result<PathBuf> {
    let began = Instant::now();
    let folder = project.target.join("site");
    let stamp = project.target.join("site.stamp");
    let optimiser = wasm::find_optimiser(project);
    let inputs = inputs_hash(project, optimiser.is_some())?;
    let previous = fs::read_to_string(&stamp).unwrap_or_default();
    let is_allowed_toolchain = |name: &str| match forced {
        None => true,
        Some(Choice::Rustup) => name == Toolchain::Active.name(),
        Some(Choice::Debian) => name == Toolchain::Debian.name(),
    };
    if let Some((hash, name)) = previous.split_once(' ')
        && hash == inputs
        && is_allowed_toolchain(name)
        && folder.join("index.html").is_file()
    {
        run::print_status(format!("site: {} is up to date", project.relative(&folder)));
        return Ok(folder);
    }
    check_bindgen_version(project)?;

    let toolchain = toolchain::choose(project, forced)?;
    run::print_status(format!(
        "site: compiling with the {} toolchain (takes minutes the first time)",
        toolchain.name()
    ));
    let work = project.target.join("site-bindgen");
    create_empty(&work)?;
    if optimiser.is_none() {
        run::print_status("site: there is no recent wasm-opt, so the wasm is about 1 % larger");
    }
    let mut chunks = Chunks::new();
    for (package, folder) in MODULES {
        let (mut cargo, compiled) = toolchain.build(project, package);
        run::stream(&mut cargo, "See the compiler's message above. The site must compile for wasm32.")?;
        let folder = work.join(folder);
        fs::create_dir_all(&folder)?;
        if package == SITE {
            chunks = wasm::split(&compiled, "bukti", &pages::download_function(project)?, &folder)?;
        } else {
            wasm::generate_worker(&compiled, VERIFIER, &folder)?;
        }
        for module in files_below(&folder)?.iter().filter(|file| has_extension(file, &["wasm"])) {
            wasm::strip(module)?;
            if let Some(optimiser) = &optimiser {
                wasm::optimise(project, optimiser, module);
            }
        }
    }
    let pages = run::capture(&mut project.command(program(project)?), "")?;
    let prerendered =
        serde_json::from_str(&pages).context("the program of the site did not print pages as JSON")?;

    // The site is built in another folder, which then replaces the old one, so that a failed build
    // leaves the old site intact.
    let new = project.target.join("site.new");
    create_empty(&new)?;
    pages::assemble(project, &work, &chunks, &prerendered, &new)?;
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

/// Compiles the site as a native program that pre-renders the pages.
fn compile_program(project: &Project) -> Result<PathBuf> {
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bin", SITE]);
    run::stream(&mut build, "See the compiler's message above.")?;
    Ok(program(project))
}

/// Returns the path of the site's native program.
pub fn program(project: &Project) -> PathBuf {
    project.target.join("debug").join(SITE)
}

/// Hashes the names and contents of [`INPUTS`], and the flag `is_optimised`.
fn inputs_hash(project: &Project, is_optimised: bool) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update([u8::from(is_optimised)]);
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

/// Checks that the macro and the tool of wasm-bindgen have the same version, because they share a
/// private format that changes between versions.
fn check_bindgen_version(project: &Project) -> Result<()> {
    let lock = fs::read_to_string(project.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let (macros, tool) =
        (locked_version(&lock, "wasm-bindgen"), locked_version(&lock, "wasm-bindgen-cli-support"));
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

/// Finds the version of a package in `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// Writes a `.br` and a `.gz` copy of every compressible file that is not too small.
fn compress(folder: &Path) -> Result<()> {
    for file in files_below(folder)?.iter().filter(|file| has_extension(file, &COMPRESSIBLE)) {
        let content = fs::read(file)?;
        if content.len() < MIN_COMPRESSED_SIZE {
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
    run::print_status(format!("site: {} built in {:.0} s", project.relative(folder), took.as_secs_f32()));
    eprintln!("  {:<40}{:>11}{:>13}", "file", "KB", "KB brotli");
    let row = |name: &str, (raw, brotli): (u64, u64)| {
        eprintln!("  {name:<40}{:>11.1}{:>13.1}", kilobytes(raw), kilobytes(brotli));
    };
    let (mut site, mut verifier) = ((0, 0), (0, 0));
    for file in files_below(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        let is_listed = name.starts_with("assets") || name == "index.html";
        if !is_listed || has_extension(&file, &["br", "gz"]) {
            continue;
        }
        let raw = fs::metadata(&file)?.len();
        let brotli = fs::metadata(format!("{}.br", file.display())).map_or(raw, |metadata| metadata.len());
        let total = if name.contains(VERIFIER) { &mut verifier } else { &mut site };
        *total = (total.0 + raw, total.1 + brotli);
        row(&name, (raw, brotli));
    }
    row("total of the site", site);
    row("additional files of the verifier", verifier);
    Ok(())
}

fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_locked_version_by_exact_package_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-shared\"\nversion = \"0.2.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "leptos"), None);
    }
}
