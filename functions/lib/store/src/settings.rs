//! The settings of a deployment, read from environment variables.

use std::path::PathBuf;

use bukti_domain::Publisher;

/// Where the secrets are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsSource {
    /// A JSON file that only its owner can read.
    File(PathBuf),
    /// The ARN or the name of a secret in AWS Secrets Manager.
    SecretsManager(String),
}

/// The settings of a deployment. On AWS, the template sets them as environment variables of the
/// functions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the DynamoDB table (`BUKTI_TABLE`).
    pub table: String,
    /// The name of the bucket of documents and feeds (`BUKTI_BUCKET`).
    pub bucket: String,
    /// The name of the bucket of public trust and revocation lists (`BUKTI_PUBLIC_BUCKET`).
    pub public_bucket: String,
    /// The endpoint that replaces AWS for all services (`AWS_ENDPOINT_URL`).
    pub endpoint: Option<String>,
    /// The AWS region (`AWS_REGION`).
    pub region: String,
    /// The access key and the secret key; `None` to use the default provider chain of AWS.
    pub credentials: Option<(String, String)>,
    /// Where the secrets are stored (`BUKTI_SECRETS`): `secretsmanager:NAME` or `file:PATH`.
    pub secrets: SecretsSource,
    /// The URL of the site, without a trailing slash (`BUKTI_SITE_URL`).
    pub site_url: String,
    /// Whether to reject requests that bypass the content delivery network (`BUKTI_EDGE_ONLY`:
    /// `true`).
    pub edge_only: bool,
    /// The public name of the service (`BUKTI_SERVICE_NAME`).
    pub service_name: String,
    /// The name of the issuer in certificates (`BUKTI_ISSUER`), at most 80 characters.
    pub issuer: String,
    /// The sender id of SMS (`BUKTI_SMS_SENDER`).
    pub sms_sender: String,
    /// The region from which SMS are sent, if it is not `region` (`BUKTI_SMS_REGION`).
    pub sms_region: Option<String>,
    /// The daily budget of requested SMS, such as one-time codes and quick downloads
    /// (`BUKTI_SMS_PER_DAY`). SMS about a first dose do not count, because a stranger cannot
    /// request them. Strangers can spend at most 60 % of the budget, see [`crate::Payer`].
    pub sms_per_day: u32,
    /// The countries besides Indonesia whose phones get SMS (`BUKTI_PHONE_COUNTRIES`), such as
    /// `+60,+65`.
    pub phone_countries: Option<String>,
    /// The offset of local time from UTC, such as `+08:00` (`BUKTI_UTC_OFFSET`). It applies to
    /// facilities whose code does not identify an Indonesian province with a different time zone.
    /// The default is Western Indonesian Time.
    pub utc_offset: Option<String>,
    /// The helpdesk's phone number (`BUKTI_HELPDESK_PHONE`).
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address (`BUKTI_HELPDESK_EMAIL`).
    pub helpdesk_email: String,
    /// Additional vaccines of the deployment (`BUKTI_VACCINES`): `file:PATH`, or JSON in the format
    /// of `functions/lib/domain/vaccines.json`.
    pub vaccines: Option<String>,
}

/// The name of an environment variable that is missing or invalid.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or invalid; set it and restart")]
pub struct SettingsError(pub &'static str);

impl Settings {
    /// Reads the settings from the environment variables.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with the first variable that is missing or invalid.
    pub fn from_env() -> Result<Self, SettingsError> {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let need = |name: &'static str| get(name).ok_or(SettingsError(name));
        let secrets = need("BUKTI_SECRETS")?;
        let secrets = match secrets.split_once(':') {
            Some(("file", path)) => SecretsSource::File(path.into()),
            Some(("secretsmanager", name)) => SecretsSource::SecretsManager(name.to_owned()),
            _ => return Err(SettingsError("BUKTI_SECRETS")),
        };
        let defaults = Defaults::default();
        Ok(Self {
            table: need("BUKTI_TABLE")?,
            bucket: need("BUKTI_BUCKET")?,
            public_bucket: need("BUKTI_PUBLIC_BUCKET")?,
            endpoint: get("AWS_ENDPOINT_URL"),
            region: need("AWS_REGION")?,
            credentials: None,
            secrets,
            site_url: need("BUKTI_SITE_URL")?.trim_end_matches('/').to_owned(),
            edge_only: match get("BUKTI_EDGE_ONLY").as_deref() {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(SettingsError("BUKTI_EDGE_ONLY")),
            },
            service_name: get("BUKTI_SERVICE_NAME").unwrap_or(defaults.service_name),
            issuer: get("BUKTI_ISSUER").unwrap_or(defaults.issuer),
            sms_sender: get("BUKTI_SMS_SENDER").unwrap_or(defaults.sms_sender),
            sms_region: get("BUKTI_SMS_REGION"),
            sms_per_day: match get("BUKTI_SMS_PER_DAY") {
                Some(number) => number.parse().map_err(|_| SettingsError("BUKTI_SMS_PER_DAY"))?,
                None => defaults.sms_per_day,
            },
            phone_countries: get("BUKTI_PHONE_COUNTRIES"),
            utc_offset: get("BUKTI_UTC_OFFSET"),
            helpdesk_phone: get("BUKTI_HELPDESK_PHONE").unwrap_or(defaults.helpdesk_phone),
            helpdesk_email: get("BUKTI_HELPDESK_EMAIL").unwrap_or(defaults.helpdesk_email),
            vaccines: get("BUKTI_VACCINES"),
        })
    }

    /// The settings of an embedded stack that listens at `endpoint`.
    pub fn local(endpoint: &str, access_key: &str, secret_key: &str, secrets: PathBuf) -> Self {
        let defaults = Defaults::default();
        Self {
            table: "bukti".to_owned(),
            bucket: "bukti-documents".to_owned(),
            public_bucket: "bukti-public".to_owned(),
            endpoint: Some(endpoint.to_owned()),
            region: "ap-southeast-3".to_owned(),
            credentials: Some((access_key.to_owned(), secret_key.to_owned())),
            secrets: SecretsSource::File(secrets),
            site_url: endpoint.trim_end_matches('/').to_owned(),
            edge_only: false,
            service_name: defaults.service_name,
            issuer: defaults.issuer,
            sms_sender: defaults.sms_sender,
            sms_region: None,
            sms_per_day: defaults.sms_per_day,
            phone_countries: None,
            utc_offset: None,
            helpdesk_phone: defaults.helpdesk_phone,
            helpdesk_email: defaults.helpdesk_email,
            vaccines: None,
        }
    }

    /// The host name of the site, which the last line of an SMS with a one-time code contains.
    pub fn site_host(&self) -> &str {
        let host = self.site_url.split_once("://").map_or(&*self.site_url, |(_, host)| host);
        host.split(['/', ':']).next().unwrap_or(host)
    }

    /// The issuer, host and helpdesk contacts that certificates and printed copies show.
    pub fn publisher(&self) -> Publisher {
        Publisher {
            issuer: self.issuer.clone(),
            host: self.site_host().to_owned(),
            helpdesk_phone: self.helpdesk_phone.clone(),
            helpdesk_email: self.helpdesk_email.clone(),
        }
    }

    /// Whether the site is served over TLS, so that cookies can have the attribute `Secure`.
    pub fn is_https(&self) -> bool {
        self.site_url.starts_with("https://")
    }
}

struct Defaults {
    service_name: String,
    issuer: String,
    sms_sender: String,
    sms_per_day: u32,
    helpdesk_phone: String,
    helpdesk_email: String,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            service_name: "Bukti".to_owned(),
            issuer: "Bukti".to_owned(),
            sms_sender: "1199".to_owned(),
            sms_per_day: 20_000,
            helpdesk_phone: "119 ext. 9".to_owned(),
            helpdesk_email: "sertifikat@pedulilindungi.id".to_owned(),
        }
    }
}
