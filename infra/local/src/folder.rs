//! The data folder: made on first start, held by one stack at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bukti_aws::Secrets;
use bukti_hcert::Root;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{StartError, files};

/// The signer as a Bukti of before kept it among the secrets.
#[derive(Deserialize)]
pub(crate) struct FormerSigner {
    root_key_pem: String,
    root_certificate_pem: String,
    pub(crate) signer_key_pem: String,
    pub(crate) signer_certificate_pem: String,
}

#[derive(Deserialize)]
struct FormerSecrets {
    signer: Option<FormerSigner>,
}

/// A data folder that this process holds. Dropping it lets go.
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked while the folder is held; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Takes the folder, and makes what is missing of it: the folder itself, the secrets and the root.
    pub(crate) fn take(path: &Path, organisation: &str) -> Result<Self, StartError> {
        let unwritable =
            |error: io::Error| StartError::Unwritable { folder: path.to_owned(), reason: error.to_string() };
        let owner_only = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        owner_only(path).map_err(unwritable)?;
        let lock = files::append_only(&path.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::Taken { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        for part in ["bucket", "streams"] {
            owner_only(&path.join(part)).map_err(unwritable)?;
        }
        let folder = Self { path: path.to_owned(), _lock: lock };
        if !folder.secrets().try_exists().map_err(unwritable)? {
            write(&folder.secrets(), &Secrets::generate().map_err(other)?)?;
        }
        if !folder.root().try_exists().map_err(unwritable)? {
            let root = match folder.former_signer()? {
                Some(former) => Root::from_pem(former.root_key_pem, former.root_certificate_pem),
                None => Root::generate(organisation, Timestamp::now()),
            };
            write(&folder.root(), &root.map_err(other)?)?;
        }
        Ok(folder)
    }

    /// The signer of a Bukti of before, which kept it among the secrets.
    pub(crate) fn former_signer(&self) -> Result<Option<FormerSigner>, StartError> {
        Ok(read::<FormerSecrets>(&self.secrets())?.signer)
    }

    /// Forgets [`Folder::former_signer`]: its key is in the table now, sealed.
    pub(crate) fn forget_former_signer(&self) -> Result<(), StartError> {
        write(&self.secrets(), &read::<Secrets>(&self.secrets())?)
    }

    /// The root, by which signers are certified.
    pub(crate) fn read_root(&self) -> Result<Root, StartError> {
        read(&self.root())
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root.json")
    }

    pub(crate) fn table(&self) -> PathBuf {
        self.path.join("table.sqlite")
    }

    pub(crate) fn bucket(&self) -> PathBuf {
        self.path.join("bucket")
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.path.join("outbox.jsonl")
    }

    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.path.join("dead-letters.jsonl")
    }

    /// How far a consumer of the stream is.
    pub(crate) fn checkpoint(&self, consumer: &str) -> PathBuf {
        self.path.join("streams").join(consumer)
    }

    fn endpoint(&self) -> PathBuf {
        self.path.join("endpoint")
    }

    /// Says where the stack listens, for the command line.
    pub(crate) fn announce(&self, url: &str) -> io::Result<()> {
        files::replace(&self.endpoint(), url.as_bytes())
    }

    /// Takes [`Folder::announce`] back.
    pub(crate) fn withdraw(&self) {
        // A file that is gone already is as good.
        let _ = fs::remove_file(self.endpoint());
    }
}

fn other(error: impl Into<anyhow::Error>) -> StartError {
    StartError::Other(error.into())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, StartError> {
    let damaged = || StartError::Other(anyhow::anyhow!("{} is damaged", path.display()));
    // What serde says of it could hold part of a key.
    serde_json::from_slice(&fs::read(path).map_err(other)?).map_err(|_| damaged())
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), StartError> {
    files::replace(path, &serde_json::to_vec_pretty(value).map_err(other)?)
        .map_err(|error| StartError::Unwritable { folder: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_can_read_and_only_one_can_hold() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = Folder::take(&path, "Bukti").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&folder.secrets()), 0o600);
        assert_eq!(mode(&folder.root()), 0o600);
        assert!(matches!(Folder::take(&path, "Bukti"), Err(StartError::Taken { .. })));
        let made = |folder: &Folder| [folder.secrets(), folder.root()].map(|path| fs::read(path).unwrap());
        let before = made(&folder);
        drop(folder);
        let again = Folder::take(&path, "Bukti").unwrap();
        assert_eq!(made(&again), before, "secrets and root are made once");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let Err(error) = Folder::take(&file.join("data"), "Bukti") else { panic!("a file is no folder") };
        assert!(error.to_string().contains("--data"), "{error}");
    }
}
