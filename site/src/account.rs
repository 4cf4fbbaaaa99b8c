//! Log-in state of the visitor.

use bukti_wire::{OtpRoute, Session};
use leptos::prelude::*;

use crate::api;
use crate::browser::{self, TaskScope};

/// Local storage key that is set while a visitor is logged in with this browser. The value contains
/// no personal data. If it is absent, the site skips the initial session request, which would
/// return a 401 on most visits.
const STORAGE_KEY: &str = "bukti.session";

/// Whether the visitor is logged in.
#[derive(Clone, Debug, PartialEq)]
pub enum LogInState {
    /// The server has not responded yet.
    Unknown,
    LoggedOut,
    LoggedIn(Session),
}

/// Holds the log-in state. Available to every component as a Leptos context.
#[derive(Clone, Copy)]
pub struct Account {
    state: RwSignal<LogInState>,
    tasks: TaskScope,
}

impl Account {
    /// Provides the state as a context. Requests the session from the server if the local storage
    /// says that a visitor is logged in.
    pub fn provide() -> Self {
        let has_logged_in = browser::read_storage(STORAGE_KEY).is_some();
        let state = if has_logged_in { LogInState::Unknown } else { LogInState::LoggedOut };
        let account = Self { state: RwSignal::new(state), tasks: TaskScope::current() };
        provide_context(account);
        if has_logged_in {
            account.refresh();
        }
        account
    }

    pub fn current() -> Self {
        use_context().unwrap_or_else(|| Self {
            state: RwSignal::new(LogInState::LoggedOut),
            tasks: TaskScope::current(),
        })
    }

    /// Returns the log-in state (tracked read).
    pub fn get(self) -> LogInState {
        self.state.get()
    }

    /// Loads the session from the server and updates the log-in state.
    pub fn refresh(self) {
        let before = self.state.get_untracked();
        self.tasks.spawn(Box::pin(async move {
            match api::get::<Session>(OtpRoute::Session.path()).await {
                // If the state changed during the request, for example by a log-out, keep that
                // change.
                Ok(session) if self.state.get_untracked() == before => self.set_logged_in(session),
                Ok(_) => {}
                Err(failure) if failure.is_not_logged_in() => self.set_logged_out(),
                // Keep the state. Pages that need the session load it again.
                Err(_) => {}
            }
        }));
    }

    pub fn set_logged_in(self, session: Session) {
        browser::write_storage(STORAGE_KEY, Some("1"));
        self.state.set(LogInState::LoggedIn(session));
    }

    pub fn set_logged_out(self) {
        browser::write_storage(STORAGE_KEY, None);
        self.state.set(LogInState::LoggedOut);
    }
}
