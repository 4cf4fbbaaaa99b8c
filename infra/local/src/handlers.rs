//! The handlers through which the stack invokes Bukti's functions.

use std::fmt::Display;
use std::sync::Arc;

use bukti_helpdesk::Helpdesk;
use bukti_holder::Holder;
use bukti_intake::Intake;
use bukti_issue::Issue;
use bukti_otp::Otp;
use bukti_publish::Publish;
use bukti_records::keys::published_filters;
use bukti_sender::Senders;
use bukti_status::Status;
use bukti_store::{Aws, concerns_publishing};
use bukti_wire::Function;
use tokio::sync::Notify;

use crate::api_gateway::HttpHandler;
use crate::feed_source::FeedHandler;
use crate::filter::Filter;
use crate::invoke::on_own_thread;
use crate::publish_schedule::PublishHandler;
use crate::stream_source::StreamSource;

/// The handlers for the API and for the event sources.
#[derive(Clone)]
pub struct Handlers {
    /// Handles the requests of all HTTP functions.
    pub http: HttpHandler,
    /// The function that imports feeds, invoked with S3 events.
    pub intake: FeedHandler,
    /// The function that publishes the trust and revocation lists.
    pub publish: PublishHandler,
    /// Notified when published data change, so that `publish` runs soon afterwards.
    pub publish_trigger: Arc<Notify>,
    /// The functions that are invoked with records of the stream.
    pub streams: Vec<StreamSource>,
}

impl Handlers {
    /// Creates the handlers of Bukti's functions.
    pub fn bukti(aws: &Aws) -> Self {
        let (status, otp) = (Arc::new(Status::new(aws)), Arc::new(Otp::new(aws)));
        let (holder, helpdesk) = (Arc::new(Holder::new(aws)), Arc::new(Helpdesk::new(aws)));
        let senders = Arc::new(Senders::new(aws));
        let (intake, issue, notify) =
            (Arc::new(Intake::new(aws)), Arc::new(Issue::new(aws)), Arc::new(bukti_notify::Notify::new(aws)));
        let publish = Arc::new(Publish::new(aws));
        let publish_trigger = Arc::new(Notify::new());
        let changed = Arc::clone(&publish_trigger);
        Self {
            http: Arc::new(move |function, request| {
                let (status, otp) = (Arc::clone(&status), Arc::clone(&otp));
                let (holder, helpdesk) = (Arc::clone(&holder), Arc::clone(&helpdesk));
                let senders = Arc::clone(&senders);
                Box::pin(async move {
                    match function {
                        Function::Status => status.handle(request).await,
                        Function::Otp => otp.handle(request).await,
                        Function::Holder => holder.handle(request).await,
                        Function::Helpdesk => helpdesk.handle(request).await,
                        Function::Sender => senders.handle(request).await,
                    }
                })
            }),
            intake: Arc::new(move |event| {
                let intake = Arc::clone(&intake);
                on_own_thread(move || async move { intake.handle(event).await.map_err(message) })
            }),
            publish: Arc::new(move || {
                let publish = Arc::clone(&publish);
                on_own_thread(move || async move { publish.publish().await.map(|_| ()).map_err(message) })
            }),
            publish_trigger,
            streams: vec![
                StreamSource {
                    name: "issue",
                    filter: Filter::of(&[bukti_issue::patterns(), published_patterns()].concat()),
                    handler: Arc::new(move |event| {
                        if event.records.iter().any(concerns_publishing) {
                            changed.notify_one();
                        }
                        let issue = Arc::clone(&issue);
                        on_own_thread(move || async move { issue.handle(event).await })
                    }),
                },
                StreamSource {
                    name: "notify",
                    filter: Filter::of(&bukti_notify::patterns()),
                    handler: Arc::new(move |event| {
                        let notify = Arc::clone(&notify);
                        on_own_thread(move || async move { notify.handle(event).await })
                    }),
                },
            ],
        }
    }
}

/// The filter patterns for published data. The template does not contain them, because on AWS
/// `publish` runs only on a schedule.
fn published_patterns() -> Vec<String> {
    published_filters().map(|keys| format!(r#"{{"dynamodb": {{{keys}}}}}"#)).into()
}

fn message(error: impl Display) -> String {
    error.to_string()
}
