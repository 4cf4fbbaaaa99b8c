//! One case: what the applicant states, the recorded doses, and the decision.

use bukti_wire::{CaseProposal, HelpdeskRoute, OfficerCase, Said};
use leptos::prelude::*;

use super::confirmation::ConfirmedBy;
use super::decision::{Decision, DecisionForm};
use super::dose::{DoseView, Recorded};
use super::queue::opened;
use super::{Access, Console};
use crate::api;
use crate::browser;
use crate::components::{FactList, Facts, FailureNotice, Icon, Sign, look};
use crate::describe;
use crate::form::Form;
use crate::language::{Language, tr, tr_with};
use crate::pages::case_parts::{Messages, StateLine};

/// The id of the status message, which takes the focus after a decision.
pub const NEWS: &str = "case-news";

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is stored.
    Done,
    /// Another officer has changed the case in the meantime.
    Changed,
}

/// State of the open case.
#[derive(Clone, Copy)]
pub struct CaseDesk {
    pub access: Access,
    number: RwSignal<String>,
    pub case: RwSignal<Option<OfficerCase>>,
    loading: Form,
    news: RwSignal<Option<News>>,
}

impl CaseDesk {
    pub fn new(access: Access) -> Self {
        Self {
            access,
            number: RwSignal::new(String::new()),
            case: RwSignal::new(None),
            loading: Form::new(),
            news: RwSignal::new(None),
        }
    }

    pub fn open(self, number: String) {
        self.number.set(number);
        self.case.set(None);
        self.news.set(None);
        self.load();
    }

    /// The path of a route of this case.
    pub fn path(self, route: HelpdeskRoute) -> String {
        route.path_of(&*self.number.read_untracked())
    }

    /// Loads the case again and shows the outcome of the decision.
    pub fn reload(self, news: News) {
        self.news.set(Some(news));
        self.load();
        browser::focus_soon(NEWS);
    }

    fn load(self) {
        self.loading.send(Vec::new(), async move {
            let case = self.access.known(api::get(&self.path(HelpdeskRoute::OfficerCase)).await)?;
            self.case.set(Some(case));
            Ok(())
        });
    }
}

/// The back button, and the case.
#[component]
pub fn CaseRoom(console: Console) -> impl IntoView {
    let desk = console.case;
    let (loading, done, changed) =
        (tr("site.loading"), tr("site.console.case.done"), tr("site.console.case.changed"));
    let news = move || match desk.news.get() {
        Some(News::Done) => done(),
        Some(News::Changed) => changed(),
        None if desk.loading.busy.get() => loading(),
        None => "",
    };
    let back = move |_| console.go(console.before.get_untracked());
    view! {
        <button type="button" class="button" on:click=back>
            {tr("site.download.back")}
        </button>
        <FailureNotice
            failure=desk.loading.failure
            busy=desk.loading.busy
            retry=Callback::new(move |()| desk.load())
        />
        <p id=NEWS tabindex="-1" role="status">
            {news}
        </p>
        {move || desk.case.get().map(|case| view! { <OpenCase desk=desk case=case /> })}
    }
}

/// The case: state, statement, evidence, messages, doses, and the decision form.
#[component]
fn OpenCase(desk: CaseDesk, case: OfficerCase) -> impl IntoView {
    let language = Language::current();
    let decision = Decision::new(desk, &case);
    let (summary, said) = (case.case.clone(), case.said.clone());
    let (class, _) = look(describe::case_mood(summary.state));
    let opened_at = summary.opened_at;
    let age = move || opened(language.get(), opened_at);
    let why = summary.why.map(|why| {
        view! {
            <h3>{tr("site.correction.cases.why")}</h3>
            <p class="written">{why}</p>
        }
    });
    let doses = case.doses.iter().map(|dose| {
        view! { <DoseView dose=dose.clone() said=said.clone() /> }
    });
    let doses = doses.collect_view();
    let none = case.doses.is_empty().then(|| view! { <p>{tr("site.console.case.no_dose")}</p> });
    let more = case.more.then(|| view! { <p>{tr("site.console.more")}</p> });
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
                <SaidFacts said=case.said.clone() />
                <Pieces case=case.clone() />
                <Messages messages=summary.messages />
                {why}
            </div>
        </article>
        <h2>{tr("site.console.case.doses")}</h2>
        {none}
        {doses}
        {more}
        {proposal}
        {form}
    }
}

/// The applicant's statement and note.
#[component]
fn SaidFacts(said: Said) -> impl IntoView {
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

/// The evidence; each file opens in a tab of its own.
#[component]
fn Pieces(case: OfficerCase) -> impl IntoView {
    let none = case.pieces.is_empty().then(|| view! { <p>{tr("site.console.case.no_evidence")}</p> });
    let piece = |(at, piece): (usize, bukti_wire::EvidencePiece)| {
        let kind = piece.content_type;
        let label = tr_with("site.console.case.piece", move |_| {
            vec![("n", (at + 1).to_string()), ("kind", kind.clone())]
        });
        view! {
            <li>
                <a href=piece.url target="_blank" rel="noopener noreferrer" class="button">
                    <Icon sign=Sign::Picture />
                    <span>{label}</span>
                </a>
            </li>
        }
    };
    let pieces = case.pieces.into_iter().enumerate().map(piece).collect_view();
    view! {
        <h3>{tr("site.console.case.evidence")}</h3>
        {none}
        <ul class="steps">{pieces}</ul>
    }
}

/// The decision that another officer proposes.
#[component]
fn Proposal(proposal: CaseProposal) -> impl IntoView {
    let confirmed_by = proposal.confirmed_by.map(|who| view! { <ConfirmedBy who=who /> });
    let (officer, at) = (proposal.officer, proposal.at);
    let from = tr_with("site.console.case.proposed_by", move |locale| {
        vec![("officer", officer.clone()), ("moment", describe::moment_at(locale, at))]
    });
    view! {
        <article class="card proposal">
            <div class="inside">
                <h2>{tr("site.console.case.proposal")}</h2>
                <p>{from}</p>
                <p class="written">{proposal.why}</p>
                {confirmed_by}
                <Recorded recorded=proposal.row />
            </div>
        </article>
    }
}
