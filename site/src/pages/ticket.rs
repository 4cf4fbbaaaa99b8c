//! `/tiket`: the content of a ticket's QR code, for the staff who scan it.
//!
//! The content is in the URL fragment, which browsers do not send to the server. Anyone can
//! construct such a URL, so the page shows the ticket only if its vaccine is in the catalogue.

use bukti_domain::{TicketText, certificate_id_grouped};
use bukti_wire::{StatusRoute, Vaccines};
use leptos::prelude::*;

use crate::api;
use crate::browser;
use crate::components::{FactList, Facts, FailureNotice, Heading, RowLink, Symbol};
use crate::form::Form;
use crate::language::tr;
use crate::place::Page;

#[component]
pub fn Ticket() -> impl IntoView {
    let shown = match TicketText::parse(&browser::fragment()) {
        Some(ticket) => view! { <CheckedTicket ticket=ticket /> }.into_any(),
        None => view! { <p>{tr("site.ticket.unreadable")}</p> }.into_any(),
    };
    view! {
        <div class="column">
            <Heading key="site.ticket.title" />
            {shown}
            <ul class="rows">
                <RowLink page=Page::Verify symbol=Symbol::Scan label="site.rows.verify" />
                <RowLink page=Page::Home symbol=Symbol::Home label="site.nav.home" />
            </ul>
        </div>
    }
}

/// Shows the ticket after its vaccine has been found in the catalogue.
#[component]
fn CheckedTicket(ticket: TicketText) -> impl IntoView {
    let (vaccines, loading) = (RwSignal::new(None::<Vaccines>), Form::new());
    let load = move || {
        loading.send(Vec::new(), async move {
            vaccines.set(Some(api::get(StatusRoute::Vaccines.path()).await?));
            Ok(())
        });
    };
    load();
    let checked = move |Vaccines { vaccines }: Vaccines| {
        if ticket.is_for_one_of(vaccines.iter().map(|vaccine| &*vaccine.name)) {
            view! { <TicketFacts ticket=ticket.clone() /> }.into_any()
        } else {
            view! { <p>{tr("site.ticket.unknown_vaccine")}</p> }.into_any()
        }
    };
    view! {
        <FailureNotice failure=loading.failure busy=loading.busy retry=Callback::new(move |()| load()) />
        {move || vaccines.get().map(&checked)}
    }
}

#[component]
fn TicketFacts(ticket: TicketText) -> impl IntoView {
    let facts: Facts = Box::new(move |locale| {
        vec![
            ("site.ticket.dose", ticket.dose_number.to_string()),
            ("site.card.vaccine", ticket.vaccine.clone()),
            ("site.ticket.from", bukti_locales::date(locale, ticket.from)),
            ("site.ticket.certificate", certificate_id_grouped(&ticket.certificate_id)),
        ]
    });
    view! {
        <div class="card">
            <div class="inside">
                <FactList facts=facts />
            </div>
        </div>
        <p>{tr("site.ticket.compare")}</p>
    }
}
