//! The Lambda function `intake`.

use aws_lambda_events::event::s3::S3Event;
use bukti_intake::Intake;
use bukti_runtime::start_logs;
use bukti_store::{Aws, Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let intake = Intake::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|event: LambdaEvent<S3Event>| async {
        intake.handle(event.payload).await.map_err(Error::from)
    }))
    .await
}
