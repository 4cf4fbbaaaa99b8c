//! The functions, as the stack calls them.

use std::fmt::Display;
use std::sync::Arc;

use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use bukti_aws::{Aws, concerns_publishing};
use bukti_helpdesk::Helpdesk;
use bukti_holder::Holder;
use bukti_intake::Intake;
use bukti_issue::Issue;
use bukti_otp::Otp;
use bukti_publish::Publish;
use bukti_sender::Senders;
use bukti_status::Status;
use bukti_wire::Function;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::api::HttpHandler;
use crate::call::on_own_thread;
use crate::feeds::FeedHandler;
use crate::filter::Filter;
use crate::publishing::PublishHandler;
use crate::streams::StreamHandler;

/// What stands behind the API and the event sources.
#[derive(Clone)]
pub struct Handlers {
    /// The HTTP functions.
    pub http: HttpHandler,
    /// Takes feeds.
    pub intake: FeedHandler,
    /// Publishes trust and revocation lists.
    pub publish: PublishHandler,
    /// Told when something changes that is published.
    pub to_publish: Arc<Notify>,
    /// The consumers of the stream, by name. A name keeps its place in the stream over restarts.
    pub streams: Vec<(&'static str, StreamHandler)>,
}

impl Handlers {
    /// Bukti's functions.
    pub fn bukti(aws: &Aws) -> Self {
        let (status, otp) = (Arc::new(Status::new(aws)), Arc::new(Otp::new(aws)));
        let (holder, helpdesk) = (Arc::new(Holder::new(aws)), Arc::new(Helpdesk::new(aws)));
        let senders = Arc::new(Senders::new(aws));
        let (intake, issue, notify) =
            (Arc::new(Intake::new(aws)), Arc::new(Issue::new(aws)), Arc::new(bukti_notify::Notify::new(aws)));
        let publish = Arc::new(Publish::new(aws));
        let to_publish = Arc::new(Notify::new());
        let changed = Arc::clone(&to_publish);
        let (to_issue, to_notify) = (Filter::of(bukti_issue::PATTERNS), Filter::of(bukti_notify::PATTERNS));
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
                on_own_thread(move || async move { intake.handle(event).await.map_err(text) })
            }),
            publish: Arc::new(move || {
                let publish = Arc::clone(&publish);
                on_own_thread(move || async move { publish.publish().await.map(|_| ()).map_err(text) })
            }),
            to_publish,
            streams: vec![
                (
                    "issue",
                    Arc::new(move |event| {
                        if event.records.iter().any(concerns_publishing) {
                            changed.notify_one();
                        }
                        let issue = Arc::clone(&issue);
                        for_some(event, &to_issue, |event| {
                            on_own_thread(move || async move { issue.handle(event).await })
                        })
                    }),
                ),
                (
                    "notify",
                    Arc::new(move |event| {
                        let notify = Arc::clone(&notify);
                        for_some(event, &to_notify, |event| {
                            on_own_thread(move || async move { notify.handle(event).await })
                        })
                    }),
                ),
            ],
        }
    }
}

/// Calls a function for the records that its filter leaves, if there are any.
pub fn for_some(
    event: Event,
    filter: &Filter,
    function: impl FnOnce(Event) -> BoxFuture<'static, DynamoDbEventResponse>,
) -> BoxFuture<'static, DynamoDbEventResponse> {
    let event = filter.left(event);
    if event.records.is_empty() {
        return Box::pin(std::future::ready(DynamoDbEventResponse::default()));
    }
    function(event)
}

fn text(error: impl Display) -> String {
    error.to_string()
}
