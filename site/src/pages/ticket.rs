//! `/tiket`: what the QR of a ticket says, for the staff who scan it.
//!
//! It stands in the address behind `#`, which browsers send to no server.

use bukti_domain::{TicketText, certificate_id_grouped};
use leptos::prelude::*;

use crate::browser;
use crate::components::{FactList, Facts, Heading, RowLink, Sign};
use crate::language::tr;
use crate::place::Page;

/// The ticket in words.
#[component]
pub fn Ticket() -> impl IntoView {
    let ticket = TicketText::parse(&browser::fragment());
    let shown = match ticket {
        Some(ticket) => {
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
            .into_any()
        }
        None => view! { <p>{tr("site.ticket.unreadable")}</p> }.into_any(),
    };
    view! {
        <div class="column">
            <Heading key="site.ticket.title" />
            {shown}
            <ul class="rows">
                <RowLink page=Page::Verify sign=Sign::Scan label="site.rows.verify" />
                <RowLink page=Page::Home sign=Sign::Home label="site.nav.home" />
            </ul>
        </div>
    }
}
