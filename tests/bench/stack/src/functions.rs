//! The functions as Lambda runs them: each alone on a thread, one piece of work at a time, so that what it computes can be
//! told from what it waits for and from what others do.

use std::collections::BTreeMap;
use std::ops::Sub;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bukti_helpdesk::Helpdesk;
use bukti_holder::Holder;
use bukti_intake::Intake;
use bukti_issue::Issue;
use bukti_local::{Filter, Handlers, StreamSource};
use bukti_notify::Notify;
use bukti_otp::Otp;
use bukti_publish::Publish;
use bukti_sender::Senders;
use bukti_status::Status;
use bukti_store::{Aws, Settings};
use bukti_wire::Function;
use futures::future::{BoxFuture, LocalBoxFuture};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

use crate::meter::{Asked, Latencies, Meter};

/// What a function has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// How often it ran.
    pub runs: u64,
    /// How long it ran.
    pub ran: Duration,
    /// How long of that it computed.
    pub computed: Duration,
    /// What it asked the services for.
    pub asked: Asked,
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            runs: self.runs - before.runs,
            ran: self.ran.saturating_sub(before.ran),
            computed: self.computed.saturating_sub(before.computed),
            asked: self.asked - before.asked,
        }
    }
}

type Call = Box<dyn for<'a> FnOnce(&'a Deployed) -> LocalBoxFuture<'a, ()> + Send>;

/// All of them, with clients of their own.
struct Deployed {
    status: Status,
    otp: Otp,
    holder: Holder,
    helpdesk: Helpdesk,
    intake: Intake,
    issue: Issue,
    notify: Notify,
    publish: Publish,
    senders: Senders,
}

/// A function on its thread.
#[derive(Clone)]
struct Worker {
    calls: mpsc::Sender<Call>,
    work: Arc<Mutex<Work>>,
    meter: Arc<Meter>,
}

impl Worker {
    fn start(settings: &Settings, latencies: Latencies) -> Result<Self> {
        let (calls, todo) = mpsc::channel::<Call>();
        let work = Arc::<Mutex<Work>>::default();
        let (noted, settings) = (Arc::clone(&work), settings.clone());
        let (ready, started) = mpsc::channel();
        // The meter has threads of its own: what it does is not the function's work.
        let between = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let services = settings.endpoint.clone().context("the embedded stack has an address")?;
        let meter = Arc::new(between.block_on(Meter::open(&services, latencies))?);
        let url = meter.url.clone();
        std::thread::spawn(move || {
            let _between = between;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let aws = runtime.block_on(Aws::connect(Settings { endpoint: Some(url), ..settings }))?;
            let deployed = Deployed {
                status: Status::new(&aws),
                otp: Otp::new(&aws),
                holder: Holder::new(&aws),
                helpdesk: Helpdesk::new(&aws),
                intake: Intake::new(&aws),
                issue: Issue::new(&aws),
                notify: Notify::new(&aws),
                publish: Publish::new(&aws),
                senders: Senders::new(&aws),
            };
            let _ = ready.send(());
            for call in todo {
                let (began, computed) = (Instant::now(), computed());
                runtime.block_on(call(&deployed));
                let mut work = noted.lock().unwrap_or_else(PoisonError::into_inner);
                work.runs += 1;
                work.ran += began.elapsed();
                work.computed += self::computed() - computed;
            }
            anyhow::Ok(())
        });
        started.recv().context("a function did not start")?;
        Ok(Self { calls, work, meter })
    }

    fn call<T: Send + 'static>(
        &self,
        function: impl for<'a> FnOnce(&'a Deployed) -> LocalBoxFuture<'a, T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        let (answer, answered) = oneshot::channel();
        let call: Call = Box::new(move |deployed| {
            Box::pin(async move {
                let _ = answer.send(function(deployed).await);
            })
        });
        let sent = self.calls.send(call);
        Box::pin(async move {
            match (sent, answered.await) {
                (Ok(()), Ok(value)) => value,
                // Its thread has ended: nothing more comes.
                _ => std::future::pending().await,
            }
        })
    }
}

/// How long this thread has computed.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The functions by their names in the template.
#[derive(Clone)]
pub struct Functions(Arc<BTreeMap<&'static str, Worker>>);

impl Functions {
    /// Starts them for the stack with these settings.
    pub fn start(settings: &Settings, latencies: Latencies) -> Result<Self> {
        let names = ["Intake", "Issue", "Notify", "Status", "Otp", "Holder", "Helpdesk", "Publish", "Sender"];
        let workers = names.into_iter().map(|name| Ok((name, Worker::start(settings, latencies)?)));
        Ok(Self(Arc::new(workers.collect::<Result<_>>()?)))
    }

    /// What each has done until now.
    pub fn work(&self) -> BTreeMap<&'static str, Work> {
        let work = |worker: &Worker| Work {
            asked: worker.meter.asked(),
            ..*worker.work.lock().unwrap_or_else(PoisonError::into_inner)
        };
        self.0.iter().map(|(name, worker)| (*name, work(worker))).collect()
    }

    fn worker(&self, name: &str) -> Worker {
        self.0[name].clone()
    }

    /// As the stack calls them.
    pub fn handlers(&self) -> Handlers {
        let all = self.clone();
        let (intake, publish) = (self.worker("Intake"), self.worker("Publish"));
        let (issue, notify) = (self.worker("Issue"), self.worker("Notify"));
        Handlers {
            http: Arc::new(move |function, request| match function {
                Function::Status => all.worker("Status").call(|it| Box::pin(it.status.handle(request))),
                Function::Otp => all.worker("Otp").call(|it| Box::pin(it.otp.handle(request))),
                Function::Holder => all.worker("Holder").call(|it| Box::pin(it.holder.handle(request))),
                Function::Helpdesk => all.worker("Helpdesk").call(|it| Box::pin(it.helpdesk.handle(request))),
                Function::Sender => all.worker("Sender").call(|it| Box::pin(it.senders.handle(request))),
            }),
            intake: Arc::new(move |event| {
                intake.call(|it| {
                    Box::pin(async move { it.intake.handle(event).await.map_err(|error| error.to_string()) })
                })
            }),
            publish: Arc::new(move || {
                publish.call(|it| {
                    Box::pin(async move {
                        it.publish.publish().await.map(|_| ()).map_err(|error| error.to_string())
                    })
                })
            }),
            to_publish: Arc::default(),
            streams: vec![
                StreamSource {
                    name: "issue",
                    filter: Filter::of(&bukti_issue::patterns()),
                    handler: Arc::new(move |event| issue.call(|it| Box::pin(it.issue.handle(event)))),
                },
                StreamSource {
                    name: "notify",
                    filter: Filter::of(&bukti_notify::patterns()),
                    handler: Arc::new(move |event| notify.call(|it| Box::pin(it.notify.handle(event)))),
                },
            ],
        }
    }
}
