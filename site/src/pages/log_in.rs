//! `/masuk`: logging in.

use leptos::prelude::*;

use crate::components::{CodeLogin, Purpose};

/// Log-in with a phone number and a one-time code.
#[component]
pub fn LogIn() -> impl IntoView {
    view! { <CodeLogin purpose=Purpose::LogIn /> }
}
