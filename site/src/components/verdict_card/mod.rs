//! The verdict on a certificate.

use bukti_domain::Tone;
use leptos::prelude::*;

use crate::browser;
use crate::components::{FactList, Facts, Icon, tone_style};
use crate::language::{Language, tr};
use crate::verdict::{self, DisplayVerdict};
use crate::verifier::Verified;

/// Shows the verdict, what to do, and what the certificate says. The heading takes the focus, so
/// that screen readers announce the verdict.
#[component]
pub fn VerdictCard(verified: Verified) -> impl IntoView {
    const ID: &str = "verdict";
    let language = Language::current();
    let display = DisplayVerdict::from_report(&verified.report, verified.has_signers);
    let (class, symbol) = tone_style(display.tone());
    browser::focus_after_render(ID);
    let report = verified.report;
    let content = report.content.filter(|_| display.is_authentic());
    let until = report.expires_at.and_then(|at| browser::local_time(&at));
    let issuer = content.as_ref().and_then(|content| content.issuer.as_deref());
    let signer = report.signer.filter(|signer| Some(signer.as_str()) != issuer);
    // Cached revocation lists can be older than the index that the page has just fetched.
    let is_stale =
        report.revocation_as_of.is_some_and(|at| browser::days_since(&at) > verdict::MAX_LIST_AGE_DAYS);
    let stale_notice =
        is_stale.then(|| view! { <p class="notice waiting">{tr("site.verify.old_lists")}</p> });
    let facts = move |content: bukti_hcert::Content| {
        let facts: Facts = Box::new(move |locale| {
            let mut facts = verdict::facts(locale, &content);
            facts.extend(signer.clone().map(|signer| ("site.verify.signer", signer)));
            facts.extend(until.map(|(date, ..)| ("site.verify.until", bukti_locales::date(locale, date))));
            facts
        });
        let ask_for_id = || view! { <p><strong>{tr("site.verify.compare")}</strong></p> };
        view! {
            {(display.tone() != Tone::Wrong).then(ask_for_id)}
            <FactList facts=facts />
        }
    };
    view! {
        <article class="card verdict">
            <h2 id=ID tabindex="-1" class=format!("state {class}")>
                <Icon symbol=symbol />
                <span>{move || display.title(language.get())}</span>
            </h2>
            <div class="inside">
                <p>{move || display.text(language.get())}</p>
                {stale_notice}
                {content.map(facts)}
                <details>
                    <summary>{tr("site.verify.details")}</summary>
                    <pre tabindex="0">{verified.json}</pre>
                </details>
            </div>
        </article>
    }
}
