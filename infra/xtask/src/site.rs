//! Builds the web site: WebAssembly, its JavaScript, styles and texts, each under a name that changes with its content, so
//! that browsers and CloudFront may keep them for good; and every page in every language as HTML, rendered ahead by the same
//! source. Pages, `sw.js` and `settings.json` are asked for anew each time.
//!
//! There are two modules: the site, which is cut into parts that are loaded with the pages that need them, and the verifier.

mod module;
mod pages;
mod styles;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use self::module::{Parts, VERIFIER};
use crate::files::{clear, files_below, has_extension, hex};
use crate::toolchain::{self, Choice, Toolchain};
use crate::{Project, run};

const SITE: &str = "bukti-site";
/// The packages that are compiled, and the folders of their files.
pub const MODULES: [(&str, &str); 2] = [(SITE, "site"), ("bukti-verifier", VERIFIER)];

/// What the site is made from: a change in any of these builds it again.
const INPUTS: [&str; 9] = [
    "site",
    "functions/lib/domain",
    "functions/lib/hcert",
    "functions/lib/trust",
    "functions/lib/wire",
    "functions/lib/locales",
    "infra/xtask/src",
    "Cargo.lock",
    // The profile.
    "Cargo.toml",
];

/// What gets a precompressed copy. Pictures and fonts (woff2) are compressed already.
const TEXT: [&str; 10] = ["html", "js", "css", "wasm", "svg", "json", "txt", "xml", "webmanifest", "ico"];
/// Smaller files than this gain nothing.
const COMPRESS_FROM: usize = 1024;

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
    build_with(project, forced, compile_program)
}

/// The same, its pages rendered by the program that this gives.
///
/// # Errors
/// As [`build`].
pub fn build_with(
    project: &Project,
    forced: Option<Choice>,
    program: impl FnOnce(&Project) -> Result<PathBuf>,
) -> Result<PathBuf> {
    let began = Instant::now();
    let folder = project.target.join("site");
    let stamp = project.target.join("site.stamp");
    let optimiser = module::optimiser(project);
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
        run::say("site: no wasm-opt that is new enough here; the wasm stays a little larger");
    }
    let mut parts = Parts::new();
    for (package, folder) in MODULES {
        let (mut cargo, compiled) = toolchain.build(project, package);
        run::stream(
            &mut cargo,
            "The compiler's message above says where. The site must compile for wasm32.",
        )?;
        let folder = work.join(folder);
        fs::create_dir_all(&folder)?;
        if package == SITE {
            parts = module::cut(&compiled, "bukti", &pages::download_function(project)?, &folder)?;
        } else {
            module::bind(&compiled, VERIFIER, &folder)?;
        }
        for wasm in files_below(&folder)?.iter().filter(|file| has_extension(file, &["wasm"])) {
            module::strip(wasm)?;
            if let Some(optimiser) = &optimiser {
                module::optimise(project, optimiser, wasm);
            }
        }
    }
    let pages = run::capture(&mut project.command(program(project)?), "")?;
    let ahead = serde_json::from_str(&pages).context("the site's program prints no pages")?;

    // Made beside the old one and then put in its place, so that a failure leaves the old site whole.
    let new = project.target.join("site.new");
    clear(&new)?;
    pages::assemble(project, &work, &parts, &ahead, &new)?;
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

/// Compiles the site's own source as a program of this machine, which renders the pages ahead.
fn compile_program(project: &Project) -> Result<PathBuf> {
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bin", SITE]);
    run::stream(&mut build, "The compiler's message above says where.")?;
    Ok(program(project))
}

/// Where cargo puts that program.
pub fn program(project: &Project) -> PathBuf {
    project.target.join("debug").join(SITE)
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
    eprintln!("  {:<40}{:>11}{:>13}", "file", "KB", "KB brotli");
    let row = |name: &str, (raw, brotli): (u64, u64)| {
        eprintln!("  {name:<40}{:>11.1}{:>13.1}", kilobytes(raw), kilobytes(brotli));
    };
    let (mut site, mut verifier) = ((0, 0), (0, 0));
    for file in files_below(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        let listed = name.starts_with("assets") || name == "index.html";
        if !listed || has_extension(&file, &["br", "gz"]) {
            continue;
        }
        let raw = fs::metadata(&file)?.len();
        let brotli = fs::metadata(format!("{}.br", file.display())).map_or(raw, |metadata| metadata.len());
        let part = if name.contains(VERIFIER) { &mut verifier } else { &mut site };
        *part = (part.0 + raw, part.1 + brotli);
        row(&name, (raw, brotli));
    }
    row("the site together", site);
    row("page of verifiers, in addition", verifier);
    Ok(())
}

fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1000.0
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
}
