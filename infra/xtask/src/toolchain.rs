//! Which toolchain compiles the site to WebAssembly.
//!
//! In this order: the active toolchain if it has the target `wasm32-unknown-unknown`; the same after `rustup
//! target add`; Debian's toolchain for browsers (`rustc-web`), which compiles the standard library from
//! source. The last one needs nothing but Debian's packages and crates.io, so the project builds behind a
//! firewall that lets only package registries through.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{Project, run, tools};

/// The cargo profile of the site: small before fast.
const PROFILE: &str = "wasm-release";
const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";
/// The packages of Debian's toolchain; `lld` brings the linker `wasm-ld`.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// What a caller may force.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The active toolchain, with `rustup target add` where it lacks the target.
    Rustup,
    /// Debian's `rustc-web`, installed by apt-get where it is missing.
    Debian,
}

/// A toolchain that is there and can compile the site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The one that runs cargo now.
    Active,
    /// Debian's, in /usr/bin.
    Debian,
}

impl Toolchain {
    /// A word for messages and the stamp.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "rustup",
            Self::Debian => "debian",
        }
    }

    /// The cargo call that compiles a binary of a package to wasm, and the file that it makes.
    pub fn build(self, project: &Project, package: &str) -> (Command, PathBuf) {
        let folder = self.folder(project);
        let mut command = match self {
            Self::Active => project.command("cargo"),
            Self::Debian => debian_cargo(project),
        };
        // `erase_components`: Leptos drops the types of components, which makes the wasm a tenth
        // smaller. `--emit-relocs`: by relocations the splitter finds which function uses which, so
        // it needs them. `module::strip` removes them.
        let mut flags = String::from("--cfg=erase_components -Clink-arg=--emit-relocs");
        if self.has_std_source(project) {
            // Compiles the standard library as well. Debian's toolchain has none for wasm, so it
            // needs this; with rustup's it is for size: `immediate-abort` leaves out the messages
            // of panics, which nobody reads on a phone, 27 of the first visit's 248 KB (ADR 0013).
            // A panic is a trap either way. These options are unstable; RUSTC_BOOTSTRAP makes a
            // stable compiler accept them, and is set for the wasm alone.
            flags.push_str(" -Zunstable-options -Cpanic=immediate-abort");
            command.env("RUSTC_BOOTSTRAP", "1");
            command.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        }
        command.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.args([
            "build",
            "--package",
            package,
            "--bin",
            package,
            "--target",
            TARGET,
            "--profile",
            PROFILE,
        ]);
        command.arg("--target-dir").arg(&folder);
        let wasm = folder.join(TARGET).join(PROFILE).join(format!("{package}.wasm"));
        (command, wasm)
    }

    /// Whether the standard library can be compiled from its source.
    pub fn has_std_source(self, project: &Project) -> bool {
        match self {
            Self::Active => active_has_std_source(project),
            Self::Debian => true,
        }
    }

    /// Each toolchain has its own folder, since each would throw away the other's results.
    fn folder(self, project: &Project) -> PathBuf {
        match self {
            Self::Active => project.target.join("wasm-rustup"),
            Self::Debian => project.target.join("wasm-debian"),
        }
    }
}

/// Finds a toolchain, or installs one.
///
/// # Errors
/// When none is there and none can be installed; the message says what to do.
pub fn choose(project: &Project, forced: Option<Choice>) -> Result<Toolchain> {
    if forced != Some(Choice::Debian) {
        if active_has_target(project) {
            add_std_source(project);
            return Ok(Toolchain::Active);
        }
        // A second build does not ask rustup again, which is slow where its servers cannot be reached.
        if forced.is_none() && Toolchain::Debian.folder(project).is_dir() && missing_of_debian().is_empty() {
            return Ok(Toolchain::Debian);
        }
        match add_target(project) {
            Ok(()) => {
                add_std_source(project);
                return Ok(Toolchain::Active);
            }
            Err(error) if forced == Some(Choice::Rustup) => bail!(
                "the active toolchain has no {TARGET} and rustup could not add it. Run `rustup target add \
                 {TARGET}` where rustup's servers can be reached, or on Debian use --wasm-toolchain debian. \
                 {error:#}"
            ),
            Err(_) => run::say(format!("rustup cannot add {TARGET} here: using Debian's toolchain instead")),
        }
    }
    install_debian(project)?;
    Ok(Toolchain::Debian)
}

fn active_has_target(project: &Project) -> bool {
    let mut rustc = project.command("rustc");
    let folder = run::capture(rustc.args(["--print", "target-libdir", "--target", TARGET]), "");
    let has_std = |folder: &Path| {
        std::fs::read_dir(folder).is_ok_and(|mut files| {
            files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
        })
    };
    folder.is_ok_and(|folder| has_std(Path::new(folder.trim())))
}

fn active_has_std_source(project: &Project) -> bool {
    let root = run::capture(project.command("rustc").args(["--print", "sysroot"]), "");
    root.is_ok_and(|root| Path::new(root.trim()).join("lib/rustlib/src/rust/library/std").is_dir())
}

/// Adds the source of the standard library where rustup can, and says so where it cannot.
fn add_std_source(project: &Project) {
    if !active_has_std_source(project) && rustup(project, &["component", "add", "rust-src"]).is_err() {
        run::say("rustup cannot add rust-src here: the site's wasm stays about a sixth larger");
    }
}

fn rustup(project: &Project, arguments: &[&str]) -> Result<()> {
    if run::found("rustup").is_none() {
        bail!("there is no rustup.");
    }
    tools::check_may_install(&arguments.join(" "), "for the site's toolchain")?;
    let log = project.target.join("xtask-logs/rustup.log");
    run::quietly(project.command("rustup").args(arguments), &log, Duration::from_secs(120), "")
}

fn add_target(project: &Project) -> Result<()> {
    rustup(project, &["target", "add", TARGET])?;
    if !active_has_target(project) {
        bail!("rustup added it, but not to the active toolchain.");
    }
    Ok(())
}

fn missing_of_debian() -> Vec<&'static str> {
    let there = [
        Path::new(DEBIAN_RUSTC).is_file(),
        Path::new(DEBIAN_CARGO).is_file(),
        Path::new(DEBIAN_STD_SOURCE).is_dir(),
        run::found("wasm-ld").is_some(),
    ];
    DEBIAN_PACKAGES.into_iter().zip(there).filter(|(_, there)| !there).map(|(package, _)| package).collect()
}

fn install_debian(project: &Project) -> Result<()> {
    let missing = missing_of_debian();
    if missing.is_empty() {
        return Ok(());
    }
    tools::apt_install(project, &missing, "to compile the site to WebAssembly")?;
    let still = missing_of_debian();
    if !still.is_empty() {
        bail!(
            "apt-get ran, but {} did not bring what is needed. On Debian 12 or later these packages do; \
             elsewhere run `rustup target add {TARGET}` and use --wasm-toolchain rustup.",
            still.join(", ")
        );
    }
    Ok(())
}

/// Debian's cargo, with nothing of the outer toolchain in its environment: not rustup's choice, no compiler
/// flags, no compiler wrapper. The user's settings of the registry, the network and the terminal stay.
fn debian_cargo(project: &Project) -> Command {
    const TOOLCHAIN: [&str; 2] = ["CARGO", "RUST"];
    const USER: [&str; 5] = ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    let mut command = project.command(DEBIAN_CARGO);
    for (name, _) in std::env::vars_os() {
        let begins = |with: &[&str]| with.iter().any(|it| name.as_encoded_bytes().starts_with(it.as_bytes()));
        if begins(&TOOLCHAIN) && !begins(&USER) {
            command.env_remove(&name);
        }
    }
    command.env("RUSTC", DEBIAN_RUSTC);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
    command
}
