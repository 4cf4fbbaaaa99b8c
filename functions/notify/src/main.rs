//! Runs `notify` as a Lambda function.

use aws_lambda_events::event::dynamodb::Event;
use bukti_notify::Notify;
use bukti_runtime::start_logs;
use bukti_store::{Aws, Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let notify = Notify::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|event: LambdaEvent<Event>| async { Ok::<_, Error>(notify.handle(event.payload).await) }))
        .await
}
