//! Runs the function `holder` on AWS Lambda.

use bukti_holder::Holder;
use bukti_runtime::start_logs;
use bukti_store::{Aws, Settings};
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let holder = Holder::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|request| async { Ok::<_, Error>(holder.handle(request).await) })).await
}
