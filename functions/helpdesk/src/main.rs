//! The Lambda function `helpdesk`.

use bukti_aws::{Aws, Settings, start_logs};
use bukti_helpdesk::Helpdesk;
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    start_logs();
    let helpdesk = Helpdesk::new(&Aws::connect(Settings::from_env()?).await?);
    run(service_fn(|request| async { Ok::<_, Error>(helpdesk.handle(request).await) })).await
}
