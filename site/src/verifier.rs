//! Client of the verifier's worker (`site/verifier/worker.js`).

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

/// The lists that the verifier holds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Lists {
    /// When the trust list was published, RFC 3339.
    pub listed_at: Option<String>,
    /// When the revocation lists were published, RFC 3339.
    pub revocation_at: Option<String>,
    /// When those revocation lists were published that are stored completely for offline use, RFC
    /// 3339.
    pub kept_at: Option<String>,
    /// Approximate size of all revocation lists in bytes.
    pub bytes: f64,
}

/// A verified certificate. Personal data: it is shown and then forgotten.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub report: Report,
    /// Whether the verifier had a trust list.
    pub has_signers: bool,
    /// The complete report as JSON, for experts.
    pub json: String,
}

/// The worker could not be started, or its request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Called with the progress of a request, from 0 to 1.
type Progress = Rc<dyn Fn(f64)>;

fn nobody() -> Progress {
    Rc::new(|_| {})
}

/// Attempts to load the worker's script, each with a different URL, because a browser may cache a
/// failed one.
const ATTEMPTS: u32 = 3;
/// Longest wait for the worker's script, in milliseconds.
const PATIENCE: i32 = 10_000;

enum State {
    /// Not started, or the last start failed.
    Absent,
    Starting,
    Running(Worker),
    Ended,
}

/// The worker. The first request starts it, and [`Verifier::terminate`] ends it, together with all
/// that it knew of a certificate.
#[derive(Clone)]
pub struct Verifier {
    address: Rc<str>,
    attempts: Rc<Cell<u32>>,
    state: Rc<RefCell<State>>,
}

impl Verifier {
    /// `None` outside of a browser, or if the page does not name the worker's script.
    pub fn new() -> Option<Self> {
        if !browser::IS_HERE {
            return None;
        }
        let meta = document().query_selector("meta[name=bukti-verifier]").ok()??;
        Some(Self {
            address: meta.get_attribute("content")?.into(),
            attempts: Rc::default(),
            state: Rc::new(RefCell::new(State::Absent)),
        })
    }

    pub fn end(&self) {
        if let State::Running(worker) = self.state.replace(State::Ended) {
            worker.terminate();
        }
    }

    /// Returns the worker, and starts it if there is none.
    async fn worker(&self) -> Result<Worker, Broken> {
        loop {
            match &*self.state.borrow() {
                State::Running(worker) => return Ok(worker.clone()),
                State::Ended => return Err(Broken),
                State::Absent => break,
                State::Starting => {}
            }
            browser::pause(50).await;
        }
        *self.state.borrow_mut() = State::Starting;
        for _ in 0..ATTEMPTS {
            let attempt = self.attempts.get();
            self.attempts.set(attempt + 1);
            let query = if attempt == 0 { String::new() } else { format!("?{attempt}") };
            let Ok(worker) = Worker::new(&format!("{}{query}", self.address)) else { break };
            let is_running = is_running(&worker).await;
            if is_running && matches!(*self.state.borrow(), State::Starting) {
                *self.state.borrow_mut() = State::Running(worker.clone());
                return Ok(worker);
            }
            worker.terminate();
        }
        // The next request starts it again.
        if matches!(*self.state.borrow(), State::Starting) {
            *self.state.borrow_mut() = State::Absent;
        }
        Err(Broken)
    }

    /// Loads the newest lists that are available.
    pub async fn lists(&self) -> Result<Lists, Broken> {
        read(self.ask("lists", &JsValue::UNDEFINED, None, nobody()).await?)
    }

    /// Downloads all revocation lists for offline use.
    pub async fn keep(&self, progress: impl Fn(f64) + 'static) -> Result<(), Broken> {
        self.ask("keep", &JsValue::UNDEFINED, None, Rc::new(progress)).await.map(drop)
    }

    /// Reads the QR code in a frame of the camera.
    pub async fn read_frame(&self, frame: &ImageBitmap) -> Result<Option<String>, Broken> {
        Ok(self.ask("frame", frame, Some(frame), nobody()).await?.as_string())
    }

    /// Reads the QR code in a picture. Also fails if the file is not a picture.
    pub async fn read_picture(&self, file: &File) -> Result<Option<String>, Broken> {
        Ok(self.ask("picture", file, None, nobody()).await?.as_string())
    }

    /// Verifies the text of a QR code at the browser's current time.
    pub async fn verify(&self, text: &str) -> Result<Verified, Broken> {
        let about = object(&[("text", &text.into()), ("at", &js_sys::Date::now().into())]);
        let answer = self.ask("verify", &about, None, nobody()).await?;
        let report = property(&answer, "report");
        let json = js_sys::JSON::stringify_with_replacer_and_space(&report, &JsValue::NULL, &2.into());
        Ok(Verified {
            report: read(report)?,
            has_signers: property(&answer, "has_signers").is_truthy(),
            json: json.ok().and_then(|json| json.as_string()).unwrap_or_default(),
        })
    }

    /// Sends a request with a message port of its own for the response. A `transferred` object is
    /// moved to the worker.
    async fn ask(
        &self,
        ask: &str,
        about: &JsValue,
        transferred: Option<&JsValue>,
        progress: Progress,
    ) -> Result<JsValue, Broken> {
        let worker = self.worker().await?;
        let channel = MessageChannel::new().map_err(|_| Broken)?;
        let mut line = Line { port: channel.port1(), heard: None };
        let answered = js_sys::Promise::new(&mut |resolve, _reject| {
            let progress = Rc::clone(&progress);
            let heard = move |event: MessageEvent| match property(&event.data(), "progress").as_f64() {
                Some(done) => progress(done),
                None => drop(resolve.call1(&JsValue::NULL, &event.data())),
            };
            let heard = line.heard.insert(Closure::new(heard));
            line.port.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        });
        let mut transfer = js_sys::Array::of1(&channel.port2());
        transfer.extend(transferred.cloned());
        let message = object(&[("ask", &ask.into()), ("about", about)]);
        worker.post_message_with_transfer(&message, &transfer).map_err(|_| Broken)?;
        let answer = JsFuture::from(answered).await.map_err(|_| Broken)?;
        if property(&answer, "failed").is_truthy() { Err(Broken) } else { Ok(property(&answer, "answer")) }
    }
}

/// Waits for the worker's first message, which its script sends when it runs. Returns `false` if
/// the script cannot be loaded.
async fn is_running(worker: &Worker) -> bool {
    let began = js_sys::Promise::new(&mut |resolve, _reject| {
        worker.set_onmessage(Some(&resolve));
        let failed = resolve.bind1(&JsValue::NULL, &JsValue::NULL);
        worker.set_onerror(Some(failed.unchecked_ref()));
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_1(
            &resolve,
            PATIENCE,
            &JsValue::NULL,
        );
    });
    JsFuture::from(began).await.is_ok_and(|message| !message.is_null())
}

/// The port that receives the response. Dropping it, because the page was left, discards the
/// response.
struct Line {
    port: MessagePort,
    heard: Option<Closure<dyn Fn(MessageEvent)>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

fn read<T: DeserializeOwned>(value: JsValue) -> Result<T, Broken> {
    serde_wasm_bindgen::from_value(value).map_err(|_| Broken)
}

fn property(of: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn object(entries: &[(&str, &JsValue)]) -> JsValue {
    let object = js_sys::Object::new();
    for (name, value) in entries {
        // Setting a property of a plain object never fails.
        let _ = js_sys::Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}
