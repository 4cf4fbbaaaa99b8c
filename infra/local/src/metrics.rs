//! The metrics of the process: as text for Prometheus (`/_metrics`) and as an HTML page (`/_flow`).

use std::fmt::Write as _;

use bukti_store::{Counter, Metrics};

/// The style sheet of [`page`].
pub(crate) const STYLE: &str = concat!(include_str!("pages.css"), include_str!("metrics.css"));

/// The gauges that are shown next to the counters.
pub(crate) struct Gauges {
    /// The number of unprocessed feeds and stream records.
    pub(crate) backlog: u64,
    pub(crate) dead_letters: u64,
}

/// Formats the metrics in the Prometheus text format, version 0.0.4.
pub(crate) fn prometheus_text(metrics: &Metrics, gauges: &Gauges) -> String {
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
    for (name, value) in [("backlog", gauges.backlog), ("dead_letters", gauges.dead_letters)] {
        let _ = writeln!(text, "# TYPE bukti_{name} gauge\nbukti_{name} {value}");
    }
    text
}

/// Renders the page, which reloads every two seconds.
pub(crate) fn page(metrics: &Metrics, gauges: &Gauges) -> String {
    let counts = metrics.counts();
    let stages = [
        (Counter::Rows, "Received and judged"),
        (Counter::Certificates, "Issued"),
        (Counter::Sms, "Notified by SMS"),
        (Counter::Links, "Link attempts"),
        (Counter::Looks, "Status looked up"),
        (Counter::Problems, "Rejected requests"),
    ];
    let mut html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"refresh\" content=\"2\">\n\
         <title>Metrics</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\"/_flow.css\">\n</head>\n<body>\n<header>\n<h1>Metrics</h1>\n\
         <p>Counted since the start of this process. The page reloads every two seconds.</p>\n</header>\n<main>\n"
        .to_owned();
    for (counter, title) in stages {
        let counts: Vec<_> = counts.iter().filter(|((found, _), _)| *found == counter).collect();
        // Superseded certificates are excluded, because they were counted when they were issued.
        let is_summed = |label: &str| counter != Counter::Certificates || label == "issued";
        let total: u64 =
            counts.iter().filter(|((_, label), _)| is_summed(label)).map(|(_, count)| **count).sum();
        let _ = write!(html, "<section>\n<h2>{title}</h2>\n<p class=\"all\">{total}</p>\n<dl>\n");
        for ((_, label), count) in counts {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{count}</dd></div>", label.replace('_', " "));
        }
        html.push_str("</dl>\n</section>\n");
    }
    let _ = write!(
        html,
        "<section>\n<h2>Backlog</h2>\n<p class=\"all\">{}</p>\n<dl>\n<div><dt>dead letters</dt><dd>{}</dd></div>\n</dl>\n\
         </section>\n</main>\n</body>\n</html>\n",
        gauges.backlog, gauges.dead_letters
    );
    html
}
