//! Which Bukti the commands are for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_config::BehaviorVersion;
use bukti_aws::{Endpoint, Jobs, s3_client};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// Where an embedded stack listens unless it is told otherwise.
const DEFAULT: &str = "http://127.0.0.1:8080";
/// How long an embedded stack may take to answer. It is on this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the command line says of it.
#[derive(Args)]
pub(crate) struct Where {
    /// The address of an embedded stack, as it printed it. Without this: the one in `.bukti` here or above, the one at
    /// http://127.0.0.1:8080, then AWS.
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<String>,
    /// On AWS: the table. The account and the region are those of the AWS environment.
    #[arg(long, global = true, env = "BUKTI_TABLE", value_name = "NAME")]
    table: Option<String>,
    /// On AWS: the bucket.
    #[arg(long, global = true, env = "BUKTI_BUCKET", value_name = "NAME")]
    bucket: Option<String>,
}

/// A Bukti, with clients for its table and bucket.
pub(crate) struct Target {
    /// How it is called in messages.
    pub(crate) name: String,
    pub(crate) jobs: Jobs,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) bucket: String,
    /// The address of an embedded stack.
    embedded: Option<String>,
}

/// What an embedded stack says of itself.
#[derive(Deserialize)]
struct StackInfo {
    endpoint: String,
    table: String,
    bucket: String,
    region: String,
    access_key: String,
    secret_key: String,
    backlog: u64,
}

impl Target {
    /// Finds the Bukti that is meant, and says on the standard error which one that is.
    pub(crate) async fn find(place: &Where) -> Result<Self> {
        let target = Self::look(place).await?;
        eprintln!("With {}.", target.name);
        Ok(target)
    }

    async fn look(place: &Where) -> Result<Self> {
        if let Some(endpoint) = &place.endpoint {
            let info = stack_info(endpoint).await.with_context(|| {
                format!("no Bukti answers at {endpoint}: compare with the address that it printed, or start it with `cargo xtask up`")
            })?;
            return Ok(Self::embedded(info).await);
        }
        let here = std::env::current_dir().unwrap_or_default();
        for endpoint in announced(&here).into_iter().chain([DEFAULT.to_owned()]) {
            if let Ok(info) = stack_info(&endpoint).await {
                return Ok(Self::embedded(info).await);
            }
        }
        let (Some(table), Some(bucket)) = (&place.table, &place.bucket) else {
            bail!(
                "no Bukti was found: start one with `cargo xtask up`, name one with --endpoint URL, or name the table \
                 and bucket of one on AWS with --table and --bucket (or BUKTI_TABLE and BUKTI_BUCKET)"
            );
        };
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let Some(region) = config.region() else {
            bail!("no AWS region is set: set AWS_REGION, or a region in the AWS profile")
        };
        Ok(Self {
            name: format!("table {table} and bucket {bucket} in {region}, by the AWS environment"),
            jobs: Jobs::of_table(aws_sdk_dynamodb::Client::new(&config), table),
            s3: s3_client(&config),
            bucket: bucket.clone(),
            embedded: None,
        })
    }

    async fn embedded(info: StackInfo) -> Self {
        let credentials = (&*info.access_key, &*info.secret_key);
        let (dynamodb, s3) =
            Endpoint { url: &info.endpoint, region: &info.region, credentials }.clients().await;
        Self {
            name: format!("the Bukti at {}", info.endpoint),
            jobs: Jobs::of_table(dynamodb, info.table),
            s3,
            bucket: info.bucket,
            embedded: Some(info.endpoint),
        }
    }

    /// What must be added to a command so that it finds this one again.
    pub(crate) fn again(&self) -> String {
        match &self.embedded {
            Some(endpoint) if endpoint != DEFAULT => format!(" --endpoint {endpoint}"),
            _ => String::new(),
        }
    }

    /// After a call that failed: an embedded stack that was started anew has new keys.
    pub(crate) async fn reconnect(&mut self) {
        if let Some(endpoint) = &self.embedded
            && let Ok(info) = stack_info(endpoint).await
        {
            *self = Self::embedded(info).await;
        }
    }

    /// How much an embedded stack has still to do; `None` on AWS, where nobody counts it.
    ///
    /// # Errors
    ///
    /// Where the stack no longer answers.
    pub(crate) async fn backlog(&self) -> Result<Option<u64>> {
        match &self.embedded {
            Some(endpoint) => Ok(Some(stack_info(endpoint).await?.backlog)),
            None => Ok(None),
        }
    }
}

/// The addresses that running stacks wrote into their data folders, `.bukti/endpoint` here or above.
fn announced(here: &Path) -> Option<String> {
    let files = here.ancestors().map(|folder| folder.join(".bukti/endpoint"));
    let read = |file: PathBuf| std::fs::read_to_string(file).ok();
    files.filter_map(read).map(|endpoint| endpoint.trim().to_owned()).find(|endpoint| !endpoint.is_empty())
}

async fn stack_info(endpoint: &str) -> Result<StackInfo> {
    let address = format!("{}/_stack.json", endpoint.trim_end_matches('/'));
    let address = address.parse().context("that is no address")?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let fetch = async {
        let answer = client.get(address).await.context("the connection failed")?;
        if !answer.status().is_success() {
            bail!("the answer is {}", answer.status());
        }
        let body = Limited::new(answer.into_body(), 64 * 1024).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
        serde_json::from_slice(&body.to_bytes()).context("something else than Bukti answers there")
    };
    tokio::time::timeout(PATIENCE, fetch).await.context("it takes too long to answer")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_announcement_counts() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(folder.path().join(".bukti")).unwrap();
        std::fs::write(folder.path().join(".bukti/endpoint"), "http://127.0.0.1:1234\n").unwrap();
        assert_eq!(announced(&deep).as_deref(), Some("http://127.0.0.1:1234"));
    }
}
