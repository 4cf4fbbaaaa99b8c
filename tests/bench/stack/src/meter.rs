//! Between a function and the services: counts what is asked for, and answers as late as AWS does.

use std::error::Error;
use std::ops::Sub;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::http::{Response, header};
use bukti_tests::proxy::{self, Call, Upstream};
use bytes::Bytes;
use serde_json::Value;

/// What a function asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Write units of DynamoDB, those of indexes with them.
    pub writes: f64,
    /// Read units of DynamoDB.
    pub reads: f64,
    /// Calls of S3 that cost as PUT does: PUT, LIST.
    pub puts: f64,
    /// Other calls of S3. DELETE costs nothing.
    pub gets: f64,
}

impl Sub for Asked {
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

/// How late each service answers.
#[derive(Clone, Copy)]
pub struct Latencies {
    pub dynamodb: Duration,
    pub s3: Duration,
    pub sns: Duration,
}

/// A way to the services that is metered.
pub struct Meter {
    /// The address for the SDKs.
    pub url: String,
    asked: Arc<Mutex<Asked>>,
}

impl Meter {
    /// A way to the services at this address, in the runtime of the caller.
    pub async fn open(services: &str, latencies: Latencies) -> Result<Self> {
        let asked = Arc::<Mutex<Asked>>::default();
        let counted = Arc::clone(&asked);
        let url = proxy::start(services, move |services, call| {
            let counted = Arc::clone(&counted);
            async move { pass(&services, call, latencies, &counted).await }
        })
        .await?;
        Ok(Self { url, asked })
    }

    /// What was asked for until now.
    pub fn asked(&self) -> Asked {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn pass(
    services: &Upstream,
    mut call: Call,
    latencies: Latencies,
    asked: &Mutex<Asked>,
) -> std::result::Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let (operation, is_sns, method) = (call.operation(), call.is_sns(), call.parts.method.clone());
    if operation.is_some() {
        let mut asks: Value = serde_json::from_slice(&call.body)?;
        asks["ReturnConsumedCapacity"] = "TOTAL".into();
        call.body = serde_json::to_vec(&asks)?.into();
        call.parts.headers.insert(header::CONTENT_LENGTH, call.body.len().into());
    }
    let lists = call.parts.uri.query().is_some_and(|query| query.contains("list-type="));
    let answer = services.forward(call).await?;
    let late = {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(operation) = &operation {
            let said: Value = serde_json::from_slice(answer.body())?;
            let (reads, writes) = units(operation, &said["ConsumedCapacity"]);
            asked.reads += reads;
            asked.writes += writes;
            // A write whose condition does not hold costs as one that is done, and says nothing of it.
            if !answer.status().is_success() && said["ConsumedCapacity"].is_null() {
                asked.writes += 1.0;
            }
            latencies.dynamodb
        } else if is_sns {
            latencies.sns
        } else {
            match method.as_str() {
                "PUT" | "POST" => asked.puts += 1.0,
                "GET" if lists => asked.puts += 1.0,
                "DELETE" => {}
                _ => asked.gets += 1.0,
            }
            latencies.s3
        }
    };
    tokio::time::sleep(late).await;
    Ok(answer)
}

/// The read and write units that an answer of DynamoDB names: of one table, or of several in a list.
fn units(operation: &str, consumed: &Value) -> (f64, f64) {
    if let Value::Array(all) = consumed {
        return all.iter().map(|one| units(operation, one)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    }
    let total = consumed["CapacityUnits"].as_f64().unwrap_or_default();
    let reads = ["Get", "BatchGet", "Query", "Scan", "TransactGet"];
    if reads.iter().any(|read| operation.starts_with(read)) { (total, 0.0) } else { (0.0, total) }
}
