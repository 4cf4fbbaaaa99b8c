//! What was counted along the way of the data: as text for Prometheus (`/_metrics`), and as a page for people (`/_flow`).

use std::fmt::Write as _;

use bukti_store::{Counter, Metrics};

/// The style of the page.
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("flow.css"));

/// What is still to do.
pub(crate) struct Waiting {
    /// Feeds and records of the stream that are not worked off.
    pub(crate) backlog: u64,
    /// What was set aside.
    pub(crate) dead_letters: u64,
}

/// Prometheus' text format, version 0.0.4.
pub(crate) fn metrics(metrics: &Metrics, waiting: &Waiting) -> String {
    let counts = metrics.counts();
    let mut text = String::new();
    for counter in Counter::ALL {
        let _ = writeln!(text, "# TYPE bukti_{}_total counter", counter.code());
        for ((_, label), count) in counts.iter().filter(|((found, _), _)| found == counter) {
            let (name, kind) = (counter.code(), counter.label());
            let _ = writeln!(text, "bukti_{name}_total{{{kind}=\"{label}\"}} {count}");
        }
    }
    let _ = writeln!(text, "# TYPE bukti_request_seconds_total counter");
    for (function, took) in metrics.took() {
        let _ = writeln!(
            text,
            "bukti_request_seconds_total{{function=\"{function}\"}} {:.6}",
            took.as_secs_f64()
        );
    }
    for (name, value) in [("backlog", waiting.backlog), ("dead_letters", waiting.dead_letters)] {
        let _ = writeln!(text, "# TYPE bukti_{name} gauge\nbukti_{name} {value}");
    }
    text
}

/// The page, which loads itself anew every other second.
pub(crate) fn page(metrics: &Metrics, waiting: &Waiting) -> String {
    let counts = metrics.counts();
    let steps = [
        (Counter::Rows, "Received and judged"),
        (Counter::Certificates, "Issued"),
        (Counter::Sms, "Told by SMS"),
        (Counter::Links, "Links tried"),
        (Counter::Looks, "Status looked up"),
        (Counter::Problems, "Refused"),
    ];
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"refresh\" content=\"2\">\n\
         <title>The way of the data</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_flow.css\">\n</head>\n<body>\n<header>\n<h1>The way of the data</h1>\n\
         <p>Counted since the start of this process. Every other second anew.</p>\n</header>\n<main>\n"
        .to_owned();
    for (counter, title) in steps {
        let of: Vec<_> = counts.iter().filter(|((found, _), _)| *found == counter).collect();
        // What was superseded was issued before, and stands in its own row.
        let adds_up = |label: &str| counter != Counter::Certificates || label == "issued";
        let all: u64 = of.iter().filter(|((_, label), _)| adds_up(label)).map(|(_, count)| **count).sum();
        let _ = write!(html, "<section>\n<h2>{title}</h2>\n<p class=\"all\">{all}</p>\n<dl>\n");
        for ((_, label), count) in of {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{count}</dd></div>", label.replace('_', " "));
        }
        html.push_str("</dl>\n</section>\n");
    }
    let _ = write!(
        html,
        "<section>\n<h2>Under way</h2>\n<p class=\"all\">{}</p>\n<dl>\n<div><dt>dead letters</dt><dd>{}</dd></div>\n</dl>\n\
         </section>\n</main>\n</body>\n</html>\n",
        waiting.backlog, waiting.dead_letters
    );
    html
}
