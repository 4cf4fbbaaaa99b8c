//! Tests help, old command names, completions, manual pages, empty lists and colours.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use bukti_local::{Options, Stack};

/// The exit code and output of a command.
struct Printed {
    code: i32,
    out: String,
    err: String,
}

fn bukti(arguments: &[&str]) -> Printed {
    bukti_with(arguments, &[])
}

/// Runs the command with only these environment variables.
fn bukti_with(arguments: &[&str], variables: &[(&str, &str)]) -> Printed {
    let output = Command::new(env!("CARGO_BIN_EXE_bukti"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn succeed(arguments: &[&str]) -> String {
    let printed = bukti(arguments);
    assert_eq!(printed.code, 0, "{arguments:?}: {}", printed.err);
    printed.out
}

/// Extracts the names of the subcommands from a help text.
fn subcommands(help: &str) -> Vec<&str> {
    let list = help.split_once("Commands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// Lists all visible commands as paths, such as `["trust", "import"]`.
fn commands() -> Vec<Vec<String>> {
    let (mut found, mut open) = (Vec::new(), vec![Vec::<String>::new()]);
    while let Some(command) = open.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["-h"]).collect();
        for name in subcommands(&succeed(&arguments)) {
            open.push(command.iter().cloned().chain([name.to_owned()]).collect());
        }
        found.push(command);
    }
    found
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands = commands();
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        for flag in ["-h", "--help"] {
            let arguments: Vec<&str> = command.iter().map(String::as_str).chain([flag]).collect();
            let help = succeed(&arguments);
            let (before, examples) = help.split_once("\nExamples:\n").unwrap();
            let name = format!("  bukti {}", command.join(" "));
            assert!(examples.lines().all(|line| line.starts_with(name.trim_end())), "{examples}");
            // The options that choose the deployment are the same for all commands.
            let (own, deployment) = before.split_once("\nDeployment options:\n").unwrap();
            for option in ["--endpoint", "--aws", "--table", "--bucket", "--public-bucket", "--root-secret"] {
                assert!(deployment.contains(&format!("      {option}")), "{arguments:?}: {option}");
                assert!(!own.contains(&format!("      {option} ")), "{arguments:?}: {option}");
            }
        }
    }
}

#[test]
fn examples_are_valid_usage() {
    for command in commands() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["-h"]).collect();
        let help = succeed(&arguments);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap();
        for example in examples.lines() {
            let example = example.trim().split(['>', '<', '|']).next().unwrap();
            let quoted = example.split('"').enumerate();
            // Quoted values may contain spaces.
            let words = quoted.flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            let words: Vec<&str> = words.skip(1).collect();
            let absent = ["--endpoint", "http://127.0.0.1:9"];
            let has_target = words.iter().any(|word| ["--endpoint", "--aws"].contains(word));
            let local = ["completions", "man", "sample"].contains(&words[0]);
            if has_target || local {
                continue;
            }
            let printed = bukti(&[&words[..], &absent].concat());
            // `--signer` reads its file during argument parsing.
            let file_is_missing = printed.err.contains("signer.pem");
            assert!(printed.code != 2 || file_is_missing, "{example}: {}", printed.err);
        }
    }
}

#[test]
fn old_names_work_and_are_hidden() {
    for (old, new) in [
        (&["key", "list"][..], "api-key"),
        (&["key", "add"], "api-key"),
        (&["keys", "list"], "signing-key"),
        (&["protect"], "block-download"),
    ] {
        let help = succeed(&[old, &["--help"]].concat());
        assert!(help.contains(&format!("Usage: bukti {new}")), "{old:?}: {help}");
        let file = if old[0] == "protect" { &["/dev/null"][..] } else { &[] };
        if old.contains(&"add") {
            continue;
        }
        let printed = bukti(&[old, file, &["--endpoint", "http://127.0.0.1:9"]].concat());
        let warning = format!("`bukti {}` is now `bukti {new}`", old[0]);
        assert!(printed.code == 1 && printed.err.contains(&warning), "{old:?}: {}", printed.err);
    }
    let printed = bukti(&["api-key", "list", "--endpoint", "http://127.0.0.1:9"]);
    assert!(!printed.err.contains("is now"), "{}", printed.err);
    let names = succeed(&["-h"]);
    let names = subcommands(&names);
    for hidden in ["key", "keys", "protect", "workbook"] {
        assert!(!names.contains(&hidden), "{names:?}");
    }
}

#[test]
fn completions_cover_visible_commands_of_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeed(&["completions", shell]);
        for word in ["api-key", "block-download", "signing-key", "rotate-sealing", "public-bucket"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        for hidden in ["protect", "__workbook", "\"workbook\"", "'workbook"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
    }
    assert_eq!(bukti(&["completions", "cmd"]).code, 2);
}

#[test]
fn manual_has_a_page_for_every_command() {
    let page = succeed(&["man"]);
    for part in
        [".TH bukti 1", ".SH NAME", ".SH \"DEPLOYMENT OPTIONS\"", ".SH EXAMPLES", "bukti\\-api\\-key(1)"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("workbook"), "{page}");

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("man1");
    assert_eq!(succeed(&["man", "--output", folder.to_str().unwrap()]), "");
    let names = commands().into_iter().map(|command| {
        let name: Vec<String> = std::iter::once("bukti".to_owned()).chain(command).collect();
        name.join("-") + ".1"
    });
    let mut expected: Vec<String> = names.collect();
    expected.sort();
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut written: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    written.sort();
    assert_eq!(written, expected);
    let page = std::fs::read_to_string(folder.join("bukti-import.1")).unwrap();
    assert!(page.contains("bukti import doses.csv\n"), "{page}");
}

#[test]
fn verdicts_are_coloured_unless_no_color_is_set() {
    let colours = |variables: &[(&str, &str)]| {
        let printed = bukti_with(&["verify", "HC1:NOT A CERTIFICATE"], variables);
        assert_eq!(printed.code, 1, "{}", printed.err);
        printed.out
    };
    assert!(colours(&[]).starts_with("Damaged or forged\n"));
    assert!(
        colours(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1m\u{1b}[31mDamaged or forged\u{1b}[0m\n")
    );
    assert!(colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).starts_with("Damaged or forged\n"));
}

async fn run_against(stack: &str, folder: &Path, arguments: &[&str]) -> Printed {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_bukti"))
        .args(arguments)
        .args(["--endpoint", stack])
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_lists_say_so_and_times_are_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Stack::start(Options { port: 0, data, ..Default::default() }).await.unwrap();
    let run = async |arguments: &[&str]| {
        let printed = run_against(stack.url(), folder.path(), arguments).await;
        assert_eq!(printed.code, 0, "{arguments:?}: {}", printed.err);
        printed
    };
    for (list, sentence) in [
        (["api-key", "list"], "No API keys. Create one with `bukti api-key create`."),
        (["officer", "list"], "No officers. Add one with `bukti officer add`."),
        (["trust", "list"], "No other issuers. Import one with `bukti trust import`."),
        (["deadletters", "list"], "No dead letters."),
    ] {
        let printed = run(&list).await;
        assert_eq!((&*printed.out, printed.err.lines().last()), ("", Some(sentence)), "{list:?}");
    }

    // The old names have the same effect.
    let key = run(&["key", "add", "--hub", "satudata"]).await.out;
    assert!(key.starts_with("bk_"), "{key}");
    run(&["officer", "add", "081200000001", "--name", "Rina"]).await;
    for list in [["key", "list"], ["api-key", "list"], ["officer", "list"]] {
        let line = run(&list).await.out;
        let (_, since) = line.split_once("  since ").unwrap();
        let time = since.split_whitespace().next().unwrap();
        assert_eq!((time.len(), time.ends_with('Z')), ("2026-11-23T09:00:00Z".len(), true), "{line}");
    }
    let published = run(&["trust", "publish"]).await.out;
    let (time, _) = published.strip_prefix("Published at ").unwrap().split_once(": ").unwrap();
    assert_eq!(time.len(), "2026-11-23T09:00:00Z".len(), "{published}");
    stack.stop().await;
}
