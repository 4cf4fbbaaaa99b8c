//! `/riwayat`: all doses, and tickets for the next ones.

use bukti_locales::{Locale, text};
use bukti_wire::{Certificates, HolderDose, Ticket};
use leptos::prelude::*;

use super::AccountState;
use crate::browser;
use crate::components::{FactList, Facts, Icon, tone_style};
use crate::describe;
use crate::language::{Language, tr, tr_with};

/// Shows a person's tickets, then the doses, newest first.
#[component]
pub(super) fn History(account: AccountState, certificates: Certificates) -> impl IntoView {
    let Certificates { person, mut doses, tickets, .. } = certificates;
    doses.reverse();
    let no_ticket = tickets.is_empty().then(|| view! { <p>{tr("site.history.no_ticket")}</p> });
    view! {
        <h2>{account.heading_of(person)}</h2>
        <h3 class="part">{tr("site.history.tickets")}</h3>
        {tickets.into_iter().map(|ticket| view! { <TicketCard ticket=ticket /> }).collect_view()}
        {no_ticket}
        <h3 class="part">{tr("site.history.doses")}</h3>
        {doses.into_iter().map(|dose| view! { <DoseFacts dose=dose /> }).collect_view()}
    }
}

/// Shows which dose is due and from when, with the QR code that a facility scans.
#[component]
fn TicketCard(ticket: Ticket) -> impl IntoView {
    let language = Language::current();
    let (n, total) = (ticket.dose_number, ticket.doses_in_series);
    let is_due = browser::today().is_some_and(|today| today >= ticket.from);
    let from = ticket.from;
    let when = move || {
        let key = if is_due { "site.history.since" } else { "site.history.from" };
        bukti_locales::fill(language.get(), key, &[("date", &bukti_locales::date(language.get(), from))])
    };
    let picture = browser::svg_data_url(&ticket.qr);
    let (disease, vaccine) = (ticket.disease.name.clone(), ticket.vaccine.clone());
    let alt_text = tr_with("site.history.qr", move |locale| {
        vec![("dose", bukti_locales::dose(locale, n, total)), ("vaccine", vaccine.clone())]
    });
    let facts: Facts = Box::new(move |locale| {
        vec![
            ("site.card.vaccine", ticket.vaccine.clone()),
            ("site.card.disease", disease.in_language(locale.tag()).to_owned()),
        ]
    });
    view! {
        <article class="card ticket">
            <h4 class="state good">
                <span>
                    {move || bukti_locales::dose(language.get(), n, total)} <span class="when">{when}</span>
                </span>
            </h4>
            <div class="inside">
                <img src=picture alt=alt_text width="240" height="240" />
                <div>
                    <FactList facts=facts />
                    <p>{tr("site.history.show")}</p>
                </div>
            </div>
        </article>
    }
}

#[component]
fn DoseFacts(dose: HolderDose) -> impl IntoView {
    let language = Language::current();
    let code = dose.status.diagnosis.code;
    let (class, symbol) = tone_style(code.tone());
    let diagnosis = StoredValue::new(dose.status.diagnosis.clone());
    let state = move || diagnosis.with_value(|it| describe::diagnosis_title(language.get(), it));
    let number = dose.status.dose_number;
    let total = dose.certificate.as_ref().and_then(|certificate| certificate.doses_in_series);
    let title = move || match (number, total) {
        (Some(n), Some(_)) => bukti_locales::dose(language.get(), n, total),
        (Some(n), None) => bukti_locales::dose(language.get(), n, None),
        (None, _) => text(language.get(), "site.history.dose").to_owned(),
    };
    let facts: Facts = Box::new(move |locale| facts(locale, &dose));
    view! {
        <article class="card">
            <div class="inside">
                <h4>{title}</h4>
                <FactList facts=facts />
                <p class=format!("badge {class}")>
                    <Icon symbol=symbol />
                    <span>{state}</span>
                </p>
            </div>
        </article>
    }
}

fn facts(locale: Locale, dose: &HolderDose) -> Vec<(&'static str, String)> {
    let status = &dose.status;
    let unknown = || text(locale, "site.history.unknown").to_owned();
    let disease = status.disease.as_ref().map(|disease| disease.name.in_language(locale.tag()).to_owned());
    let date = status.vaccination_date.map(|date| bukti_locales::date(locale, date));
    [
        ("site.card.vaccine", status.vaccine.clone()),
        ("site.card.disease", disease),
        ("site.verify.batch", dose.batch.clone()),
        ("site.card.date", date),
        ("site.card.facility", status.facility.clone()),
    ]
    .into_iter()
    .map(|(label, fact)| (label, fact.unwrap_or_else(unknown)))
    .collect()
}
