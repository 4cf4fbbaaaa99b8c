//! Who is logged in.

use bukti_wire::{OtpRoute, Session};
use leptos::prelude::*;

use crate::api;
use crate::browser::{self, Tasks};

/// Says that somebody was logged in here, and nothing more. Without it nobody is asked for at the start, which spares
/// most visits a request and its 401.
const STORED: &str = "bukti.session";

/// Who is logged in.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// Not known yet.
    Unknown,
    /// Nobody.
    Nobody,
    /// Somebody.
    Somebody(Session),
}

/// Who is logged in, a context of the whole site.
#[derive(Clone, Copy)]
pub struct Account {
    who: RwSignal<Who>,
    tasks: Tasks,
}

impl Account {
    /// Finds out who is logged in and provides it to all below.
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

    /// Who is logged in.
    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self { who: RwSignal::new(Who::Nobody), tasks: Tasks::here() })
    }

    /// Who it is, tracked.
    pub fn get(self) -> Who {
        self.who.get()
    }

    /// Asks the server who it is.
    pub fn ask(self) {
        let before = self.who.get_untracked();
        self.tasks.run(Box::pin(async move {
            match api::get::<Session>(OtpRoute::Session.path()).await {
                // Whoever has logged out meanwhile stays so.
                Ok(session) if self.who.get_untracked() == before => self.entered(session),
                Ok(_) => {}
                Err(failure) if failure.is_not_logged_in() => self.left(),
                // Unknown stays unknown: the pages that need to know ask again.
                Err(_) => {}
            }
        }));
    }

    /// Somebody has logged in.
    pub fn entered(self, session: Session) {
        browser::store(STORED, Some("1"));
        self.who.set(Who::Somebody(session));
    }

    /// The session has ended.
    pub fn left(self) {
        browser::store(STORED, None);
        self.who.set(Who::Nobody);
    }
}
