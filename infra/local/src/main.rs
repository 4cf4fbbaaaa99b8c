//! `bukti-local`: Bukti on one machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bukti_local::{Options, Stack, StartError, demo};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Each request is made by one thread and its answer freed by another, which that of libc has wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bukti and the AWS services that it uses, in one process on this machine. Listens on 127.0.0.1 only.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; 0 takes a free port.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The folder of the data, which survive a restart.
    #[arg(long, value_name = "DIR", default_value = ".bukti")]
    data: PathBuf,
    /// The folder of the built site.
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// A file of vaccines and diseases beside the built-in ones, in the form of functions/lib/domain/vaccines.json.
    #[arg(long, value_name = "FILE")]
    vaccines: Option<PathBuf>,
    /// Countries beside Indonesia whose phones get SMS, such as +60,+65.
    #[arg(long)]
    phone_countries: Option<String>,
    /// A dose feed that is taken in at the first start, of people to try things with: `/_demo`
    /// names some.
    #[arg(long, value_name = "FEED.csv")]
    demo: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What S3 and SQLite write is readable by its owner only.
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
        demo::take_in(stack.info(), &data, feed).await?;
    }
    say(&stack, demo.is_some());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // A second Ctrl-C does not wait.
    tokio::select! {
        () = stack.stop() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn say(stack: &Stack, has_demo: bool) {
    let url = stack.url();
    let first = if has_demo {
        format!("{url}/_demo names people to try it with")
    } else {
        // The sample feed lies beside the project, where it is there.
        const SAMPLE: &str = "../shared/data/satudata/doses-1.csv";
        let feed = if Path::new(SAMPLE).is_file() { SAMPLE } else { "FEED.csv" };
        format!("cargo run -q -p bukti-cli -- import {feed} --endpoint {url}")
    };
    let text = format!(
        "Bukti is running at {url}\n\n\
         What to try next:\n  \
         {first}\n  \
         cargo run -q -p bukti-cli -- officer add 081200000001 --name Rina --role supervisor --endpoint {url}\n    \
         appoints an officer, who logs in at {url}/helpdesk\n  \
         {url}/_sms shows the SMS that were sent\n  \
         {url}/_flow shows how much has come how far\n"
    );
    let mut out = std::io::stdout().lock();
    // Whoever started it may have closed the pipe; it runs all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
