//! What happens along the way of the data, counted: `/_metrics` of the embedded stack shows it, CloudWatch gets it on AWS.
//!
//! Labels are codes that the program knows, so nothing personal can be in them.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bukti_domain::codes;
use jiff::Timestamp;
use serde_json::{Value, json};

codes! {
    /// What is counted, in the order of the data's way.
    Counter,
    /// What its label says.
    label: &'static str {
        /// Rows that came, by what they were judged to be.
        Rows = "rows" => "outcome",
        /// Certificates, by what became of them: `issued`, `superseded`.
        Certificates = "certificates" => "state",
        /// SMS, by the service's word: `accepted`, `failed`; `withheld` where a limit is reached.
        Sms = "sms" => "result",
        /// Links of SMS that somebody tried, by the answer: `opened` or a problem's code.
        Links = "links" => "answer",
        /// Doses that a look at the status showed, by their diagnosis.
        Looks = "looks" => "diagnosis",
        /// Requests, by function.
        Requests = "requests" => "function",
        /// Requests that could not be answered as asked, by the problem's code.
        Problems = "problems" => "code",
    }
}

/// What was counted since the start. Clones share it.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    counts: BTreeMap<(Counter, &'static str), u64>,
    /// Time that requests took, by function.
    took: BTreeMap<&'static str, Duration>,
    /// How much of the counts CloudWatch has.
    told: BTreeMap<(Counter, &'static str), u64>,
    /// The times of requests, in milliseconds, that CloudWatch has not.
    untold: BTreeMap<&'static str, Vec<f64>>,
}

/// CloudWatch takes so many values in a line.
const VALUES: usize = 100;

impl Metrics {
    /// Counts one.
    pub fn count(&self, counter: Counter, label: &'static str) {
        *self.inner().counts.entry((counter, label)).or_default() += 1;
    }

    /// Counts a request to a function, which took so long.
    pub fn request(&self, function: &'static str, took: Duration) {
        let mut inner = self.inner();
        *inner.counts.entry((Counter::Requests, function)).or_default() += 1;
        *inner.took.entry(function).or_default() += took;
        let untold = inner.untold.entry(function).or_default();
        // Where nobody is told there is no end of them.
        if untold.len() < VALUES {
            untold.push((took.as_secs_f64() * 1e5).round() / 100.0);
        }
    }

    /// How many there are of each.
    pub fn counts(&self) -> BTreeMap<(Counter, &'static str), u64> {
        self.inner().counts.clone()
    }

    /// The time that requests took, by function.
    pub fn took(&self) -> BTreeMap<&'static str, Duration> {
        self.inner().took.clone()
    }

    /// Writes what was counted since the last time to the standard output, where CloudWatch takes it from.
    pub(crate) fn tell(&self, deployment: &str) {
        let lines = self.embedded(deployment, Timestamp::now());
        // Where nobody reads the output there is nobody to tell.
        let _ = std::io::stdout().lock().write_all(lines.as_bytes());
    }

    /// CloudWatch's embedded metric format, a line each; with how long they took where they are requests.
    fn embedded(&self, deployment: &str, now: Timestamp) -> String {
        let mut inner = self.inner();
        let Inner { counts, told, untold, .. } = &mut *inner;
        let mut lines = String::new();
        for (key @ (counter, label), count) in counts.iter() {
            let told = told.entry(*key).or_default();
            let new = *count - std::mem::replace(told, *count);
            if new > 0 {
                let mut metrics = vec![json!({"Name": counter.code(), "Unit": "Count"})];
                let took = if *counter == Counter::Requests { untold.remove(label) } else { None };
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
    fn cloudwatch_gets_each_count_once() {
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
