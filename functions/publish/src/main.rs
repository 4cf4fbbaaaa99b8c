//! Runs the function `publish` on AWS Lambda.

use bukti_publish::Publish;
use bukti_runtime::start_logs;
use bukti_store::{Aws, Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let publish = Publish::new(&Aws::connect(Settings::from_env()?).await?);
    // The payload of the scheduled event is not used.
    run(service_fn(|_: LambdaEvent<serde_json::Value>| async {
        publish.publish().await.map(|_| ()).map_err(Error::from)
    }))
    .await
}
