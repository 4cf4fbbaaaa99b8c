//! `/verify`: verification of a certificate by camera, image file or pasted text.
//!
//! Verification runs in the browser and works offline. The certificate is never sent, stored or put
//! into a URL.

use bukti_locales::{fill, text};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::MediaStream;

use crate::browser::{self, TaskScope};
use crate::camera::{self, CameraError};
use crate::components::{BusyButton, Heading, Icon, Symbol, VerdictCard};
use crate::describe;
use crate::language::{Language, tr};
use crate::verdict;
use crate::verifier::{Lists, Verified, Verifier, WorkerError};

/// If the revocation lists have at most this many bytes, they are all downloaded for offline use
/// without asking.
const AUTO_DOWNLOAD_BYTES: f64 = 1_000_000.0;
/// Interval between two camera frames in milliseconds. It limits the load on the phone.
const FRAME_INTERVAL_MILLIS: i32 = 60;

/// Why a certificate could not be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VerifyProblem {
    CameraDenied,
    CameraUnavailable,
    PictureUnreadable,
    NoCode,
    TextMissing,
    WorkerFailed,
}

impl VerifyProblem {
    /// Text keys of the title and the text of the message.
    fn text_keys(self) -> (&'static str, &'static str) {
        match self {
            Self::CameraDenied => ("site.verify.camera_refused.title", "site.verify.camera_refused.text"),
            Self::CameraUnavailable => ("site.verify.camera_absent.title", "site.verify.camera_absent.text"),
            Self::PictureUnreadable => ("site.verify.unreadable.title", "site.verify.unreadable.text"),
            Self::NoCode => ("site.verify.no_code.title", "site.verify.no_code.text"),
            Self::TextMissing => ("site.verify.text_missing.title", "site.verify.text_missing.text"),
            Self::WorkerFailed => ("site.verify.broken.title", "site.verify.broken.text"),
        }
    }
}

/// The state of the page.
#[derive(Clone, Copy)]
struct VerifyState {
    tasks: TaskScope,
    verifier: StoredValue<Option<Verifier>, LocalStorage>,
    /// The camera stream; `None` if the camera is off. The camera stays on while a verdict is
    /// shown.
    camera: RwSignal<Option<MediaStream>, LocalStorage>,
    video: NodeRef<html::Video>,
    /// Whether the torch is on; `None` if the camera has none.
    torch: RwSignal<Option<bool>>,
    busy: RwSignal<bool>,
    text: RwSignal<String>,
    problem: RwSignal<Option<VerifyProblem>>,
    verified: RwSignal<Option<Verified>>,
    lists: RwSignal<Option<Lists>>,
    /// Progress of the download of the lists, from 0 to 1; `None` if no download is running.
    download_progress: RwSignal<Option<f64>>,
    /// Whether the service worker has stored the page for offline use.
    is_page_stored: RwSignal<bool>,
}

impl VerifyState {
    fn new() -> Self {
        let state = Self {
            tasks: TaskScope::current(),
            verifier: StoredValue::new_local(Verifier::new()),
            camera: RwSignal::new_local(None),
            video: NodeRef::new(),
            torch: RwSignal::new(None),
            busy: RwSignal::new(false),
            text: RwSignal::new(String::new()),
            problem: RwSignal::new(None),
            verified: RwSignal::new(None),
            lists: RwSignal::new(None),
            download_progress: RwSignal::new(None),
            is_page_stored: RwSignal::new(false),
        };
        // Turn off the camera and discard the certificate when the visitor leaves the page.
        let (verifier, camera) = (state.verifier, state.camera);
        on_cleanup(move || {
            if let Some(stream) = camera.try_get_untracked().flatten() {
                camera::close(&stream);
            }
            if let Some(verifier) = verifier.try_get_value().flatten() {
                verifier.terminate();
            }
        });
        state.tasks.spawn(Box::pin(async move {
            state.is_page_stored.set(browser::install_service_worker().await)
        }));
        state.tasks.spawn(Box::pin(async move {
            let Ok(lists) = state.refresh_lists().await else {
                state.problem.set(Some(VerifyProblem::WorkerFailed));
                return;
            };
            if lists.kept_at != lists.revocation_at && lists.bytes <= AUTO_DOWNLOAD_BYTES {
                state.download_lists().await;
            }
        }));
        state
    }

    fn verifier(self) -> Result<Verifier, WorkerError> {
        self.verifier.try_get_value().flatten().ok_or(WorkerError)
    }

    async fn refresh_lists(self) -> Result<Lists, WorkerError> {
        let lists = self.verifier()?.lists().await?;
        self.lists.set(Some(lists.clone()));
        Ok(lists)
    }

    async fn download_lists(self) {
        if let Ok(verifier) = self.verifier() {
            self.download_progress.set(Some(0.0));
            // If this fails, the status of the lists shows what is missing.
            let _ = verifier.download_lists(move |fraction| self.download_progress.set(Some(fraction))).await;
            self.download_progress.set(None);
            let _ = self.refresh_lists().await;
        }
    }

    /// Runs the action of a button, unless another action is running.
    fn run(self, work: impl Future<Output = Result<(), VerifyProblem>> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        self.tasks.spawn(Box::pin(async move {
            self.problem.set(work.await.err());
            self.busy.set(false);
        }));
    }

    async fn verify(self, text: &str) -> Result<(), VerifyProblem> {
        let verified = async { self.verifier()?.verify(text).await }.await;
        self.verified.set(Some(verified.map_err(|WorkerError| VerifyProblem::WorkerFailed)?));
        // The verdict is valid even if the status of the lists cannot be updated.
        let _ = self.refresh_lists().await;
        Ok(())
    }

    fn open_camera(self) {
        self.run(async move {
            let stream = camera::open().await.map_err(|error| match error {
                CameraError::Denied => VerifyProblem::CameraDenied,
                CameraError::Unavailable => VerifyProblem::CameraUnavailable,
            })?;
            self.torch.set(camera::has_torch(&stream).then_some(false));
            self.camera.set(Some(stream));
            browser::focus_after_render(STOP_BUTTON);
            Ok(())
        });
    }

    fn close_camera(self) {
        if let Some(stream) = self.camera.get_untracked() {
            camera::close(&stream);
        }
        self.camera.set(None);
    }

    fn toggle_torch(self) {
        if let (Some(stream), Some(on)) = (self.camera.get_untracked(), self.torch.get_untracked()) {
            camera::set_torch(&stream, !on);
            self.torch.set(Some(!on));
        }
    }

    /// Reads camera frames until one contains a QR code, then verifies that code.
    async fn scan(self) -> Result<(), WorkerError> {
        loop {
            browser::sleep(FRAME_INTERVAL_MILLIS).await;
            if self.busy.get_untracked() {
                continue;
            }
            let Some(video) = self.video.get_untracked() else { return Ok(()) };
            let Some(frame) = camera::capture_frame(&video).await else { continue };
            if let Some(text) = self.verifier()?.read_frame(&frame).await?
                && !self.busy.get_untracked()
            {
                // Rendering the verdict removes the viewfinder, which cancels this task.
                self.run(async move { self.verify(&text).await });
            }
        }
    }

    fn open_picture(self, file: web_sys::File) {
        self.run(async move {
            let read = async { self.verifier()?.read_picture(&file).await }.await;
            let text =
                read.map_err(|WorkerError| VerifyProblem::PictureUnreadable)?.ok_or(VerifyProblem::NoCode)?;
            self.verify(&text).await
        });
    }

    fn verify_text(self) {
        let text = self.text.get_untracked();
        self.run(async move {
            if text.trim().is_empty() {
                return Err(VerifyProblem::TextMissing);
            }
            self.verify(&text).await
        });
    }

    /// Removes the verdict. If the camera is on, scanning continues.
    fn reset(self) {
        self.verified.set(None);
        self.text.set(String::new());
        let has_camera = self.camera.with_untracked(Option::is_some);
        browser::focus_after_render(if has_camera { STOP_BUTTON } else { "page-heading" });
    }
}

const STOP_BUTTON: &str = "stop-camera";

/// Shows the inputs or the verdict, and the age of the lists.
#[component]
pub fn Verify() -> impl IntoView {
    let state = VerifyState::new();
    let is_camera_on = move || state.camera.read().is_some();
    view! {
        <div class="column">
            <Heading key="site.verify.title" />
            {move || match state.verified.get() {
                Some(verified) => {
                    view! {
                        <VerdictCard verified=verified />
                        <div class="buttons next">
                            <button type="button" class="button primary" on:click=move |_| state.reset()>
                                {tr("site.verify.next")}
                            </button>
                        </div>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <p>{tr("site.verify.help")}</p>
                        <ProblemNotice problem=state.problem />
                        {move || {
                            if is_camera_on() {
                                view! { <Viewfinder state=state /> }.into_any()
                            } else {
                                view! {
                                    <div class="buttons">
                                        <BusyButton
                                            label="site.verify.camera"
                                            busy_label="site.verify.busy"
                                            busy=state.busy
                                            on_tap=Callback::new(move |()| state.open_camera())
                                        />
                                    </div>
                                }
                                    .into_any()
                            }
                        }}
                        <OtherInputs state=state />
                    }
                        .into_any()
                }
            }}
            <ListsStatus state=state />
        </div>
    }
}

/// Shows what went wrong and what to do.
#[component]
fn ProblemNotice(problem: RwSignal<Option<VerifyProblem>>) -> impl IntoView {
    const ID: &str = "trouble";
    let notice = move |problem: VerifyProblem| {
        browser::focus_after_render(ID);
        let (title, text) = problem.text_keys();
        view! {
            <div id=ID class="notice wrong" role="alert" tabindex="-1" aria-labelledby="trouble-title">
                <h2 id="trouble-title">{tr(title)}</h2>
                <p>{tr(text)}</p>
            </div>
        }
    };
    move || problem.get().map(notice)
}

/// SVG content of the frame's corners, which show where to hold the QR code.
const CORNERS: &str = r#"<path d="M14 30V14h16M70 14h16v16M86 70v16H70M30 86H14V70"/>"#;

/// The camera preview, with a frame that shows where to hold the QR code.
#[component]
fn Viewfinder(state: VerifyState) -> impl IntoView {
    browser::effect(Box::new(move || {
        let Some(video) = state.video.get() else { return };
        video.set_src_object(state.camera.get_untracked().as_ref());
        // If the browser rejects this call, the `autoplay` attribute starts the video.
        let _ = video.play();
    }));
    // This task is cancelled when the viewfinder is removed.
    TaskScope::current().spawn(Box::pin(async move {
        if let Err(WorkerError) = state.scan().await {
            state.problem.set(Some(VerifyProblem::WorkerFailed));
        }
    }));
    let torch = move || {
        state.torch.get().map(|on| {
            view! {
                <button
                    type="button"
                    class="button"
                    aria-pressed=on.to_string()
                    on:click=move |_| state.toggle_torch()
                >
                    {tr("site.verify.torch")}
                </button>
            }
        })
    };
    view! {
        <div class="viewfinder">
            <video node_ref=state.video muted=true autoplay=true playsinline="" aria-label=tr("site.verify.preview")></video>
            <svg class="corners" viewBox="0 0 100 100" aria-hidden="true" focusable="false" inner_html=CORNERS></svg>
        </div>
        <p role="status">{tr("site.verify.aim")}</p>
        <div class="buttons">
            <button id=STOP_BUTTON type="button" class="button" on:click=move |_| state.close_camera()>
                {tr("site.verify.stop")}
            </button>
            {torch}
        </div>
    }
}

/// The inputs for an image file and for pasted text.
#[component]
fn OtherInputs(state: VerifyState) -> impl IntoView {
    let on_chosen = move |event: web_sys::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            state.open_picture(file);
        }
        // Clear the input. Otherwise, choosing the same image again would not fire an event.
        input.set_value("");
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        state.verify_text();
    };
    view! {
        <div class="buttons upload">
            <input id="picture" type="file" accept="image/*" on:change=on_chosen />
            <label for="picture" class="button">
                <Icon symbol=Symbol::Picture />
                <span>{tr("site.verify.picture")}</span>
            </label>
        </div>
        <details id="paste" class="paste">
            <summary>{tr("site.verify.paste")}</summary>
            <form id="form" novalidate method="dialog" on:submit=submit>
                <div class="field">
                    <label for="qr-text">{tr("site.verify.text")}</label>
                    <textarea
                        id="qr-text"
                        rows="4"
                        spellcheck="false"
                        autocomplete="off"
                        autocapitalize="off"
                        prop:value=state.text
                        on:input=move |event| state.text.set(event_target_value(&event))
                    ></textarea>
                </div>
                <BusyButton label="site.check" busy_label="site.verify.busy" busy=state.busy class="button" />
            </form>
        </details>
    }
}

/// Formats a number without decimals. The code that formats floats would enlarge every visitor's
/// download.
fn whole_number(number: f64) -> String {
    (number as u32).to_string()
}

/// Shows the age of the lists, whether they are available offline, and which data the page sends.
#[component]
fn ListsStatus(state: VerifyState) -> impl IntoView {
    let language = Language::current();
    let moment = move |at: Option<&str>| {
        let locale = language.get();
        match at.and_then(browser::local_time) {
            Some(moment) => describe::moment(locale, moment),
            None => text(locale, "site.verify.never").to_owned(),
        }
    };
    let ages = move || {
        let lists = state.lists.get()?;
        let (signers, revocation) =
            (moment(lists.listed_at.as_deref()), moment(lists.revocation_at.as_deref()));
        let ages = [("signers", signers.as_str()), ("revocation", revocation.as_str())];
        Some(fill(language.get(), "site.verify.ages", &ages))
    };
    let warning = move |lists: &Lists| {
        let oldest = [&lists.listed_at, &lists.revocation_at].map(Option::as_deref);
        let (class, key) = match oldest {
            [None, _] => ("notice wrong", "site.verify.no_lists"),
            [_, None] => ("notice waiting", "site.verify.no_revocation"),
            [Some(signers), Some(revocation)]
                if browser::days_since(signers).max(browser::days_since(revocation))
                    > verdict::MAX_LIST_AGE_DAYS =>
            {
                ("notice waiting", "site.verify.old_lists")
            }
            _ => return None,
        };
        Some(view! { <p class=class>{tr(key)}</p> })
    };
    let offline = move || {
        let (lists, locale) = (state.lists.get()?, language.get());
        if let Some(fraction) = state.download_progress.get() {
            let words = fill(locale, "site.verify.keeping", &[("percent", &whole_number(fraction * 100.0))]);
            return Some(view! { <p role="status">{words}</p> }.into_any());
        }
        let kept = lists.kept_at.as_deref();
        // The lists change many times a day. Offer a download of several megabytes only if the
        // stored lists are at least a day old.
        let is_recent = kept.is_some_and(|kept| browser::days_since(kept) < 1.0);
        if lists.bytes > AUTO_DOWNLOAD_BYTES && !is_recent {
            let megabytes = whole_number((lists.bytes / 1e6).ceil());
            let words = fill(locale, "site.verify.keep", &[("megabytes", &megabytes)]);
            let keep = move |_| state.tasks.spawn(Box::pin(state.download_lists()));
            let button = view! { <button type="button" class="button" on:click=keep>{words}</button> };
            return Some(button.into_any());
        }
        let words = if kept? == lists.revocation_at.as_deref()? {
            text(locale, "site.verify.offline").to_owned()
        } else {
            fill(locale, "site.verify.offline_of", &[("moment", &moment(kept))])
        };
        let ready = || view! { <p class="ready"><Icon symbol=Symbol::Good /> <span>{words}</span></p> };
        state.is_page_stored.get().then(|| ready().into_any())
    };
    view! {
        <section class="lists">
            <p>{tr("site.verify.privacy")}</p>
            {move || state.lists.get().and_then(|lists| warning(&lists))}
            <p>{ages}</p>
            {offline}
        </section>
    }
}
