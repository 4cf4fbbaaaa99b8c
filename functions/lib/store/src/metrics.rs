//! Counters and latencies, shown at `/_metrics` of the embedded stack and in CloudWatch.
//!
//! Labels are codes that are defined in the program, so they cannot contain personal data.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bukti_domain::codes;
use jiff::Timestamp;
use serde_json::{Value, json};

codes! {
    /// A counter. The variants are in the order of the pipeline.
    Counter,
    /// The name of the counter's label.
    label: &'static str {
        /// Imported rows, by row result.
        Rows = "rows" => "outcome",
        /// Certificates, by state: `issued`, `superseded`, `revoked`.
        Certificates = "certificates" => "state",
        /// SMS, by result: `accepted` or `failed` by the SMS service; `withheld` if a limit is
        /// reached.
        Sms = "sms" => "result",
        /// Attempts to open a link from an SMS: `opened`, or the code of the problem.
        Links = "links" => "answer",
        /// Doses shown on the status page, by diagnosis.
        Looks = "looks" => "diagnosis",
        /// Requests, by function.
        Requests = "requests" => "function",
        /// Failed requests, by the code of the problem.
        Problems = "problems" => "code",
    }
}

/// The counts since the process started. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    counts: BTreeMap<(Counter, &'static str), u64>,
    /// The total latency of requests, by function.
    took: BTreeMap<&'static str, Duration>,
    /// The counts that have already been published to CloudWatch.
    published: BTreeMap<(Counter, &'static str), u64>,
    /// The latencies in milliseconds that have not been published yet, by function.
    unpublished: BTreeMap<&'static str, Vec<f64>>,
}

/// The maximum number of values that CloudWatch accepts per metric and line.
const MAX_VALUES: usize = 100;

impl Metrics {
    /// Increments a counter by one.
    pub fn count(&self, counter: Counter, label: &'static str) {
        *self.inner().counts.entry((counter, label)).or_default() += 1;
    }

    /// Counts a request to a function, and records its latency.
    pub fn request(&self, function: &'static str, took: Duration) {
        let mut inner = self.inner();
        *inner.counts.entry((Counter::Requests, function)).or_default() += 1;
        *inner.took.entry(function).or_default() += took;
        let unpublished = inner.unpublished.entry(function).or_default();
        // If nothing is published, the list would otherwise grow without limit.
        if unpublished.len() < MAX_VALUES {
            unpublished.push((took.as_secs_f64() * 1e5).round() / 100.0);
        }
    }

    /// A copy of all counts since the process started.
    pub fn counts(&self) -> BTreeMap<(Counter, &'static str), u64> {
        self.inner().counts.clone()
    }

    /// The total latency of requests since the process started, by function.
    pub fn took(&self) -> BTreeMap<&'static str, Duration> {
        self.inner().took.clone()
    }

    /// Writes the changes since the last call to the standard output, from which CloudWatch reads
    /// them.
    pub(crate) fn tell(&self, deployment: &str) {
        let lines = self.embedded(deployment, Timestamp::now());
        // An error means that the output is closed; then the metrics cannot be published.
        let _ = std::io::stdout().lock().write_all(lines.as_bytes());
    }

    /// Formats the changes since the last call in CloudWatch's embedded metric format: one count
    /// per line, and for requests their latencies.
    fn embedded(&self, deployment: &str, now: Timestamp) -> String {
        let mut inner = self.inner();
        let Inner { counts, published, unpublished, .. } = &mut *inner;
        let mut lines = String::new();
        for (key @ (counter, label), count) in counts.iter() {
            let published = published.entry(*key).or_default();
            let new = *count - std::mem::replace(published, *count);
            if new > 0 {
                let mut metrics = vec![json!({"Name": counter.code(), "Unit": "Count"})];
                let took = if *counter == Counter::Requests { unpublished.remove(label) } else { None };
                if took.is_some() {
                    metrics.push(json!({"Name": "latency", "Unit": "Milliseconds"}));
                }
                let mut line = json!({"_aws": {
                    "Timestamp": now.as_millisecond(),
                    "CloudWatchMetrics": [{
                        "Namespace": "Bukti",
                        "Dimensions": [["deployment", counter.label()]],
                        "Metrics": metrics,
                    }],
                }});
                line["deployment"] = deployment.into();
                line[counter.label()] = Value::from(*label);
                line[counter.code()] = new.into();
                if let Some(took) = took {
                    line["latency"] = took.into();
                }
                lines += &format!("{line}\n");
            }
        }
        lines
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_only_new_counts() {
        let metrics = Metrics::default();
        metrics.count(Counter::Rows, "issued");
        metrics.count(Counter::Rows, "issued");
        metrics.request("status", Duration::from_millis(2));
        let now = Timestamp::UNIX_EPOCH;
        let lines = metrics.embedded("bukti-prod", now);
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let metric = &first["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metric["Metrics"], json!([{"Name": "rows", "Unit": "Count"}]));
        assert_eq!(metric["Dimensions"], json!([["deployment", "outcome"]]));
        assert_eq!((&first["outcome"], &first["rows"]), (&json!("issued"), &json!(2)));
        assert_eq!((lines.lines().count(), &first["deployment"]), (2, &json!("bukti-prod")));
        let second: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        let expected =
            json!([{"Name": "requests", "Unit": "Count"}, {"Name": "latency", "Unit": "Milliseconds"}]);
        assert_eq!(second["_aws"]["CloudWatchMetrics"][0]["Metrics"], expected);
        assert_eq!((&second["requests"], &second["latency"]), (&json!(1), &json!([2.0])));
        assert_eq!(metrics.embedded("bukti-prod", now), "");
        metrics.count(Counter::Rows, "issued");
        assert!(metrics.embedded("bukti-prod", now).contains("\"rows\":1"));
        assert_eq!(metrics.counts()[&(Counter::Rows, "issued")], 3);
    }
}
