//! Filters for stream records, with the patterns of Lambda's event source mapping
//! (`FilterCriteria`).
//!
//! Supports only what the template uses: equal values, `{"prefix": …}` and `{"exists": …}`.

use std::sync::Arc;

use serde_json::Value;

/// A filter for stream records. A record passes if it matches any of the patterns.
#[derive(Clone)]
pub struct Filter(Arc<[Value]>);

impl Filter {
    /// Parses JSON patterns. Invalid patterns are ignored, so they match nothing.
    pub fn of(patterns: &[impl AsRef<str>]) -> Self {
        Self(patterns.iter().filter_map(|pattern| serde_json::from_str(pattern.as_ref()).ok()).collect())
    }

    pub(crate) fn matches(&self, record: &Value) -> bool {
        self.0.iter().any(|pattern| matches(pattern, Some(record)))
    }
}

fn matches(pattern: &Value, found: Option<&Value>) -> bool {
    match pattern {
        Value::Object(parts) => {
            parts.iter().all(|(name, pattern)| matches(pattern, found.and_then(|found| found.get(name))))
        }
        Value::Array(values) => {
            let text = found.and_then(Value::as_str).unwrap_or_default();
            values.iter().any(|value| match (value.get("exists"), value.get("prefix")) {
                (Some(exists), _) => Some(found.is_some()) == exists.as_bool(),
                (None, Some(prefix)) => prefix.as_str().is_some_and(|prefix| text.starts_with(prefix)),
                (None, None) => found == Some(value),
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_as_on_aws() {
        let record = json!({"eventName": "MODIFY", "dynamodb": {"Keys": {"sk": {"S": "RED"}}, "NewImage": {"n": {"N": "1"}}}});
        let matches = |pattern: &str| super::matches(&serde_json::from_str(pattern).unwrap(), Some(&record));
        for pattern in [
            r#"{"dynamodb": {"Keys": {"sk": {"S": ["BLUE", "RED"]}}}}"#,
            r#"{"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"n": {"N": ["1"]}}}}"#,
            r#"{"dynamodb": {"NewImage": {"n": {"N": [{"exists": true}]}}}}"#,
            r#"{"dynamodb": {"NewImage": {"m": {"N": [{"exists": false}]}}}}"#,
            r#"{"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "RE"}]}}}}"#,
            "{}",
        ] {
            assert!(matches(pattern), "{pattern}");
        }
        for pattern in [
            r#"{"dynamodb": {"Keys": {"sk": {"S": ["BLUE"]}}}}"#,
            r#"{"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "BL"}]}}}}"#,
            r#"{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": ["1"]}}}}"#,
            r#"{"dynamodb": {"NewImage": {"m": {"N": [{"exists": true}]}}}}"#,
            r#"{"dynamodb": {"OldImage": {"n": {"N": ["1"]}}}}"#,
        ] {
            assert!(!matches(pattern), "{pattern}");
        }
    }

    /// On AWS, the template defines the filters, so both must have the same patterns.
    #[test]
    fn template_has_the_patterns_of_the_functions() {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");
        let template = std::fs::read_to_string(template).unwrap();
        let of_template = |function: &str| {
            let lines = template.lines().skip_while(|line| *line != format!("  {function}:"));
            let section = lines.skip(1).take_while(|line| line.is_empty() || line.starts_with("   "));
            let pattern = |line: &str| {
                let pattern = line.trim().strip_prefix("- Pattern: '")?.strip_suffix('\'')?;
                Some(pattern.to_owned())
            };
            section.filter_map(pattern).collect::<Vec<_>>()
        };
        for (function, patterns) in
            [("IssueFunction", bukti_issue::patterns()), ("NotifyFunction", bukti_notify::patterns())]
        {
            assert_eq!(
                of_template(function),
                patterns,
                "the template's patterns of {function} differ: copy these into it"
            );
            assert!(patterns.len() <= 5, "AWS allows five patterns per event source");
            for pattern in patterns {
                assert!(serde_json::from_str::<Value>(&pattern).unwrap().is_object(), "{pattern}");
            }
        }
    }
}
