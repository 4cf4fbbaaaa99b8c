//! The command-line options that choose the deployment.

use std::env::VarError;

use anyhow::{Result, bail};
use clap::{Args, ValueHint};

/// The environment variable that chooses the deployment.
pub(super) const TARGET: &str = "BUKTI_TARGET";
const TARGET_VALUES: &str = "set it to `aws` or to the address of an embedded stack, or unset it";
/// The environment variables in which the SDK finds credentials. Profiles in files are ignored,
/// because many people have profiles for other projects.
const AWS_CREDENTIALS: [&str; 5] = [
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

#[derive(Args)]
#[command(next_help_heading = "Deployment options")]
pub(crate) struct TargetOptions {
    /// Use the embedded stack at this address
    ///
    /// Without --endpoint, --aws and BUKTI_TARGET (`aws` or an address), `bukti` looks for the
    /// stack that `.bukti` in this folder or above names, then for one at http://127.0.0.1:8080,
    /// then for AWS settings. If it finds both a stack and AWS settings, it stops and asks for a
    /// choice.
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    endpoint: Option<String>,
    /// Use the deployment on AWS, in the account and region of the AWS environment
    #[arg(long, global = true, conflicts_with = "endpoint")]
    aws: bool,
    /// Table of the deployment on AWS
    #[arg(long, global = true, env = "BUKTI_TABLE", value_name = "NAME")]
    pub(super) table: Option<String>,
    /// Document bucket of the deployment on AWS
    #[arg(long, global = true, env = "BUKTI_BUCKET", value_name = "NAME")]
    pub(super) bucket: Option<String>,
    /// Public bucket of the deployment on AWS
    #[arg(long, global = true, env = "BUKTI_PUBLIC_BUCKET", value_name = "NAME")]
    pub(super) public_bucket: Option<String>,
    /// Address of the site of the deployment on AWS, which published files contain
    #[arg(long, global = true, env = "BUKTI_SITE_URL", value_name = "URL", value_hint = ValueHint::Url)]
    pub(super) site_url: Option<String>,
    /// Secret on AWS with the functions' keys, the template's parameter `Secrets`
    #[arg(long, global = true, default_value = "bukti", value_name = "NAME")]
    pub(super) secrets: String,
    /// Secret on AWS with the root of the signers, which no function may read
    #[arg(long, global = true, default_value = "bukti-root", value_name = "NAME")]
    pub(super) root_secret: String,
}

impl TargetOptions {
    /// The name of the secret on AWS that holds the functions' keys.
    pub(crate) fn secrets(&self) -> &str {
        &self.secrets
    }

    /// The name of the secret on AWS that holds the root.
    pub(crate) fn root(&self) -> &str {
        &self.root_secret
    }

    pub(crate) fn names_table(&self) -> bool {
        self.table.is_some()
    }

    /// The deployment that the options or the environment choose; `None` if `bukti` must search for
    /// one.
    pub(super) fn choice(&self) -> Result<Option<Choice>> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(Some(Choice::Embedded(endpoint.clone())));
        }
        if self.aws {
            return Ok(Some(Choice::Aws));
        }
        match std::env::var(TARGET) {
            Ok(target) if target == "aws" => Ok(Some(Choice::Aws)),
            Ok(target) if target.starts_with("http://") => Ok(Some(Choice::Embedded(target))),
            Ok(target) if target.is_empty() => Ok(None),
            Err(VarError::NotPresent) => Ok(None),
            Ok(target) => bail!("{TARGET} is {target}: {TARGET_VALUES}"),
            Err(VarError::NotUnicode(_)) => bail!("{TARGET} is not UTF-8: {TARGET_VALUES}"),
        }
    }

    /// The option or environment variable that suggests a deployment on AWS; `None` if none is set.
    pub(super) fn aws_setting(&self) -> Option<String> {
        let table = self.table.as_ref().map(|table| format!("the table {table}"));
        let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        table.or_else(|| AWS_CREDENTIALS.iter().find(is_set).map(|name| (*name).to_owned()))
    }
}

/// A deployment chosen by the options or the environment.
pub(super) enum Choice {
    Embedded(String),
    Aws,
}
