//! The demo: imports a feed of fictitious people once, and lists some of them at `/_demo` as
//! examples to try.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bukti_domain::{FeedRow, Reason, Verdict};
use bukti_store::{Endpoint, Feeds};
use jiff::Timestamp;

use crate::outbox::escape;
use crate::stack_info::StackInfo;

/// The style sheet of [`page`].
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("metrics.css"));

/// The copy of the feed in the data folder. If it exists, the demo has already been imported.
const COPY: &str = "demo.csv";

pub(crate) fn copy_in(data: &Path) -> PathBuf {
    data.join(COPY)
}

/// Imports the feed, unless the data folder already contains a demo.
///
/// # Errors
///
/// If the feed cannot be read or uploaded, or its copy cannot be written.
pub async fn import(info: &StackInfo, data: &Path, feed: &Path) -> Result<()> {
    let copy = copy_in(data);
    if copy.exists() {
        return Ok(());
    }
    let rows = std::fs::read(feed).with_context(|| format!("cannot read {}", feed.display()))?;
    let credentials = (&*info.access_key, &*info.secret_key);
    let (_, s3) = Endpoint { url: &info.endpoint, region: &info.region, credentials }.clients().await;
    let put = s3.put_object().bucket(&info.bucket).key(format!("{}{COPY}", Feeds::DROP));
    put.body(rows.clone().into()).send().await.context("cannot upload the feed to the bucket")?;
    std::fs::write(&copy, rows).with_context(|| format!("cannot write {}", copy.display()))
}

/// A situation that the page illustrates with one person from the feed.
struct Example {
    title: &'static str,
    about: &'static str,
    fits: fn(&FeedRow, &Judgement) -> bool,
}

const EXAMPLES: [Example; 5] = [
    Example {
        title: "A certificate",
        about: "The status says that it is issued, the SMS has a link to it, and the phone can log in.",
        fits: |row, judgement| row.dosis_ke == "1" && judgement.is(Verdict::Complete, &[]),
    },
    Example {
        title: "Missing data",
        about: "The status says which data are missing, and that the facility has to complete them.",
        fits: |_, judgement| judgement.0 == Verdict::Incomplete,
    },
    Example {
        title: "Data that contradict the NIK",
        about: "The dose is held until the facility or the helpdesk corrects it.",
        fits: |_, judgement| judgement.0 == Verdict::Held,
    },
    Example {
        title: "A wrong phone",
        about: "The certificate is issued, but no SMS is sent: report the phone at /koreksi.",
        fits: |_, judgement| judgement.is(Verdict::Complete, &[Reason::PhoneInvalid]),
    },
    Example {
        title: "A booster",
        about: "The third dose has its own certificate, besides those of the first two.",
        fits: |row, judgement| row.dosis_ke == "3" && judgement.is(Verdict::Complete, &[]),
    },
];

struct Judgement(Verdict, Vec<Reason>);

impl Judgement {
    fn is(&self, verdict: Verdict, reasons: &[Reason]) -> bool {
        self.0 == verdict && self.1 == reasons
    }
}

/// Selects the examples that occur in the feed, each with the first matching row.
fn examples(feed: &[u8]) -> Vec<(&'static Example, FeedRow)> {
    let rows: Vec<FeedRow> = csv::Reader::from_reader(feed).deserialize().flatten().collect();
    // Events with several rows are skipped, because only the import decides which row counts.
    let mut rows_of_event: HashMap<&str, usize> = HashMap::new();
    for row in &rows {
        *rows_of_event.entry(&row.event_id).or_default() += 1;
    }
    let now = Timestamp::now();
    let is_single = |row: &&FeedRow| rows_of_event.get(&*row.event_id) == Some(&1);
    let judged: Vec<(&FeedRow, Judgement)> = rows
        .iter()
        .filter(|row| is_single(row) && !row.nik.is_empty())
        .map(|row| {
            let (verdict, reasons) = row.judge(now);
            (row, Judgement(verdict, reasons))
        })
        .collect();
    let with_row = |example: &'static Example| {
        let (row, _) = judged.iter().find(|(row, judgement)| (example.fits)(row, judgement))?;
        Some((example, (*row).clone()))
    };
    EXAMPLES.iter().filter_map(with_row).collect()
}

/// Renders the page. Without a demo, it explains how to import one.
pub(crate) fn page(data: &Path) -> String {
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>People to try Bukti with</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_demo.css\">\n</head>\n<body>\n<header>\n<h1>People to try Bukti with</h1>\n"
        .to_owned();
    let Ok(feed) = std::fs::read(copy_in(data)) else {
        html.push_str("<p>There are none. <code>cargo xtask up --demo</code> imports some.</p>\n</header>\n</body>\n</html>\n");
        return html;
    };
    html.push_str(
        "<p>All of them are made up. Enter name and NIK on <a href=\"/\">the home page</a>, or <a href=\"/masuk\">log \
         in</a> with the phone: its SMS are in <a href=\"/_sms\">the outbox</a>.</p>\n</header>\n<main>\n",
    );
    for (Example { title, about, .. }, row) in examples(&feed) {
        let _ = write!(html, "<section>\n<h2>{title}</h2>\n<p>{about}</p>\n<dl>\n");
        for (name, value) in
            [("Name", &row.nama), ("NIK", &row.nik), ("Born", &row.tanggal_lahir), ("Phone", &row.no_hp)]
        {
            let _ = writeln!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        }
        html.push_str("</dl>\n</section>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}
