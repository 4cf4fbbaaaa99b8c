//! The embedded stack as a whole: starts, monitors and stops the services and the functions.

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
use bukti_store::{Aws, DocumentSigners, Settings, SignerRecord, Signers};
use bukti_wire::SiteSettings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api_gateway::ApiGateway;
use crate::backlog::Backlog;
use crate::checkpoint::Checkpoint;
use crate::data_folder::DataFolder;
use crate::dead_letters::DeadLetters;
use crate::dispatch::{Dispatcher, Functions, call_body_reader, dispatch};
use crate::dynamodb::DynamoDb;
use crate::feed_source::FeedSource;
use crate::in_process_connector::InProcessConnector;
use crate::maintenance::{DiskFlusher, clean_table, expire_objects};
use crate::outbox::Outbox;
use crate::provision::Provisioner;
use crate::redrive::Redrive;
use crate::s3::S3;
use crate::server::{self, Limits};
use crate::signature::AccessKeys;
use crate::site::Site;
use crate::stack_info::StackInfo;
use crate::start_error::StartError;
use crate::stream_consumer::StreamConsumer;
use crate::{Handlers, Retry, Sms, publish_schedule};

/// The time that running functions have to finish when the stack stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that the server has to close its connections.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The options with which a stack starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 selects a free one.
    pub port: u16,
    /// The data folder. It is created if it does not exist.
    pub data: PathBuf,
    /// The folder of the built site. Without it, the stack serves only the API and its own pages.
    pub site: Option<PathBuf>,
    /// A file of additional vaccines, in the format of `functions/lib/domain/vaccines.json`.
    pub vaccines: Option<PathBuf>,
    /// Countries besides Indonesia whose phone numbers can receive SMS, such as `+60,+65`.
    pub phone_countries: Option<String>,
    /// The retries for a stream record.
    pub stream_retry: Retry,
    /// The retries for the import of a feed.
    pub feed_retry: Retry,
}

impl Default for Options {
    /// Uses port 8080, the data folder `.bukti`, and the template's retry counts.
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

/// A running stack. Call [`Stack::stop`] to end it; dropping it leaves its tasks running.
pub struct Stack {
    dispatcher: Arc<Dispatcher>,
    folder: DataFolder,
    /// Signals the event sources and background tasks to stop.
    stop: watch::Sender<bool>,
    /// Closes the services. Running functions need them until they finish.
    close: watch::Sender<bool>,
    server: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    flusher: DiskFlusher,
}

impl Stack {
    /// Starts a stack with Bukti's functions. Returns once the stack accepts requests.
    ///
    /// # Errors
    ///
    /// Returns a [`StartError`], whose message says what to do.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        Self::start_with(options, Handlers::bukti).await
    }

    /// Starts a stack with custom functions.
    ///
    /// # Errors
    ///
    /// See [`Stack::start`].
    pub async fn start_with(
        options: Options,
        handlers: impl FnOnce(&Aws) -> Handlers,
    ) -> Result<Self, StartError> {
        let site = Site::open(options.site.as_deref()).map_err(|error| StartError::NoSite {
            folder: options.site.clone().unwrap_or_default(),
            reason: error.to_string(),
        })?;
        let listener = listen(options.port).await?;
        let port = listener.local_addr().context("cannot read the port of the listener")?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let data = std::path::absolute(&options.data)
            .context("the path of the data folder is invalid: choose another with --data DIR")?;
        let (access_key, secret_key) = (random_hex(10), random_hex(20));
        let mut settings = Settings::local(&endpoint, &access_key, &secret_key, data.join("secrets.json"));
        settings.phone_countries.clone_from(&options.phone_countries);
        settings.vaccines = options.vaccines.as_ref().map(|file| format!("file:{}", file.display()));
        let folder = DataFolder::lock(&data, &settings.issuer)?;

        let unwritable =
            |error: io::Error| StartError::Unwritable { folder: data.clone(), reason: error.to_string() };
        let keys = AccessKeys { access_key: access_key.clone(), secret_key: secret_key.clone() };
        folder.write_access_keys(&keys)?;
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
        let dispatcher = Arc::new(Dispatcher {
            info: info.clone(),
            keys,
            dynamodb: dynamodb.clone(),
            s3,
            data: data.clone(),
            public: folder.bucket().join(&info.public_bucket),
            port_bodies: call_body_reader(),
            function_bodies: call_body_reader(),
            outbox,
            site,
            settings: site_settings(&settings).context("cannot serialise the settings of the site")?.into(),
            functions: OnceLock::new(),
            stop: stopped.clone(),
            in_flight: watch::Sender::new(0),
        });
        let app = Router::new().fallback(dispatch).with_state(Arc::clone(&dispatcher));
        let server = tokio::spawn(server::serve(listener, app, Limits::DEFAULT, closed.clone()));

        // As on AWS, create the resources first, then start the functions and their event sources.
        let started = async {
            let provisioner = Provisioner::new(&info).await;
            provisioner.create_missing_table().await?;
            provisioner.create_missing_buckets().await?;
            let connector = InProcessConnector::new(Arc::downgrade(&dispatcher), closed.clone());
            let aws = Aws::connect_with_client(settings, SharedHttpClient::new(connector)).await?;
            ensure_signer(&folder, &aws).await.context("cannot create the first signer")?;
            let handlers = handlers(&aws);
            let feeds = FeedSource::new(
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
                let checkpoint = Arc::new(Checkpoint::load(folder.checkpoint(source.name)));
                checkpoints.push(Arc::clone(&checkpoint));
                let consumer = StreamConsumer {
                    source,
                    stream: stream.clone(),
                    checkpoint,
                    dead_letters: dead_letters.clone(),
                    retry: options.stream_retry,
                };
                workers.push(tokio::spawn(consumer.run(stopped.clone())));
            }
            let schedule = publish_schedule::run(handlers.publish, handlers.publish_trigger, stopped.clone());
            workers.push(tokio::spawn(schedule));
            workers.push(tokio::spawn(expire_objects(Arc::clone(&dispatcher), stopped.clone())));
            let flusher = DiskFlusher {
                dynamodb: dynamodb.clone(),
                outbox: dispatcher.outbox.clone(),
                checkpoints: checkpoints.clone(),
            };
            workers.push(tokio::spawn(flusher.clone().run(stopped.clone())));
            workers.push(tokio::spawn(clean_table(dynamodb, stream.clone(), checkpoints.clone(), stopped)));
            let backlog = Backlog { feeds: feeds.clone(), stream, checkpoints };
            let functions = Functions {
                api: ApiGateway::new(handlers.http),
                feeds: feeds.clone(),
                backlog,
                redrive,
                metrics: aws.metrics.clone(),
            };
            // This cannot fail, because the value is set only here. From now on, newly uploaded
            // feeds are delivered at once; existing ones are delivered below.
            let _ = dispatcher.functions.set(functions);
            for (key, size) in provisioner.pending_feeds().await? {
                feeds.deliver(&key, size);
            }
            anyhow::Ok((workers, flusher))
        };
        let (workers, flusher) = match started.await {
            Ok(started) => started,
            Err(error) => {
                close.send_replace(true);
                stop.send_replace(true);
                // Wait until the port is free, so that the caller can try again.
                let _ = server.await;
                return Err(error.into());
            }
        };
        folder.write_endpoint(&info.endpoint).map_err(unwritable)?;
        Ok(Self { dispatcher, folder, stop, close, server, workers, flusher })
    }

    /// The address of the stack, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.dispatcher.info.endpoint
    }

    /// The addresses, resource names and access keys of the services.
    pub fn info(&self) -> &StackInfo {
        &self.dispatcher.info
    }

    /// Returns all SMS in the outbox, oldest first.
    ///
    /// # Errors
    ///
    /// If the outbox file cannot be read.
    pub fn outbox(&self) -> std::io::Result<Vec<Sms>> {
        self.dispatcher.outbox.all()
    }

    /// Waits until the backlog is empty. Returns `false` if `timeout` passes first.
    pub async fn wait_idle(&self, timeout: Duration) -> bool {
        let Some(functions) = self.dispatcher.functions.get() else { return false };
        let deadline = tokio::time::Instant::now() + timeout;
        while !matches!(functions.backlog.count().await, Ok(0)) {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Stops the stack: rejects new requests, waits up to five seconds for running functions, then
    /// closes the services. The next start delivers unprocessed events again.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let mut workers = self.workers;
        let finished = async {
            for worker in &mut workers {
                // An error means that the task panicked, so it has already ended.
                let _ = worker.await;
            }
            if let Some(functions) = self.dispatcher.functions.get() {
                functions.feeds.wait_idle().await;
            }
            let _ = self.dispatcher.in_flight.subscribe().wait_for(|count| *count == 0).await;
        };
        let deadline = tokio::time::Instant::now() + STOP_TIMEOUT;
        if tokio::time::timeout_at(deadline, finished).await.is_err() {
            tracing::warn!("functions did not finish in time; the next start processes their events again");
            workers.iter().for_each(JoinHandle::abort);
            if let Some(functions) = self.dispatcher.functions.get() {
                functions.feeds.abort();
            }
        }
        self.flusher.flush().await;
        self.close.send_replace(true);
        let mut server = self.server;
        // A browser may keep its connection open.
        if tokio::time::timeout(CLOSE_TIMEOUT, &mut server).await.is_err() {
            server.abort();
        }
        self.folder.remove_endpoint();
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

/// Creates a signer for a new table. If an earlier version stored a signer in the secrets file,
/// moves it to the table, where it stays active.
async fn ensure_signer(folder: &DataFolder, aws: &Aws) -> anyhow::Result<()> {
    let (signers, now) = (Signers::new(aws), jiff::Timestamp::now());
    if let Some(former) = folder.former_signer()? {
        let body: String =
            former.signer_certificate_pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let record = SignerRecord::local(&former.signer_key_pem, STANDARD.decode(body)?, &aws.keys, now)?;
        signers.activate_first(&record).await?;
        folder.remove_former_signer()?;
    }
    if signers.register().await?.active().is_none() {
        let record = DocumentSigners::new(aws).make_local(&folder.read_root()?, now)?;
        signers.activate_first(&record).await?;
    }
    Ok(())
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
