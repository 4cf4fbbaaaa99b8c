//! The clients, made once per process.

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
    /// What happens, counted.
    pub metrics: Metrics,
    pub(crate) secrets: Arc<Secrets>,
    /// When the secrets were read last.
    read_at: Arc<Mutex<Timestamp>>,
    config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sns: aws_sdk_sns::Client,
}

/// Where an embedded stack or an emulated account is, and with which keys it is called.
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
    /// That of a deployment; `None` where it is AWS itself.
    pub fn of(settings: &'a Settings) -> Option<Self> {
        let (access_key, secret_key) = settings.credentials.as_ref()?;
        let url = settings.endpoint.as_deref()?;
        Some(Self { url, region: &settings.region, credentials: (access_key, secret_key) })
    }

    /// Clients of table and bucket, for programs that have no secrets.
    pub async fn clients(self) -> (aws_sdk_dynamodb::Client, aws_sdk_s3::Client) {
        let config = sdk_config(Some(self.url), self.region, Some(self.credentials), None).await;
        (aws_sdk_dynamodb::Client::new(&config), s3_client(&config))
    }
}

/// For so long secrets are taken as they were read. A third of what a new sealing key waits before it seals.
const FRESH: SignedDuration = SignedDuration::from_mins(SEALS_AFTER.as_mins() / 3);

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The secrets cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The countries whose phones get SMS cannot be used.
    #[error("BUKTI_PHONE_COUNTRIES cannot be used: {0}")]
    Countries(#[from] CountriesError),
    /// The offset of local time cannot be used.
    #[error("BUKTI_UTC_OFFSET cannot be used: {0}")]
    UtcOffset(#[from] OffsetError),
    /// The deployment's own vaccines cannot be used.
    #[error("the vaccines of {from} cannot be used: {reason}")]
    Vaccines {
        /// The file or the variable.
        from: String,
        /// Which entry is wrong, or why the file cannot be read.
        reason: String,
    },
}

impl Aws {
    /// Makes the clients, reads the secrets, and applies the deployment's countries, local time and own vaccines.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where the secrets cannot be read, or countries, local time or vaccines not be used.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        Self::connect_with(settings, None).await
    }

    /// As [`Aws::connect`], by a client of one's own instead of the net.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn connect_by(settings: Settings, client: SharedHttpClient) -> Result<Self, ConnectError> {
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
            // Longer than for the others: a try that is given up too early may be an SMS that goes out twice.
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

    /// Tells CloudWatch what was counted, where that is on AWS. Functions do so after each piece of work.
    pub fn tell_metrics(&self) {
        if self.settings.endpoint.is_none() {
            self.metrics.tell(&self.settings.table);
        }
    }

    /// Reads the sealing keys again where that is a while ago, so that a new one is known before it seals. Functions do so
    /// before each piece of work: a process of AWS Lambda stands still in between.
    pub async fn keep_up(&self) {
        // One reads, the others go on meanwhile.
        let Ok(mut read_at) = self.read_at.try_lock() else { return };
        let now = Timestamp::now();
        if now < *read_at + FRESH {
            return;
        }
        let kept = match read_secrets(&self.settings.secrets, &self.config).await {
            Ok(secrets) => {
                secrets.sealing(&self.settings.region).await.map(|keys| self.keys.replace_sealing(keys))
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok(()) => *read_at = now,
            // The next piece of work tries again.
            Err(error) => tracing::error!(error = %error, "the secrets cannot be read again"),
        }
    }

    pub(crate) fn table(&self) -> crate::table::Table {
        crate::table::Table { client: self.dynamodb.clone(), name: self.settings.table.clone() }
    }

    /// Whether this is the key by which the content delivery network is known.
    pub fn is_edge_key(&self, key: &str) -> bool {
        !self.secrets.edge_key.is_empty() && Keys::same(key, &self.secrets.edge_key)
    }

    /// The key of the captcha's signature. Secret.
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
    fn every_process_knows_a_new_sealing_key_before_it_seals() {
        assert!(FRESH + FRESH <= SEALS_AFTER && FRESH.is_positive(), "{FRESH:?}");
    }
}
