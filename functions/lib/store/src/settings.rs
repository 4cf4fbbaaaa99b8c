//! The settings of a deployment.

use std::path::PathBuf;

use bukti_domain::Publisher;

/// The location of the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsSource {
    /// A JSON file that only its owner can read.
    File(PathBuf),
    /// The ARN or name of a secret of AWS Secrets Manager.
    SecretsManager(String),
}

/// The settings of a deployment. On AWS, the template sets them as environment variables of the
/// functions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The table's name (`BUKTI_TABLE`).
    pub table: String,
    /// The bucket of documents and feeds (`BUKTI_BUCKET`).
    pub bucket: String,
    /// The bucket of the public trust and revocation lists (`BUKTI_PUBLIC_BUCKET`).
    pub public_bucket: String,
    /// Another endpoint than AWS's own, for all services (`AWS_ENDPOINT_URL`).
    pub endpoint: Option<String>,
    /// The region (`AWS_REGION`).
    pub region: String,
    /// Access key and secret key; `None` for AWS's default provider chain.
    pub credentials: Option<(String, String)>,
    /// The location of the secrets (`BUKTI_SECRETS`): `secretsmanager:NAME` or `file:PATH`.
    pub secrets: SecretsSource,
    /// The address of the site, without a slash at its end (`BUKTI_SITE_URL`).
    pub site_url: String,
    /// Whether requests that bypass the content delivery network are rejected (`BUKTI_EDGE_ONLY`:
    /// `true`).
    pub edge_only: bool,
    /// The service's public name (`BUKTI_SERVICE_NAME`).
    pub service_name: String,
    /// The name of the issuer in certificates (`BUKTI_ISSUER`), at most 80 characters.
    pub issuer: String,
    /// The sender of the SMS (`BUKTI_SMS_SENDER`).
    pub sms_sender: String,
    /// The region that SMS are sent from, if it is another one (`BUKTI_SMS_REGION`).
    pub sms_region: Option<String>,
    /// The daily budget of requested SMS (`BUKTI_SMS_PER_DAY`), such as codes and quick downloads.
    /// SMS after a first dose do not count, since no stranger can request them. Strangers may spend
    /// at most 60 %, see [`crate::Payer`].
    pub sms_per_day: u32,
    /// The countries beside Indonesia whose phones get SMS (`BUKTI_PHONE_COUNTRIES`): `+60,+65`.
    pub phone_countries: Option<String>,
    /// The offset of local time from UTC (`BUKTI_UTC_OFFSET`), such as `+08:00`, for facilities
    /// whose code does not name an Indonesian province with its own time zone. The default is
    /// western Indonesian time.
    pub utc_offset: Option<String>,
    /// The helpdesk's phone (`BUKTI_HELPDESK_PHONE`).
    pub helpdesk_phone: String,
    /// The helpdesk's e-mail address (`BUKTI_HELPDESK_EMAIL`).
    pub helpdesk_email: String,
    /// The deployment's own vaccines (`BUKTI_VACCINES`): `file:PATH`, or the JSON itself in the
    /// form of `functions/lib/domain/vaccines.json`.
    pub vaccines: Option<String>,
}

/// A setting that is missing or invalid, by the name of its variable.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or invalid; set it and restart")]
pub struct SettingsError(pub &'static str);

impl Settings {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the first variable that is missing or invalid.
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

    /// The settings of the embedded stack at this address.
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

    /// The site's host name, which the last line of an SMS with a one-time code contains.
    pub fn site_host(&self) -> &str {
        let host = self.site_url.split_once("://").map_or(&*self.site_url, |(_, host)| host);
        host.split(['/', ':']).next().unwrap_or(host)
    }

    /// The publisher of the certificates.
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
