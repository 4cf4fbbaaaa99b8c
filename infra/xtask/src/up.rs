//! Builds the system and runs it on this machine.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::toolchain::Choice;
use crate::{Project, run, site};

#[derive(Args)]
pub struct Options {
    /// The port of the site and its API, on loopback only; 0 selects a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The data folder, which is kept across restarts [default: .bukti in the project's root].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Import a hundred fictitious people, once; `/_demo` lists some of them.
    #[arg(long)]
    demo: bool,
    /// A file of additional vaccines and diseases, in the format of
    /// functions/lib/domain/vaccines.json.
    #[arg(long, value_name = "FILE")]
    vaccines: Option<PathBuf>,
    /// Countries besides Indonesia whose phone numbers can receive SMS, such as +60,+65.
    #[arg(long)]
    phone_countries: Option<String>,
    /// Compile the site with this toolchain only, instead of the first that works.
    #[arg(long, value_enum, value_name = "TOOLCHAIN")]
    wasm_toolchain: Option<Choice>,
}

/// Builds everything, then replaces this process with the stack, so that Ctrl-C reaches the stack.
///
/// # Errors
/// If the port is in use or the data folder cannot be written, which is checked before the build,
/// or if a build fails.
pub fn up(project: &Project, options: &Options) -> Result<()> {
    let data = match &options.data {
        Some(data) => std::path::absolute(data)?,
        None => project.root.join(".bukti"),
    };
    check_port(options.port)?;
    check_data(&data)?;
    let site = site::build(project, options.wasm_toolchain)?;
    let mut build = project.command("cargo");
    build.args(["build", "--package", "bukti-local", "--package", "bukti-cli"]);
    run::stream(&mut build, "See the compiler's message above.")?;
    let mut local = project.command(project.target.join("debug/bukti-local"));
    local.arg("--port").arg(options.port.to_string()).arg("--data").arg(&data).arg("--site").arg(&site);
    if options.demo {
        let feed = project.target.join("demo.csv");
        let mut sample = project.command(project.target.join("debug/bukti"));
        run::capture(sample.args(["sample", "--people", "100", "--feed"]).arg(&feed), "")?;
        local.arg("--demo").arg(&feed);
    }
    if let Some(countries) = &options.phone_countries {
        local.arg("--phone-countries").arg(countries);
    }
    if let Some(vaccines) = &options.vaccines {
        local.arg("--vaccines").arg(std::path::absolute(vaccines)?);
    }
    // `exec` returns only if it fails.
    Err(local.exec()).with_context(|| format!("cannot start {}", local.get_program().display()))
}

fn check_port(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).with_context(|| {
        let other = if port == 8080 { 8090 } else { 8080 };
        format!("cannot listen on port {port}: stop the program that uses it, or choose another with --port {other}")
    })
}

fn check_data(data: &Path) -> Result<()> {
    let probe = data.join(".writable");
    let written =
        fs::create_dir_all(data).and_then(|()| fs::write(&probe, "")).and_then(|()| fs::remove_file(&probe));
    written
        .with_context(|| format!("cannot write to {}: choose another folder with --data DIR", data.display()))
}
