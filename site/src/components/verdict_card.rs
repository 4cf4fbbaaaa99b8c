//! The verdict on a certificate.

use bukti_locales::text;
use leptos::prelude::*;

use crate::browser;
use crate::components::{Icon, look};
use crate::describe::Mood;
use crate::language::{Language, tr};
use crate::verdict::{self, Outcome};
use crate::verifier::Verified;

/// The verdict, what to do, and who and what the certificate is about. The heading takes the focus, so that it is read out.
#[component]
pub fn VerdictCard(
    /// What was verified.
    verified: Verified,
) -> impl IntoView {
    const ID: &str = "verdict";
    let language = Language::current();
    let outcome = Outcome::of(&verified.report, verified.has_signers);
    let (class, sign) = look(outcome.mood());
    browser::focus_soon(ID);
    let report = verified.report;
    let content = report.content.filter(|_| outcome.is_proven());
    let until = report.expires_at.and_then(|at| browser::local_time(&at));
    let issuer = content.as_ref().and_then(|content| content.issuer.as_deref());
    let signer = report.signer.filter(|signer| Some(signer.as_str()) != issuer);
    // Lists that were kept can be older than what the page has just fetched.
    let old = report.revocation_as_of.is_some_and(|at| browser::days_since(&at) > verdict::OLD);
    let old = old.then(|| view! { <p class="notice waiting">{tr("site.verify.old_lists")}</p> });
    let row = |label: String, words: String| view! { <div><dt>{label}</dt><dd>{words}</dd></div> };
    let rows = move |content: bukti_hcert::Content| {
        let signer = signer.clone();
        let rows = move || {
            let locale = language.get();
            let words = |key: &str| text(locale, key).to_owned();
            let facts = verdict::facts(locale, &content).into_iter().map(|(key, fact)| row(words(key), fact));
            let signer = signer.clone().map(|signer| row(words("site.verify.signer"), signer));
            let until =
                until.map(|(date, ..)| row(words("site.verify.until"), bukti_locales::date(locale, date)));
            facts.chain(signer).chain(until).collect_view()
        };
        let compare = || view! { <p><strong>{tr("site.verify.compare")}</strong></p> };
        view! {
            {(outcome.mood() != Mood::Wrong).then(compare)}
            <dl class="facts">{rows}</dl>
        }
    };
    view! {
        <article class="card verdict">
            <h2 id=ID tabindex="-1" class=format!("state {class}")>
                <Icon sign=sign />
                <span>{move || outcome.title(language.get())}</span>
            </h2>
            <div class="inside">
                <p>{move || outcome.text(language.get())}</p>
                {old}
                {content.map(rows)}
                <details>
                    <summary>{tr("site.verify.details")}</summary>
                    <pre tabindex="0">{verified.json}</pre>
                </details>
            </div>
        </article>
    }
}
