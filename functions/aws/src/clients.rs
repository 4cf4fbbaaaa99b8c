//! The clients, made once per process.

use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;

use crate::{Keys, Secrets, SecretsError, SecretsSource, Settings};

/// Clients, keys and settings of a deployment.
#[derive(Clone)]
pub struct Aws {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The keys of hashes and sealed fields.
    pub keys: Keys,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sns: aws_sdk_sns::Client,
}

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The secrets cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl Aws {
    /// Makes the clients and reads the secrets.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] where the secrets cannot be read.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let config = sdk_config(&settings).await;
        let secrets = read_secrets(&settings.secrets, &config).await?;
        let keys = Keys::new(&secrets).ok_or(SecretsError::Malformed)?;
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            // Emulated accounts have no host per bucket.
            .force_path_style(settings.endpoint.is_some())
            .build();
        let mut sns = aws_sdk_sns::config::Builder::from(&config)
            // Longer than for the others: a try that is given up too early may be an SMS that goes out twice.
            .timeout_config(timeouts(Duration::from_secs(12), Duration::from_secs(14)));
        if let Some(region) = &settings.sms_region {
            sns = sns.region(aws_sdk_sns::config::Region::new(region.clone()));
        }
        Ok(Self {
            settings: Arc::new(settings),
            keys,
            secrets: Arc::new(secrets),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
        })
    }

    pub(crate) fn table(&self) -> crate::table::Table {
        crate::table::Table { client: self.dynamodb.clone(), name: self.settings.table.clone() }
    }

    /// The key of the captcha's signature. Secret.
    pub fn captcha_key(&self) -> &str {
        &self.secrets.captcha_key
    }

    /// The keys of the document signer. Secret.
    pub fn signer_keys(&self) -> &bukti_hcert::SignerKeys {
        &self.secrets.signer
    }
}

fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

async fn sdk_config(settings: &Settings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .timeout_config(timeouts(Duration::from_secs(5), Duration::from_secs(12)));
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some((access_key, secret_key)) = &settings.credentials {
        loader =
            loader.credentials_provider(Credentials::new(access_key, secret_key, None, None, "settings"));
    }
    loader.load().await
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
