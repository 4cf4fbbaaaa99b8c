//! Measures the site in a browser, on the embedded stack: the files that each visit loads, and the
//! Lighthouse scores.
//!
//! A KB is 1000 bytes. Headers are listed separately, because deployments use HTTP/2, which
//! compresses headers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::stack::{Build, Stack};
use crate::{Project, run, site, tools};

/// The goal for the first visit, in KB (at most).
const GOAL_KB: f64 = 150.0;
/// The goals for the Lighthouse scores of every page (at least).
const GOALS: [(&str, f64); 3] = [("performance", 95.0), ("accessibility", 100.0), ("best-practices", 100.0)];
const CATEGORIES: [&str; 4] = ["performance", "accessibility", "best-practices", "seo"];
/// The pages to audit. The home page is audited three times because its times vary; the median run
/// counts.
const PAGES: [&str; 7] = ["/", "/", "/", "/en", "/verifikasi", "/bantuan", "/masuk"];
const HOME: &str = "/";

/// The files that a visit to a page loads.
#[derive(Deserialize)]
struct Visit {
    page: String,
    /// The page that was open before this visit. Its files are not counted.
    from: Option<String>,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    r#type: String,
    priority: String,
    protocol: String,
    encoding: Option<String>,
    raw: f64,
    wire: f64,
    headers: f64,
}

impl File {
    /// Returns the file name without its folder.
    fn short_name(&self) -> &str {
        self.name.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.name)
    }

    /// Whether only pages other than the home page need this file.
    fn is_for_other_pages(&self) -> bool {
        self.name.contains("verifier")
            || ["split_", "chunk_"].iter().any(|part| self.short_name().starts_with(part))
    }
}

impl Visit {
    fn sum(&self, bytes: impl Fn(&File) -> f64) -> f64 {
        self.files.iter().map(bytes).sum()
    }
}

/// The result of one Lighthouse run.
#[derive(Clone, Deserialize)]
struct Audit {
    path: String,
    lighthouse: String,
    /// Lighthouse's benchmark index for the machine.
    benchmark: f64,
    scores: BTreeMap<String, f64>,
    fcp: f64,
    lcp: f64,
    tbt: f64,
    cls: f64,
    failed: Vec<FailedAudit>,
}

#[derive(Clone, Deserialize)]
struct FailedAudit {
    id: String,
    title: String,
    /// The categories that contain the audit, each with its weight. Most performance audits have no
    /// weight, because they only explain the times.
    places: Vec<(String, f64)>,
}

impl Audit {
    fn points(&self, category: &str) -> f64 {
        (self.scores.get(category).copied().unwrap_or_default() * 100.0).round()
    }
}

/// The sizes of a comparable site's script, in bytes.
#[derive(Deserialize)]
struct Peer {
    raw: f64,
    wire: f64,
}

/// Builds the site, measures it and prints the results. The last line is machine-readable.
///
/// # Errors
/// If something cannot be installed, built or run, or if the site is not hydrated.
pub fn measure(project: &Project) -> Result<()> {
    let why = "to measure the site";
    let node = tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], why)?;
    let chromium = tools::chromium(project, why)?;
    let folder = project.target.join("bench/site");
    let (scripts, peer, reports) = (folder.join("scripts"), folder.join("peer"), folder.join("reports"));
    for (source, copy) in [("tests/bench/site", &scripts), ("tests/bench/peers/site", &peer)] {
        tools::refresh_copy(&project.root.join(source), copy)?;
        tools::npm_install(project, copy)?;
    }
    let built = site::build(project, None)?;
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bin", "bukti-local"]);
    run::stream(&mut build, "See the compiler's message above.")?;
    let data = folder.join("data");
    for folder in [&data, &reports] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let stack = Stack::start(project, Build::Debug, &data, Some(&built), &folder.join("bukti-local.log"))?;

    let script = |folder: &Path, name: &str, arguments: &[&OsStr]| {
        let mut command = project.command(&node);
        command.current_dir(folder).arg(name).args(arguments).env("CHROMIUM", &chromium);
        run::capture(&mut command, "Run the same command by hand for details.")
    };
    run::print_status(format!("visits to {}, each with an empty cache", stack.url));
    let visits: Vec<Visit> = parse_lines(&script(&scripts, "visit.mjs", &[stack.url.as_ref()])?)?;
    let [peer] = parse_lines::<Peer>(&script(&peer, "size.mjs", &[])?)?
        .try_into()
        .ok()
        .context("size.mjs did not print one line")?;
    run::print_status(format!(
        "auditing by Lighthouse as a phone; its reports are in {}",
        project.relative(&reports)
    ));
    let mut arguments: Vec<&OsStr> = vec![stack.url.as_ref(), reports.as_ref()];
    arguments.extend(PAGES.map(OsStr::new));
    let audits: Vec<Audit> = parse_lines(&script(&scripts, "lighthouse.mjs", &arguments)?)?;

    let first = visits.iter().find(|visit| visit.page == HOME && visit.from.is_none());
    let first = first.context("visit.mjs did not print the first visit to the home page")?;
    print_first_visit(first);
    print_visits(&visits);
    print_peer(first, &peer);
    print_audits(&audits);
    println!("first_visit_kb={:.1}", first.sum(|file| file.wire) / 1000.0);
    Ok(())
}

/// Parses the output of a script, which prints one JSON object per line.
fn parse_lines<T: DeserializeOwned>(output: &str) -> Result<Vec<T>> {
    let rows = output.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    rows.with_context(|| format!("the script did not print lines of JSON: {output}"))
}

fn kilobytes(bytes: f64) -> String {
    format!("{:.1}", bytes / 1000.0)
}

fn goal(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

fn print_first_visit(first: &Visit) {
    let name = first.files.iter().map(|file| file.name.len()).max().unwrap_or_default();
    println!(
        "\n{:<name$}  {:<10} {:<8} {:<8} {:>7} {:>8} {:<8} {:>7}",
        "first visit", "type", "priority", "protocol", "KB", "KB wire", "encoding", "headers"
    );
    for file in &first.files {
        println!(
            "{:<name$}  {:<10} {:<8} {:<8} {:>7} {:>8} {:<8} {:>7}",
            file.name,
            file.r#type,
            file.priority,
            file.protocol,
            kilobytes(file.raw),
            kilobytes(file.wire),
            file.encoding.as_deref().unwrap_or("none"),
            file.headers
        );
    }
    let wire = first.sum(|file| file.wire);
    println!(
        "{:<name$}  {:<10} {:<8} {:<8} {:>7} {:>8} {:<8} {:>7}",
        "total",
        "",
        "",
        "",
        kilobytes(first.sum(|file| file.raw)),
        kilobytes(wire),
        "",
        first.sum(|file| file.headers)
    );
    println!(
        "goal: the first visit is at most {GOAL_KB} KB over the wire, {}",
        goal(wire <= GOAL_KB * 1000.0)
    );
    let unneeded: Vec<&str> =
        first.files.iter().filter(|file| file.is_for_other_pages()).map(File::short_name).collect();
    println!(
        "goal: it loads no files of other pages, {}{}",
        goal(unneeded.is_empty()),
        unneeded.iter().map(|name| format!(" {name}")).collect::<String>()
    );
}

fn print_visits(visits: &[Visit]) {
    let page = visits.iter().map(|visit| visit.page.len()).max().unwrap_or_default();
    println!("\n{:<page$} {:<6} {:>8}  files over the wire", "page", "after", "KB wire");
    for visit in visits {
        let files: Vec<&str> =
            visit.files.iter().filter(|file| file.wire > 0.0).map(File::short_name).collect();
        println!(
            "{:<page$} {:<6} {:>8}  {}",
            visit.page,
            visit.from.as_deref().unwrap_or("-"),
            kilobytes(visit.sum(|file| file.wire)),
            if visit.from.is_some() { files.join(" ") } else { format!("{} files", files.len()) }
        );
    }
}

/// Prints the size of the scripts, compared with a React site that contains only the form.
fn print_peer(first: &Visit, peer: &Peer) {
    let is_script = |file: &&File| [".js", ".wasm"].iter().any(|ending| file.name.ends_with(ending));
    let (raw, wire) = first
        .files
        .iter()
        .filter(is_script)
        .fold((0.0, 0.0), |(raw, wire), file| (raw + file.raw, wire + file.wire));
    println!("\n{:<44} {:>7} {:>9}", "scripts of the home page", "KB", "KB brotli");
    for (name, raw, wire) in
        [("Bukti, JS and wasm", raw, wire), ("React 18, the form alone", peer.raw, peer.wire)]
    {
        println!("{name:<44} {:>7} {:>9}", kilobytes(raw), kilobytes(wire));
    }
}

fn print_audits(audits: &[Audit]) {
    if let Some(audit) = audits.first() {
        let slowest = audits.iter().map(|audit| audit.benchmark).fold(f64::INFINITY, f64::min);
        println!(
            "\nLighthouse {}, phone, simulated slow 4G and slow processor; its benchmark index of this machine was at \
             least {slowest:.0}",
            audit.lighthouse
        );
    }
    println!(
        "{:<14}{:>12}{:>14}{:>15}{:>5}{:>8}{:>8}{:>8}{:>7}",
        "page", "performance", "accessibility", "best practices", "SEO", "FCP ms", "LCP ms", "TBT ms", "CLS"
    );
    let median = median_runs(audits);
    for audit in &median {
        let [performance, accessibility, practices, seo] = CATEGORIES.map(|category| audit.points(category));
        println!(
            "{:<14}{performance:>12}{accessibility:>14}{practices:>15}{seo:>5}{:>8.0}{:>8.0}{:>8.0}{:>7.3}",
            audit.path, audit.fcp, audit.lcp, audit.tbt, audit.cls
        );
    }
    let home_runs = audits.iter().filter(|audit| audit.path == HOME);
    let runs: Vec<String> = home_runs.map(|audit| audit.points("performance").to_string()).collect();
    println!("performance of the runs of {HOME}: {}", runs.join(", "));
    for (category, least) in GOALS {
        let below: Vec<String> = median
            .iter()
            .filter(|audit| audit.points(category) < least)
            .map(|audit| format!(" {} {}", audit.path, audit.points(category)))
            .collect();
        println!("goal: {category} at least {least}, {}{}", goal(below.is_empty()), below.concat());
    }
    println!("\nfailed audits, with their pages");
    for (failed, pages) in failed_audits(&median) {
        let categories: Vec<&str> = failed.places.iter().map(|(category, _)| category.as_str()).collect();
        let is_weightless = failed.places.iter().all(|(_, weight)| *weight == 0.0);
        println!(
            "{}, {}{}: {} [{}]",
            failed.id,
            categories.join(", "),
            if is_weightless { " (without weight)" } else { "" },
            failed.title,
            pages.join(" ")
        );
    }
}

/// Lists the failed audits, each with the pages that failed it.
fn failed_audits(audits: &[Audit]) -> Vec<(&FailedAudit, Vec<&str>)> {
    let mut found: Vec<(&FailedAudit, Vec<&str>)> = Vec::new();
    for (audit, failed) in
        audits.iter().flat_map(|audit| audit.failed.iter().map(move |failed| (audit, failed)))
    {
        match found.iter_mut().find(|(known, _)| known.id == failed.id) {
            Some((_, pages)) => pages.push(&audit.path),
            None => found.push((failed, vec![&audit.path])),
        }
    }
    found
}

/// Selects the run with the median performance score for each page, in page order.
fn median_runs(audits: &[Audit]) -> Vec<Audit> {
    let mut pages: Vec<Vec<&Audit>> = Vec::new();
    for audit in audits {
        match pages.iter_mut().find(|runs| runs.iter().any(|run| run.path == audit.path)) {
            Some(runs) => runs.push(audit),
            None => pages.push(vec![audit]),
        }
    }
    let median = |mut runs: Vec<&Audit>| {
        runs.sort_by(|one, other| one.points("performance").total_cmp(&other.points("performance")));
        runs.get(runs.len() / 2).copied().cloned()
    };
    pages.into_iter().filter_map(median).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_median_run_and_failed_audits_of_each_page() {
        let audit = |path: &str, performance: f64| Audit {
            path: path.to_owned(),
            lighthouse: String::new(),
            benchmark: 0.0,
            scores: [("performance".to_owned(), performance)].into(),
            fcp: 0.0,
            lcp: 0.0,
            tbt: 0.0,
            cls: 0.0,
            failed: vec![FailedAudit { id: "size".to_owned(), title: String::new(), places: Vec::new() }],
        };
        let runs = [audit("/", 0.9), audit("/", 0.99), audit("/", 0.95), audit("/en", 0.5)];
        let median = median_runs(&runs);
        let found: Vec<_> = failed_audits(&median)
            .iter()
            .map(|(failed, pages)| (failed.id.clone(), pages.join(" ")))
            .collect();
        assert_eq!(
            found,
            [("size".to_owned(), "/ /en".to_owned())],
            "each audit is listed once, with its pages"
        );
        let median: Vec<_> = median.iter().map(|run| (run.path.clone(), run.points("performance"))).collect();
        assert_eq!(median, [("/".to_owned(), 95.0), ("/en".to_owned(), 50.0)]);
    }

    #[test]
    fn chunks_and_verifier_are_for_other_pages() {
        let is_for_other_pages = |name: &str| {
            let file = format!(
                r#"{{"name":"{name}","type":"","priority":"","protocol":"","encoding":null,"raw":1,"wire":1,"headers":1}}"#
            );
            serde_json::from_str::<File>(&file).unwrap().is_for_other_pages()
        };
        for name in ["/", "/assets/site-0/bukti_bg.wasm", "/assets/site-0/bukti.js", "/settings.json"] {
            assert!(!is_for_other_pages(name), "{name}");
        }
        for name in [
            "/assets/site-0/split_help.wasm",
            "/assets/site-0/chunk_5.wasm",
            "/assets/verifier-0123456789ab.wasm",
        ] {
            assert!(is_for_other_pages(name), "{name}");
        }
    }
}
