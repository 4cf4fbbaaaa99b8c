//! The captcha: a checkbox, and a proof of work that is computed while the visitor fills in the
//! form.

use bukti_locales::{Locale, text};
use bukti_wire::{CaptchaChallenge, ProblemCode, StatusRoute};
use leptos::prelude::*;
use serde::Serialize;

use crate::api::{self, Failure};
use crate::browser::{self, TaskScope};
use crate::components::{Icon, Symbol};
use crate::form::{Field, FieldProblem, Form, ProblemKind};
use crate::language::{Language, tr};
use crate::proof::{Progress, Proof};

/// Target duration of a slice of work in milliseconds. It is shorter than a frame, so that the page
/// stays responsive.
const SLICE_MILLIS: f64 = 10.0;
/// A solution that expires within this many seconds is no longer sent.
const EXPIRY_MARGIN_SECONDS: i64 = 10;

#[derive(Clone)]
enum Stage {
    Idle,
    Working,
    Solved { payload: String, expires_at: i64 },
    Failed(Failure),
}

/// The captcha of a form. A solution can be used only once. The next challenge is fetched
/// automatically.
#[derive(Clone, Copy)]
pub struct Captcha {
    ticked: RwSignal<bool>,
    stage: RwSignal<Stage>,
    tasks: TaskScope,
}

impl Captcha {
    pub fn new() -> Self {
        Self { ticked: RwSignal::new(false), stage: RwSignal::new(Stage::Idle), tasks: TaskScope::current() }
    }

    /// Whether the captcha has no solution and is not computing one.
    pub fn is_idle(self) -> bool {
        matches!(&*self.stage.read_untracked(), Stage::Idle | Stage::Failed(_))
    }

    /// Starts to fetch and solve a challenge, unless one is being solved or has been solved
    /// already.
    pub fn begin(self) {
        if !self.is_idle() {
            return;
        }
        self.stage.set(Stage::Working);
        self.tasks.spawn(Box::pin(async move {
            let stage = match solve().await {
                Ok((payload, expires_at)) => Stage::Solved { payload, expires_at },
                Err(failure) => Stage::Failed(failure),
            };
            self.stage.set(stage);
        }));
    }

    /// Returns the problem to show if the checkbox is not ticked.
    pub fn check(self) -> Option<FieldProblem> {
        let missing = FieldProblem { field: Field::Captcha, kind: ProblemKind::Missing };
        (!self.ticked.get_untracked()).then_some(missing)
    }

    /// Waits for a solution that has not expired, and consumes it, because it is valid for only one
    /// request.
    async fn solution(self) -> Result<String, Failure> {
        loop {
            match self.stage.get_untracked() {
                Stage::Idle => self.begin(),
                Stage::Working => browser::sleep(50).await,
                Stage::Solved { payload, expires_at } => {
                    self.stage.set(Stage::Idle);
                    if expires_at > browser::unix_time() + EXPIRY_MARGIN_SECONDS {
                        return Ok(payload);
                    }
                }
                Stage::Failed(failure) => {
                    self.stage.set(Stage::Idle);
                    return Err(failure);
                }
            }
        }
    }

    /// Posts a body with a solution, then starts to solve the next challenge. Retries once with a
    /// new solution if the server rejects the first one because it has expired or was already used
    /// by a request whose response was lost.
    pub async fn post<B: Serialize>(self, path: &str, body: impl Fn(String) -> B) -> Result<String, Failure> {
        let response = match api::post_raw(path, &body(self.solution().await?)).await {
            Err(failure) if is_stale(&failure) => api::post_raw(path, &body(self.solution().await?)).await,
            response => response,
        };
        self.begin();
        response
    }
}

fn is_stale(failure: &Failure) -> bool {
    matches!(failure.code(), Some(ProblemCode::CaptchaExpired | ProblemCode::CaptchaReused))
}

async fn solve() -> Result<(String, i64), Failure> {
    let challenge: CaptchaChallenge = api::get(StatusRoute::Captcha.path()).await?;
    let expires_at = challenge.parameters.expires_at;
    // Start with one attempt per slice and adapt, because the cost of an attempt depends on the
    // challenge.
    let mut attempts = 1;
    let mut proof = Proof::new(challenge).ok_or(Failure::Unreadable)?;
    loop {
        let started = browser::monotonic_millis();
        match proof.search(attempts) {
            Progress::Solved(payload) => return Ok((payload, expires_at)),
            Progress::Exhausted => return Err(Failure::Unreadable),
            Progress::Unsolved => {}
        }
        let elapsed = browser::monotonic_millis() - started;
        if elapsed < SLICE_MILLIS / 2.0 {
            attempts *= 2;
        } else if elapsed > SLICE_MILLIS && attempts > 1 {
            attempts /= 2;
        }
        browser::sleep(0).await;
    }
}

/// Shows the checkbox and the progress of the proof of work.
#[component]
pub fn CaptchaBox(captcha: Captcha, form: Form) -> impl IntoView {
    let language = Language::current();
    let message = form.message(Field::Captcha);
    let is_invalid = move || message.read().is_some();
    let on_tick = move |event| {
        captcha.ticked.set(event_target_checked(&event));
        captcha.begin();
    };
    let is_solved = move || captcha.ticked.get() && matches!(&*captcha.stage.read(), Stage::Solved { .. });
    let status = move || {
        let locale: Locale = language.get();
        if !captcha.ticked.get() {
            return "";
        }
        match &*captcha.stage.read() {
            Stage::Idle => "",
            Stage::Working => text(locale, "site.captcha.working"),
            Stage::Solved { .. } => text(locale, "site.captcha.done"),
            Stage::Failed(_) => text(locale, "site.captcha.failed"),
        }
    };
    view! {
        <div class="field" class:wrong=is_invalid>
            {move || {
                message
                    .get()
                    .map(|message| view! { <p class="message" id=Field::Captcha.error_id()>{message}</p> })
            }}
            <div class="tick">
                <input
                    type="checkbox"
                    id=Field::Captcha.id()
                    aria-invalid=move || is_invalid().then_some("true")
                    aria-describedby=move || is_invalid().then(|| Field::Captcha.error_id())
                    prop:checked=captcha.ticked
                    on:change=on_tick
                />
                <label for=Field::Captcha.id()>{tr("site.captcha.label")}</label>
                <span class="progress" class:good=is_solved role="status">
                    {move || is_solved().then(|| view! { <Icon symbol=Symbol::Good /> })}
                    {status}
                </span>
            </div>
        </div>
    }
}
