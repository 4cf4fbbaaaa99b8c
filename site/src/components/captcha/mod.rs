//! The captcha: a tick-box, and a proof of work that is computed while the visitor fills in the
//! form.

use bukti_locales::{Locale, text};
use bukti_wire::{CaptchaChallenge, ProblemCode, StatusRoute};
use leptos::prelude::*;
use serde::Serialize;

use crate::api::{self, Failure};
use crate::browser::{self, Tasks};
use crate::components::{Icon, Sign};
use crate::form::{Field, FieldProblem, Form, Wrong};
use crate::language::{Language, tr};
use crate::proof::{Progress, Proof};

/// Longest slice of work, in milliseconds: less than a frame, so that the page stays responsive.
const SLICE: f64 = 10.0;
/// A solution that expires within this many seconds is not sent any more.
const MARGIN: i64 = 10;

#[derive(Clone)]
enum Stage {
    Idle,
    Working,
    Solved { payload: String, expires_at: i64 },
    Failed(Failure),
}

/// The captcha of a form. A solution can be used once; the next challenge is fetched automatically.
#[derive(Clone, Copy)]
pub struct Captcha {
    ticked: RwSignal<bool>,
    stage: RwSignal<Stage>,
    tasks: Tasks,
}

impl Captcha {
    pub fn new() -> Self {
        Self { ticked: RwSignal::new(false), stage: RwSignal::new(Stage::Idle), tasks: Tasks::here() }
    }

    /// Whether the captcha has no solution and is not computing one.
    pub fn is_idle(self) -> bool {
        matches!(&*self.stage.read_untracked(), Stage::Idle | Stage::Failed(_))
    }

    /// Fetches a challenge and solves it, unless the captcha is solving or has solved one.
    pub fn begin(self) {
        if !self.is_idle() {
            return;
        }
        self.stage.set(Stage::Working);
        self.tasks.run(Box::pin(async move {
            let stage = match solve().await {
                Ok((payload, expires_at)) => Stage::Solved { payload, expires_at },
                Err(failure) => Stage::Failed(failure),
            };
            self.stage.set(stage);
        }));
    }

    /// The problem to show if the box is not ticked.
    pub fn check(self) -> Option<FieldProblem> {
        let missing = FieldProblem { field: Field::Captcha, wrong: Wrong::Missing };
        (!self.ticked.get_untracked()).then_some(missing)
    }

    /// Waits for a solution that has not expired, and takes it, since it is valid for one request.
    async fn solution(self) -> Result<String, Failure> {
        loop {
            match self.stage.get_untracked() {
                Stage::Idle => self.begin(),
                Stage::Working => browser::pause(50).await,
                Stage::Solved { payload, expires_at } => {
                    self.stage.set(Stage::Idle);
                    if expires_at > browser::unix_time() + MARGIN {
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

    /// Posts a body with a solution, then begins with the next challenge. Sends a second request
    /// with a new solution if the first one expired on the way, or was used by a request whose
    /// response was lost.
    pub async fn post<B: Serialize>(self, path: &str, body: impl Fn(String) -> B) -> Result<String, Failure> {
        let answer = match api::post_unread(path, &body(self.solution().await?)).await {
            Err(failure) if is_stale(&failure) => api::post_unread(path, &body(self.solution().await?)).await,
            answer => answer,
        };
        self.begin();
        answer
    }
}

fn is_stale(failure: &Failure) -> bool {
    matches!(failure.code(), Some(ProblemCode::CaptchaExpired | ProblemCode::CaptchaReused))
}

async fn solve() -> Result<(String, i64), Failure> {
    let challenge: CaptchaChallenge = api::get(StatusRoute::Captcha.path()).await?;
    let expires_at = challenge.parameters.expires_at;
    // Starts with one attempt per slice and adapts, because the cost of a hash varies by challenge.
    let mut tries = 1;
    let mut proof = Proof::new(challenge).ok_or(Failure::Unreadable)?;
    loop {
        let began = browser::clock();
        match proof.work(tries) {
            Progress::Solved(payload) => return Ok((payload, expires_at)),
            Progress::Hopeless => return Err(Failure::Unreadable),
            Progress::Unsolved => {}
        }
        let took = browser::clock() - began;
        if took < SLICE / 2.0 {
            tries *= 2;
        } else if took > SLICE && tries > 1 {
            tries /= 2;
        }
        browser::pause(0).await;
    }
}

/// The tick-box, and the progress of the proof of work.
#[component]
pub fn CaptchaBox(captcha: Captcha, form: Form) -> impl IntoView {
    let language = Language::current();
    let message = form.message(Field::Captcha);
    let wrong = move || message.read().is_some();
    let tick = move |event| {
        captcha.ticked.set(event_target_checked(&event));
        captcha.begin();
    };
    let done = move || captcha.ticked.get() && matches!(&*captcha.stage.read(), Stage::Solved { .. });
    let word = move || {
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
        <div class="field" class:wrong=wrong>
            {move || {
                message
                    .get()
                    .map(|message| view! { <p class="message" id=Field::Captcha.error_id()>{message}</p> })
            }}
            <div class="tick">
                <input
                    type="checkbox"
                    id=Field::Captcha.id()
                    aria-invalid=move || wrong().then_some("true")
                    aria-describedby=move || wrong().then(|| Field::Captcha.error_id())
                    prop:checked=captcha.ticked
                    on:change=tick
                />
                <label for=Field::Captcha.id()>{tr("site.captcha.label")}</label>
                <span class="progress" class:good=done role="status">
                    {move || done().then(|| view! { <Icon sign=Sign::Good /> })}
                    {word}
                </span>
            </div>
        </div>
    }
}
