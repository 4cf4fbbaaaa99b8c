//! Measures the site in a browser, on the embedded stack: what visits load, and what Lighthouse says.
//!
//! A KB is 1000 bytes. Headers are counted apart: HTTP/2, by which a deployment answers, packs them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::stack::{Build, Stack};
use crate::{Project, run, site, tools};

/// The first visit takes at most so many KB …
const GOAL_KB: f64 = 150.0;
/// … and Lighthouse gives every page at least so many points.
const GOALS: [(&str, f64); 3] = [("performance", 95.0), ("accessibility", 100.0), ("best-practices", 100.0)];
const CATEGORIES: [&str; 4] = ["performance", "accessibility", "best-practices", "seo"];
/// Home thrice: its times differ from run to run, and the middle one counts.
const PAGES: [&str; 7] = ["/", "/", "/", "/en", "/verifikasi", "/bantuan", "/masuk"];
const FIRST: &str = "/";

/// What a visit loads.
#[derive(Deserialize)]
struct Visit {
    page: String,
    /// The page that was open before; what that loads is not counted here.
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
    /// Without its folder.
    fn short(&self) -> &str {
        self.name.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.name)
    }

    /// Whether only another page than the home page needs it.
    fn is_of_another_page(&self) -> bool {
        self.name.contains("verifier")
            || ["split_", "chunk_"].iter().any(|part| self.short().starts_with(part))
    }
}

impl Visit {
    fn sum(&self, of: impl Fn(&File) -> f64) -> f64 {
        self.files.iter().map(of).sum()
    }
}

/// What Lighthouse found in one run.
#[derive(Clone, Deserialize)]
struct Audit {
    path: String,
    lighthouse: String,
    /// How quick the machine was, in Lighthouse's measure.
    benchmark: f64,
    scores: BTreeMap<String, f64>,
    fcp: f64,
    lcp: f64,
    tbt: f64,
    cls: f64,
    failed: Vec<Fault>,
}

#[derive(Clone, Deserialize)]
struct Fault {
    id: String,
    title: String,
    /// The categories that it is in, and how much it weighs there. Most of performance explain the times and weigh nothing.
    places: Vec<(String, f64)>,
}

impl Audit {
    fn points(&self, category: &str) -> f64 {
        (self.scores.get(category).copied().unwrap_or_default() * 100.0).round()
    }
}

/// The bytes of a peer's script.
#[derive(Deserialize)]
struct Peer {
    raw: f64,
    wire: f64,
}

/// Builds, installs, measures and prints; the last line is for programs.
///
/// # Errors
/// When something cannot be installed, built or run, or the site does not take over.
pub fn measure(project: &Project) -> Result<()> {
    let why = "to measure the site";
    let node = tools::program(project, &["node", "nodejs"], &["nodejs", "npm"], why)?;
    let chromium = tools::chromium(project, why)?;
    let folder = project.target.join("bench/site");
    let (scripts, peer, reports) = (folder.join("scripts"), folder.join("peer"), folder.join("reports"));
    for (source, copy) in [("tests/bench/site", &scripts), ("tests/bench/peers/site", &peer)] {
        tools::renew_copy(&project.root.join(source), copy)?;
        tools::npm_install(project, copy)?;
    }
    let built = site::build(project, None)?;
    let mut build = project.command("cargo");
    build.args(["build", "--workspace", "--bin", "bukti-local"]);
    run::stream(&mut build, "The compiler's message above says where.")?;
    let data = folder.join("data");
    for made_by_last_run in [&data, &reports] {
        if made_by_last_run.exists() {
            fs::remove_dir_all(made_by_last_run)?;
        }
        fs::create_dir_all(made_by_last_run)?;
    }
    let stack = Stack::start(project, Build::Debug, &data, Some(&built), &folder.join("bukti-local.log"))?;

    let script = |folder: &Path, name: &str, arguments: &[&OsStr]| {
        let mut command = project.command(&node);
        command.current_dir(folder).arg(name).args(arguments).env("CHROMIUM", &chromium);
        run::capture(&mut command, "Does the same command by hand say more?")
    };
    run::say(format!("visits to {}, each with an empty cache", stack.url));
    let visits: Vec<Visit> = lines(&script(&scripts, "visit.mjs", &[stack.url.as_ref()])?)?;
    let [peer] = lines::<Peer>(&script(&peer, "size.mjs", &[])?)?.try_into().ok().context("not one peer")?;
    run::say(format!("Lighthouse as for a phone; its reports are in {}", project.show(&reports)));
    let mut arguments: Vec<&OsStr> = vec![stack.url.as_ref(), reports.as_ref()];
    arguments.extend(PAGES.map(OsStr::new));
    let audits: Vec<Audit> = lines(&script(&scripts, "lighthouse.mjs", &arguments)?)?;

    let first = visits.iter().find(|visit| visit.page == FIRST && visit.from.is_none());
    let first = first.context("nobody came to the home page")?;
    print_first(first);
    print_further(&visits);
    print_peer(first, &peer);
    print_audits(&audits);
    println!("first_visit_kb={:.1}", first.sum(|file| file.wire) / 1000.0);
    Ok(())
}

/// The rows that a script prints.
fn lines<T: DeserializeOwned>(said: &str) -> Result<Vec<T>> {
    let rows = said.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    rows.with_context(|| format!("the script did not print rows: {said}"))
}

fn kilobytes(bytes: f64) -> String {
    format!("{:.1}", bytes / 1000.0)
}

fn goal(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}

fn print_first(first: &Visit) {
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
        "all of it",
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
    let others: Vec<&str> =
        first.files.iter().filter(|file| file.is_of_another_page()).map(File::short).collect();
    println!(
        "goal: it loads nothing of other pages, {}{}",
        goal(others.is_empty()),
        others.iter().map(|name| format!(" {name}")).collect::<String>()
    );
}

fn print_further(visits: &[Visit]) {
    let page = visits.iter().map(|visit| visit.page.len()).max().unwrap_or_default();
    println!("\n{:<page$} {:<6} {:>8}  files over the wire", "page", "after", "KB wire");
    for visit in visits {
        let files: Vec<&str> = visit.files.iter().filter(|file| file.wire > 0.0).map(File::short).collect();
        println!(
            "{:<page$} {:<6} {:>8}  {}",
            visit.page,
            visit.from.as_deref().unwrap_or("-"),
            kilobytes(visit.sum(|file| file.wire)),
            if visit.from.is_some() { files.join(" ") } else { format!("{} files", files.len()) }
        );
    }
}

/// What runs, beside what runs of a site with React that has no more than the form.
fn print_peer(first: &Visit, peer: &Peer) {
    let runs = |file: &&File| [".js", ".wasm"].iter().any(|ending| file.name.ends_with(ending));
    let (raw, wire) = first
        .files
        .iter()
        .filter(runs)
        .fold((0.0, 0.0), |(raw, wire), file| (raw + file.raw, wire + file.wire));
    println!("\n{:<44} {:>7} {:>9}", "scripts of the home page", "KB", "KB brotli");
    for (who, raw, wire) in
        [("Bukti, JS and wasm", raw, wire), ("React 18, the form alone", peer.raw, peer.wire)]
    {
        println!("{who:<44} {:>7} {:>9}", kilobytes(raw), kilobytes(wire));
    }
}

fn print_audits(audits: &[Audit]) {
    if let Some(audit) = audits.first() {
        let slowest = audits.iter().map(|audit| audit.benchmark).fold(f64::INFINITY, f64::min);
        println!(
            "\nLighthouse {}, phone, slow 4G and slowed processor simulated; its benchmark of this machine gave at \
             least {slowest:.0}",
            audit.lighthouse
        );
    }
    println!(
        "{:<14}{:>12}{:>14}{:>15}{:>5}{:>8}{:>8}{:>8}{:>7}",
        "page", "performance", "accessibility", "best practices", "SEO", "FCP ms", "LCP ms", "TBT ms", "CLS"
    );
    let middle = middle_runs(audits);
    for audit in &middle {
        let [performance, accessibility, practices, seo] = CATEGORIES.map(|category| audit.points(category));
        println!(
            "{:<14}{performance:>12}{accessibility:>14}{practices:>15}{seo:>5}{:>8.0}{:>8.0}{:>8.0}{:>7.3}",
            audit.path, audit.fcp, audit.lcp, audit.tbt, audit.cls
        );
    }
    let of_first = audits.iter().filter(|audit| audit.path == FIRST);
    let runs: Vec<String> = of_first.map(|audit| audit.points("performance").to_string()).collect();
    println!("performance of {FIRST} in its runs: {}", runs.join(", "));
    for (category, least) in GOALS {
        let short: Vec<String> = middle
            .iter()
            .filter(|audit| audit.points(category) < least)
            .map(|audit| format!(" {} {}", audit.path, audit.points(category)))
            .collect();
        println!("goal: {category} at least {least}, {}{}", goal(short.is_empty()), short.concat());
    }
    println!("\naudits that failed, and where");
    for (fault, pages) in faults(&middle) {
        let categories: Vec<&str> = fault.places.iter().map(|(category, _)| category.as_str()).collect();
        let weightless = fault.places.iter().all(|(_, weight)| *weight == 0.0);
        println!(
            "{}, {}{}: {} [{}]",
            fault.id,
            categories.join(", "),
            if weightless { " without points" } else { "" },
            fault.title,
            pages.join(" ")
        );
    }
}

/// Each audit that failed, with the pages where it did.
fn faults(audits: &[Audit]) -> Vec<(&Fault, Vec<&str>)> {
    let mut found: Vec<(&Fault, Vec<&str>)> = Vec::new();
    for (audit, fault) in audits.iter().flat_map(|audit| audit.failed.iter().map(move |fault| (audit, fault)))
    {
        match found.iter_mut().find(|(known, _)| known.id == fault.id) {
            Some((_, pages)) => pages.push(&audit.path),
            None => found.push((fault, vec![&audit.path])),
        }
    }
    found
}

/// Of each page the run with the middle performance, in the order of the pages.
fn middle_runs(audits: &[Audit]) -> Vec<Audit> {
    let mut pages: Vec<Vec<&Audit>> = Vec::new();
    for audit in audits {
        match pages.iter_mut().find(|runs| runs.iter().any(|run| run.path == audit.path)) {
            Some(runs) => runs.push(audit),
            None => pages.push(vec![audit]),
        }
    }
    let middle = |mut runs: Vec<&Audit>| {
        runs.sort_by(|one, other| one.points("performance").total_cmp(&other.points("performance")));
        runs.get(runs.len() / 2).copied().cloned()
    };
    pages.into_iter().filter_map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_run_of_each_page_counts() {
        let audit = |path: &str, performance: f64| Audit {
            path: path.to_owned(),
            lighthouse: String::new(),
            benchmark: 0.0,
            scores: [("performance".to_owned(), performance)].into(),
            fcp: 0.0,
            lcp: 0.0,
            tbt: 0.0,
            cls: 0.0,
            failed: vec![Fault { id: "size".to_owned(), title: String::new(), places: Vec::new() }],
        };
        let runs = [audit("/", 0.9), audit("/", 0.99), audit("/", 0.95), audit("/en", 0.5)];
        let middle = middle_runs(&runs);
        let found: Vec<_> =
            faults(&middle).iter().map(|(fault, pages)| (fault.id.clone(), pages.join(" "))).collect();
        assert_eq!(found, [("size".to_owned(), "/ /en".to_owned())], "each once, with its pages");
        let middle: Vec<_> = middle.iter().map(|run| (run.path.clone(), run.points("performance"))).collect();
        assert_eq!(middle, [("/".to_owned(), 95.0), ("/en".to_owned(), 50.0)]);
    }

    #[test]
    fn parts_and_verifier_are_not_of_the_first_visit() {
        let of_another = |name: &str| {
            let file = format!(
                r#"{{"name":"{name}","type":"","priority":"","protocol":"","encoding":null,"raw":1,"wire":1,"headers":1}}"#
            );
            serde_json::from_str::<File>(&file).unwrap().is_of_another_page()
        };
        for name in ["/", "/assets/site-0/bukti_bg.wasm", "/assets/site-0/bukti.js", "/settings.json"] {
            assert!(!of_another(name), "{name}");
        }
        for name in [
            "/assets/site-0/split_help.wasm",
            "/assets/site-0/chunk_5.wasm",
            "/assets/verifier-0123456789ab.wasm",
        ] {
            assert!(of_another(name), "{name}");
        }
    }
}
