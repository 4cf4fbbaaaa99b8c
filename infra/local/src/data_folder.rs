//! The data folder of a stack. It is created on the first start, and only one stack at a time can
//! lock it.

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

/// The signer that earlier versions stored in the secrets file.
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

/// A data folder that this process has locked. Dropping the value unlocks the folder.
pub(crate) struct DataFolder {
    path: PathBuf,
    /// The lock file. The operating system unlocks it when the process ends, even after a crash.
    lock: File,
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just being started has a copy of
        // the descriptor, and the lock remains until the child closes it.
        let _ = self.lock.unlock();
    }
}

impl DataFolder {
    /// Locks the folder. Creates the folder, the secrets and the root if they do not exist.
    pub(crate) fn lock(path: &Path, organisation: &str) -> Result<Self, StartError> {
        let unwritable =
            |error: io::Error| StartError::Unwritable { folder: path.to_owned(), reason: error.to_string() };
        let owner_only = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        owner_only(path).map_err(unwritable)?;
        let lock = files::append_only(&path.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::Locked { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        for part in ["bucket", "streams"] {
            owner_only(&path.join(part)).map_err(unwritable)?;
        }
        let folder = Self { path: path.to_owned(), lock };
        folder.restrict_to_owner().map_err(unwritable)?;
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

    /// Restricts all files to their owner. The folder may be older than this version, and earlier
    /// versions left file modes to the umask.
    ///
    /// The mode of the table file is set last. If it is already correct, so are all others, and
    /// start-up does not have to visit a million documents.
    fn restrict_to_owner(&self) -> io::Result<()> {
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        set(&self.path, 0o700)?;
        if fs::metadata(self.table()).is_ok_and(|table| table.permissions().mode() & 0o777 == 0o600) {
            return Ok(());
        }
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                // Symbolic links are not followed, because they may point outside the folder.
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
        // SQLite creates its other files with the same mode as this one.
        files::append_only(&self.table())?;
        set(&self.table(), 0o600)
    }

    /// Returns the signer from the secrets file, if an earlier version stored one there.
    pub(crate) fn former_signer(&self) -> Result<Option<FormerSigner>, StartError> {
        Ok(read::<FormerSecrets>(&self.secrets())?.signer)
    }

    /// Removes the [former signer](Self::former_signer) from the secrets file, once its key is
    /// sealed in the table.
    pub(crate) fn remove_former_signer(&self) -> Result<(), StartError> {
        write(&self.secrets(), &read::<Secrets>(&self.secrets())?)
    }

    /// Reads the root, which certifies signers.
    pub(crate) fn read_root(&self) -> Result<Root, StartError> {
        read(&self.root())
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.path.join("secrets.json")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path.join("root.json")
    }

    /// The path of the file with the keys that programs on this machine sign their calls with.
    pub(crate) fn access_keys(&self) -> PathBuf {
        self.path.join("access-keys.json")
    }

    /// Writes the access keys to a file that only the owner can read.
    pub(crate) fn write_access_keys(&self, keys: &AccessKeys) -> Result<(), StartError> {
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

    /// The path of a stream consumer's checkpoint file.
    pub(crate) fn checkpoint(&self, consumer: &str) -> PathBuf {
        self.path.join("streams").join(consumer)
    }

    fn endpoint(&self) -> PathBuf {
        self.path.join("endpoint")
    }

    /// Writes the address of the stack to a file, where the command line finds it.
    pub(crate) fn write_endpoint(&self, url: &str) -> io::Result<()> {
        files::replace(&self.endpoint(), url.as_bytes())
    }

    /// Removes the files with the address and the access keys, which are valid only while the stack
    /// runs.
    pub(crate) fn remove_endpoint(&self) {
        // The files may already have been removed.
        let _ = fs::remove_file(self.endpoint());
        let _ = fs::remove_file(self.access_keys());
    }
}

fn other(error: impl Into<anyhow::Error>) -> StartError {
    StartError::Other(error.into())
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, StartError> {
    let damaged = || {
        let advice = "restore it from a backup, or choose another folder with --data DIR";
        StartError::Other(anyhow::anyhow!("{} is damaged: {advice}", path.display()))
    };
    // Serde's message is dropped because it could quote part of a key.
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
    fn folder_is_private_and_locked_by_one_stack() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = DataFolder::lock(&path, "Bukti").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&folder.secrets()), 0o600);
        assert_eq!(mode(&folder.root()), 0o600);
        assert!(matches!(DataFolder::lock(&path, "Bukti"), Err(StartError::Locked { .. })));
        let created =
            |folder: &DataFolder| [folder.secrets(), folder.root()].map(|path| fs::read(path).unwrap());
        let before = created(&folder);
        drop(folder);
        let again = DataFolder::lock(&path, "Bukti").unwrap();
        assert_eq!(created(&again), before, "secrets and root stay the same");
    }

    #[test]
    fn restricts_existing_folder_and_files_to_owner() {
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
        let folder = DataFolder::lock(&path, "Bukti").unwrap();
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
    fn error_of_unwritable_folder_names_the_option() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let Err(error) = DataFolder::lock(&file.join("data"), "Bukti") else {
            panic!("a folder below a file cannot be created")
        };
        assert!(error.to_string().contains("--data"), "{error}");
    }
}
