//! The AWS SDK clients, which each process creates at its start.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::SharedHttpClient;
use bukti_domain::{CountriesError, OffsetError, PhoneNumber, set_default_offset};
use bukti_records::Keys;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::sdk::{s3_client, sdk_config, timeouts};
use crate::signing::secrets::SEALS_AFTER;
use crate::{Metrics, Secrets, SecretsError, SecretsSource, Settings};

/// The SDK clients, keys and settings of a deployment.
#[derive(Clone)]
pub struct Aws {
    /// The settings that the clients were created with.
    pub settings: Arc<Settings>,
    /// The keys for keyed hashes and sealed fields.
    pub keys: Keys,
    /// The metrics of this process.
    pub metrics: Metrics,
    pub(crate) secrets: Arc<Secrets>,
    /// When the secrets were last read.
    read_at: Arc<Mutex<Timestamp>>,
    config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sns: aws_sdk_sns::Client,
}

/// The endpoint of an embedded stack or an emulated AWS account, with its credentials.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The URL that serves all AWS services.
    pub url: &'a str,
    /// The region for which requests are signed.
    pub region: &'a str,
    /// The access key and the secret key.
    pub credentials: (&'a str, &'a str),
}

impl<'a> Endpoint<'a> {
    /// The endpoint in these settings; `None` if they have none, so that the SDK uses AWS itself.
    pub fn of(settings: &'a Settings) -> Option<Self> {
        let (access_key, secret_key) = settings.credentials.as_ref()?;
        let url = settings.endpoint.as_deref()?;
        Some(Self { url, region: &settings.region, credentials: (access_key, secret_key) })
    }

    /// Creates DynamoDB and S3 clients. For programs that do not have the secrets.
    pub async fn clients(self) -> (aws_sdk_dynamodb::Client, aws_sdk_s3::Client) {
        let config = sdk_config(Some(self.url), self.region, Some(self.credentials), None).await;
        (aws_sdk_dynamodb::Client::new(&config), s3_client(&config))
    }
}

/// The maximum age of the secrets: a third of the delay before a new sealing key is used to seal.
const MAX_SECRETS_AGE: SignedDuration = SignedDuration::from_mins(SEALS_AFTER.as_mins() / 3);

/// Why a process cannot connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The secrets are unavailable.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The list of countries whose phones get SMS is invalid.
    #[error("BUKTI_PHONE_COUNTRIES is invalid: {0}")]
    Countries(#[from] CountriesError),
    /// The offset of local time from UTC is invalid.
    #[error("BUKTI_UTC_OFFSET is invalid: {0}")]
    UtcOffset(#[from] OffsetError),
    /// The deployment's vaccine catalogue is invalid.
    #[error("the vaccines in {from} are invalid: {reason}")]
    Vaccines {
        /// The file or the environment variable that contains the catalogue.
        from: String,
        /// The invalid entry, or why the file cannot be read.
        reason: String,
    },
}

impl Aws {
    /// Creates the clients, reads the secrets, and applies the settings for phone countries, local
    /// time and additional vaccines.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the secrets cannot be read, or a setting is invalid.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        Self::connect_with(settings, None).await
    }

    /// Like [`Aws::connect`], but with the given HTTP client instead of the default one.
    ///
    /// # Errors
    ///
    /// The errors of [`Aws::connect`].
    pub async fn connect_with_client(
        settings: Settings,
        client: SharedHttpClient,
    ) -> Result<Self, ConnectError> {
        Self::connect_with(settings, Some(client)).await
    }

    async fn connect_with(settings: Settings, http: Option<SharedHttpClient>) -> Result<Self, ConnectError> {
        if let Some(vaccines) = &settings.vaccines {
            extend_vaccines(vaccines).await?;
        }
        if let Some(countries) = &settings.phone_countries {
            PhoneNumber::allow_countries(countries)?;
        }
        if let Some(offset) = &settings.utc_offset {
            set_default_offset(offset)?;
        }
        let credentials = settings.credentials.as_ref().map(|(access, secret)| (&**access, &**secret));
        let config = sdk_config(settings.endpoint.as_deref(), &settings.region, credentials, http).await;
        let secrets = read_secrets(&settings.secrets, &config).await?;
        let keys = secrets.keys(&settings.region).await?;
        let mut sns = aws_sdk_sns::config::Builder::from(&config)
            // Longer than for the other services: giving up on an attempt too early may result in a
            // duplicate SMS.
            .timeout_config(timeouts(Duration::from_secs(12), Duration::from_secs(14)));
        if let Some(region) = &settings.sms_region {
            sns = sns.region(aws_sdk_sns::config::Region::new(region.clone()));
        }
        Ok(Self {
            settings: Arc::new(settings),
            keys,
            metrics: Metrics::default(),
            secrets: Arc::new(secrets),
            read_at: Arc::new(Mutex::new(Timestamp::now())),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: s3_client(&config),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
            config,
        })
    }

    /// Publishes the counters to CloudWatch if the deployment runs on AWS. Functions call this
    /// after each invocation.
    pub fn publish_metrics(&self) {
        if self.settings.endpoint.is_none() {
            self.metrics.tell(&self.settings.table);
        }
    }

    /// Reads the sealing keys again if they are too old, so that every process knows a new key
    /// before it is used to seal. Functions call this before each invocation, because AWS Lambda
    /// freezes processes between invocations, which stops timers.
    pub async fn refresh_secrets(&self) {
        // One caller reads the secrets; concurrent callers continue with the keys that they have.
        let Ok(mut read_at) = self.read_at.try_lock() else { return };
        let now = Timestamp::now();
        if now < *read_at + MAX_SECRETS_AGE {
            return;
        }
        let refreshed = match read_secrets(&self.settings.secrets, &self.config).await {
            Ok(secrets) => {
                secrets.sealing(&self.settings.region).await.map(|keys| self.keys.replace_sealing(keys))
            }
            Err(error) => Err(error),
        };
        match refreshed {
            Ok(()) => *read_at = now,
            // The next invocation retries.
            Err(error) => {
                tracing::error!(error = %error, "the secrets cannot be refreshed; the known ones stay in use")
            }
        }
    }

    pub(crate) fn table(&self) -> crate::table::Table {
        crate::table::Table { client: self.dynamodb.clone(), name: self.settings.table.clone() }
    }

    /// Whether this is the key with which the content delivery network authenticates itself.
    /// Compares in constant time; always `false` if the deployment has no such key.
    pub fn is_edge_key(&self, key: &str) -> bool {
        !self.secrets.edge_key.is_empty() && Keys::is_equal(key, &self.secrets.edge_key)
    }

    /// The key that signs captchas. Secret.
    pub fn captcha_key(&self) -> &str {
        &self.secrets.captcha_key
    }
}

async fn extend_vaccines(vaccines: &str) -> Result<(), ConnectError> {
    let (from, json) = match vaccines.strip_prefix("file:") {
        Some(path) => (path, tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())),
        None => ("BUKTI_VACCINES", Ok(vaccines.to_owned())),
    };
    json.and_then(|json| bukti_domain::extend_catalogue(&json).map_err(|error| error.to_string()))
        .map_err(|reason| ConnectError::Vaccines { from: from.to_owned(), reason })
}

async fn read_secrets(source: &SecretsSource, config: &SdkConfig) -> Result<Secrets, SecretsError> {
    let text = match source {
        SecretsSource::File(path) => tokio::fs::read_to_string(path)
            .await
            .map_err(|error| SecretsError::Unreadable(format!("{}: {error}", path.display())))?,
        SecretsSource::SecretsManager(name) => aws_sdk_secretsmanager::Client::new(config)
            .get_secret_value()
            .secret_id(name)
            .send()
            .await
            .map_err(|error| SecretsError::Unreadable(error.into_service_error().to_string()))?
            .secret_string
            .ok_or(SecretsError::Malformed)?,
    };
    serde_json::from_str(&text).map_err(|_| SecretsError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_read_new_sealing_key_before_it_seals() {
        assert!(
            MAX_SECRETS_AGE + MAX_SECRETS_AGE <= SEALS_AFTER && MAX_SECRETS_AGE.is_positive(),
            "{MAX_SECRETS_AGE:?}"
        );
    }
}
