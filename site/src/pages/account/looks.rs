//! `/dilihat`: which officers viewed a person's records, and what they did.

use bukti_wire::{HelpdeskRoute, Look, Looks as LooksAnswer};
use leptos::prelude::*;

use super::{Choice, Nobody, Shelf};
use crate::api;
use crate::browser;
use crate::components::FailureNotice;
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr};

#[derive(Clone, Copy)]
struct Desk {
    shelf: Shelf,
    looks: RwSignal<Option<Vec<Look>>>,
    form: Form,
}

impl Desk {
    /// Loads the accesses to the chosen person's records. Repeats if another person was chosen
    /// while the request was on its way.
    fn load(self) {
        self.looks.set(None);
        self.form.send(Vec::new(), async move {
            while let Some(id) = self.shelf.chosen.get_untracked() {
                let answer = api::get(&HelpdeskRoute::Looks.path_of(&id)).await;
                let LooksAnswer { looks } = self.shelf.unless_logged_out(answer)?;
                if self.shelf.chosen.get_untracked().as_ref() == Some(&id) {
                    self.looks.set(Some(looks));
                    break;
                }
            }
            Ok(())
        });
    }
}

/// The choice of the person, then each access to the person's records, the newest first.
#[component]
pub fn Looks(shelf: Shelf) -> impl IntoView {
    let desk = Desk { shelf, looks: RwSignal::new(None), form: Form::new() };
    browser::effect(Box::new(move || {
        if shelf.chosen.read().is_some() {
            desk.load();
        }
    }));
    let failure = Signal::derive(move || {
        let failure = shelf.loading.failure.get().or_else(|| desk.form.failure.get());
        failure.filter(|failure| !failure.is_not_logged_in())
    });
    let busy = Signal::derive(move || shelf.loading.busy.get() || desk.form.busy.get());
    let again = Callback::new(move |()| {
        if shelf.loading.failure.read_untracked().is_some() { shelf.again() } else { desk.load() }
    });
    let (loading, none) = (tr("site.loading"), tr("site.looks.none"));
    let news = move || match (busy.get(), desk.looks.read().as_ref().map(Vec::is_empty)) {
        (true, _) => loading(),
        (false, Some(true)) => none(),
        _ => "",
    };
    let people = move |people: Vec<_>| {
        if people.is_empty() {
            view! { <Nobody shelf=shelf /> }.into_any()
        } else {
            view! { <Choice shelf=shelf people=people question="site.looks.choose" /> }.into_any()
        }
    };
    let list = move |looks: Vec<Look>| {
        (!looks.is_empty()).then(|| {
            let entries = looks.into_iter().map(|look| view! { <Entry look=look /> }).collect_view();
            view! { <ul class="entries">{entries}</ul> }
        })
    };
    view! {
        <p>{tr("site.looks.help")}</p>
        <FailureNotice failure=failure busy=busy retry=again />
        {move || shelf.people.get().map(people)}
        <p role="status">{news}</p>
        {move || desk.looks.get().map(list)}
    }
}

/// An access: when, by which officer, and what was done.
#[component]
fn Entry(look: Look) -> impl IntoView {
    let language = Language::current();
    let (at, officer, action) = (look.at, look.officer, look.action);
    view! {
        <li>
            <span class="hint">{move || describe::moment_at(language.get(), at)}</span>
            <span>{officer} " · " {move || describe::case_code(language.get(), "action", &action)}</span>
        </li>
    }
}
