//! `/verify`: verification of a certificate by camera, picture or pasted text.
//!
//! It happens in the browser and works offline. Nothing of a certificate is sent, stored or put
//! into a URL.

use bukti_locales::{fill, text};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::MediaStream;

use crate::browser::{self, Tasks};
use crate::camera::{self, NoCamera};
use crate::components::{BusyButton, Heading, Icon, Sign, VerdictCard};
use crate::describe;
use crate::language::{Language, tr};
use crate::verdict;
use crate::verifier::{Broken, Lists, Verified, Verifier};

/// Up to this many bytes, all revocation lists are downloaded for offline use without asking.
const WITHOUT_ASKING: f64 = 1_000_000.0;
/// Milliseconds between two frames, which limits the load on the phone.
const PAUSE: i32 = 60;

/// Why a certificate could not be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    CameraRefused,
    CameraAbsent,
    PictureUnreadable,
    NoCode,
    TextMissing,
    Broken,
}

impl Trouble {
    /// Text keys of title and text.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::CameraRefused => ("site.verify.camera_refused.title", "site.verify.camera_refused.text"),
            Self::CameraAbsent => ("site.verify.camera_absent.title", "site.verify.camera_absent.text"),
            Self::PictureUnreadable => ("site.verify.unreadable.title", "site.verify.unreadable.text"),
            Self::NoCode => ("site.verify.no_code.title", "site.verify.no_code.text"),
            Self::TextMissing => ("site.verify.text_missing.title", "site.verify.text_missing.text"),
            Self::Broken => ("site.verify.broken.title", "site.verify.broken.text"),
        }
    }
}

/// State of the page.
#[derive(Clone, Copy)]
struct Desk {
    tasks: Tasks,
    verifier: StoredValue<Option<Verifier>, LocalStorage>,
    /// The camera stream, until it is stopped; it continues while a verdict is shown.
    camera: RwSignal<Option<MediaStream>, LocalStorage>,
    video: NodeRef<html::Video>,
    /// Whether the torch is on; `None` if the camera has none.
    torch: RwSignal<Option<bool>>,
    busy: RwSignal<bool>,
    text: RwSignal<String>,
    trouble: RwSignal<Option<Trouble>>,
    verified: RwSignal<Option<Verified>>,
    lists: RwSignal<Option<Lists>>,
    /// Progress of the download of the lists, from 0 to 1.
    keeping: RwSignal<Option<f64>>,
    /// Whether the service worker has stored the page for offline use.
    page_kept: RwSignal<bool>,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            tasks: Tasks::here(),
            verifier: StoredValue::new_local(Verifier::new()),
            camera: RwSignal::new_local(None),
            video: NodeRef::new(),
            torch: RwSignal::new(None),
            busy: RwSignal::new(false),
            text: RwSignal::new(String::new()),
            trouble: RwSignal::new(None),
            verified: RwSignal::new(None),
            lists: RwSignal::new(None),
            keeping: RwSignal::new(None),
            page_kept: RwSignal::new(false),
        };
        // Turn the camera off and forget the certificate when the page is left.
        let (verifier, camera) = (desk.verifier, desk.camera);
        on_cleanup(move || {
            if let Some(stream) = camera.try_get_untracked().flatten() {
                camera::close(&stream);
            }
            if let Some(verifier) = verifier.try_get_value().flatten() {
                verifier.end();
            }
        });
        desk.tasks.run(Box::pin(async move { desk.page_kept.set(browser::keep_for_offline().await) }));
        desk.tasks.run(Box::pin(async move {
            let Ok(lists) = desk.look_at_lists().await else {
                desk.trouble.set(Some(Trouble::Broken));
                return;
            };
            if lists.kept_at != lists.revocation_at && lists.bytes <= WITHOUT_ASKING {
                desk.keep_lists().await;
            }
        }));
        desk
    }

    fn verifier(self) -> Result<Verifier, Broken> {
        self.verifier.try_get_value().flatten().ok_or(Broken)
    }

    async fn look_at_lists(self) -> Result<Lists, Broken> {
        let lists = self.verifier()?.lists().await?;
        self.lists.set(Some(lists.clone()));
        Ok(lists)
    }

    async fn keep_lists(self) {
        if let Ok(verifier) = self.verifier() {
            self.keeping.set(Some(0.0));
            // On failure the lists show what is missing.
            let _ = verifier.keep(move |done| self.keeping.set(Some(done))).await;
            self.keeping.set(None);
            let _ = self.look_at_lists().await;
        }
    }

    /// Runs an action of a button, one at a time.
    fn begin(self, work: impl Future<Output = Result<(), Trouble>> + 'static) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.trouble.set(None);
        self.tasks.run(Box::pin(async move {
            self.trouble.set(work.await.err());
            self.busy.set(false);
        }));
    }

    async fn verify(self, text: &str) -> Result<(), Trouble> {
        let verified = async { self.verifier()?.verify(text).await }.await;
        self.verified.set(Some(verified.map_err(|Broken| Trouble::Broken)?));
        // The verdict is valid even if the line about the lists cannot be updated.
        let _ = self.look_at_lists().await;
        Ok(())
    }

    fn open_camera(self) {
        self.begin(async move {
            let stream = camera::open().await.map_err(|no| match no {
                NoCamera::Refused => Trouble::CameraRefused,
                NoCamera::Absent => Trouble::CameraAbsent,
            })?;
            self.torch.set(camera::has_torch(&stream).then_some(false));
            self.camera.set(Some(stream));
            browser::focus_soon(STOP);
            Ok(())
        });
    }

    fn close_camera(self) {
        if let Some(stream) = self.camera.get_untracked() {
            camera::close(&stream);
        }
        self.camera.set(None);
    }

    fn switch_torch(self) {
        if let (Some(stream), Some(on)) = (self.camera.get_untracked(), self.torch.get_untracked()) {
            camera::set_torch(&stream, !on);
            self.torch.set(Some(!on));
        }
    }

    /// Reads frames until one has a QR code, and verifies it.
    async fn scan(self) -> Result<(), Broken> {
        loop {
            browser::pause(PAUSE).await;
            if self.busy.get_untracked() {
                continue;
            }
            let Some(video) = self.video.get_untracked() else { return Ok(()) };
            let Some(frame) = camera::frame(&video).await else { continue };
            if let Some(text) = self.verifier()?.read_frame(&frame).await?
                && !self.busy.get_untracked()
            {
                // Rendering the verdict removes the viewfinder, which cancels this task.
                self.begin(async move { self.verify(&text).await });
            }
        }
    }

    fn open_picture(self, file: web_sys::File) {
        self.begin(async move {
            let read = async { self.verifier()?.read_picture(&file).await }.await;
            let text = read.map_err(|Broken| Trouble::PictureUnreadable)?.ok_or(Trouble::NoCode)?;
            self.verify(&text).await
        });
    }

    fn verify_text(self) {
        let text = self.text.get_untracked();
        self.begin(async move {
            if text.trim().is_empty() {
                return Err(Trouble::TextMissing);
            }
            self.verify(&text).await
        });
    }

    /// Removes the verdict. If the camera is on, scanning continues.
    fn next(self) {
        self.verified.set(None);
        self.text.set(String::new());
        let with_camera = self.camera.with_untracked(Option::is_some);
        browser::focus_soon(if with_camera { STOP } else { "page-heading" });
    }
}

const STOP: &str = "stop-camera";

/// The inputs or the verdict, and the age of the lists.
#[component]
pub fn Verify() -> impl IntoView {
    let desk = Desk::new();
    let camera_on = move || desk.camera.read().is_some();
    view! {
        <div class="column">
            <Heading key="site.verify.title" />
            {move || match desk.verified.get() {
                Some(verified) => {
                    view! {
                        <VerdictCard verified=verified />
                        <div class="buttons next">
                            <button type="button" class="button primary" on:click=move |_| desk.next()>
                                {tr("site.verify.next")}
                            </button>
                        </div>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <p>{tr("site.verify.help")}</p>
                        <TroubleNotice trouble=desk.trouble />
                        {move || {
                            if camera_on() {
                                view! { <Viewfinder desk=desk /> }.into_any()
                            } else {
                                view! {
                                    <div class="buttons">
                                        <BusyButton
                                            label="site.verify.camera"
                                            busy_label="site.verify.busy"
                                            busy=desk.busy
                                            on_tap=Callback::new(move |()| desk.open_camera())
                                        />
                                    </div>
                                }
                                    .into_any()
                            }
                        }}
                        <OtherWays desk=desk />
                    }
                        .into_any()
                }
            }}
            <ListsLine desk=desk />
        </div>
    }
}

/// Says what went wrong and what to do.
#[component]
fn TroubleNotice(trouble: RwSignal<Option<Trouble>>) -> impl IntoView {
    const ID: &str = "trouble";
    let notice = move |trouble: Trouble| {
        browser::focus_soon(ID);
        let (title, text) = trouble.words();
        view! {
            <div id=ID class="notice wrong" role="alert" tabindex="-1" aria-labelledby="trouble-title">
                <h2 id="trouble-title">{tr(title)}</h2>
                <p>{tr(text)}</p>
            </div>
        }
    };
    move || trouble.get().map(notice)
}

/// The corners of the frame that shows where to hold the code.
const CORNERS: &str = r#"<path d="M14 30V14h16M70 14h16v16M86 70v16H70M30 86H14V70"/>"#;

/// The camera preview, with a frame that shows where to hold the code.
#[component]
fn Viewfinder(desk: Desk) -> impl IntoView {
    browser::effect(Box::new(move || {
        let Some(video) = desk.video.get() else { return };
        video.set_src_object(desk.camera.get_untracked().as_ref());
        // If this is refused, `autoplay` starts it.
        let _ = video.play();
    }));
    // Cancelled when the viewfinder is removed.
    Tasks::here().run(Box::pin(async move {
        if let Err(Broken) = desk.scan().await {
            desk.trouble.set(Some(Trouble::Broken));
        }
    }));
    let torch = move || {
        desk.torch.get().map(|on| {
            view! {
                <button
                    type="button"
                    class="button"
                    aria-pressed=on.to_string()
                    on:click=move |_| desk.switch_torch()
                >
                    {tr("site.verify.torch")}
                </button>
            }
        })
    };
    view! {
        <div class="viewfinder">
            <video node_ref=desk.video muted=true autoplay=true playsinline="" aria-label=tr("site.verify.preview")></video>
            <svg class="corners" viewBox="0 0 100 100" aria-hidden="true" focusable="false" inner_html=CORNERS></svg>
        </div>
        <p role="status">{tr("site.verify.aim")}</p>
        <div class="buttons">
            <button id=STOP type="button" class="button" on:click=move |_| desk.close_camera()>
                {tr("site.verify.stop")}
            </button>
            {torch}
        </div>
    }
}

/// Verification of a picture or of pasted text.
#[component]
fn OtherWays(desk: Desk) -> impl IntoView {
    let chosen = move |event: web_sys::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
        let Some(input) = input else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            desk.open_picture(file);
        }
        // Otherwise choosing the same picture again would not fire an event.
        input.set_value("");
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        desk.verify_text();
    };
    view! {
        <div class="buttons upload">
            <input id="picture" type="file" accept="image/*" on:change=chosen />
            <label for="picture" class="button">
                <Icon sign=Sign::Picture />
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
                        prop:value=desk.text
                        on:input=move |event| desk.text.set(event_target_value(&event))
                    ></textarea>
                </div>
                <BusyButton label="site.check" busy_label="site.verify.busy" busy=desk.busy class="button" />
            </form>
        </details>
    }
}

/// Formats a number without decimals. Formatting of floats would enlarge every visitor's download.
fn whole_number(number: f64) -> String {
    (number as u32).to_string()
}

/// The age of the lists, whether they are available offline, and what the page sends.
#[component]
fn ListsLine(desk: Desk) -> impl IntoView {
    let language = Language::current();
    let moment = move |at: Option<&str>| {
        let locale = language.get();
        match at.and_then(browser::local_time) {
            Some(moment) => describe::moment(locale, moment),
            None => text(locale, "site.verify.never").to_owned(),
        }
    };
    let ages = move || {
        let lists = desk.lists.get()?;
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
                if browser::days_since(signers).max(browser::days_since(revocation)) > verdict::OLD =>
            {
                ("notice waiting", "site.verify.old_lists")
            }
            _ => return None,
        };
        Some(view! { <p class=class>{tr(key)}</p> })
    };
    let offline = move || {
        let (lists, locale) = (desk.lists.get()?, language.get());
        if let Some(done) = desk.keeping.get() {
            let words = fill(locale, "site.verify.keeping", &[("percent", &whole_number(done * 100.0))]);
            return Some(view! { <p role="status">{words}</p> }.into_any());
        }
        let kept = lists.kept_at.as_deref();
        // The lists change many times a day. Those of yesterday are worth a download of megabytes,
        // those of an hour ago are not.
        let recent = kept.is_some_and(|kept| browser::days_since(kept) < 1.0);
        if lists.bytes > WITHOUT_ASKING && !recent {
            let megabytes = whole_number((lists.bytes / 1e6).ceil());
            let words = fill(locale, "site.verify.keep", &[("megabytes", &megabytes)]);
            let keep = move |_| desk.tasks.run(Box::pin(desk.keep_lists()));
            let button = view! { <button type="button" class="button" on:click=keep>{words}</button> };
            return Some(button.into_any());
        }
        let words = if kept? == lists.revocation_at.as_deref()? {
            text(locale, "site.verify.offline").to_owned()
        } else {
            fill(locale, "site.verify.offline_of", &[("moment", &moment(kept))])
        };
        let ready = || view! { <p class="ready"><Icon sign=Sign::Good /> <span>{words}</span></p> };
        desk.page_kept.get().then(|| ready().into_any())
    };
    view! {
        <section class="lists">
            <p>{tr("site.verify.privacy")}</p>
            {move || desk.lists.get().and_then(|lists| warning(&lists))}
            <p>{ages}</p>
            {offline}
        </section>
    }
}
