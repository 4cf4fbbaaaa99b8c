//! `bukti secrets init`: the keys of a deployment, made once.

use anyhow::{Context, Result, bail};
use aws_config::BehaviorVersion;
use bukti_aws::Secrets;
use jiff::Timestamp;

/// Makes new keys and puts them into AWS Secrets Manager under this name. They are shown nowhere, and a secret that is
/// there is never written over: with its keys every record would be lost.
pub(crate) async fn init(name: &str, organisation: &str) -> Result<()> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    if config.region().is_none() {
        bail!("no AWS region is set: set AWS_REGION, or a region in the AWS profile");
    }
    let secrets = Secrets::generate(organisation, Timestamp::now())?;
    let created = aws_sdk_secretsmanager::Client::new(&config)
        .create_secret()
        .name(name)
        .description("The keys of Bukti. Losing them loses every record.")
        .secret_string(serde_json::to_string(&secrets)?)
        .send()
        .await;
    match created {
        Ok(_) => {
            eprintln!(
                "The keys are in Secrets Manager under {name}. Back the secret up: without it every record is lost."
            );
            Ok(())
        }
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            bail!("there is a secret {name} already, and it is left as it is")
        }
        Err(error) => Err(error.into_service_error()).context("the keys were not kept"),
    }
}
