//! Runs the functions as Lambda does: each on its own thread, one invocation at a time. A
//! function's CPU time can thus be told apart from its waiting time and from the CPU time of other
//! functions.

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

use crate::meter::{Latencies, Meter, Usage};

/// The work that a function has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// The number of invocations.
    pub runs: u64,
    /// The total duration of all invocations.
    pub duration: Duration,
    /// The total CPU time of all invocations.
    pub cpu: Duration,
    /// The billable calls to AWS services.
    pub usage: Usage,
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            runs: self.runs - before.runs,
            duration: self.duration.saturating_sub(before.duration),
            cpu: self.cpu.saturating_sub(before.cpu),
            usage: self.usage - before.usage,
        }
    }
}

type Call = Box<dyn for<'a> FnOnce(&'a AllFunctions) -> LocalBoxFuture<'a, ()> + Send>;

/// One instance of each function. Each worker has its own, so that workers share no clients.
struct AllFunctions {
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

/// A thread that runs one function.
#[derive(Clone)]
struct Worker {
    calls: mpsc::Sender<Call>,
    work: Arc<Mutex<Work>>,
    meter: Arc<Meter>,
}

impl Worker {
    fn start(settings: &Settings, latencies: Latencies) -> Result<Self> {
        let (calls, queue) = mpsc::channel::<Call>();
        let work = Arc::<Mutex<Work>>::default();
        let (recorded, settings) = (Arc::clone(&work), settings.clone());
        let (ready, started) = mpsc::channel();
        // The meter runs on its own thread, so that its CPU time does not count as the function's.
        let meter_runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let services =
            settings.endpoint.clone().context("the settings have no endpoint of an embedded stack")?;
        let meter = Arc::new(meter_runtime.block_on(Meter::open(&services, latencies))?);
        let url = meter.url.clone();
        std::thread::spawn(move || {
            let _meter_runtime = meter_runtime;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let aws = runtime.block_on(Aws::connect(Settings { endpoint: Some(url), ..settings }))?;
            let functions = AllFunctions {
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
            for call in queue {
                let (started, cpu_before) = (Instant::now(), thread_cpu_time());
                runtime.block_on(call(&functions));
                let mut work = recorded.lock().unwrap_or_else(PoisonError::into_inner);
                work.runs += 1;
                work.duration += started.elapsed();
                work.cpu += thread_cpu_time() - cpu_before;
            }
            anyhow::Ok(())
        });
        started.recv().context("a function's thread did not start")?;
        Ok(Self { calls, work, meter })
    }

    fn call<T: Send + 'static>(
        &self,
        function: impl for<'a> FnOnce(&'a AllFunctions) -> LocalBoxFuture<'a, T> + Send + 'static,
    ) -> BoxFuture<'static, T> {
        let (result_sender, result) = oneshot::channel();
        let call: Call = Box::new(move |functions| {
            Box::pin(async move {
                let _ = result_sender.send(function(functions).await);
            })
        });
        let sent = self.calls.send(call);
        Box::pin(async move {
            match (sent, result.await) {
                (Ok(()), Ok(value)) => value,
                // The worker's thread has ended because the benchmark is over.
                _ => std::future::pending().await,
            }
        })
    }
}

/// Returns the CPU time of the calling thread.
fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The workers of all functions, keyed by the function's name in the template.
#[derive(Clone)]
pub struct Functions(Arc<BTreeMap<&'static str, Worker>>);

impl Functions {
    /// Starts a worker for each function of the stack with these settings.
    pub fn start(settings: &Settings, latencies: Latencies) -> Result<Self> {
        let names = ["Intake", "Issue", "Notify", "Status", "Otp", "Holder", "Helpdesk", "Publish", "Sender"];
        let workers = names.into_iter().map(|name| Ok((name, Worker::start(settings, latencies)?)));
        Ok(Self(Arc::new(workers.collect::<Result<_>>()?)))
    }

    /// Returns the work that each function has done so far.
    pub fn work(&self) -> BTreeMap<&'static str, Work> {
        let work = |worker: &Worker| Work {
            usage: worker.meter.usage(),
            ..*worker.work.lock().unwrap_or_else(PoisonError::into_inner)
        };
        self.0.iter().map(|(name, worker)| (*name, work(worker))).collect()
    }

    fn worker(&self, name: &str) -> Worker {
        self.0[name].clone()
    }

    /// Returns the handlers through which the embedded stack calls the functions.
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
            publish_trigger: Arc::default(),
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
