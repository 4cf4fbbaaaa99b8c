//! Finds, reads and creates the files of a backup.

use std::fs::{DirBuilder, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use bukti_store::Restoring;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use serde_dynamo::Item;

pub(super) const TABLE: &str = "table.json.gz";
pub(super) const DOCUMENTS: &str = "documents";
/// The suffix of sealed documents. Earlier versions wrote unsealed documents without the suffix.
pub(super) const SEALED: &str = ".sealed";

/// The number of items per batch, which DynamoDB limits to 25.
pub(super) const BATCH: usize = 25;

/// A line of the table file.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(rename = "Item")]
    pub(super) item: Item,
}

/// The files in a folder that belong to a backup or to a DynamoDB export.
pub(super) struct BackupFiles {
    /// The files that contain items, sorted by path.
    pub(super) tables: Vec<PathBuf>,
    /// The paths of the documents, each with its bucket key. The key of a sealed document still
    /// ends in [`SEALED`].
    pub(super) documents: Vec<(PathBuf, String)>,
}

impl BackupFiles {
    pub(super) fn find(folder: &Path) -> Result<Self> {
        let (mut tables, mut documents) = (Vec::new(), Vec::new());
        visit_files(folder, &mut |file| {
            if let Ok(key) = file.strip_prefix(folder.join(DOCUMENTS)) {
                documents.push((file.clone(), key.to_string_lossy().into_owned()));
            } else if file.to_string_lossy().ends_with(".json.gz") {
                tables.push(file);
            }
        })
        .with_context(|| format!("cannot read {}", folder.display()))?;
        if tables.is_empty() {
            bail!(
                "{} is no backup: it has no *.json.gz; name a folder that `bukti backup` wrote",
                folder.display()
            );
        }
        tables.sort();
        Ok(Self { tables, documents })
    }

    /// Reads the items of all files, except short-lived kinds such as sessions, which only backups
    /// of earlier versions contain.
    pub(super) fn items(&self) -> impl Iterator<Item = Result<Item>> {
        read_items(&self.tables)
    }
}

fn read_items(files: &[PathBuf]) -> impl Iterator<Item = Result<Item>> {
    let all = files.iter().flat_map(|file| {
        let items: Box<dyn Iterator<Item = Result<Item>>> = match File::open(file) {
            Ok(open) => Box::new(BufReader::new(MultiGzDecoder::new(open)).lines().enumerate().map(
                move |(at, line)| {
                    let damaged = || format!("{}, line {}, is damaged", file.display(), at + 1);
                    let line = line.with_context(damaged)?;
                    // Serde's message is dropped because it could quote part of the item.
                    let line = serde_json::from_str::<Line>(&line).ok().with_context(damaged)?;
                    Ok(line.item)
                },
            )),
            Err(error) => {
                let error = anyhow::Error::new(error).context(format!("cannot read {}", file.display()));
                Box::new(std::iter::once(Err(error)))
            }
        };
        items
    });
    all.filter(|item| !item.as_ref().is_ok_and(Restoring::leaves_out))
}

/// Groups items into batches of [`BATCH`]. An error replaces the whole batch in which it occurs.
pub(super) struct Batches<Items>(pub(super) Items);

impl<Items: Iterator<Item = Result<Item>>> Iterator for Batches<Items> {
    type Item = Result<Vec<Item>>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Result<Vec<Item>> = self.0.by_ref().take(BATCH).collect();
        Some(batch).filter(|batch| batch.as_ref().map_or(true, |batch| !batch.is_empty()))
    }
}

/// Converts a document's key to a path that cannot leave the folder it is joined to.
pub(super) fn relative_path(key: &str) -> Result<&Path> {
    let path = Path::new(key);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("the key of the document {key} is not a relative path: remove the document from the bucket");
    }
    Ok(path)
}

fn visit_files(folder: &Path, visit: &mut impl FnMut(PathBuf)) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            visit_files(&path, visit)?;
        } else {
            visit(path);
        }
    }
    Ok(())
}

/// Creates a folder and its missing parents, accessible only to the owner.
pub(super) fn create_private_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a file that only its owner can read. Fails if the file exists.
pub(super) fn create_private_file(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bukti_records::{DoseRecord, EventKey, ItemKey};
    use bukti_store::Stored;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_dynamo::AttributeValue;

    use super::*;

    fn write_gzip(path: &Path, text: &[u8]) {
        let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
        file.write_all(text).unwrap();
        file.finish().unwrap();
    }

    #[test]
    fn reads_exports_and_names_damaged_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json.gz");
        let dose = ItemKey::dose(&EventKey::of_id("1"));
        write_gzip(
            &file,
            format!(
                "{{\"Item\":{{\"pk\":{{\"S\":\"{}\"}},\"sk\":{{\"S\":\"{}\"}},\"b\":{{\"B\":\"AQI=\"}}}}}}\n{{\"Item\":5}}\n",
                dose.pk(),
                dose.sk()
            )
            .as_bytes(),
        );
        let read: Vec<_> = read_items(std::slice::from_ref(&file)).collect();
        let item = read[0].as_ref().unwrap();
        assert!(DoseRecord::is_image(item));
        assert_eq!(item.get("b"), Some(&AttributeValue::B(vec![1, 2])));
        assert!(read[1].as_ref().unwrap_err().to_string().ends_with("a.json.gz, line 2, is damaged"));

        // Truncate the file, as a full disk would.
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 12]).unwrap();
        assert!(read_items(&[file]).any(|item| item.is_err()));
    }

    #[test]
    fn batches_have_25_items_and_end_with_error() {
        let item = || Ok(Item::default());
        let sizes: Vec<_> = Batches((0..60).map(|_| item())).map(|batch| batch.unwrap().len()).collect();
        assert_eq!(sizes, [25, 25, 10]);
        assert!(Batches([item(), Err(anyhow::anyhow!("damaged"))].into_iter()).next().unwrap().is_err());
    }

    #[test]
    fn rejects_document_keys_outside_the_folder() {
        assert!(relative_path("certificates/1/a.pdf").is_ok());
        for bad in ["../a", "/etc/a", "certificates/../../a"] {
            assert!(relative_path(bad).is_err(), "{bad}");
        }
    }
}
