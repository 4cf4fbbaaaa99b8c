//! The configuration that all SDK clients share, and clients with a special configuration.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedHttpClient};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};

/// Creates a KMS client. The embedded stack has no KMS, so the endpoint and the credentials come
/// from the environment: `AWS_ENDPOINT_URL_KMS` replaces the endpoint of AWS.
pub(crate) async fn kms_client(region: &str) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&sdk_config(None, region, None, None).await)
}

/// Creates an S3 client. It uses path-style URLs for endpoints other than AWS, because these have
/// no host name per bucket.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    let path_style = config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The time-out for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

/// The configuration of all clients of a deployment. If `endpoint` or `credentials` are `None`,
/// they come from the environment.
pub(crate) async fn sdk_config(
    endpoint: Option<&str>,
    region: &str,
    credentials: Option<(&str, &str)>,
    http: Option<SharedHttpClient>,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts(Duration::from_secs(5), Duration::from_secs(12)));
    if let Some(http) = http.or_else(|| endpoint.map(|_| unproxied_client())) {
        loader = loader.http_client(http);
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some((access_key, secret_key)) = credentials {
        loader =
            loader.credentials_provider(Credentials::new(access_key, secret_key, None, None, "settings"));
    }
    loader.load().await
}

/// Creates an HTTP client that ignores the environment's proxy (`HTTP_PROXY`), which is meant for
/// AWS. Calls to an embedded stack are not encrypted, so a proxy would see identity numbers and
/// names in clear text.
fn unproxied_client() -> SharedHttpClient {
    let connector = Connector::builder()
        .proxy_config(ProxyConfig::disabled())
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    // One connector, and so one connection pool, for all clients and attempts.
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}
