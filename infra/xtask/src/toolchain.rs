//! Chooses the toolchain that compiles the site to WebAssembly.
//!
//! The candidates, in order, are the active toolchain if it has the target
//! `wasm32-unknown-unknown`, the active toolchain after `rustup target add`, and Debian's toolchain
//! for browsers (`rustc-web`), which compiles the standard library from source. Debian's toolchain
//! needs only Debian packages and crates.io, so the project also builds behind a firewall that
//! allows only package registries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{Project, run, tools};

/// The cargo profile of the site, which optimises for size.
const PROFILE: &str = "wasm-release";
const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";
/// The packages of Debian's toolchain. `lld` provides the linker `wasm-ld`.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// A toolchain that the user can select explicitly.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The active toolchain, after `rustup target add` if it lacks the target.
    Rustup,
    /// Debian's `rustc-web`, installed with apt-get if it is missing.
    Debian,
}

/// An installed toolchain that can compile the site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The currently active toolchain, usually managed by rustup.
    Active,
    /// Debian's toolchain, in /usr/bin.
    Debian,
}

impl Toolchain {
    /// Returns the name for messages and for the stamp file of the site.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "rustup",
            Self::Debian => "debian",
        }
    }

    /// Returns the cargo command that compiles a package's binary to wasm, and the path of the
    /// output.
    pub fn build(self, project: &Project, package: &str) -> (Command, PathBuf) {
        let folder = self.folder(project);
        let mut command = match self {
            Self::Active => project.command("cargo"),
            Self::Debian => debian_cargo(project),
        };
        // `erase_components` makes Leptos erase component types, which makes the wasm a tenth
        // smaller. `--emit-relocs` keeps the relocations, with which the splitter finds calls
        // between functions; `wasm::strip` removes them afterwards.
        let mut flags = String::from("--cfg=erase_components -Clink-arg=--emit-relocs");
        if self.has_std_source(project) {
            // This also compiles the standard library. Debian's toolchain has none for wasm. With
            // rustup's toolchain it reduces the size: `immediate-abort` omits panic messages, which
            // account for 27 KB of the 248 KB of a first visit (ADR 0013). A panic is a trap either
            // way. RUSTC_BOOTSTRAP makes a stable compiler accept these unstable options; it is set
            // only for wasm.
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

    /// Whether the source of the standard library is installed.
    pub fn has_std_source(self, project: &Project) -> bool {
        match self {
            Self::Active => active_has_std_source(project),
            Self::Debian => true,
        }
    }

    /// Returns the target folder. Toolchains that share a target folder discard each other's
    /// output.
    fn folder(self, project: &Project) -> PathBuf {
        match self {
            Self::Active => project.target.join("wasm-rustup"),
            Self::Debian => project.target.join("wasm-debian"),
        }
    }
}

/// Finds or installs a toolchain.
///
/// # Errors
/// If no toolchain is available and none can be installed. The message says what to do.
pub fn choose(project: &Project, forced: Option<Choice>) -> Result<Toolchain> {
    if forced != Some(Choice::Debian) {
        if active_has_target(project) {
            add_std_source(project);
            return Ok(Toolchain::Active);
        }
        // Later builds do not call rustup again, which is slow if its servers are unreachable.
        if forced.is_none()
            && Toolchain::Debian.folder(project).is_dir()
            && missing_debian_packages().is_empty()
        {
            return Ok(Toolchain::Debian);
        }
        match add_target(project) {
            Ok(()) => {
                add_std_source(project);
                return Ok(Toolchain::Active);
            }
            Err(error) if forced == Some(Choice::Rustup) => bail!(
                "the active toolchain has no {TARGET}, and rustup cannot add it. Run `rustup target add {TARGET}` \
                 while rustup's servers are reachable, or use --wasm-toolchain debian on Debian. {error:#}"
            ),
            Err(_) => {
                run::print_status(format!("rustup cannot add {TARGET}: using Debian's toolchain instead"))
            }
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

/// Installs the source of the standard library with rustup. If that fails, prints the consequence.
fn add_std_source(project: &Project) {
    if !active_has_std_source(project) && rustup(project, &["component", "add", "rust-src"]).is_err() {
        run::print_status("rustup cannot add rust-src: the wasm of the site is about a sixth larger");
    }
}

fn rustup(project: &Project, arguments: &[&str]) -> Result<()> {
    if run::find_program("rustup").is_none() {
        bail!("rustup is not installed.");
    }
    tools::check_may_install(&arguments.join(" "), "for the site's toolchain")?;
    let log = project.target.join("xtask-logs/rustup.log");
    run::to_log(project.command("rustup").args(arguments), &log, Duration::from_secs(120), "")
}

fn add_target(project: &Project) -> Result<()> {
    rustup(project, &["target", "add", TARGET])?;
    if !active_has_target(project) {
        bail!("rustup added the target to another toolchain than the active one.");
    }
    Ok(())
}

fn missing_debian_packages() -> Vec<&'static str> {
    let installed = [
        Path::new(DEBIAN_RUSTC).is_file(),
        Path::new(DEBIAN_CARGO).is_file(),
        Path::new(DEBIAN_STD_SOURCE).is_dir(),
        run::find_program("wasm-ld").is_some(),
    ];
    DEBIAN_PACKAGES
        .into_iter()
        .zip(installed)
        .filter(|(_, installed)| !installed)
        .map(|(package, _)| package)
        .collect()
}

fn install_debian(project: &Project) -> Result<()> {
    let missing = missing_debian_packages();
    if missing.is_empty() {
        return Ok(());
    }
    tools::apt_install(project, &missing, "to compile the site to WebAssembly")?;
    let still_missing = missing_debian_packages();
    if !still_missing.is_empty() {
        bail!(
            "apt-get succeeded, but the programs of {} are still missing. Debian 12 and later have these \
             packages; elsewhere run `rustup target add {TARGET}` and use --wasm-toolchain rustup.",
            still_missing.join(", ")
        );
    }
    Ok(())
}

/// Creates a command for Debian's cargo, without the environment variables of the outer toolchain
/// (rustup toolchain, compiler flags, wrappers). Keeps the user's settings for registries, network
/// and terminal.
fn debian_cargo(project: &Project) -> Command {
    const TOOLCHAIN_PREFIXES: [&str; 2] = ["CARGO", "RUST"];
    const USER_PREFIXES: [&str; 5] =
        ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    let mut command = project.command(DEBIAN_CARGO);
    for (name, _) in std::env::vars_os() {
        let has_prefix = |prefixes: &[&str]| {
            prefixes.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        };
        if has_prefix(&TOOLCHAIN_PREFIXES) && !has_prefix(&USER_PREFIXES) {
            command.env_remove(&name);
        }
    }
    command.env("RUSTC", DEBIAN_RUSTC);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
    command
}
