//! Searches the project for the phrases that `infra/docs/glossary.md` lists as terms not to use.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the project fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The extensions of the files to search.
const EXTENSIONS: [&str; 7] = ["md", "mjs", "py", "rs", "toml", "yaml", "yml"];

/// A file to search that has no extension.
const CI_SCRIPT: &str = ".ci/run";

const GLOSSARY: &str = "infra/docs/glossary.md";

/// Files that list unwanted terms, and so are not searched.
const LISTS: [&str; 3] = [GLOSSARY, "functions/lib/locales/src/lib.rs", "tests/tests/language.rs"];

/// Folders with generated or downloaded files, or with snapshots of citizen-facing texts, which
/// have their own rules.
const SKIPPED_FOLDERS: [&str; 3] = ["node_modules", "snapshots", "target"];

const SEARCHED_DOT_FOLDERS: [&str; 3] = [".cargo", ".ci", ".github"];

/// An unwanted phrase in lower case, and the terms that replace it.
struct UnwantedTerm {
    phrase: String,
    replacement: String,
}

#[test]
fn prose_avoids_unwanted_terms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let unwanted = unwanted_terms(&fs::read_to_string(root.join(GLOSSARY)).unwrap());
    assert!(unwanted.len() > 30, "{GLOSSARY} has too few terms not to use: was its table renamed?");
    let mut files = Vec::new();
    collect_files(root, &mut files);
    let mut found = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if !LISTS.contains(&name.as_str()) {
            let text = fs::read_to_string(&file).unwrap();
            found
                .extend(find(&text, name.ends_with(".md"), &unwanted).map(|found| format!("{name}:{found}")));
        }
    }
    assert!(found.is_empty(), "use the terms of {GLOSSARY}:\n{}", found.join("\n"));
}

#[test]
fn finds_phrases_across_lines_and_in_names() {
    let unwanted = unwanted_terms("## Terms not to use\n\n| `without a net`, `mend` | offline, fix |\n");
    let found = |text, markdown| find(text, markdown, &unwanted).collect::<Vec<_>>();
    assert_eq!(found("# Works\n# Without\n# a net.", false), ["2: `without a net`; write: offline, fix"]);
    assert_eq!(found("def mend_it(): ...", false), ["1: `mend`; write: offline, fix"]);
    assert!(found("We recommend it.", false).is_empty());
    assert!(
        found("The test `works_without_a_net`.", true).is_empty(),
        "Markdown quotes names in code, which are checked where they are defined"
    );
}

/// Parses the glossary's table of terms not to use. The table gives the phrases to search in
/// backticks.
fn unwanted_terms(glossary: &str) -> Vec<UnwantedTerm> {
    let (_, table) = glossary.split_once("## Terms not to use").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    rows.flat_map(|(phrases, replacement)| {
        let replacement = replacement.trim_end_matches([' ', '|']);
        let phrases = phrases.split('`').skip(1).step_by(2);
        phrases.map(move |phrase| UnwantedTerm {
            phrase: phrase.to_lowercase(),
            replacement: replacement.to_owned(),
        })
    })
    .collect()
}

/// Finds the unwanted terms in a text, including phrases that continue on the next line. Each
/// result contains the line number, the phrase and its replacement.
fn find<'a>(
    text: &str,
    markdown: bool,
    unwanted: &'a [UnwantedTerm],
) -> impl Iterator<Item = String> + use<'a> {
    let prose = text.lines().map(|line| {
        let line = if markdown { without_code(line) } else { line.to_owned() };
        let line = line.trim().trim_start_matches(['#', '/', '*', '>']).trim_start();
        line.replace('_', " ").to_lowercase()
    });
    let lines: Vec<String> = prose.collect();
    (0..lines.len()).flat_map(move |at| {
        let next = lines.get(at + 1).map_or("", String::as_str);
        let (both, end) = (format!("{} {next}", lines[at]), lines[at].len());
        let used = unwanted.iter().filter(move |term| contains_phrase(&both, &term.phrase, end));
        used.map(move |UnwantedTerm { phrase, replacement }| {
            format!("{}: `{phrase}`; write: {replacement}", at + 1)
        })
    })
}

/// Whether the text contains the phrase as whole words, beginning before `end`.
fn contains_phrase(text: &str, phrase: &str, end: usize) -> bool {
    text.match_indices(phrase).take_while(|(at, _)| *at < end).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().unwrap_or_default();
        if entry.file_type().unwrap().is_dir() {
            let hidden = name.starts_with('.') && !SEARCHED_DOT_FOLDERS.contains(&name);
            if !hidden && !SKIPPED_FOLDERS.contains(&name) {
                collect_files(&path, files);
            }
        } else if path.ends_with(CI_SCRIPT)
            || EXTENSIONS.iter().any(|extension| path.extension().is_some_and(|is| is == *extension))
        {
            files.push(path);
        }
    }
}
