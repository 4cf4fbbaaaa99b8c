//! A demonstration: a feed of people who do not exist is taken in once, and `/_demo` names some of
//! them to try things with.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bukti_domain::{FeedRow, Reason, Verdict};
use bukti_store::{Endpoint, Feeds};
use jiff::Timestamp;

use crate::info::StackInfo;
use crate::outbox::escape;

/// The style of the page.
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("flow.css"));

/// The name of the feed's copy in the data folder, by which it is known that it was taken in.
const COPY: &str = "demo.csv";

/// Where the feed's copy is.
pub(crate) fn copy_in(data: &Path) -> PathBuf {
    data.join(COPY)
}

/// Takes a feed in, unless one was taken in before.
///
/// # Errors
///
/// Where the feed cannot be read, or the stack's bucket does not take it.
pub async fn take_in(info: &StackInfo, data: &Path, feed: &Path) -> Result<()> {
    let copy = copy_in(data);
    if copy.exists() {
        return Ok(());
    }
    let rows = std::fs::read(feed).with_context(|| format!("cannot read {}", feed.display()))?;
    let credentials = (&*info.access_key, &*info.secret_key);
    let (_, s3) = Endpoint { url: &info.endpoint, region: &info.region, credentials }.clients().await;
    let put = s3.put_object().bucket(&info.bucket).key(format!("{}{COPY}", Feeds::DROP));
    put.body(rows.clone().into()).send().await.context("the feed cannot be dropped into the bucket")?;
    std::fs::write(&copy, rows).with_context(|| format!("cannot write {}", copy.display()))
}

/// Somebody of the feed who shows something.
struct Example {
    title: &'static str,
    about: &'static str,
    is_shown_by: fn(&FeedRow, &Judged) -> bool,
}

const EXAMPLES: [Example; 5] = [
    Example {
        title: "A certificate",
        about: "The status says that it is issued, the SMS has its link, the phone logs in.",
        is_shown_by: |row, judged| row.dosis_ke == "1" && judged.is(Verdict::Complete, &[]),
    },
    Example {
        title: "Data that are missing",
        about: "The status says which, and that the facility completes them.",
        is_shown_by: |_, judged| judged.0 == Verdict::Incomplete,
    },
    Example {
        title: "Data that contradict the NIK",
        about: "The dose is held until the facility or the helpdesk puts it right.",
        is_shown_by: |_, judged| judged.0 == Verdict::Held,
    },
    Example {
        title: "A wrong phone",
        about: "The certificate is there, but no SMS came: report the phone at /koreksi.",
        is_shown_by: |_, judged| judged.is(Verdict::Complete, &[Reason::PhoneInvalid]),
    },
    Example {
        title: "A booster",
        about: "The third dose has a certificate of its own beside those of the first two.",
        is_shown_by: |row, judged| row.dosis_ke == "3" && judged.is(Verdict::Complete, &[]),
    },
];

struct Judged(Verdict, Vec<Reason>);

impl Judged {
    fn is(&self, verdict: Verdict, reasons: &[Reason]) -> bool {
        self.0 == verdict && self.1 == reasons
    }
}

/// Somebody for each example that the feed has.
fn examples(feed: &[u8]) -> Vec<(&'static Example, FeedRow)> {
    let rows: Vec<FeedRow> = csv::Reader::from_reader(feed).deserialize().flatten().collect();
    // Of an event that is said several times the last counts, whichever that is.
    let mut times: HashMap<&str, usize> = HashMap::new();
    for row in &rows {
        *times.entry(&row.event_id).or_default() += 1;
    }
    let now = Timestamp::now();
    let once = rows.iter().filter(|row| times.get(&*row.event_id) == Some(&1) && !row.nik.is_empty());
    let judged: Vec<(&FeedRow, Judged)> = once
        .map(|row| {
            let (verdict, reasons) = row.judge(now);
            (row, Judged(verdict, reasons))
        })
        .collect();
    let of = |example: &'static Example| {
        let (row, _) = judged.iter().find(|(row, judged)| (example.is_shown_by)(row, judged))?;
        Some((example, (*row).clone()))
    };
    EXAMPLES.iter().filter_map(of).collect()
}

/// The page; without people where there is no feed.
pub(crate) fn page(data: &Path) -> String {
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>People to try Bukti with</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_demo.css\">\n</head>\n<body>\n<header>\n<h1>People to try Bukti with</h1>\n"
        .to_owned();
    let Ok(feed) = std::fs::read(copy_in(data)) else {
        html.push_str("<p>There are none: <code>cargo xtask up --demo</code> makes some.</p>\n</header>\n</body>\n</html>\n");
        return html;
    };
    html.push_str(
        "<p>None of them exists. Type name and NIK on <a href=\"/\">the first page</a>, log in <a href=\"/masuk\">with the \
         phone</a>: its SMS come to <a href=\"/_sms\">the outbox</a>.</p>\n</header>\n<main>\n",
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
