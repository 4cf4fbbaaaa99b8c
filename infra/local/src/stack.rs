//! The stack as a whole: start, stop, and what is still to do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bukti_store::{Aws, Cases, Copies, DocumentSigners, EvidenceStore, Settings, SignerRecord, Signers};
use bukti_wire::SiteSettings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::backlog::Backlog;
use crate::dead_letters::DeadLetters;
use crate::dynamodb::{DynamoDb, Position, Stream};
use crate::feeds::Feeds;
use crate::folder::Folder;
use crate::front::{self, Front, Running};
use crate::info::StackInfo;
use crate::inside::Inside;
use crate::outbox::Outbox;
use crate::provision::Provision;
use crate::redrive::Redrive;
use crate::s3::S3;
use crate::server::{self, Limits};
use crate::signature::AccessKeys;
use crate::site::Site;
use crate::start_error::StartError;
use crate::streams::{Checkpoint, Consumer};
use crate::{Handlers, Retry, Sms, publishing};

/// How often copies that are too old are removed.
const EXPIRE: Duration = Duration::from_secs(60 * 60);
/// How long a stop waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the stream is trimmed, and at most what has expired is deleted.
const SWEEP: Duration = Duration::from_secs(60);
/// Of a sweep, which reads the whole table: how many times as long as it took the next one waits.
const SWEEP_WAITS: u32 = 50;

/// How often what was written is brought to the disk: so much a loss of power may cost.
const SYNC: Duration = Duration::from_secs(1);

/// How to start a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The folder of the data. Made if absent.
    pub data: PathBuf,
    /// The folder of the built site.
    pub site: Option<PathBuf>,
    /// A file of the deployment's own vaccines, in the form of `functions/lib/domain/vaccines.json`.
    pub vaccines: Option<PathBuf>,
    /// The countries beside Indonesia whose phones get SMS: `+60,+65`.
    pub phone_countries: Option<String>,
    /// How records of the stream are tried again.
    pub stream_retry: Retry,
    /// How feeds are tried again.
    pub feed_retry: Retry,
}

impl Default for Options {
    /// Port 8080 and `.bukti`; ten retries from the stream and two of a feed, as the template has them.
    fn default() -> Self {
        let retry =
            |retries| Retry { first: Duration::from_millis(100), longest: Duration::from_secs(10), retries };
        Self {
            port: 8080,
            data: ".bukti".into(),
            site: None,
            vaccines: None,
            phone_countries: None,
            stream_retry: retry(10),
            feed_retry: retry(2),
        }
    }
}

/// A running stack. It ends with [`Stack::stop`]; dropping it leaves its tasks to the runtime.
pub struct Stack {
    front: Arc<Front>,
    folder: Folder,
    stop: watch::Sender<bool>,
    close: watch::Sender<bool>,
    server: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    durable: Durable,
}

impl Stack {
    /// Starts a stack with Bukti's functions, and comes back when it answers.
    ///
    /// # Errors
    ///
    /// [`StartError`], in a sentence that says what to do.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Self::start_with(options, Handlers::bukti).await
    }

    /// Starts a stack with other functions.
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub async fn start_with(
        options: Options,
        handlers: impl FnOnce(&Aws) -> Handlers,
    ) -> Result<Self, StartError> {
        let site = Site::open(options.site.as_deref()).map_err(|error| StartError::NoSite {
            folder: options.site.clone().unwrap_or_default(),
            reason: error.to_string(),
        })?;
        let listener = listen(options.port).await?;
        let port = listener.local_addr().context("the port cannot be told")?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let data = std::path::absolute(&options.data).context("the data folder's name is no path")?;
        let (access_key, secret_key) = (random_hex(10), random_hex(20));
        let mut settings = Settings::local(&endpoint, &access_key, &secret_key, data.join("secrets.json"));
        settings.phone_countries.clone_from(&options.phone_countries);
        settings.vaccines = options.vaccines.as_ref().map(|file| format!("file:{}", file.display()));
        let folder = Folder::take(&data, &settings.issuer)?;

        let unwritable =
            |error: io::Error| StartError::Unwritable { folder: data.clone(), reason: error.to_string() };
        let keys = AccessKeys { access_key: access_key.clone(), secret_key: secret_key.clone() };
        folder.keep_access_keys(&keys)?;
        let dead_letters = DeadLetters::open(&folder.dead_letters()).map_err(unwritable)?;
        let outbox = Outbox::open(&folder.outbox()).map_err(unwritable)?;
        let dynamodb = DynamoDb::open(&folder.table())?;
        let s3 = S3::open(&folder.bucket(), &access_key, &secret_key)?;
        let info = StackInfo {
            endpoint,
            table: settings.table.clone(),
            bucket: settings.bucket.clone(),
            public_bucket: settings.public_bucket.clone(),
            secrets: folder.secrets(),
            root: folder.root(),
            region: settings.region.clone(),
            access_keys: folder.access_keys(),
            access_key,
            secret_key,
        };
        let (stop, stopped) = watch::channel(false);
        let (close, closed) = watch::channel(false);
        let front = Arc::new(Front {
            info: info.clone(),
            keys,
            dynamodb: dynamodb.clone(),
            s3,
            data: data.clone(),
            public: folder.bucket().join(&info.public_bucket),
            bodies: front::call_bodies(),
            own_bodies: front::call_bodies(),
            outbox,
            site,
            settings: site_settings(&settings).context("the settings cannot be written")?.into(),
            running: OnceLock::new(),
            stop: stopped.clone(),
            calls: watch::Sender::new(0),
        });
        let app = Router::new().fallback(front::answer).with_state(Arc::clone(&front));
        let server = tokio::spawn(server::serve(listener, app, Limits::DEFAULT, closed.clone()));

        // From here on it goes as on AWS: make the resources, then start the functions with their event sources.
        let started = async {
            let provision = Provision::new(&info).await;
            provision.table().await?;
            provision.buckets().await?;
            let inside = Inside::new(Arc::downgrade(&front), closed.clone());
            let aws = Aws::connect_by(settings, SharedHttpClient::new(inside)).await?;
            first_signer(&folder, &aws).await.context("the first signer cannot be made")?;
            let handlers = handlers(&aws);
            let feeds = Feeds::new(
                info.bucket.clone(),
                info.region.clone(),
                handlers.intake,
                dead_letters.clone(),
                options.feed_retry,
                stopped.clone(),
            );
            let stream = dynamodb.stream(&info.table);
            let mut checkpoints = Vec::new();
            let mut workers = Vec::new();
            let redrive = Redrive::new(dead_letters.clone(), handlers.streams.clone(), feeds.clone());
            for source in handlers.streams {
                let checkpoint = Arc::new(Checkpoint::read(folder.checkpoint(source.name)));
                checkpoints.push(Arc::clone(&checkpoint));
                let consumer = Consumer {
                    source,
                    stream: stream.clone(),
                    checkpoint,
                    dead_letters: dead_letters.clone(),
                    retry: options.stream_retry,
                };
                workers.push(tokio::spawn(consumer.run(stopped.clone())));
            }
            let publishing = publishing::run(handlers.publish, handlers.to_publish, stopped.clone());
            workers.push(tokio::spawn(publishing));
            workers.push(tokio::spawn(expire(Arc::clone(&front), stopped.clone())));
            let durable = Durable {
                dynamodb: dynamodb.clone(),
                outbox: front.outbox.clone(),
                checkpoints: checkpoints.clone(),
            };
            workers.push(tokio::spawn(durable.clone().keep(stopped.clone())));
            workers.push(tokio::spawn(sweep(dynamodb, stream.clone(), checkpoints.clone(), stopped)));
            let backlog = Backlog { feeds: feeds.clone(), stream, checkpoints };
            let running = Running {
                api: Api::new(handlers.http),
                feeds: feeds.clone(),
                backlog,
                redrive,
                metrics: aws.metrics.clone(),
            };
            // Set once, here. From now on a feed that is put makes an event by itself.
            let _ = front.running.set(running);
            for (key, size) in provision.feeds().await? {
                feeds.put(&key, size);
            }
            anyhow::Ok((workers, durable))
        };
        let (workers, durable) = match started.await {
            Ok(started) => started,
            Err(error) => {
                close.send_replace(true);
                stop.send_replace(true);
                // So that the port is free again for whoever tries next.
                let _ = server.await;
                return Err(error.into());
            }
        };
        folder.announce(&info.endpoint).map_err(unwritable)?;
        Ok(Self { front, folder, stop, close, server, workers, durable })
    }

    /// The address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.front.info.endpoint
    }

    /// Where the services are, and with which keys.
    pub fn info(&self) -> &StackInfo {
        &self.front.info
    }

    /// The messages that were sent, oldest first.
    ///
    /// # Errors
    ///
    /// Where the outbox cannot be read.
    pub fn outbox(&self) -> std::io::Result<Vec<Sms>> {
        self.front.outbox.all()
    }

    /// Waits until nothing is left to do; `false` where that takes longer.
    pub async fn wait_idle(&self, timeout: Duration) -> bool {
        let Some(running) = self.front.running.get() else { return false };
        let deadline = tokio::time::Instant::now() + timeout;
        while !matches!(running.backlog.count().await, Ok(0)) {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Stops: takes nothing new, lets what is under way finish for at most five seconds, then closes. What was not
    /// finished goes on at the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let mut workers = self.workers;
        let finished = async {
            for worker in &mut workers {
                // One that panicked has nothing to finish.
                let _ = worker.await;
            }
            if let Some(running) = self.front.running.get() {
                running.feeds.finished().await;
            }
            let _ = self.front.calls.subscribe().wait_for(|calls| *calls == 0).await;
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        if tokio::time::timeout_at(deadline, finished).await.is_err() {
            tracing::warn!("what was under way goes on at the next start");
            workers.iter().for_each(JoinHandle::abort);
            if let Some(running) = self.front.running.get() {
                running.feeds.abort();
            }
        }
        self.durable.sync().await;
        // The functions needed the services until now.
        self.close.send_replace(true);
        let mut server = self.server;
        // A browser may hold its connection.
        if tokio::time::timeout(Duration::from_millis(500), &mut server).await.is_err() {
            server.abort();
        }
        self.folder.withdraw();
    }
}

async fn listen(port: u16) -> Result<tokio::net::TcpListener, StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    tokio::net::TcpListener::bind(address).await.map_err(|error| StartError::Port {
        port,
        reason: error.to_string(),
        other: if port == 8080 { 8090 } else { 8080 },
    })
}

/// Makes the document signer of a new table; a Bukti of before had one among its secrets, which signs on.
async fn first_signer(folder: &Folder, aws: &Aws) -> anyhow::Result<()> {
    let (signers, now) = (Signers::new(aws), jiff::Timestamp::now());
    if let Some(former) = folder.former_signer()? {
        let body: String =
            former.signer_certificate_pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let record = SignerRecord::local(&former.signer_key_pem, STANDARD.decode(body)?, &aws.keys, now)?;
        signers.activate_first(&record).await?;
        folder.forget_former_signer()?;
    }
    if signers.register().await?.active().is_none() {
        let record = DocumentSigners::new(aws).make_local(&folder.read_root()?, now)?;
        signers.activate_first(&record).await?;
    }
    Ok(())
}

async fn expire(front: Arc<Front>, mut stop: watch::Receiver<bool>) {
    loop {
        let expired = async {
            let bucket = &front.info.bucket;
            front.s3.expire(bucket, Copies::FOLDER, Copies::KEPT_FOR).await?;
            front.s3.expire(bucket, Cases::EVIDENCE, EvidenceStore::KEPT_FOR).await
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            expired = expired => if let Err(error) = expired {
                tracing::warn!(%error, "what is too old cannot be removed from the bucket");
            },
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EXPIRE) => {}
        }
    }
}

/// What is to outlive a loss of power.
#[derive(Clone)]
struct Durable {
    dynamodb: DynamoDb,
    outbox: Outbox,
    checkpoints: Vec<Arc<Checkpoint>>,
}

impl Durable {
    /// Brings what was done to the disk, and then how far that is.
    async fn sync(&self) {
        let positions: Vec<Position> =
            self.checkpoints.iter().map(|checkpoint| checkpoint.position()).collect();
        let synced = async {
            if !self.dynamodb.sync().await? {
                return Ok(());
            }
            self.outbox.sync().await?;
            for (checkpoint, position) in self.checkpoints.iter().zip(positions) {
                checkpoint.save(position).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = synced.await {
            tracing::error!(%error, "what was done cannot be brought to the disk");
        }
    }

    /// Does so once a second while there is something new.
    async fn keep(self, mut stop: watch::Receiver<bool>) {
        let mut writes = self.dynamodb.writes();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = writes.changed() => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(SYNC) => {}
            }
            writes.mark_unchanged();
            self.sync().await;
        }
    }
}

async fn sweep(
    dynamodb: DynamoDb,
    stream: Stream,
    checkpoints: Vec<Arc<Checkpoint>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut next = tokio::time::Instant::now();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        let began = tokio::time::Instant::now();
        if began >= next {
            if let Err(error) = dynamodb.sweep().await {
                tracing::warn!(%error, "what has expired cannot be deleted");
            }
            next = tokio::time::Instant::now() + SWEEP_WAITS * began.elapsed();
        }
        let seen = checkpoints.iter().map(|checkpoint| checkpoint.saved()).min();
        if let Err(error) = stream.trim(seen.unwrap_or(Position::default())).await {
            tracing::warn!(%error, "the stream cannot be trimmed");
        }
    }
}

fn site_settings(settings: &Settings) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&SiteSettings {
        service_name: settings.service_name.clone(),
        sms_sender: settings.sms_sender.clone(),
        helpdesk_phone: settings.helpdesk_phone.clone(),
        helpdesk_email: settings.helpdesk_email.clone(),
        phone_countries: settings.phone_countries.clone(),
    })
}

fn random_hex(bytes: usize) -> String {
    (0..bytes).map(|_| format!("{:02x}", rand::random::<u8>())).collect()
}
