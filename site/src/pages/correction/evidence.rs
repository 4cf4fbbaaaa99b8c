//! Evidence for a case. The chosen files are checked for type and size, then uploaded to presigned
//! URLs.

use bukti_domain::{EVIDENCE_TYPES, MAX_EVIDENCE_BYTES, MAX_EVIDENCE_COUNT};
use bukti_wire::{EvidenceRequest, EvidenceSlot, HelpdeskRoute};
use leptos::prelude::*;

use crate::account::Account;
use crate::api::{self, Failure};
use crate::browser;
use crate::components::{Icon, Symbol};
use crate::form::Field;
use crate::language::{Language, tr, tr_with};

/// An upload URL that expires within this many seconds is no longer used.
const EXPIRY_MARGIN_SECONDS: i64 = 30;

/// Why a file is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileError {
    Type,
    Size,
    Count,
}

impl FileError {
    /// Text key of the error message.
    fn key(self) -> &'static str {
        match self {
            FileError::Type => "site.correction.evidence.wrong_kind",
            FileError::Size => "site.correction.evidence.too_large",
            FileError::Count => "site.correction.evidence.too_many",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UploadState {
    Chosen,
    Uploading,
    Uploaded,
    Failed,
}

#[derive(Clone)]
struct EvidenceFile {
    file: web_sys::File,
    name: String,
    content_type: &'static str,
    state: UploadState,
    /// The presigned URL, and its expiry as Unix time in seconds. Retries reuse the URL, because
    /// only a few are issued per case.
    slot: Option<(String, i64)>,
}

/// The state of the chosen files.
#[derive(Clone, Copy)]
pub struct Evidence {
    account: Account,
    items: RwSignal<Vec<EvidenceFile>, LocalStorage>,
    /// The names of the rejected files, with the reasons for the rejection.
    rejected: RwSignal<Vec<(String, FileError)>>,
}

/// The MIME type of a file, if it is accepted. If the browser reports no type, the file name's
/// extension determines it, because many browsers do not recognise HEIC.
fn content_type(reported: &str, name: &str) -> Option<&'static str> {
    let extension =
        name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let is = |(content_type, extensions): &&(&'static str, &[&str])| {
        *content_type == reported || (reported.is_empty() && extensions.contains(&extension.as_str()))
    };
    EVIDENCE_TYPES.iter().find(is).map(|(content_type, _)| *content_type)
}

/// Returns the file's MIME type if the file can be added to `others` already chosen files.
fn check_file(reported: &str, name: &str, bytes: f64, others: usize) -> Result<&'static str, FileError> {
    let content_type = content_type(reported, name).ok_or(FileError::Type)?;
    if !(1.0..=f64::from(MAX_EVIDENCE_BYTES)).contains(&bytes) {
        return Err(FileError::Size);
    }
    if others >= MAX_EVIDENCE_COUNT { Err(FileError::Count) } else { Ok(content_type) }
}

impl Evidence {
    pub fn new() -> Self {
        Self {
            account: Account::current(),
            items: RwSignal::new_local(Vec::new()),
            rejected: RwSignal::new(Vec::new()),
        }
    }

    pub fn clear(self) {
        self.items.set(Vec::new());
        self.rejected.set(Vec::new());
    }

    /// Whether an upload has failed (tracked read).
    pub fn has_failed(self) -> bool {
        self.items.with(|items| items.iter().any(|item| item.state == UploadState::Failed))
    }

    fn add_files(self, files: &web_sys::FileList) {
        let mut rejected = Vec::new();
        self.items.update(|items| {
            for file in (0..files.length()).filter_map(|at| files.get(at)) {
                let name = file.name();
                match check_file(&file.type_(), &name, file.size(), items.len()) {
                    Ok(content_type) => items.push(EvidenceFile {
                        file,
                        name,
                        content_type,
                        state: UploadState::Chosen,
                        slot: None,
                    }),
                    Err(error) => rejected.push((name, error)),
                }
            }
        });
        self.rejected.set(rejected);
    }

    fn remove_file(self, at: usize) {
        self.items.update(|items| {
            items.remove(at);
        });
        browser::focus_after_render(Field::Evidence.id());
    }

    fn update_file(self, at: usize, update: impl FnOnce(&mut EvidenceFile)) {
        self.items.update(|items| {
            if let Some(item) = items.get_mut(at) {
                update(item);
            }
        });
    }

    /// Uploads the files that are not uploaded yet, one after another. Returns `true` if all files
    /// are uploaded.
    pub async fn upload(self, case: &str) -> bool {
        self.rejected.set(Vec::new());
        let mut at = 0;
        while let Some(item) = self.items.with_untracked(|items| items.get(at).cloned()) {
            if item.state != UploadState::Uploaded {
                self.update_file(at, |item| item.state = UploadState::Uploading);
                let uploaded = self.upload_file(at, item, case).await;
                self.update_file(at, |item| {
                    item.state = if uploaded.is_ok() { UploadState::Uploaded } else { UploadState::Failed }
                });
                if uploaded.is_err_and(|failure| failure.is_not_logged_in()) {
                    // This shows the log-in form. The chosen files are kept.
                    self.account.set_logged_out();
                }
            }
            at += 1;
        }
        self.items.with_untracked(|items| items.iter().all(|item| item.state == UploadState::Uploaded))
    }

    async fn upload_file(self, at: usize, item: EvidenceFile, case: &str) -> Result<(), Failure> {
        let valid =
            item.slot.filter(|(_, expires_at)| *expires_at > browser::unix_time() + EXPIRY_MARGIN_SECONDS);
        let address = match valid {
            Some((address, _)) => address,
            None => {
                let request = EvidenceRequest {
                    content_type: item.content_type.to_owned(),
                    bytes: item.file.size() as u64,
                };
                let slot: EvidenceSlot = api::post(&HelpdeskRoute::Evidence.path_of(case), &request).await?;
                let expires_at = browser::unix_time() + i64::from(slot.expires_in);
                self.update_file(at, |item| item.slot = Some((slot.url.clone(), expires_at)));
                slot.url
            }
        };
        api::put_file(&address, item.content_type, item.file).await
    }
}

/// Shows the button that adds files, the rejected files, and the chosen files.
#[component]
pub fn EvidenceField(
    evidence: Evidence,
    /// Whether an upload is in progress.
    #[prop(into)]
    busy: Signal<bool>,
) -> impl IntoView {
    let field = Field::Evidence;
    let on_chosen = move |event: web_sys::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        if let Some(files) = input.files()
            && !busy.get_untracked()
        {
            evidence.add_files(&files);
        }
        // Clear the input. Otherwise, choosing a removed file again would not fire an event.
        input.set_value("");
    };
    let is_invalid = move || !evidence.rejected.read().is_empty();
    let error = |(name, error): (String, FileError)| {
        view! { <li>{tr_with(error.key(), move |_| vec![("file", name.clone())])}</li> }
    };
    let rejected = move || {
        is_invalid().then(|| {
            let lines = evidence.rejected.get().into_iter().map(error).collect_view();
            view! {
                <div class="message" id=field.error_id() role="alert">
                    <ul>{lines}</ul>
                </div>
            }
        })
    };
    view! {
        <div class="field pick" class:wrong=is_invalid>
            <p class="label">{tr("site.field.evidence.label")}</p>
            <p class="hint" id=field.hint_id()>
                {tr("site.field.evidence.hint")}
            </p>
            {rejected}
            <div class="buttons">
                <input
                    id=field.id()
                    type="file"
                    accept=EVIDENCE_TYPES.map(|(content_type, _)| content_type).join(",")
                    multiple
                    aria-describedby=field.hint_id()
                    on:change=on_chosen
                />
                <label for=field.id() class="button">
                    <Icon symbol=Symbol::Picture />
                    <span>{tr("site.correction.evidence.choose")}</span>
                </label>
            </div>
            <EvidenceList evidence=evidence can_remove=true />
        </div>
    }
}

/// Lists the chosen files with their upload states.
#[component]
pub fn EvidenceList(evidence: Evidence, #[prop(optional)] can_remove: bool) -> impl IntoView {
    let language = Language::current();
    let line = move |at: usize, name: String, state: UploadState, can_remove: bool| {
        let key = match state {
            UploadState::Chosen => "site.correction.evidence.chosen",
            UploadState::Uploading => "site.correction.evidence.going",
            UploadState::Uploaded => "site.correction.evidence.gone",
            UploadState::Failed => "site.correction.evidence.failed",
        };
        let symbol = match state {
            UploadState::Chosen | UploadState::Uploading => Symbol::Waiting,
            UploadState::Uploaded => Symbol::Good,
            UploadState::Failed => Symbol::Wrong,
        };
        let removed_name = name.clone();
        let remove = (can_remove && matches!(state, UploadState::Chosen | UploadState::Failed)).then(|| {
            view! {
                <button type="button" class="link" on:click=move |_| evidence.remove_file(at)>
                    {tr_with("site.correction.evidence.remove", move |_| vec![("file", removed_name.clone())])}
                </button>
            }
        });
        let words = move || bukti_locales::fill(language.get(), key, &[("file", &name)]);
        view! {
            <li>
                <span class="file" class:failed=state == UploadState::Failed>
                    <Icon symbol=symbol />
                    <span>{words}</span>
                </span>
                {remove}
            </li>
        }
    };
    let lines = move || {
        let items = evidence
            .items
            .with(|items| items.iter().map(|item| (item.name.clone(), item.state)).collect::<Vec<_>>());
        // Removing a file during an upload would shift the positions of the others.
        let can_remove = can_remove && items.iter().all(|(_, state)| *state != UploadState::Uploading);
        let numbered = items.into_iter().enumerate();
        let lines = numbered.map(|(at, (name, state))| line(at, name, state, can_remove)).collect_view();
        view! { <ul class="files">{lines}</ul> }
    };
    view! {
        <div role="status">
            {move || (evidence.items.with(Vec::len) > 0).then(lines)}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_type_size_and_number_of_files() {
        assert_eq!(check_file("image/jpeg", "kartu.jpg", 240_000.0, 0), Ok("image/jpeg"));
        assert_eq!(check_file("", "IMG_0001.HEIC", 240_000.0, 4), Ok("image/heic"));
        assert_eq!(check_file("application/pdf", "kartu", 1.0, 0), Ok("application/pdf"));
        assert_eq!(check_file("text/html", "kartu.jpg", 240_000.0, 0), Err(FileError::Type));
        assert_eq!(check_file("", "kartu", 240_000.0, 0), Err(FileError::Type));
        assert_eq!(check_file("image/png", "kartu.png", 5_242_881.0, 0), Err(FileError::Size));
        assert_eq!(check_file("image/png", "kartu.png", 0.0, 0), Err(FileError::Size));
        assert_eq!(check_file("image/png", "kartu.png", 5_242_880.0, 5), Err(FileError::Count));
    }
}
