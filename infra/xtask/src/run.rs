//! Running other programs: the command line is shown, a failure says what to do next.

use std::ffi::OsStr;
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

/// Says one line about what happens, apart from the output of the programs that run.
pub fn say(text: impl AsRef<str>) {
    eprintln!("{} {}", paint("1;36", "xtask"), text.as_ref());
}

/// Text in an ANSI style on a terminal, plain elsewhere.
pub fn paint(style: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Runs a program, its output going where ours goes.
///
/// # Errors
/// When it cannot be started or ends with another code than 0; `remedy` says what to do then.
pub fn stream(command: &mut Command, remedy: &str) -> Result<()> {
    show(command);
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    if !status.success() {
        bail!("{} {}. {remedy}", name(command), ending(status));
    }
    Ok(())
}

/// Runs a program silently and gives its standard output.
///
/// # Errors
/// As [`stream`], with what the program wrote to standard error.
pub fn capture(command: &mut Command, remedy: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} {}: {}. {remedy}", name(command), ending(output.status), said.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program whose output matters only when it fails, for at most `limit`. It is shown by a spinner on a
/// terminal; its output goes to the file `log`.
///
/// # Errors
/// As [`stream`], also when the limit has passed; the error ends with the last lines of the log.
pub fn quietly(command: &mut Command, log: &Path, limit: Duration, remedy: &str) -> Result<()> {
    show(command);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let spinner =
        std::io::stderr().is_terminal().then(|| ProgressBar::new_spinner().with_message(name(command)));
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break ending(status);
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break format!("did not end within {} seconds", limit.as_secs());
        }
        if let Some(spinner) = &spinner {
            spinner.tick();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    if ended != SUCCESS {
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
        bail!("{} {ended}. {remedy}\n  {last}", name(command));
    }
    Ok(())
}

/// A program that will run in a folder, without what the outer `cargo run` put into the environment: those
/// variables would make an inner cargo build other things than the same command typed by hand.
pub fn command(folder: &Path, program: impl AsRef<OsStr>) -> Command {
    const PREFIXES: [&str; 6] =
        ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_CFG_", "CARGO_FEATURE_", "__CARGO"];
    const NAMES: [&str; 5] =
        ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR", "LD_LIBRARY_PATH"];
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let left_by_cargo = name.to_str().is_some_and(|name| {
            NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if left_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// The path of a program that is on the PATH.
pub fn found(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

const SUCCESS: &str = "ended well";

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => SUCCESS.to_owned(),
        Some(code) => format!("ended with code {code}"),
        None => "was stopped by a signal".to_owned(),
    }
}

/// The program and its subcommand, for messages.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let first = command.get_args().next().filter(|argument| !argument.as_encoded_bytes().starts_with(b"-"));
    match first {
        Some(first) if first.len() < 20 => format!("`{} {}`", program.display(), first.display()),
        _ => format!("`{}`", program.display()),
    }
}

fn show(command: &Command) {
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    eprintln!("{}", paint("2", &format!("$ {}", words.join(" "))));
}

/// A word as one would type it into a shell.
fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
}
