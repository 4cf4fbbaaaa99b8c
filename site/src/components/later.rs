//! What is in a part of the site that is loaded when it is needed.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use leptos::prelude::*;

use crate::api::Failure;
use crate::browser::Tasks;
use crate::components::FailureNotice;
use crate::language::tr;

/// A view, once its part of the site is loaded.
pub type Loading = Pin<Box<dyn Future<Output = Result<AnyView, Failure>>>>;

enum State {
    Loading,
    Loaded(AnyView),
    Failed(Failure),
}

/// Shows a view of another part of the site. Where that is still to be loaded, it says so until it is there, and where it
/// cannot be, offers to try again.
#[component]
pub fn Later(
    /// Loads it.
    load: Box<dyn Fn() -> Loading + Send + Sync>,
) -> impl IntoView {
    let mut first = load();
    // What is loaded already is shown at once.
    if let Poll::Ready(Ok(view)) = first.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return view;
    }
    let state = RwSignal::new_local(State::Loading);
    let tasks = Tasks::here();
    let run = move |view: Loading| {
        tasks.run(Box::pin(async move { state.set(view.await.map_or_else(State::Failed, State::Loaded)) }));
    };
    // Begun anew: a future that was ready must not be asked again.
    run(load());
    let again = Callback::new(move |()| {
        state.set(State::Loading);
        run(load());
    });
    let waiting = tr("site.loading");
    (move || {
        state.track();
        let now = state.try_update_untracked(|state| std::mem::replace(state, State::Loading));
        match now {
            Some(State::Loaded(view)) => view,
            Some(State::Failed(failure)) => {
                let failure = Signal::derive(move || Some(failure.clone()));
                let notice = view! { <FailureNotice failure=failure busy=false retry=again /> };
                view! { <div class="column">{notice}</div> }.into_any()
            }
            _ => view! { <p class="column" role="status">{waiting}</p> }.into_any(),
        }
    })
    .into_any()
}
