//! The SDK clients, created once per process.

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

/// Clients, keys and settings of a deployment.
#[derive(Clone)]
pub struct Aws {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The keys of hashes and sealed fields.
    pub keys: Keys,
    /// The counters.
    pub metrics: Metrics,
    pub(crate) secrets: Arc<Secrets>,
    /// When the secrets were last read.
    read_at: Arc<Mutex<Timestamp>>,
    config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sns: aws_sdk_sns::Client,
}

/// The endpoint of an embedded stack or emulated account, with the credentials for it.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<'a> {
    /// The address of all services.
    pub url: &'a str,
    /// The region to sign for.
    pub region: &'a str,
    /// Access key and secret key.
    pub credentials: (&'a str, &'a str),
}

impl<'a> Endpoint<'a> {
    /// The endpoint of a deployment; `None` for AWS itself.
    pub fn of(settings: &'a Settings) -> Option<Self> {
        let (access_key, secret_key) = settings.credentials.as_ref()?;
        let url = settings.endpoint.as_deref()?;
        Some(Self { url, region: &settings.region, credentials: (access_key, secret_key) })
    }

    /// Clients of table and bucket, for programs that do not have the secrets.
    pub async fn clients(self) -> (aws_sdk_dynamodb::Client, aws_sdk_s3::Client) {
        let config = sdk_config(Some(self.url), self.region, Some(self.credentials), None).await;
        (aws_sdk_dynamodb::Client::new(&config), s3_client(&config))
    }
}

/// The maximum age of the secrets. A third of the delay before a new sealing key seals.
const MAX_SECRETS_AGE: SignedDuration = SignedDuration::from_mins(SEALS_AFTER.as_mins() / 3);

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The secrets are unavailable.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The setting of countries whose phones get SMS is invalid.
    #[error("BUKTI_PHONE_COUNTRIES is invalid: {0}")]
    Countries(#[from] CountriesError),
    /// The offset of local time is invalid.
    #[error("BUKTI_UTC_OFFSET is invalid: {0}")]
    UtcOffset(#[from] OffsetError),
    /// The deployment's own vaccines are invalid.
    #[error("the vaccines in {from} are invalid: {reason}")]
    Vaccines {
        /// The file or the variable.
        from: String,
        /// The invalid entry, or why the file cannot be read.
        reason: String,
    },
}

impl Aws {
    /// Creates the clients, reads the secrets, and applies the deployment's countries, local time
    /// and own vaccines.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the secrets cannot be read, or a setting is invalid.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        Self::connect_with(settings, None).await
    }

    /// Like [`Aws::connect`], with this HTTP client instead of the default one.
    ///
    /// # Errors
    ///
    /// As for [`Aws::connect`].
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
            // Longer than for the other services: an attempt that is abandoned too early may result
            // in a duplicate SMS.
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

    /// Publishes the counters to CloudWatch if the deployment is on AWS. Functions call it after
    /// each invocation.
    pub fn publish_metrics(&self) {
        if self.settings.endpoint.is_none() {
            self.metrics.tell(&self.settings.table);
        }
    }

    /// Reads the sealing keys again if they are too old, so that a new key is known before it
    /// seals. Functions call it before each invocation, since AWS Lambda freezes processes in
    /// between.
    pub async fn refresh_secrets(&self) {
        // One caller reads them; concurrent ones continue with the known keys.
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
    pub fn is_edge_key(&self, key: &str) -> bool {
        !self.secrets.edge_key.is_empty() && Keys::is_equal(key, &self.secrets.edge_key)
    }

    /// The key with which captchas are signed. Secret.
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
