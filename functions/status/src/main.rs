//! Runs the function `status` on AWS Lambda.

use bukti_runtime::start_logs;
use bukti_status::Status;
use bukti_store::{Aws, Settings};
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let status = Status::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|request| async { Ok::<_, Error>(status.handle(request).await) })).await
}
