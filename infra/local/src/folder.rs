//! The data folder: made on first start, held by one stack at a time.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bukti_hcert::Root;
use bukti_store::Secrets;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::signature::AccessKeys;
use crate::start_error::StartError;

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
    lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // To close the file is not enough: a process that is just being started has a copy of each
        // open one, and would hold the folder for a moment.
        let _ = self.lock.unlock();
    }
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
        let folder = Self { path: path.to_owned(), lock };
        folder.close_to_others().map_err(unwritable)?;
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

    /// Makes everything readable by its owner only: the folder may have been there before, or hold files of a Bukti that left
    /// their modes to the umask.
    ///
    /// The table comes last. Once it is closed, so is the rest, and a start need not look at a million documents.
    fn close_to_others(&self) -> io::Result<()> {
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        set(&self.path, 0o700)?;
        if fs::metadata(self.table()).is_ok_and(|table| table.permissions().mode() & 0o777 == 0o600) {
            return Ok(());
        }
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                // Not through links, which lead out of the folder.
                match entry.file_type()? {
                    kind if kind.is_dir() => {
                        set(&entry.path(), 0o700)?;
                        folders.push(entry.path());
                    }
                    kind if kind.is_file() && entry.path() != self.table() => set(&entry.path(), 0o600)?,
                    _ => {}
                }
            }
        }
        // SQLite gives the files beside it the same mode.
        files::append_only(&self.table())?;
        set(&self.table(), 0o600)
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

    /// The file of the keys with which programs of this machine sign calls.
    pub(crate) fn access_keys(&self) -> PathBuf {
        self.path.join("access-keys.json")
    }

    /// Hands the keys to whoever may read the folder.
    pub(crate) fn keep_access_keys(&self, keys: &AccessKeys) -> Result<(), StartError> {
        write(&self.access_keys(), keys)
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

    /// Takes [`Folder::announce`] back, and the keys, which end with the stack.
    pub(crate) fn withdraw(&self) {
        // A file that is gone already is as good.
        let _ = fs::remove_file(self.endpoint());
        let _ = fs::remove_file(self.access_keys());
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
    fn existing_folder_and_files_are_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let outside = parent.path().join("outside");
        let files = ["table.sqlite", "table.sqlite-wal", "outbox.jsonl", "bucket/bukti-documents/a.pdf"];
        fs::create_dir_all(path.join("bucket/bukti-documents")).unwrap();
        for file in files.iter().map(|file| path.join(file)).chain([outside.clone()]) {
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, path.join("link")).unwrap();
        for folder in ["", "bucket", "bucket/bukti-documents"] {
            fs::set_permissions(path.join(folder), Permissions::from_mode(0o755)).unwrap();
        }
        let folder = Folder::take(&path, "Bukti").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for file in files {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
        for folder in ["", "bucket", "bucket/bukti-documents"] {
            assert_eq!(mode(&path.join(folder)), 0o700, "{folder}");
        }
        assert_eq!(mode(&outside), 0o644);
        drop(folder);
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
