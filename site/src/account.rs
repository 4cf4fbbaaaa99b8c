//! Log-in state of the visitor.

use bukti_wire::{OtpRoute, Session};
use leptos::prelude::*;

use crate::api;
use crate::browser::{self, Tasks};

/// Key in the browser's storage that records that a visitor logged in with this browser, and
/// nothing about them. Without it the site skips the session request at the start, which would only
/// return a 401 on most visits.
const STORED: &str = "bukti.session";

/// Whether the visitor is logged in.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// The server has not answered yet.
    Unknown,
    Nobody,
    Somebody(Session),
}

/// The log-in state, a Leptos context of the whole site.
#[derive(Clone, Copy)]
pub struct Account {
    who: RwSignal<Who>,
    tasks: Tasks,
}

impl Account {
    /// Provides the state as a context, and asks the server for the session if the browser has
    /// logged in before.
    pub fn provide() -> Self {
        let before = browser::stored(STORED).is_some();
        let who = if before { Who::Unknown } else { Who::Nobody };
        let account = Self { who: RwSignal::new(who), tasks: Tasks::here() };
        provide_context(account);
        if before {
            account.ask();
        }
        account
    }

    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self { who: RwSignal::new(Who::Nobody), tasks: Tasks::here() })
    }

    /// The log-in state, tracked.
    pub fn get(self) -> Who {
        self.who.get()
    }

    /// Loads the session from the server.
    pub fn ask(self) {
        let before = self.who.get_untracked();
        self.tasks.run(Box::pin(async move {
            match api::get::<Session>(OtpRoute::Session.path()).await {
                // If the state changed while the request was on its way (a log-out), that change
                // wins.
                Ok(session) if self.who.get_untracked() == before => self.entered(session),
                Ok(_) => {}
                Err(failure) if failure.is_not_logged_in() => self.left(),
                // The state stays unknown: pages that need it load the session again.
                Err(_) => {}
            }
        }));
    }

    pub fn entered(self, session: Session) {
        browser::store(STORED, Some("1"));
        self.who.set(Who::Somebody(session));
    }

    pub fn left(self) {
        browser::store(STORED, None);
        self.who.set(Who::Nobody);
    }
}
