//! The deployment that a command uses: an embedded stack, or a deployment on AWS.

mod options;
mod stack;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_hcert::Root;
use bukti_records::DoseRecord;
use bukti_store::{Aws, Endpoint, Jobs, PublicFiles, Secrets, SecretsSource, Settings, Stored, s3_client};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

pub(crate) use self::options::TargetOptions;
use self::options::{Choice, TARGET};
use self::stack::{StackInfo, announced_endpoint, stack_info};
use crate::fetch;

const ONLY_EMBEDDED: &str = "only an embedded stack can do this";
/// The default address of an embedded stack.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8080";

/// The result of the search for a deployment.
pub(crate) enum Detected {
    Embedded(Box<Target>),
    /// A deployment on AWS. The name of its table may still be unknown.
    Aws,
    Nothing,
}

/// A deployment, with clients for its table and its buckets.
pub(crate) struct Target {
    /// The name of the deployment in messages.
    pub(crate) name: String,
    pub(crate) jobs: Jobs,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    settings: Settings,
    root: SecretsSource,
    /// The address of the embedded stack; `None` on AWS.
    embedded: Option<String>,
}

/// The access keys of an embedded stack, read from a file that only its owner can read.
#[derive(Deserialize)]
struct AccessKeys {
    access_key: String,
    secret_key: String,
}

impl Detected {
    /// Searches for the deployment.
    ///
    /// # Errors
    ///
    /// If the chosen deployment does not respond, or if two deployments exist and none is chosen.
    pub(crate) async fn detect(options: &TargetOptions) -> Result<Self> {
        match options.choice()? {
            Some(Choice::Embedded(endpoint)) => {
                let info = stack_info(&endpoint).await.with_context(|| {
                    format!(
                        "no stack answers at {endpoint}: compare the address with the one that the stack \
                         printed, or start one with `cargo xtask up`"
                    )
                })?;
                return Ok(Self::Embedded(Box::new(Target::embedded(info).await?)));
            }
            Some(Choice::Aws) => return Ok(Self::Aws),
            None => {}
        }
        let aws_setting = options.aws_setting();
        let folder = std::env::current_dir().unwrap_or_default();
        for endpoint in announced_endpoint(&folder).into_iter().chain([DEFAULT_ENDPOINT.to_owned()]) {
            let Ok(info) = stack_info(&endpoint).await else { continue };
            if let Some(setting) = aws_setting {
                bail!(
                    "a stack runs at {endpoint}, and {setting} names a deployment on AWS: choose one with \
                     --endpoint {endpoint} or --aws, or set {TARGET} to `{endpoint}` or `aws`"
                );
            }
            return Ok(Self::Embedded(Box::new(Target::embedded(info).await?)));
        }
        Ok(if aws_setting.is_some() { Self::Aws } else { Self::Nothing })
    }
}

impl Target {
    /// Connects to the deployment and prints its name on the standard error.
    pub(crate) async fn connect(options: &TargetOptions) -> Result<Self> {
        Self::connect_to(Detected::detect(options).await?, options).await
    }

    /// Connects to a detected deployment and prints its name on the standard error.
    pub(crate) async fn connect_to(detected: Detected, options: &TargetOptions) -> Result<Self> {
        let target = match detected {
            Detected::Embedded(target) => *target,
            Detected::Aws | Detected::Nothing => Self::on_aws(options, &aws_environment().await?).await?,
        };
        eprintln!("Using {}.", target.name);
        Ok(target)
    }

    /// Connects to the deployment on AWS that the options specify.
    pub(crate) async fn on_aws(options: &TargetOptions, config: &SdkConfig) -> Result<Self> {
        let Some(table) = &options.table else {
            bail!(
                "no deployment found: start a stack with `cargo xtask up`, name one with --endpoint URL, or name the \
                 table and buckets of one on AWS with --table, --bucket and --public-bucket (or BUKTI_TABLE, \
                 BUKTI_BUCKET and BUKTI_PUBLIC_BUCKET)"
            );
        };
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let given = |name: &Option<String>| name.clone().unwrap_or_default();
        let settings = Settings {
            table: table.clone(),
            bucket: given(&options.bucket),
            public_bucket: given(&options.public_bucket),
            endpoint: None,
            credentials: None,
            secrets: SecretsSource::SecretsManager(options.secrets.clone()),
            region: region.clone(),
            ..Settings::local(&given(&options.site_url), "", "", PathBuf::new())
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        Ok(Self {
            name: format!("table {table} in {region}, {}", account(config).await),
            jobs: Jobs::of_table(dynamodb.clone(), table),
            dynamodb,
            s3: s3_client(config),
            settings,
            root: SecretsSource::SecretsManager(options.root_secret.clone()),
            embedded: None,
        })
    }

    async fn embedded(info: StackInfo) -> Result<Self> {
        let keys = SecretsSource::File(info.access_keys);
        let keys: AccessKeys = read_secret(&keys, "the stack's access keys").await?;
        let credentials = (&*keys.access_key, &*keys.secret_key);
        let (dynamodb, s3) =
            Endpoint { url: &info.endpoint, region: &info.region, credentials }.clients().await;
        let settings = Settings {
            table: info.table,
            bucket: info.bucket,
            public_bucket: info.public_bucket,
            region: info.region,
            ..Settings::local(&info.endpoint, &keys.access_key, &keys.secret_key, info.secrets)
        };
        Ok(Self {
            name: format!("the stack at {}", info.endpoint),
            jobs: Jobs::of_table(dynamodb.clone(), &settings.table),
            dynamodb,
            s3,
            settings,
            root: SecretsSource::File(info.root),
            embedded: Some(info.endpoint),
        })
    }

    /// Fetches a path from the embedded stack.
    ///
    /// # Errors
    ///
    /// If the stack does not respond, or if the deployment is on AWS.
    pub(crate) async fn get_from_stack(&self, path: &str) -> Result<Vec<u8>> {
        let endpoint = self.embedded.as_deref().context(ONLY_EMBEDDED)?;
        let response = fetch::get_local(&format!("{endpoint}{path}")).await?;
        response.context("the stack is of an older version: restart it")
    }

    /// Sends a POST request to the embedded stack, without a timeout, and returns the response.
    ///
    /// # Errors
    ///
    /// See [`Target::get_from_stack`].
    pub(crate) async fn post_to_stack(&self, path: &str) -> Result<Vec<u8>> {
        let endpoint = self.embedded.as_deref().context(ONLY_EMBEDDED)?;
        let (_, key) = self.settings.credentials.as_ref().context(ONLY_EMBEDDED)?;
        fetch::post(&format!("{endpoint}{path}"), key).await
    }

    /// Streams all doses of the table, in no particular order.
    pub(crate) fn doses(&self) -> impl Stream<Item = Result<DoseRecord>> {
        let sort_key = DoseRecord::KIND.sort_key().unwrap_or_default();
        let scan = self.dynamodb.scan().table_name(self.table()).filter_expression("sk = :dose");
        let scan = scan.expression_attribute_values(":dose", AttributeValue::S(sort_key.to_owned()));
        let items = scan.into_paginator().items().send();
        let items = stream::unfold(items, async |mut items| Some((items.next().await?, items)));
        items.filter_map(async |item| match item.context("the table cannot be read") {
            Ok(item) => DoseRecord::from_image(item.into()).map(Ok),
            Err(error) => Some(Err(error)),
        })
    }

    pub(crate) fn table(&self) -> &str {
        &self.settings.table
    }

    /// The name of the document bucket. Fails on AWS if no option specifies it.
    pub(crate) fn bucket(&self) -> Result<&str> {
        require_name(&self.settings.bucket, "the bucket", "--bucket")
    }

    pub(crate) fn public_files(&self) -> Result<PublicFiles> {
        let name = require_name(&self.settings.public_bucket, "the public bucket", "--public-bucket")?;
        Ok(PublicFiles::of_bucket(self.s3.clone(), name))
    }

    /// The address of the embedded stack, which also serves the site; `None` on AWS.
    pub(crate) fn site(&self) -> Option<&str> {
        self.embedded.as_deref()
    }

    /// Connects to the services as the functions do, which includes reading the functions' secrets.
    pub(crate) async fn aws(&self) -> Result<Aws> {
        Ok(Aws::connect(self.settings.clone()).await?)
    }

    /// Checks that the options required for publishing are set. Called before a command changes
    /// anything.
    pub(crate) fn check_can_publish(&self) -> Result<()> {
        self.public_files()?;
        require_name(&self.settings.site_url, "the site's address", "--site-url").map(|_| ())
    }

    /// Reads the root. The functions themselves have no permission to read it.
    pub(crate) async fn root(&self) -> Result<Root> {
        read_secret(&self.root, "the root").await
    }

    /// Reads the functions' secrets from their file, or from Secrets Manager on AWS.
    pub(crate) async fn secrets(&self) -> Result<Secrets> {
        read_secret(&self.settings.secrets, "the secrets").await
    }

    /// Replaces the functions' secrets atomically, in the file or in Secrets Manager.
    pub(crate) async fn write_secrets(&self, secrets: &Secrets) -> Result<()> {
        match &self.settings.secrets {
            SecretsSource::File(path) => {
                // Temporary files are readable only by their owner.
                let write = || -> Result<()> {
                    let mut new = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
                    serde_json::to_writer_pretty(&mut new, secrets)?;
                    new.as_file().sync_data()?;
                    new.persist(path)?;
                    Ok(())
                };
                write().with_context(|| format!("cannot write the secrets to {}", path.display()))
            }
            SecretsSource::SecretsManager(name) => {
                let client = aws_sdk_secretsmanager::Client::new(&aws_environment().await?);
                let put = client.put_secret_value().secret_id(name);
                let put = put.secret_string(serde_json::to_string(secrets)?).send().await;
                put.map_err(|error| error.into_service_error())
                    .with_context(|| format!("cannot write the secrets to the secret {name}"))?;
                Ok(())
            }
        }
    }

    /// Describes where the functions' secrets are stored, for messages.
    pub(crate) fn secrets_location(&self) -> String {
        location_of(&self.settings.secrets)
    }

    /// Describes where the root is stored, for messages.
    pub(crate) fn root_location(&self) -> String {
        location_of(&self.root)
    }

    pub(crate) fn region(&self) -> &str {
        &self.settings.region
    }

    /// The option, with a leading space, that makes another command use this deployment. Empty if
    /// the command finds the deployment by default.
    pub(crate) fn endpoint_argument(&self) -> String {
        match &self.embedded {
            Some(endpoint) if endpoint != DEFAULT_ENDPOINT => format!(" --endpoint {endpoint}"),
            _ => String::new(),
        }
    }

    /// Reads the settings of an embedded stack again after a failed call, because a restarted stack
    /// has new access keys.
    pub(crate) async fn reconnect(&mut self) {
        if let Some(endpoint) = &self.embedded
            && let Ok(info) = stack_info(endpoint).await
            && let Ok(reconnected) = Self::embedded(info).await
        {
            *self = reconnected;
        }
    }

    /// The number of events that an embedded stack has not yet processed; `None` on AWS, where it
    /// is unknown.
    ///
    /// # Errors
    ///
    /// If the stack does not respond.
    pub(crate) async fn backlog(&self) -> Result<Option<u64>> {
        match &self.embedded {
            Some(endpoint) => Ok(Some(stack_info(endpoint).await?.backlog)),
            None => Ok(None),
        }
    }
}

fn require_name<'a>(name: &'a str, what: &str, option: &str) -> Result<&'a str> {
    if name.is_empty() {
        bail!("{what} is not set: set it with {option}");
    }
    Ok(name)
}

fn location_of(source: &SecretsSource) -> String {
    match source {
        SecretsSource::File(path) => path.display().to_string(),
        SecretsSource::SecretsManager(name) => format!("the secret {name}"),
    }
}

async fn read_secret<T: DeserializeOwned>(source: &SecretsSource, what: &str) -> Result<T> {
    let location = location_of(source);
    let text = match source {
        SecretsSource::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {what} in {location}"))?
        }
        SecretsSource::SecretsManager(name) => {
            let secrets = aws_sdk_secretsmanager::Client::new(&aws_environment().await?);
            let secret = secrets.get_secret_value().secret_id(name).send().await;
            let secret = secret.map_err(|error| error.into_service_error());
            let secret = secret.with_context(|| format!("cannot read {what} in {location}"))?;
            secret.secret_string.unwrap_or_default()
        }
    };
    // Serde's message is dropped because it could quote part of the key.
    serde_json::from_str(&text).map_err(|_| anyhow::anyhow!("{what} in {location} is damaged"))
}

/// Describes the AWS account of the credentials, for messages.
pub(crate) async fn account(config: &SdkConfig) -> String {
    match aws_sdk_sts::Client::new(config).get_caller_identity().send().await {
        Ok(identity) => format!("account {}", identity.account.unwrap_or_default()),
        Err(_) => "an unknown account (check the credentials)".to_owned(),
    }
}

pub(crate) async fn aws_environment() -> Result<SdkConfig> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    if config.region().is_none() {
        bail!("no AWS region is set: set AWS_REGION, or the region of the AWS profile");
    }
    Ok(config)
}
