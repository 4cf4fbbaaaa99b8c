//! Which Bukti the commands are for.

use std::env::VarError;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use bukti_hcert::Root;
use bukti_records::DoseRecord;
use bukti_store::{Aws, Endpoint, Jobs, PublicFiles, Secrets, SecretsSource, Settings, Stored, s3_client};
use clap::Args;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::fetch;

/// Where an embedded stack listens unless it is told otherwise.
const DEFAULT: &str = "http://127.0.0.1:8080";
/// The variable that names the Bukti that is meant.
const TARGET: &str = "BUKTI_TARGET";
const TARGETS: &str = "set it to `aws`, to the address of an embedded stack, or not at all";
/// The variables by which the SDK finds credentials; of profiles in files nobody says whether they
/// are meant.
const AWS_CREDENTIALS: [&str; 5] = [
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// What the command line says of it.
#[derive(Args)]
pub(crate) struct Where {
    /// The embedded stack at this address, as it printed it. Without this, without --aws and
    /// without BUKTI_TARGET (`aws` or an address): the one in `.bukti` here or above, then the one
    /// at http://127.0.0.1:8080, then the one on AWS. Where one of the first two runs and AWS is
    /// set up as well, one has to be named.
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<String>,
    /// The Bukti on AWS, whatever runs on this machine.
    #[arg(long, global = true, conflicts_with = "endpoint")]
    aws: bool,
    /// On AWS: the table. The account and the region are those of the AWS environment.
    #[arg(long, global = true, env = "BUKTI_TABLE", value_name = "NAME")]
    table: Option<String>,
    /// On AWS: the bucket.
    #[arg(long, global = true, env = "BUKTI_BUCKET", value_name = "NAME")]
    bucket: Option<String>,
    /// On AWS: the bucket of what is public.
    #[arg(long, global = true, env = "BUKTI_PUBLIC_BUCKET", value_name = "NAME")]
    public_bucket: Option<String>,
    /// On AWS: the site's address, which stands in what is published.
    #[arg(long, global = true, env = "BUKTI_SITE_URL", value_name = "URL")]
    site_url: Option<String>,
    /// On AWS: the name of the secret with the functions' keys, the template's parameter `Secrets`.
    #[arg(long, global = true, default_value = "bukti", value_name = "NAME")]
    secrets: String,
    /// On AWS: the name of the secret with the root, which no function may read.
    #[arg(long, global = true, default_value = "bukti-root", value_name = "NAME")]
    root_secret: String,
}

impl Where {
    /// The secrets' name on AWS.
    pub(crate) fn secrets(&self) -> &str {
        &self.secrets
    }

    /// The root's name on AWS.
    pub(crate) fn root(&self) -> &str {
        &self.root_secret
    }

    /// Whether a table on AWS is named.
    pub(crate) fn names_table(&self) -> bool {
        self.table.is_some()
    }
}

impl Where {
    /// The one that is named, so that no other will do.
    fn named(&self) -> Result<Option<Named>> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(Some(Named::Embedded(endpoint.clone())));
        }
        if self.aws {
            return Ok(Some(Named::Aws));
        }
        match std::env::var(TARGET) {
            Ok(target) if target == "aws" => Ok(Some(Named::Aws)),
            Ok(target) if target.starts_with("http://") => Ok(Some(Named::Embedded(target))),
            Ok(target) if target.is_empty() => Ok(None),
            Err(VarError::NotPresent) => Ok(None),
            Ok(target) => bail!("{TARGET} is {target}: {TARGETS}"),
            Err(VarError::NotUnicode(_)) => bail!("{TARGET} is not UTF-8: {TARGETS}"),
        }
    }

    /// By what a Bukti on AWS may be meant, where it may.
    fn aws_setting(&self) -> Option<String> {
        let table = self.table.as_ref().map(|table| format!("the table {table}"));
        let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        table.or_else(|| AWS_CREDENTIALS.iter().find(is_set).map(|name| (*name).to_owned()))
    }
}

/// The Bukti that the command line or the environment names.
enum Named {
    Embedded(String),
    Aws,
}

/// The Bukti that is meant.
pub(crate) enum Found {
    Embedded(Box<Target>),
    /// That on AWS, whether or not its table is named.
    Aws,
    Nothing,
}

/// A Bukti, with clients for its table and buckets.
pub(crate) struct Target {
    /// How it is called in messages.
    pub(crate) name: String,
    pub(crate) jobs: Jobs,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    settings: Settings,
    root: SecretsSource,
    /// The address of an embedded stack.
    embedded: Option<String>,
}

/// What an embedded stack says of itself.
#[derive(Deserialize)]
struct StackInfo {
    endpoint: String,
    table: String,
    bucket: String,
    public_bucket: String,
    secrets: PathBuf,
    root: PathBuf,
    region: String,
    access_keys: PathBuf,
    backlog: u64,
}

/// The keys of an embedded stack, from a file that only its owner can read.
#[derive(Deserialize)]
struct AccessKeys {
    access_key: String,
    secret_key: String,
}

impl Found {
    /// Looks for the Bukti that is meant.
    ///
    /// # Errors
    ///
    /// Where the one that is named does not answer, and where none is named and two may be meant.
    pub(crate) async fn find(place: &Where) -> Result<Self> {
        match place.named()? {
            Some(Named::Embedded(endpoint)) => {
                let info = stack_info(&endpoint).await.with_context(|| {
                    format!("no Bukti answers at {endpoint}: compare with the address that it printed, or start it with `cargo xtask up`")
                })?;
                return Ok(Self::Embedded(Box::new(Target::embedded(info).await?)));
            }
            Some(Named::Aws) => return Ok(Self::Aws),
            None => {}
        }
        let aws_setting = place.aws_setting();
        let here = std::env::current_dir().unwrap_or_default();
        for endpoint in announced(&here).into_iter().chain([DEFAULT.to_owned()]) {
            let Ok(info) = stack_info(&endpoint).await else { continue };
            if let Some(setting) = aws_setting {
                bail!(
                    "a Bukti runs at {endpoint}, and AWS is set up by {setting}: say which one is meant with \
                     --endpoint {endpoint} or --aws, or set {TARGET} to one of `{endpoint}` and `aws`"
                );
            }
            return Ok(Self::Embedded(Box::new(Target::embedded(info).await?)));
        }
        Ok(if aws_setting.is_some() { Self::Aws } else { Self::Nothing })
    }
}

impl Target {
    /// Finds the Bukti that is meant, and says on the standard error which one that is.
    pub(crate) async fn find(place: &Where) -> Result<Self> {
        Self::of(Found::find(place).await?, place).await
    }

    /// The Bukti that was found, which is said on the standard error.
    pub(crate) async fn of(found: Found, place: &Where) -> Result<Self> {
        let target = match found {
            Found::Embedded(target) => *target,
            Found::Aws | Found::Nothing => Self::on_aws(place, &aws_environment().await?).await?,
        };
        eprintln!("With {}.", target.name);
        Ok(target)
    }

    /// The Bukti on AWS that is named.
    pub(crate) async fn on_aws(place: &Where, config: &SdkConfig) -> Result<Self> {
        let Some(table) = &place.table else {
            bail!(
                "no Bukti was found: start one with `cargo xtask up`, name one with --endpoint URL, or name the table \
                 and buckets of one on AWS with --table, --bucket and --public-bucket (or BUKTI_TABLE, BUKTI_BUCKET and \
                 BUKTI_PUBLIC_BUCKET)"
            );
        };
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let given = |name: &Option<String>| name.clone().unwrap_or_default();
        let settings = Settings {
            table: table.clone(),
            bucket: given(&place.bucket),
            public_bucket: given(&place.public_bucket),
            endpoint: None,
            credentials: None,
            secrets: SecretsSource::SecretsManager(place.secrets.clone()),
            region: region.clone(),
            ..Settings::local(&given(&place.site_url), "", "", PathBuf::new())
        };
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        Ok(Self {
            name: format!("table {table} in {region}, {}", account(config).await),
            jobs: Jobs::of_table(dynamodb.clone(), table),
            dynamodb,
            s3: s3_client(config),
            settings,
            root: SecretsSource::SecretsManager(place.root_secret.clone()),
            embedded: None,
        })
    }

    async fn embedded(info: StackInfo) -> Result<Self> {
        let keys = SecretsSource::File(info.access_keys);
        let keys: AccessKeys = read_secret(&keys, "the stack's keys").await?;
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
            name: format!("the Bukti at {}", info.endpoint),
            jobs: Jobs::of_table(dynamodb.clone(), &settings.table),
            dynamodb,
            s3,
            settings,
            root: SecretsSource::File(info.root),
            embedded: Some(info.endpoint),
        })
    }

    /// What the embedded stack says at one of its own addresses.
    ///
    /// # Errors
    ///
    /// Where it does not answer, and on AWS.
    pub(crate) async fn ask_stack(&self, path: &str) -> Result<Vec<u8>> {
        let endpoint = self.embedded.as_deref().context("that is on AWS")?;
        fetch::local(&format!("{endpoint}{path}")).await?.context("an older Bukti answers there")
    }

    /// Has the embedded stack do something, however long that takes, and gives its answer.
    ///
    /// # Errors
    ///
    /// As [`Target::ask_stack`].
    pub(crate) async fn tell_stack(&self, path: &str) -> Result<Vec<u8>> {
        let endpoint = self.embedded.as_deref().context("that is on AWS")?;
        let (_, key) = self.settings.credentials.as_ref().context("that is on AWS")?;
        fetch::told(&format!("{endpoint}{path}"), key).await
    }

    /// All doses of the table, one after the other.
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

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        &self.settings.table
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> Result<&str> {
        named(&self.settings.bucket, "the bucket", "--bucket")
    }

    /// The public bucket.
    pub(crate) fn public_files(&self) -> Result<PublicFiles> {
        let name = named(&self.settings.public_bucket, "the public bucket", "--public-bucket")?;
        Ok(PublicFiles::of_bucket(self.s3.clone(), name))
    }

    /// The address of its site, where it is an embedded stack.
    pub(crate) fn site(&self) -> Option<&str> {
        self.embedded.as_deref()
    }

    /// Everything that its functions have, the secrets too: for who may read those.
    pub(crate) async fn aws(&self) -> Result<Aws> {
        Ok(Aws::connect(self.settings.clone()).await?)
    }

    /// Sees to it that [`Target::aws`] can publish.
    pub(crate) fn check_can_publish(&self) -> Result<()> {
        self.public_files()?;
        named(&self.settings.site_url, "the site's address", "--site-url").map(|_| ())
    }

    /// The root, for who may read it.
    pub(crate) async fn root(&self) -> Result<Root> {
        read_secret(&self.root, "the root").await
    }

    /// The functions' secrets, for who may read them.
    pub(crate) async fn secrets(&self) -> Result<Secrets> {
        read_secret(&self.settings.secrets, "the secrets").await
    }

    /// Writes the functions' secrets, whole or not at all.
    pub(crate) async fn keep_secrets(&self, secrets: &Secrets) -> Result<()> {
        match &self.settings.secrets {
            SecretsSource::File(path) => {
                // Readable by its owner only.
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

    /// Where the functions' secrets are, as a person looks for them.
    pub(crate) fn secrets_place(&self) -> String {
        place_of(&self.settings.secrets)
    }

    /// Where the root is.
    pub(crate) fn root_place(&self) -> String {
        place_of(&self.root)
    }

    /// The region.
    pub(crate) fn region(&self) -> &str {
        &self.settings.region
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
            && let Ok(again) = Self::embedded(info).await
        {
            *self = again;
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

fn named<'a>(name: &'a str, what: &str, flag: &str) -> Result<&'a str> {
    if name.is_empty() {
        bail!("{what} is not named: name it with {flag}");
    }
    Ok(name)
}

fn place_of(source: &SecretsSource) -> String {
    match source {
        SecretsSource::File(path) => path.display().to_string(),
        SecretsSource::SecretsManager(name) => format!("the secret {name}"),
    }
}

/// Reads a secret, for who may.
async fn read_secret<T: DeserializeOwned>(source: &SecretsSource, what: &str) -> Result<T> {
    let place = place_of(source);
    let text = match source {
        SecretsSource::File(path) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {what} in {place}"))?
        }
        SecretsSource::SecretsManager(name) => {
            let secrets = aws_sdk_secretsmanager::Client::new(&aws_environment().await?);
            let secret = secrets.get_secret_value().secret_id(name).send().await;
            let secret = secret.map_err(|error| error.into_service_error());
            let secret = secret.with_context(|| format!("cannot read {what} in {place}"))?;
            secret.secret_string.unwrap_or_default()
        }
    };
    // What serde says of it could hold part of the key.
    serde_json::from_str(&text).map_err(|_| anyhow::anyhow!("{what} in {place} is damaged"))
}

/// The AWS account that the credentials are of, as a person knows it.
pub(crate) async fn account(config: &SdkConfig) -> String {
    match aws_sdk_sts::Client::new(config).get_caller_identity().send().await {
        Ok(identity) => format!("account {}", identity.account.unwrap_or_default()),
        Err(_) => "of an account that AWS does not name: are the credentials right?".to_owned(),
    }
}

/// The AWS environment: credentials and a region.
pub(crate) async fn aws_environment() -> Result<SdkConfig> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    if config.region().is_none() {
        bail!("no AWS region is set: set AWS_REGION, or a region in the AWS profile");
    }
    Ok(config)
}

/// The addresses that running stacks wrote into their data folders, `.bukti/endpoint` here or above.
fn announced(here: &Path) -> Option<String> {
    let files = here.ancestors().map(|folder| folder.join(".bukti/endpoint"));
    let read = |file: PathBuf| std::fs::read_to_string(file).ok();
    files.filter_map(read).map(|endpoint| endpoint.trim().to_owned()).find(|endpoint| !endpoint.is_empty())
}

async fn stack_info(endpoint: &str) -> Result<StackInfo> {
    let address = format!("{}/_stack.json", endpoint.trim_end_matches('/'));
    let answer = fetch::local(&address).await?.context("something else than Bukti answers there")?;
    let info: StackInfo =
        serde_json::from_slice(&answer).context("something else than Bukti answers there")?;
    if port(&info.endpoint) != port(endpoint) {
        bail!("the Bukti that answers says that it is at {}: name it so", info.endpoint);
    }
    Ok(info)
}

/// The port of an address: all that tells embedded stacks apart, which listen on loopback only.
fn port(endpoint: &str) -> Option<u16> {
    let endpoint: http::Uri = endpoint.parse().ok()?;
    endpoint.authority().map(|authority| authority.port_u16().unwrap_or(80))
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
