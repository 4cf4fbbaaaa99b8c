//! Client for the verifier's web worker (`site/verifier/worker.js`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, ImageBitmap, MessageChannel, MessageEvent, MessagePort, Worker};

use crate::browser;
use crate::verdict::Report;

/// The status of the lists that the verifier has loaded.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Lists {
    /// When the trust list was published (RFC 3339).
    pub listed_at: Option<String>,
    /// When the revocation lists were published (RFC 3339).
    pub revocation_at: Option<String>,
    /// When the revocation lists that are fully stored for offline use were published (RFC 3339).
    pub kept_at: Option<String>,
    /// Approximate size of all revocation lists in bytes.
    pub bytes: f64,
}

/// The result of verifying a certificate. It contains personal data, so it is shown but never
/// stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub report: Report,
    /// Whether the verifier had loaded a trust list.
    pub has_signers: bool,
    /// The complete report as JSON, for experts.
    pub json: String,
}

/// The worker could not be started, or a request to it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerError;

/// Called with the progress of a request, from 0 to 1.
type ProgressCallback = Rc<dyn Fn(f64)>;

fn ignore_progress() -> ProgressCallback {
    Rc::new(|_| {})
}

/// Maximum number of attempts to load the worker's script. Each attempt uses a different URL,
/// because browsers may cache a failed load.
const START_ATTEMPTS: u32 = 3;
/// Timeout for loading the worker's script, in milliseconds.
const START_TIMEOUT_MS: i32 = 10_000;

enum State {
    /// Not started, or the last start failed.
    Absent,
    Starting,
    Running(Worker),
    Ended,
}

/// A handle to the worker. The first request starts the worker. [`Verifier::terminate`] ends it,
/// which discards all certificate data in its memory.
#[derive(Clone)]
pub struct Verifier {
    address: Rc<str>,
    attempts: Rc<Cell<u32>>,
    state: Rc<RefCell<State>>,
}

impl Verifier {
    /// Returns `None` outside a browser, or if the page does not specify the URL of the worker's
    /// script.
    pub fn new() -> Option<Self> {
        if !browser::IS_BROWSER {
            return None;
        }
        let meta = document().query_selector("meta[name=bukti-verifier]").ok()??;
        Some(Self {
            address: meta.get_attribute("content")?.into(),
            attempts: Rc::default(),
            state: Rc::new(RefCell::new(State::Absent)),
        })
    }

    pub fn terminate(&self) {
        if let State::Running(worker) = self.state.replace(State::Ended) {
            worker.terminate();
        }
    }

    /// Returns the worker. Starts it if it is not running.
    async fn worker(&self) -> Result<Worker, WorkerError> {
        loop {
            match &*self.state.borrow() {
                State::Running(worker) => return Ok(worker.clone()),
                State::Ended => return Err(WorkerError),
                State::Absent => break,
                State::Starting => {}
            }
            browser::sleep(50).await;
        }
        *self.state.borrow_mut() = State::Starting;
        for _ in 0..START_ATTEMPTS {
            let attempt = self.attempts.get();
            self.attempts.set(attempt + 1);
            let query = if attempt == 0 { String::new() } else { format!("?{attempt}") };
            let Ok(worker) = Worker::new(&format!("{}{query}", self.address)) else { break };
            let is_running = wait_until_running(&worker).await;
            if is_running && matches!(*self.state.borrow(), State::Starting) {
                *self.state.borrow_mut() = State::Running(worker.clone());
                return Ok(worker);
            }
            worker.terminate();
        }
        // Let the next request try to start the worker again.
        if matches!(*self.state.borrow(), State::Starting) {
            *self.state.borrow_mut() = State::Absent;
        }
        Err(WorkerError)
    }

    /// Loads the newest available lists, and returns their status.
    pub async fn lists(&self) -> Result<Lists, WorkerError> {
        deserialise(self.request("lists", &JsValue::UNDEFINED, None, ignore_progress()).await?)
    }

    /// Downloads all revocation lists for offline use.
    pub async fn download_lists(&self, progress: impl Fn(f64) + 'static) -> Result<(), WorkerError> {
        self.request("keep", &JsValue::UNDEFINED, None, Rc::new(progress)).await.map(drop)
    }

    /// Reads the QR code in a camera frame. `None` if there is no readable code.
    pub async fn read_frame(&self, frame: &ImageBitmap) -> Result<Option<String>, WorkerError> {
        Ok(self.request("frame", frame, Some(frame), ignore_progress()).await?.as_string())
    }

    /// Reads the QR code in an image file. `None` if there is no readable code. Fails if the file
    /// is not an image.
    pub async fn read_picture(&self, file: &File) -> Result<Option<String>, WorkerError> {
        Ok(self.request("picture", file, None, ignore_progress()).await?.as_string())
    }

    /// Verifies the text of a QR code as of the browser's current time.
    pub async fn verify(&self, text: &str) -> Result<Verified, WorkerError> {
        let payload = new_object(&[("text", &text.into()), ("at", &js_sys::Date::now().into())]);
        let response = self.request("verify", &payload, None, ignore_progress()).await?;
        let report = get_property(&response, "report");
        let json = js_sys::JSON::stringify_with_replacer_and_space(&report, &JsValue::NULL, &2.into());
        Ok(Verified {
            report: deserialise(report)?,
            has_signers: get_property(&response, "has_signers").is_truthy(),
            json: json.ok().and_then(|json| json.as_string()).unwrap_or_default(),
        })
    }

    /// Sends a request to the worker, with a dedicated message port for the response. Ownership of
    /// a `transferred` object moves to the worker.
    async fn request(
        &self,
        name: &str,
        payload: &JsValue,
        transferred: Option<&JsValue>,
        progress: ProgressCallback,
    ) -> Result<JsValue, WorkerError> {
        let worker = self.worker().await?;
        let channel = MessageChannel::new().map_err(|_| WorkerError)?;
        let mut response_port = ResponsePort { port: channel.port1(), listener: None };
        let response_promise = js_sys::Promise::new(&mut |resolve, _reject| {
            let progress = Rc::clone(&progress);
            let listener = move |event: MessageEvent| match get_property(&event.data(), "progress").as_f64() {
                Some(fraction) => progress(fraction),
                None => drop(resolve.call1(&JsValue::NULL, &event.data())),
            };
            let listener = response_port.listener.insert(Closure::new(listener));
            response_port.port.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        });
        let mut transfer = js_sys::Array::of1(&channel.port2());
        transfer.extend(transferred.cloned());
        let message = new_object(&[("ask", &name.into()), ("about", payload)]);
        worker.post_message_with_transfer(&message, &transfer).map_err(|_| WorkerError)?;
        let response = JsFuture::from(response_promise).await.map_err(|_| WorkerError)?;
        if get_property(&response, "failed").is_truthy() {
            Err(WorkerError)
        } else {
            Ok(get_property(&response, "answer"))
        }
    }
}

/// Waits for the first message, which the worker's script sends when it starts. Returns `false` if
/// the script cannot be loaded in time.
async fn wait_until_running(worker: &Worker) -> bool {
    let first_message = js_sys::Promise::new(&mut |resolve, _reject| {
        worker.set_onmessage(Some(&resolve));
        let failed = resolve.bind1(&JsValue::NULL, &JsValue::NULL);
        worker.set_onerror(Some(failed.unchecked_ref()));
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_1(
            &resolve,
            START_TIMEOUT_MS,
            &JsValue::NULL,
        );
    });
    JsFuture::from(first_message).await.is_ok_and(|message| !message.is_null())
}

/// The port that receives a response. Dropping it, for example when the visitor leaves the page,
/// discards the response.
struct ResponsePort {
    port: MessagePort,
    listener: Option<Closure<dyn Fn(MessageEvent)>>,
}

impl Drop for ResponsePort {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

fn deserialise<T: DeserializeOwned>(value: JsValue) -> Result<T, WorkerError> {
    serde_wasm_bindgen::from_value(value).map_err(|_| WorkerError)
}

fn get_property(of: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn new_object(entries: &[(&str, &JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in entries {
        // Setting a property of a plain object never fails.
        let _ = js_sys::Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}
