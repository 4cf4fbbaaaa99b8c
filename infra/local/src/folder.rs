//! The data folder: made on first start, held by one stack at a time.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bukti_aws::Secrets;

use crate::{StartError, files};

/// A data folder that this process holds. Dropping it lets go.
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked while the folder is held; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Takes the folder, and makes what is missing of it: the folder itself and the secrets.
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
        let secrets = folder.secrets();
        if !secrets.try_exists().map_err(unwritable)? {
            let made = Secrets::generate(organisation, jiff::Timestamp::now())
                .map_err(|error| StartError::Other(error.into()))?;
            let text = serde_json::to_vec_pretty(&made).map_err(|error| StartError::Other(error.into()))?;
            files::replace(&secrets, &text).map_err(unwritable)?;
        }
        Ok(folder)
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
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
        assert!(matches!(Folder::take(&path, "Bukti"), Err(StartError::Taken { .. })));
        let secrets = fs::read(folder.secrets()).unwrap();
        drop(folder);
        let again = Folder::take(&path, "Bukti").unwrap();
        assert_eq!(fs::read(again.secrets()).unwrap(), secrets, "secrets are made once");
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
