//! The cases of a phone number: their states, questions of officers, and replies to them.

use bukti_domain::CaseState;
use bukti_wire::{Case, CaseReply, HelpdeskRoute, ProblemCode};
use leptos::prelude::*;

use super::Desk;
use super::evidence::{Evidence, EvidenceField};
use crate::api;
use crate::browser;
use crate::components::{BusyButton, ErrorSummary, FactList, Facts, FailureNotice, TextArea, look};
use crate::describe;
use crate::form::{Field, Form, check};
use crate::language::{Language, tr, tr_with};
use crate::pages::case_parts::{Messages, StateLine};

/// The id of the status message, which takes the focus after a reply was sent.
const NEWS: &str = "cases-news";

/// A reply to an officer. Only one is written at a time.
#[derive(Clone, Copy)]
struct Reply {
    desk: Desk,
    form: Form,
    /// The number of the case that the reply is for.
    case: RwSignal<Option<String>>,
    text: RwSignal<String>,
    evidence: Evidence,
    /// Whether a reply was sent.
    sent: RwSignal<bool>,
}

impl Reply {
    fn begin(self, number: String) {
        self.form.clear();
        self.text.set(String::new());
        self.evidence.clear();
        self.case.set(Some(number));
        browser::focus_soon(Field::Reply.id());
    }

    /// Uploads the evidence, and if all of it is uploaded, sends the reply.
    fn send(self) {
        let Some(number) = self.case.get_untracked() else { return };
        let text = self.text.get_untracked();
        let wrong = check(Field::Reply, &text, (!text.trim().is_empty()).then_some(()));
        self.form.send(wrong.into_iter().collect(), async move {
            if !self.evidence.send(&number).await {
                return Ok(());
            }
            let answer = api::post_unread(&HelpdeskRoute::Reply.path_of(&number), &CaseReply { text }).await;
            let answer = self.desk.unless_logged_out(answer);
            if answer.as_ref().is_err_and(|failure| failure.code() == Some(ProblemCode::CaseChanged)) {
                self.desk.load();
            }
            answer?;
            self.case.set(None);
            self.sent.set(true);
            self.desk.load();
            browser::focus_soon(NEWS);
            Ok(())
        });
    }
}

/// The cases, the newest first, and a button for another one.
#[component]
pub fn OwnCases(desk: Desk) -> impl IntoView {
    let reply = Reply {
        desk,
        form: Form::new(),
        case: RwSignal::new(None),
        text: RwSignal::new(String::new()),
        evidence: Evidence::new(),
        sent: RwSignal::new(false),
    };
    // The log-in replaces this page.
    let failure = Signal::derive(move || desk.loading.failure.get().filter(|it| !it.is_not_logged_in()));
    let (loading, sent) = (tr("site.loading"), tr("site.correction.reply.sent"));
    let news = move || match (desk.loading.busy.get(), reply.sent.get()) {
        (true, _) => loading(),
        (false, true) => sent(),
        (false, false) => "",
    };
    let card = move |case: Case| {
        let (number, state) = (case.number.clone(), case.state);
        let answer = (state == CaseState::AskedBack).then(|| view! { <Answer reply=reply number=number /> });
        view! { <CaseCard case=case>{answer}</CaseCard> }
    };
    let cards = move || desk.cases.get().map(|cases| cases.into_iter().map(card).collect_view());
    view! {
        <p>{tr("site.correction.cases.help")}</p>
        <button type="button" class="button primary" on:click=move |_| desk.begin()>
            {tr("site.correction.cases.new")}
        </button>
        <FailureNotice
            failure=failure
            busy=desk.loading.busy
            retry=Callback::new(move |()| desk.load())
        />
        <p id=NEWS tabindex="-1" role="status">
            {news}
        </p>
        {cards}
    }
}

/// A case: its state and since when, the messages, and the reason for the decision.
#[component]
pub fn CaseCard(
    case: Case,
    /// Actions on the case.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let language = Language::current();
    let (class, _) = look(describe::case_mood(case.state));
    let (correction, state) = (case.correction, case.state);
    let (number, opened_at, changed_at, evidence) =
        (case.number, case.opened_at, case.changed_at, case.evidence);
    let facts: Facts = Box::new(move |locale| {
        let mut facts = vec![
            ("site.correction.cases.number", number.clone()),
            ("site.correction.cases.opened", describe::moment_at(locale, opened_at)),
            ("site.correction.cases.changed", describe::moment_at(locale, changed_at)),
        ];
        if evidence > 0 {
            facts.push(("site.correction.cases.evidence", evidence.to_string()));
        }
        facts
    });
    let found = (case.possible_match && !state.is_decided())
        .then(|| view! { <p>{tr("site.correction.sent.found")}</p> });
    let why = case.why.map(|why| {
        view! {
            <h3>{tr("site.correction.cases.why")}</h3>
            <p class="written">{why}</p>
        }
    });
    view! {
        <article class="card">
            <h2 class=format!("state {class}")>
                <StateLine correction=correction state=state />
            </h2>
            <div class="inside">
                <p>{move || describe::case_code(language.get(), "state_text", state.code())}</p>
                <FactList facts=facts />
                {found}
                {why}
                <Messages messages=case.messages />
                {children.map(|children| children())}
            </div>
        </article>
    }
}

/// The button that opens the reply form, or the form.
#[component]
fn Answer(reply: Reply, number: String) -> impl IntoView {
    let number = StoredValue::new(number);
    let is_open = Memo::new(move |_| number.with_value(|number| reply.case.read().as_ref() == Some(number)));
    let label = tr_with("site.correction.reply.begin", move |_| vec![("number", number.get_value())]);
    let begin = StoredValue::new(label);
    move || {
        if is_open.get() {
            return view! { <AnswerForm reply=reply /> }.into_any();
        }
        view! {
            <button type="button" class="button" on:click=move |_| reply.begin(number.get_value())>
                {begin.get_value()}
            </button>
        }
        .into_any()
    }
}

#[component]
fn AnswerForm(reply: Reply) -> impl IntoView {
    let form = reply.form;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        reply.send();
    };
    let failure = Signal::derive(move || form.failure.get().filter(|it| !it.is_not_logged_in()));
    view! {
        <form id="form" novalidate method="dialog" on:submit=submit>
            <ErrorSummary form=form />
            <FailureNotice failure=failure busy=form.busy retry=Callback::new(move |()| reply.send()) />
            <TextArea field=Field::Reply form=form label="site.field.text.label" value=reply.text />
            <EvidenceField evidence=reply.evidence busy=form.busy />
            <BusyButton
                label="site.correction.reply.send"
                busy_label="site.correction.sending"
                busy=form.busy
            />
        </form>
    }
}
