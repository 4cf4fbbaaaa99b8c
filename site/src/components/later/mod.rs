//! What is in a part of the site that is loaded when it is needed.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use leptos::prelude::*;

use crate::api::Failure;
use crate::browser::{self, Tasks};
use crate::components::{FailureNotice, Heading};
use crate::language::tr;

/// A view, once its part of the site is loaded.
pub type Loading = Pin<Box<dyn Future<Output = Result<AnyView, Failure>>>>;

/// After so many milliseconds the visitor may try again.
const PATIENCE: i32 = 20_000;

enum State {
    Loading,
    Shown,
    Loaded(AnyView),
    Failed(Failure),
}

/// Shows a view of another part of the site. Where that is still to be loaded, it says so until it is there, and where it
/// cannot be, offers to try again.
#[component]
pub fn Later(
    /// Loads it.
    load: Box<dyn Fn() -> Loading + Send + Sync>,
    /// What the page is called until then, where it is a page: a key of the locale files.
    #[prop(optional)]
    title: Option<&'static str>,
) -> impl IntoView {
    let mut first = load();
    // What is loaded already is shown at once.
    let first = match first.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(view)) => return view,
        Poll::Ready(Err(_)) => load(),
        Poll::Pending => first,
    };
    let state = RwSignal::new_local(State::Loading);
    let tasks = Tasks::here();
    let run = move |view: Loading| {
        tasks.run(Box::pin(async move { state.set(view.await.map_or_else(State::Failed, State::Loaded)) }));
        // It is still shown where it comes after all.
        tasks.run(Box::pin(async move {
            browser::pause(PATIENCE).await;
            if state.try_with_untracked(|state| matches!(state, State::Loading)) == Some(true) {
                state.set(State::Failed(Failure::TimedOut));
            }
        }));
    };
    run(first);
    let again = Callback::new(move |()| {
        state.set(State::Loading);
        run(load());
    });
    let waiting = tr("site.loading");
    let heading = move || title.map(|title| view! { <Heading key=title /> });
    (move || {
        state.track();
        let is_loading = state.try_with_untracked(|state| matches!(state, State::Loading)) != Some(false);
        let news =
            (!is_loading).then(|| state.try_update_untracked(|it| std::mem::replace(it, State::Shown)));
        match news.flatten() {
            Some(State::Loaded(view)) => view,
            Some(State::Failed(failure)) => {
                let failure = Signal::derive(move || Some(failure.clone()));
                let notice = view! { <FailureNotice failure=failure busy=false retry=again /> };
                view! { <div class="column">{heading()} {notice}</div> }.into_any()
            }
            _ => view! {
                <div class="column">
                    {heading()} <p role="status">{waiting}</p>
                </div>
            }
            .into_any(),
        }
    })
    .into_any()
}
