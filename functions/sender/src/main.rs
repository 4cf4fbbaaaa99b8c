//! The Lambda function `sender`.

use bukti_runtime::start_logs;
use bukti_sender::Senders;
use bukti_store::{Aws, Settings};
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let senders = Senders::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|request| async { Ok::<_, Error>(senders.handle(request).await) })).await
}
