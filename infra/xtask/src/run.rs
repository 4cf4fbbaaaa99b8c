//! Runs other programs. Prints their command lines, and explains what to do if one fails.

use std::ffi::OsStr;
use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

/// Prints a progress message, marked so that it stands out from the output of other programs.
pub fn print_status(text: impl AsRef<str>) {
    eprintln!("{} {}", paint("1;36", "xtask"), text.as_ref());
}

/// Applies an ANSI style to a text if stderr is a terminal and `NO_COLOR` is not set.
pub fn paint(style: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Runs a program that inherits stdout and stderr.
///
/// # Errors
/// If the program cannot be started or fails. The message ends with `remedy`, which says what to
/// do.
pub fn stream(command: &mut Command, remedy: &str) -> Result<()> {
    print_command(command);
    let status = command.stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    if !status.success() {
        bail!("{} {}. {remedy}", name(command), describe(status));
    }
    Ok(())
}

/// Runs a program and returns its standard output.
///
/// # Errors
/// If the program cannot be started or fails. The message includes its standard error and `remedy`.
pub fn capture(command: &mut Command, remedy: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{} {}: {}. {remedy}", name(command), describe(output.status), message.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program for at most `limit` and writes its output to the file `log`. Shows a spinner on a
/// terminal.
///
/// # Errors
/// If the program cannot be started, fails, or exceeds the limit. The message ends with the last
/// lines of the log.
pub fn to_log(command: &mut Command, log: &Path, limit: Duration, remedy: &str) -> Result<()> {
    print_command(command);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let spinner =
        std::io::stderr().is_terminal().then(|| ProgressBar::new_spinner().with_message(name(command)));
    let began = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {}. {remedy}", name(command)))?;
    let result = loop {
        if let Some(status) = child.try_wait()? {
            break describe(status);
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break format!("was stopped after {} seconds", limit.as_secs());
        }
        if let Some(spinner) = &spinner {
            spinner.tick();
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    if result != SUCCESS {
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n  ");
        bail!("{} {result}. {remedy}\n  {last}", name(command));
    }
    Ok(())
}

/// Creates a command that runs in a folder, without the environment variables of the outer `cargo
/// run`. They would make an inner cargo build with different settings than the same command in a
/// shell.
pub fn command(folder: &Path, program: impl AsRef<OsStr>) -> Command {
    const PREFIXES: [&str; 6] =
        ["CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_CFG_", "CARGO_FEATURE_", "__CARGO"];
    const NAMES: [&str; 5] =
        ["CARGO", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR", "LD_LIBRARY_PATH"];
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let is_set_by_cargo = name.to_str().is_some_and(|name| {
            NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if is_set_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Finds a program on the `PATH`.
pub fn find_program(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

const SUCCESS: &str = "succeeded";

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => SUCCESS.to_owned(),
        Some(code) => format!("failed with exit code {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

/// Formats the program and its subcommand, for messages.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let first = command.get_args().next().filter(|argument| !argument.as_encoded_bytes().starts_with(b"-"));
    match first {
        Some(first) if first.len() < 20 => format!("`{} {}`", program.display(), first.display()),
        _ => format!("`{}`", program.display()),
    }
}

fn print_command(command: &Command) {
    let words: Vec<String> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(quote).collect();
    eprintln!("{}", paint("2", &format!("$ {}", words.join(" "))));
}

/// Quotes an argument for a shell, if necessary.
fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("'{word}'") }
}
