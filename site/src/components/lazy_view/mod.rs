//! A view from a lazy-loaded chunk.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use leptos::prelude::*;

use crate::api::Failure;
use crate::browser::{self, TaskScope};
use crate::components::{FailureNotice, Heading};
use crate::language::tr;

/// A future that loads a chunk and then resolves to the view.
pub type ViewFuture = Pin<Box<dyn Future<Output = Result<AnyView, Failure>>>>;

/// Time in milliseconds after which a retry is offered.
const RETRY_AFTER_MS: i32 = 20_000;

enum State {
    Loading,
    Shown,
    Loaded(AnyView),
    Failed(Failure),
}

/// Renders the view that `load` returns. While its chunk is loading, shows a loading message. If
/// loading fails, offers a retry.
#[component]
pub fn LazyView(
    load: Box<dyn Fn() -> ViewFuture + Send + Sync>,
    /// Text key of the heading to show while the chunk is loading, if the view is a page.
    #[prop(optional)]
    title: Option<&'static str>,
) -> impl IntoView {
    let mut view = load();
    // If the chunk is already loaded, the first poll returns the view.
    let view = match view.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(view)) => return view,
        Poll::Ready(Err(_)) => load(),
        Poll::Pending => view,
    };
    let state = RwSignal::new_local(State::Loading);
    let tasks = TaskScope::current();
    let start = move |view: ViewFuture| {
        tasks.spawn(Box::pin(async move { state.set(view.await.map_or_else(State::Failed, State::Loaded)) }));
        // If the chunk arrives after the timeout, the view is still shown.
        tasks.spawn(Box::pin(async move {
            browser::sleep(RETRY_AFTER_MS).await;
            if state.try_with_untracked(|state| matches!(state, State::Loading)) == Some(true) {
                state.set(State::Failed(Failure::TimedOut));
            }
        }));
    };
    start(view);
    let retry = Callback::new(move |()| {
        state.set(State::Loading);
        start(load());
    });
    let waiting = tr("site.loading");
    let heading = move || title.map(|title| view! { <Heading key=title /> });
    (move || {
        state.track();
        let is_loading = state.try_with_untracked(|state| matches!(state, State::Loading)) != Some(false);
        let outcome =
            (!is_loading).then(|| state.try_update_untracked(|it| std::mem::replace(it, State::Shown)));
        match outcome.flatten() {
            Some(State::Loaded(view)) => view,
            Some(State::Failed(failure)) => {
                let failure = Signal::derive(move || Some(failure.clone()));
                let notice = view! { <FailureNotice failure=failure busy=false retry=retry /> };
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
