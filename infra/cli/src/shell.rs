//! `bukti completions` and `bukti man`: shell completions and manual pages, generated from the clap
//! definition of the command line.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::Arguments;
use crate::output::print;

#[derive(Args)]
pub(crate) struct CompletionOptions {
    /// Shell to print the completion script of
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManOptions {
    /// Write a page for each command to this folder, instead of `bukti.1` to the standard output
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
}

pub(crate) fn print_completions(options: &CompletionOptions) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut visible_command(), "bukti", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn write_manual(options: &ManOptions) -> Result<ExitCode> {
    let mut command = visible_command().disable_help_subcommand(true);
    command.build();
    match &options.output {
        None => print(&page(command)?.1),
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let mut commands = vec![command];
            while let Some(command) = commands.pop() {
                commands.extend(command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned());
                let (name, text) = page(command)?;
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the command line without its hidden commands, which the generators would include.
fn visible_command() -> clap::Command {
    let whole = Arguments::command();
    let visible = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut command = clap::Command::new("bukti")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .args(whole.get_arguments().cloned())
        .subcommands(visible);
    if let Some(about) = whole.get_about() {
        command = command.about(about.clone());
    }
    if let Some(examples) = whole.get_after_help() {
        command = command.after_help(examples.clone());
    }
    command
}

/// Renders the manual page of a built command. Returns the file name and the page.
fn page(command: clap::Command) -> Result<(String, String)> {
    let has_subcommands = command.get_subcommands().next().is_some();
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command).manual("Bukti");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_subcommands {
        man.render_subcommands_section(&mut text)?;
    }
    write_examples(&mut text, &examples)?;
    Ok((man.get_filename(), String::from_utf8_lossy(&text).into_owned()))
}

/// Writes the lines below "Examples:" as a section, without joining them. The generator itself
/// would name the section "Extra".
fn write_examples(text: &mut Vec<u8>, after_help: &str) -> Result<()> {
    let mut lines = after_help.lines().skip(1).peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    writeln!(text, ".SH EXAMPLES\n.nf")?;
    for line in lines {
        // In roff, `\-` is a minus sign, so that the example can be copied from the page.
        writeln!(text, "{}", line.trim().replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(text, ".fi")?;
    Ok(())
}
