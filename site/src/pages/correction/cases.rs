//! The cases of a phone number, with their states, the officers' questions, and the applicant's
//! replies.

use bukti_domain::CaseState;
use bukti_wire::{Case, CaseReply, HelpdeskRoute, ProblemCode};
use leptos::prelude::*;

use super::CorrectionState;
use super::evidence::{Evidence, EvidenceField};
use crate::api;
use crate::browser;
use crate::components::{BusyButton, ErrorSummary, FactList, Facts, FailureNotice, TextArea, tone_style};
use crate::describe;
use crate::form::{Field, Form, check};
use crate::language::{Language, tr, tr_with};
use crate::pages::case_parts::{Messages, StateLine};

/// The id of the status message, which takes the focus after a reply has been sent.
const STATUS_ID: &str = "cases-news";

/// The state of the reply to an officer. Only one reply form is open at a time.
#[derive(Clone, Copy)]
struct Reply {
    state: CorrectionState,
    form: Form,
    /// The number of the case whose reply form is open.
    case: RwSignal<Option<String>>,
    text: RwSignal<String>,
    evidence: Evidence,
    /// Whether a reply has been sent.
    has_sent: RwSignal<bool>,
}

impl Reply {
    fn begin(self, number: String) {
        self.form.clear();
        self.text.set(String::new());
        self.evidence.clear();
        self.case.set(Some(number));
        browser::focus_after_render(Field::Reply.id());
    }

    /// Uploads the evidence, then sends the reply if all uploads have succeeded.
    fn send(self) {
        let Some(number) = self.case.get_untracked() else { return };
        let text = self.text.get_untracked();
        let problems = check(Field::Reply, &text, (!text.trim().is_empty()).then_some(()));
        self.form.send(problems.into_iter().collect(), async move {
            if !self.evidence.upload(&number).await {
                return Ok(());
            }
            let response = api::post_raw(&HelpdeskRoute::Reply.path_of(&number), &CaseReply { text }).await;
            let response = self.state.check_session(response);
            if response.as_ref().is_err_and(|failure| failure.code() == Some(ProblemCode::CaseChanged)) {
                self.state.load();
            }
            response?;
            self.case.set(None);
            self.has_sent.set(true);
            self.state.load();
            browser::focus_after_render(STATUS_ID);
            Ok(())
        });
    }
}

/// Lists the cases, newest first, with a button to open another.
#[component]
pub fn OwnCases(state: CorrectionState) -> impl IntoView {
    let reply = Reply {
        state,
        form: Form::new(),
        case: RwSignal::new(None),
        text: RwSignal::new(String::new()),
        evidence: Evidence::new(),
        has_sent: RwSignal::new(false),
    };
    // Do not show this failure, because the log-in form replaces this component.
    let failure = Signal::derive(move || state.loading.failure.get().filter(|it| !it.is_not_logged_in()));
    let (loading_text, sent_text) = (tr("site.loading"), tr("site.correction.reply.sent"));
    let status = move || match (state.loading.busy.get(), reply.has_sent.get()) {
        (true, _) => loading_text(),
        (false, true) => sent_text(),
        (false, false) => "",
    };
    let card = move |case: Case| {
        let (number, case_state) = (case.number.clone(), case.state);
        let reply_control = (case_state == CaseState::AskedBack)
            .then(|| view! { <ReplyControl reply=reply number=number /> });
        view! { <CaseCard case=case>{reply_control}</CaseCard> }
    };
    let cards = move || state.cases.get().map(|cases| cases.into_iter().map(card).collect_view());
    view! {
        <p>{tr("site.correction.cases.help")}</p>
        <button type="button" class="button primary" on:click=move |_| state.begin_case()>
            {tr("site.correction.cases.new")}
        </button>
        <FailureNotice
            failure=failure
            busy=state.loading.busy
            retry=Callback::new(move |()| state.load())
        />
        <p id=STATUS_ID tabindex="-1" role="status">
            {status}
        </p>
        {cards}
    }
}

/// Shows a case: its state, when it last changed, the messages, and the reason for the decision.
#[component]
pub fn CaseCard(
    case: Case,
    /// Controls for actions on the case.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let language = Language::current();
    let (class, _) = tone_style(describe::case_tone(case.state));
    let (correction, case_state) = (case.correction, case.state);
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
    let match_notice = (case.possible_match && !case_state.is_decided())
        .then(|| view! { <p>{tr("site.correction.sent.found")}</p> });
    let reason = case.why.map(|why| {
        view! {
            <h3>{tr("site.correction.cases.why")}</h3>
            <p class="written">{why}</p>
        }
    });
    view! {
        <article class="card">
            <h2 class=format!("state {class}")>
                <StateLine correction=correction state=case_state />
            </h2>
            <div class="inside">
                <p>{move || describe::case_text(language.get(), "state_text", case_state.code())}</p>
                <FactList facts=facts />
                {match_notice}
                {reason}
                <Messages messages=case.messages />
                {children.map(|children| children())}
            </div>
        </article>
    }
}

/// Shows the button that opens the reply form, or the form itself if it is open.
#[component]
fn ReplyControl(reply: Reply, number: String) -> impl IntoView {
    let number = StoredValue::new(number);
    let is_open = Memo::new(move |_| number.with_value(|number| reply.case.read().as_ref() == Some(number)));
    let label = tr_with("site.correction.reply.begin", move |_| vec![("number", number.get_value())]);
    let begin_label = StoredValue::new(label);
    move || {
        if is_open.get() {
            return view! { <ReplyForm reply=reply /> }.into_any();
        }
        view! {
            <button type="button" class="button" on:click=move |_| reply.begin(number.get_value())>
                {begin_label.get_value()}
            </button>
        }
        .into_any()
    }
}

#[component]
fn ReplyForm(reply: Reply) -> impl IntoView {
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
