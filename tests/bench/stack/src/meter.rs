//! A proxy between a function and the services. It counts billable calls and adds the latencies of
//! AWS.

use std::error::Error;
use std::ops::Sub;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::http::{Response, header};
use bukti_tests::proxy::{self, Call, Upstream};
use bytes::Bytes;
use serde_json::Value;

/// The billable units that a function's calls consumed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// DynamoDB write units, including the units for indexes.
    pub writes: f64,
    /// DynamoDB read units.
    pub reads: f64,
    /// S3 calls that are billed at the price of PUT, which are PUT and LIST.
    pub puts: f64,
    /// All other S3 calls except DELETE, which is free.
    pub gets: f64,
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            reads: self.reads - before.reads,
            puts: self.puts - before.puts,
            gets: self.gets - before.gets,
        }
    }
}

/// The latency that the proxy adds to the calls of each service.
#[derive(Clone, Copy)]
pub struct Latencies {
    pub dynamodb: Duration,
    pub s3: Duration,
    pub sns: Duration,
}

/// A metering proxy for one function.
pub struct Meter {
    /// The endpoint URL for the function's SDK clients.
    pub url: String,
    usage: Arc<Mutex<Usage>>,
}

impl Meter {
    /// Starts a proxy to the services at this address, on the caller's runtime.
    pub async fn open(services: &str, latencies: Latencies) -> Result<Self> {
        let usage = Arc::<Mutex<Usage>>::default();
        let counted = Arc::clone(&usage);
        let url = proxy::start(services, move |services, call| {
            let counted = Arc::clone(&counted);
            async move { forward(&services, call, latencies, &counted).await }
        })
        .await?;
        Ok(Self { url, usage })
    }

    /// Returns the usage counted so far.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn forward(
    services: &Upstream,
    mut call: Call,
    latencies: Latencies,
    usage: &Mutex<Usage>,
) -> std::result::Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let (operation, is_sns, method) = (call.operation(), call.is_sns(), call.parts.method.clone());
    if operation.is_some() {
        let mut request: Value = serde_json::from_slice(&call.body)?;
        request["ReturnConsumedCapacity"] = "TOTAL".into();
        call.body = serde_json::to_vec(&request)?.into();
        call.parts.headers.insert(header::CONTENT_LENGTH, call.body.len().into());
    }
    let is_list = call.parts.uri.query().is_some_and(|query| query.contains("list-type="));
    let response = services.forward(call).await?;
    let latency = {
        let mut usage = usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(operation) = &operation {
            let body: Value = serde_json::from_slice(response.body())?;
            let (reads, writes) = units(operation, &body["ConsumedCapacity"]);
            usage.reads += reads;
            usage.writes += writes;
            // A failed conditional write costs as much as a successful one, but its response does
            // not report the consumed capacity.
            if !response.status().is_success() && body["ConsumedCapacity"].is_null() {
                usage.writes += 1.0;
            }
            latencies.dynamodb
        } else if is_sns {
            latencies.sns
        } else {
            match method.as_str() {
                "PUT" | "POST" => usage.puts += 1.0,
                "GET" if is_list => usage.puts += 1.0,
                "DELETE" => {}
                _ => usage.gets += 1.0,
            }
            latencies.s3
        }
    };
    tokio::time::sleep(latency).await;
    Ok(response)
}

/// Returns the read and write units that a DynamoDB response reports, for one table or for a list
/// of tables.
fn units(operation: &str, consumed: &Value) -> (f64, f64) {
    if let Value::Array(all) = consumed {
        return all.iter().map(|one| units(operation, one)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    }
    let total = consumed["CapacityUnits"].as_f64().unwrap_or_default();
    let reads = ["Get", "BatchGet", "Query", "Scan", "TransactGet"];
    if reads.iter().any(|read| operation.starts_with(read)) { (total, 0.0) } else { (0.0, total) }
}
