//! Runs the function `helpdesk` on AWS Lambda.

use bukti_helpdesk::Helpdesk;
use bukti_runtime::start_logs;
use bukti_store::{Aws, Settings};
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let helpdesk = Helpdesk::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|request| async { Ok::<_, Error>(helpdesk.handle(request).await) })).await
}
