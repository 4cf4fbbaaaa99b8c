//! `bukti-local`: runs the embedded stack.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bukti_local::{Options, Stack, StartError, demo};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// One thread allocates a request and another frees it, which causes lock contention in glibc's
/// allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bukti and the AWS services that it uses, in one process on this machine. Listens on 127.0.0.1
/// only.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to listen on; 0 selects a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The data folder, which is kept across restarts.
    #[arg(long, value_name = "DIR", default_value = ".bukti")]
    data: PathBuf,
    /// The folder of the built site.
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// A file of additional vaccines and diseases, in the format of
    /// functions/lib/domain/vaccines.json.
    #[arg(long, value_name = "FILE")]
    vaccines: Option<PathBuf>,
    /// Countries besides Indonesia whose phone numbers can receive SMS, such as +60,+65.
    #[arg(long)]
    phone_countries: Option<String>,
    /// A dose feed of fictitious people, imported on the first start; `/_demo` lists some of them.
    #[arg(long, value_name = "FEED.csv")]
    demo: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // s3s-fs and SQLite create files with the default mode, so the umask makes new files private to
    // the owner.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    bukti_runtime::start_logs();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let no_signals = |error: std::io::Error| StartError::Other(error.into());
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let Arguments { port, data, site, vaccines, phone_countries, demo } = arguments;
    let options = Options { port, data: data.clone(), site, vaccines, phone_countries, ..Options::default() };
    let stack = tokio::select! {
        started = Stack::start(options) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    if let Some(feed) = &demo {
        demo::import(stack.info(), &data, feed).await?;
    }
    print_welcome(&stack, demo.is_some());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // A second Ctrl-C terminates the process at once.
    tokio::select! {
        () = stack.stop() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn print_welcome(stack: &Stack, has_demo: bool) {
    let url = stack.url();
    let first_step = if has_demo {
        format!("{url}/_demo lists people to try it with")
    } else {
        // On development machines, a sample feed may exist next to the project.
        const SAMPLE: &str = "../shared/data/satudata/doses-1.csv";
        let feed = if Path::new(SAMPLE).is_file() { SAMPLE } else { "FEED.csv" };
        format!("cargo run -q -p bukti-cli -- import {feed} --endpoint {url}")
    };
    let text = format!(
        "Bukti is running at {url}\n\n\
         What to try next:\n  \
         {first_step}\n  \
         cargo run -q -p bukti-cli -- officer add 081200000001 --name Rina --role supervisor --endpoint {url}\n    \
         adds an officer, who logs in at {url}/helpdesk\n  \
         {url}/_sms shows the SMS that were sent\n  \
         {url}/_flow shows how many doses have passed each stage\n"
    );
    let mut out = std::io::stdout().lock();
    // If the reader has closed the pipe, the stack must keep running.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
