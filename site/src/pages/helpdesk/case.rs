//! The screen for one case: the applicant's statement, the recorded doses, and the decision.

use bukti_wire::{ApplicantStatement, CaseProposal, HelpdeskRoute, OfficerCase};
use leptos::prelude::*;

use super::confirmation::ConfirmedBy;
use super::decision::{Decision, DecisionForm};
use super::dose::{DoseView, RecordFacts};
use super::queue::opened_text;
use super::{Access, Console};
use crate::api;
use crate::browser;
use crate::components::{FactList, Facts, FailureNotice, Icon, Symbol, tone_style};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr, tr_with};
use crate::pages::case_parts::{Messages, StateLine};

/// The id of the status message, which takes the focus after a decision.
pub const STATUS_ID: &str = "case-news";

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// The decision was stored.
    Stored,
    /// Another officer has changed the case in the meantime.
    Conflict,
}

/// The state of the open case.
#[derive(Clone, Copy)]
pub struct OpenCase {
    pub access: Access,
    number: RwSignal<String>,
    pub case: RwSignal<Option<OfficerCase>>,
    loading: Form,
    outcome: RwSignal<Option<DecisionOutcome>>,
}

impl OpenCase {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            number: RwSignal::new(String::new()),
            case: RwSignal::new(None),
            loading: Form::new(),
            outcome: RwSignal::new(None),
        }
    }

    pub fn open(self, number: String) {
        self.number.set(number);
        self.case.set(None);
        self.outcome.set(None);
        self.load();
    }

    /// The path of an API route for this case.
    pub fn path(self, route: HelpdeskRoute) -> String {
        route.path_of(&*self.number.read_untracked())
    }

    /// Reloads the case and shows the outcome of the decision.
    pub fn reload(self, outcome: DecisionOutcome) {
        self.outcome.set(Some(outcome));
        self.load();
        browser::focus_after_render(STATUS_ID);
    }

    fn load(self) {
        self.loading.send(Vec::new(), async move {
            let case = self.access.check(api::get(&self.path(HelpdeskRoute::OfficerCase)).await)?;
            self.case.set(Some(case));
            Ok(())
        });
    }
}

/// Shows the back button and the case.
#[component]
pub fn CaseScreen(console: Console) -> impl IntoView {
    let open_case = console.case;
    let (loading_text, stored_text, conflict_text) =
        (tr("site.loading"), tr("site.console.case.done"), tr("site.console.case.changed"));
    let status = move || match open_case.outcome.get() {
        Some(DecisionOutcome::Stored) => stored_text(),
        Some(DecisionOutcome::Conflict) => conflict_text(),
        None if open_case.loading.busy.get() => loading_text(),
        None => "",
    };
    let back = move |_| console.show_screen(console.previous_screen.get_untracked());
    view! {
        <button type="button" class="button" on:click=back>
            {tr("site.download.back")}
        </button>
        <FailureNotice
            failure=open_case.loading.failure
            busy=open_case.loading.busy
            retry=Callback::new(move |()| open_case.load())
        />
        <p id=STATUS_ID tabindex="-1" role="status">
            {status}
        </p>
        {move || open_case.case.get().map(|case| view! { <CaseView open_case=open_case case=case /> })}
    }
}

/// Shows the case: state, statement, evidence, messages, doses, and the decision form.
#[component]
fn CaseView(open_case: OpenCase, case: OfficerCase) -> impl IntoView {
    let language = Language::current();
    let decision = Decision::new(open_case, &case);
    let (summary, said) = (case.case.clone(), case.said.clone());
    let (class, _) = tone_style(describe::case_tone(summary.state));
    let opened_at = summary.opened_at;
    let age = move || opened_text(language.get(), opened_at);
    let reason = summary.why.map(|why| {
        view! {
            <h3>{tr("site.correction.cases.why")}</h3>
            <p class="written">{why}</p>
        }
    });
    let doses = case.doses.iter().map(|dose| {
        view! { <DoseView dose=dose.clone() said=said.clone() /> }
    });
    let doses = doses.collect_view();
    let none_notice = case.doses.is_empty().then(|| view! { <p>{tr("site.console.case.no_dose")}</p> });
    let more_notice = case.more.then(|| view! { <p>{tr("site.console.more")}</p> });
    let proposal = case.proposal.clone().map(|proposal| view! { <Proposal proposal=proposal /> });
    let form =
        (!summary.state.is_decided()).then(|| view! { <DecisionForm decision=decision case=case.clone() /> });
    view! {
        <article class="card">
            <h2 class=format!("state {class}")>
                <StateLine correction=summary.correction state=summary.state />
            </h2>
            <div class="inside">
                <p class="case-number">{summary.number}</p>
                <p>{age}</p>
                <StatementFacts said=case.said.clone() />
                <EvidenceLinks case=case.clone() />
                <Messages messages=summary.messages />
                {reason}
            </div>
        </article>
        <h2>{tr("site.console.case.doses")}</h2>
        {none_notice}
        {doses}
        {more_notice}
        {proposal}
        {form}
    }
}

/// Shows the applicant's statement and note.
#[component]
fn StatementFacts(said: ApplicantStatement) -> impl IntoView {
    let note = (!said.note.trim().is_empty()).then(|| said.note.clone());
    let note = note.map(|note| {
        view! {
            <h3>{tr("site.console.case.note")}</h3>
            <p class="written">{note}</p>
        }
    });
    let facts: Facts = Box::new(move |_| {
        let mut facts = vec![
            ("site.console.dose.identity", said.identity.clone()),
            ("site.console.dose.name", said.name.clone()),
            ("site.console.dose.birth_date", said.birth_date.clone()),
            ("site.console.dose.phone", said.phone.clone()),
        ];
        if let Some(dose) = &said.dose {
            facts.extend([
                ("site.console.dose.number", dose.dose_number.to_string()),
                ("site.card.vaccine", dose.vaccine.clone()),
                ("site.card.date", dose.vaccination_date.clone()),
                ("site.card.facility", dose.facility.clone()),
            ]);
        } else {
            facts.push(("site.console.case.right", said.right.clone()));
        }
        facts
    });
    view! {
        <h3>{tr("site.console.case.said")}</h3>
        <FactList facts=facts />
        {note}
    }
}

/// Links to the evidence. Each file opens in a new tab.
#[component]
fn EvidenceLinks(case: OfficerCase) -> impl IntoView {
    let none_notice = case.pieces.is_empty().then(|| view! { <p>{tr("site.console.case.no_evidence")}</p> });
    let piece = |(at, piece): (usize, bukti_wire::EvidencePiece)| {
        let kind = piece.content_type;
        let label = tr_with("site.console.case.piece", move |_| {
            vec![("n", (at + 1).to_string()), ("kind", kind.clone())]
        });
        view! {
            <li>
                <a href=piece.url target="_blank" rel="noopener noreferrer" class="button">
                    <Icon symbol=Symbol::Picture />
                    <span>{label}</span>
                </a>
            </li>
        }
    };
    let pieces = case.pieces.into_iter().enumerate().map(piece).collect_view();
    view! {
        <h3>{tr("site.console.case.evidence")}</h3>
        {none_notice}
        <ul class="steps">{pieces}</ul>
    }
}

/// Shows the decision that another officer has proposed.
#[component]
fn Proposal(proposal: CaseProposal) -> impl IntoView {
    let confirmed_by = proposal.confirmed_by.map(|who| view! { <ConfirmedBy who=who /> });
    let (officer, at) = (proposal.officer, proposal.at);
    let proposed_by = tr_with("site.console.case.proposed_by", move |locale| {
        vec![("officer", officer.clone()), ("moment", describe::moment_at(locale, at))]
    });
    view! {
        <article class="card proposal">
            <div class="inside">
                <h2>{tr("site.console.case.proposal")}</h2>
                <p>{proposed_by}</p>
                <p class="written">{proposal.why}</p>
                {confirmed_by}
                <RecordFacts recorded=proposal.row />
            </div>
        </article>
    }
}
