//! Evidence for a case: files are chosen, checked for type and size, and uploaded to presigned
//! URLs.

use bukti_domain::{EVIDENCE_TYPES, MOST_EVIDENCE, MOST_EVIDENCE_BYTES};
use bukti_wire::{EvidenceRequest, EvidenceSlot, HelpdeskRoute};
use leptos::prelude::*;

use crate::account::Account;
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{Icon, Sign};
use crate::form::Field;
use crate::language::{Language, tr, tr_with};

/// An upload URL that expires within this many seconds is not used any more.
const MARGIN: i64 = 30;

/// Why a file is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Kind,
    Size,
    Number,
}

impl Refusal {
    /// Text key of the message.
    fn key(self) -> &'static str {
        match self {
            Refusal::Kind => "site.correction.evidence.wrong_kind",
            Refusal::Size => "site.correction.evidence.too_large",
            Refusal::Number => "site.correction.evidence.too_many",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Chosen,
    Going,
    Gone,
    Failed,
}

#[derive(Clone)]
struct Piece {
    file: web_sys::File,
    name: String,
    kind: &'static str,
    way: Way,
    /// The presigned URL, and the Unix time at which it expires. It is reused in a retry, because a
    /// case gives out only a few.
    slot: Option<(String, i64)>,
}

/// The chosen files.
#[derive(Clone, Copy)]
pub struct Evidence {
    account: Account,
    pieces: RwSignal<Vec<Piece>, LocalStorage>,
    /// The names of rejected files, and the reasons.
    refused: RwSignal<Vec<(String, Refusal)>>,
}

/// The MIME type of a file: the one that the browser reports, or if it reports none, that of the
/// file's extension. Many browsers do not know HEIC.
fn kind(said: &str, name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let is = |(kind, endings): &&(&'static str, &[&str])| {
        *kind == said || (said.is_empty() && endings.contains(&ending.as_str()))
    };
    EVIDENCE_TYPES.iter().find(is).map(|(kind, _)| *kind)
}

/// Returns the file's MIME type if it may be added to this many others.
fn examine(said: &str, name: &str, bytes: f64, others: usize) -> Result<&'static str, Refusal> {
    let kind = kind(said, name).ok_or(Refusal::Kind)?;
    if !(1.0..=f64::from(MOST_EVIDENCE_BYTES)).contains(&bytes) {
        return Err(Refusal::Size);
    }
    if others >= MOST_EVIDENCE { Err(Refusal::Number) } else { Ok(kind) }
}

impl Evidence {
    pub fn new() -> Self {
        Self {
            account: Account::current(),
            pieces: RwSignal::new_local(Vec::new()),
            refused: RwSignal::new(Vec::new()),
        }
    }

    pub fn clear(self) {
        self.pieces.set(Vec::new());
        self.refused.set(Vec::new());
    }

    /// Whether an upload failed, tracked.
    pub fn has_failed(self) -> bool {
        self.pieces.with(|pieces| pieces.iter().any(|piece| piece.way == Way::Failed))
    }

    fn add(self, files: &web_sys::FileList) {
        let mut refused = Vec::new();
        self.pieces.update(|pieces| {
            for file in (0..files.length()).filter_map(|at| files.get(at)) {
                let name = file.name();
                match examine(&file.type_(), &name, file.size(), pieces.len()) {
                    Ok(kind) => pieces.push(Piece { file, name, kind, way: Way::Chosen, slot: None }),
                    Err(refusal) => refused.push((name, refusal)),
                }
            }
        });
        self.refused.set(refused);
    }

    fn remove(self, at: usize) {
        self.pieces.update(|pieces| {
            pieces.remove(at);
        });
        browser::focus_soon(Field::Evidence.id());
    }

    fn change(self, at: usize, change: impl FnOnce(&mut Piece)) {
        self.pieces.update(|pieces| {
            if let Some(piece) = pieces.get_mut(at) {
                change(piece);
            }
        });
    }

    /// Uploads the files that are not uploaded yet, one after the other. Returns whether all are
    /// uploaded.
    pub async fn send(self, case: &str) -> bool {
        self.refused.set(Vec::new());
        let mut at = 0;
        while let Some(piece) = self.pieces.with_untracked(|pieces| pieces.get(at).cloned()) {
            if piece.way != Way::Gone {
                self.change(at, |piece| piece.way = Way::Going);
                let sent = self.put(at, piece, case).await;
                self.change(at, |piece| piece.way = if sent.is_ok() { Way::Gone } else { Way::Failed });
                if sent.is_err_and(|failure| failure.is_not_logged_in()) {
                    // Shows the log-in. The chosen files are kept.
                    self.account.left();
                }
            }
            at += 1;
        }
        self.pieces.with_untracked(|pieces| pieces.iter().all(|piece| piece.way == Way::Gone))
    }

    async fn put(self, at: usize, piece: Piece, case: &str) -> Result<(), Failure> {
        let good = piece.slot.filter(|(_, until)| *until > browser::unix_time() + MARGIN);
        let address = match good {
            Some((address, _)) => address,
            None => {
                let request =
                    EvidenceRequest { content_type: piece.kind.to_owned(), bytes: piece.file.size() as u64 };
                let slot: EvidenceSlot = api::post(&HelpdeskRoute::Evidence.path_of(case), &request).await?;
                let until = browser::unix_time() + i64::from(slot.expires_in);
                self.change(at, |piece| piece.slot = Some((slot.url.clone(), until)));
                slot.url
            }
        };
        api::put_file(&address, piece.kind, piece.file).await
    }
}

/// The button that adds files, the rejected files, and the chosen ones.
#[component]
pub fn EvidenceField(
    evidence: Evidence,
    /// Whether an upload is in progress.
    #[prop(into)]
    busy: Signal<bool>,
) -> impl IntoView {
    let field = Field::Evidence;
    let chosen = move |event: web_sys::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        if let Some(files) = input.files()
            && !busy.get_untracked()
        {
            evidence.add(&files);
        }
        // Otherwise choosing a removed file again would not fire an event.
        input.set_value("");
    };
    let wrong = move || !evidence.refused.read().is_empty();
    let refusal = |(name, refusal): (String, Refusal)| {
        view! { <li>{tr_with(refusal.key(), move |_| vec![("file", name.clone())])}</li> }
    };
    let refused = move || {
        wrong().then(|| {
            let lines = evidence.refused.get().into_iter().map(refusal).collect_view();
            view! {
                <div class="message" id=field.error_id() role="alert">
                    <ul>{lines}</ul>
                </div>
            }
        })
    };
    view! {
        <div class="field pick" class:wrong=wrong>
            <p class="label">{tr("site.field.evidence.label")}</p>
            <p class="hint" id=field.hint_id()>
                {tr("site.field.evidence.hint")}
            </p>
            {refused}
            <div class="buttons">
                <input
                    id=field.id()
                    type="file"
                    accept=EVIDENCE_TYPES.map(|(kind, _)| kind).join(",")
                    multiple
                    aria-describedby=field.hint_id()
                    on:change=chosen
                />
                <label for=field.id() class="button">
                    <Icon sign=Sign::Picture />
                    <span>{tr("site.correction.evidence.choose")}</span>
                </label>
            </div>
            <EvidenceList evidence=evidence can_remove=true />
        </div>
    }
}

/// The chosen files with their upload states.
#[component]
pub fn EvidenceList(evidence: Evidence, #[prop(optional)] can_remove: bool) -> impl IntoView {
    let language = Language::current();
    let line = move |at: usize, name: String, way: Way, can_remove: bool| {
        let key = match way {
            Way::Chosen => "site.correction.evidence.chosen",
            Way::Going => "site.correction.evidence.going",
            Way::Gone => "site.correction.evidence.gone",
            Way::Failed => "site.correction.evidence.failed",
        };
        let sign = match way {
            Way::Chosen | Way::Going => Sign::Waiting,
            Way::Gone => Sign::Good,
            Way::Failed => Sign::Wrong,
        };
        let removed = name.clone();
        let remove = (can_remove && matches!(way, Way::Chosen | Way::Failed)).then(|| {
            view! {
                <button type="button" class="link" on:click=move |_| evidence.remove(at)>
                    {tr_with("site.correction.evidence.remove", move |_| vec![("file", removed.clone())])}
                </button>
            }
        });
        let words = move || bukti_locales::fill(language.get(), key, &[("file", &name)]);
        view! {
            <li>
                <span class="file" class:failed=way == Way::Failed>
                    <Icon sign=sign />
                    <span>{words}</span>
                </span>
                {remove}
            </li>
        }
    };
    let lines = move || {
        let pieces = evidence
            .pieces
            .with(|pieces| pieces.iter().map(|piece| (piece.name.clone(), piece.way)).collect::<Vec<_>>());
        // Removing a file during an upload would shift the positions of the others.
        let can_remove = can_remove && pieces.iter().all(|(_, way)| *way != Way::Going);
        let numbered = pieces.into_iter().enumerate();
        let lines = numbered.map(|(at, (name, way))| line(at, name, way, can_remove)).collect_view();
        view! { <ul class="files">{lines}</ul> }
    };
    view! {
        <div role="status">
            {move || (evidence.pieces.with(Vec::len) > 0).then(lines)}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_at_before_they_are_sent() {
        assert_eq!(examine("image/jpeg", "kartu.jpg", 240_000.0, 0), Ok("image/jpeg"));
        assert_eq!(examine("", "IMG_0001.HEIC", 240_000.0, 4), Ok("image/heic"));
        assert_eq!(examine("application/pdf", "kartu", 1.0, 0), Ok("application/pdf"));
        assert_eq!(examine("text/html", "kartu.jpg", 240_000.0, 0), Err(Refusal::Kind));
        assert_eq!(examine("", "kartu", 240_000.0, 0), Err(Refusal::Kind));
        assert_eq!(examine("image/png", "kartu.png", 5_242_881.0, 0), Err(Refusal::Size));
        assert_eq!(examine("image/png", "kartu.png", 0.0, 0), Err(Refusal::Size));
        assert_eq!(examine("image/png", "kartu.png", 5_242_880.0, 5), Err(Refusal::Number));
    }
}
