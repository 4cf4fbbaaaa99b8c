//! Everything that a Bukti keeps, in a folder, and back.
//!
//! ```text
//! FOLDER/table.json.gz       an item a line, as DynamoDB's export to S3 writes it: {"Item": {"pk": {"S": "…"}, …}}
//! FOLDER/documents/KEY.sealed the certificates' PDFs, by their keys in the bucket, each sealed for its key
//! ```
//!
//! Personal fields are sealed in it as they are in the table, and documents with the same key, so a backup is of no use without
//! the secrets, which are kept apart from it.
//!
//! What was withdrawn since a backup must not come back with it: [`Restoring`] says which of the
//! table's items win. Of API keys, officers, signers and other issuers, those that the table does
//! not have are brought back only once an admin has seen the list of them.
//!
//! What is brought back comes by the table's stream to functions that make certificates and send SMS. So a dose comes after all
//! that was ever made or sent for it: whoever hears of the dose finds that there is nothing left to do.

use std::fs::{DirBuilder, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use aws_sdk_s3::primitives::ByteStream;
use bukti_records::{DoseRecord, Keys};
use bukti_store::{Access, Documents, Officers, Restoring, Stored};
use clap::Args;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::{AttributeValue, Item};

use crate::progress::Progress;
use crate::target::{Target, Where};

/// Items of a batch: as many as DynamoDB takes.
const BATCH: usize = 25;
/// Batches and documents that are under way at the same time.
const AT_ONCE: usize = 8;
/// How often what DynamoDB did not get to in a batch is sent again.
const TRIES: u32 = 10;

const NOT_TAKEN: &str = "the table did not take the records";

const TABLE: &str = "table.json.gz";
const DOCUMENTS: &str = "documents";
/// The ending of a sealed document's file. Backups of before have plain ones.
const SEALED: &str = ".sealed";

#[derive(Args)]
pub(crate) struct BackupOptions {
    /// The folder, which must not be there yet.
    folder: PathBuf,
}

#[derive(Args)]
pub(crate) struct RestoreOptions {
    /// A folder that `bukti backup` made, or the data files of DynamoDB's export to S3, copied to this machine.
    folder: PathBuf,
    /// Also where there are doses: what the backup has is put over them, but for what was withdrawn
    /// since.
    #[arg(long)]
    overwrite: bool,
    /// Let those in again who had access at the backup: without it they are listed, and nothing is brought back.
    #[arg(long)]
    reinstate: bool,
    /// Leave out this API key, officer, signer or issuer, which was withdrawn since; may be given
    /// several times.
    #[arg(long, value_name = "ID")]
    without: Vec<String>,
}

/// A line of a backup.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(rename = "Item")]
    item: Item,
}

/// Keeps all records and documents in a folder, whole or not at all.
///
/// # Errors
///
/// Where the folder is there or cannot be written, or the Bukti does not answer.
pub(crate) async fn backup(place: &Where, options: &BackupOptions) -> Result<ExitCode> {
    let folder = &options.folder;
    if folder.exists() {
        bail!("{} is there already: a backup has a folder of its own", folder.display());
    }
    let target = Target::find(place).await?;
    let bucket = target.bucket()?;
    let keys_of_seals = target.aws().await?.keys;
    let mut part = folder.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let unwritable = || format!("cannot write {}", part.display());
    if part.exists() {
        // Of a backup that broke off.
        std::fs::remove_dir_all(&part).with_context(unwritable)?;
    }
    owners_folder(&part).with_context(unwritable)?;

    let progress = Progress::new();
    let table = owners_file(&part.join(TABLE)).with_context(unwritable)?;
    let mut table = GzEncoder::new(BufWriter::new(table), Compression::fast());
    let now = Timestamp::now().as_second();
    let scan = target.dynamodb.scan().table_name(target.table()).consistent_read(true);
    let mut items = scan.into_paginator().items().send();
    let mut records = 0u64;
    while let Some(item) = items.next().await {
        let item = Item::from(item.context("the table cannot be read")?);
        if expired(&item, now) || Restoring::leaves_out(&item) {
            continue;
        }
        serde_json::to_writer(&mut table, &Line { item }).with_context(unwritable)?;
        table.write_all(b"\n").with_context(unwritable)?;
        records += 1;
        progress.show(0, 0, &format!("{records} records"));
    }
    let table = table.finish().and_then(|file| file.into_inner().map_err(Into::into));
    table.and_then(|file| file.sync_all()).with_context(unwritable)?;

    // After the records: a certificate's document is there before the record that names it.
    let keys = documents(&target, bucket).await?;
    let (all, mut done) = (keys.len() as u64, 0);
    let mut kept = stream::iter(keys)
        .map(|key| async {
            let key = key;
            let document = target.s3.get_object().bucket(bucket).key(&key).send().await;
            let document = document.with_context(|| format!("the document {key} cannot be read"))?;
            let bytes = document.body.collect().await.context("a document broke off")?.into_bytes();
            let sealed = keys_of_seals.seal_bytes(&key, bytes.to_vec(), Timestamp::now());
            let sealed = sealed.context("the secrets have no key that seals")?;
            let mut file = part.join(DOCUMENTS).join(relative(&key)?).into_os_string();
            file.push(SEALED);
            let file = PathBuf::from(file);
            let write = || -> std::io::Result<()> {
                owners_folder(file.parent().unwrap_or(&part))?;
                owners_file(&file)?.write_all(&sealed)
            };
            write().with_context(|| format!("cannot write {}", file.display()))
        })
        .buffer_unordered(AT_ONCE);
    while let Some(result) = kept.next().await {
        result?;
        done += 1;
        progress.show(done, all, &format!("{done} of {all} documents"));
    }
    drop(kept);
    progress.end();
    std::fs::rename(&part, folder).with_context(|| format!("cannot write {}", folder.display()))?;
    println!("{records} records and {all} documents are in {}", folder.display());
    eprintln!(
        "They open with the secrets of this Bukti only: keep {} and {} apart from them.",
        target.secrets_place(),
        target.root_place()
    );
    Ok(ExitCode::SUCCESS)
}

/// Brings a backup back. Nothing is written where a part of it is damaged, or its records do not open with the secrets of this
/// Bukti.
///
/// # Errors
///
/// Where the backup is none or damaged, where the Bukti has doses or other secrets, and where it does not answer.
pub(crate) async fn restore(place: &Where, options: &RestoreOptions) -> Result<ExitCode> {
    let folder = &options.folder;
    let mut tables = Vec::new();
    let mut papers = Vec::new();
    files_below(folder, &mut |file| {
        if let Ok(key) = file.strip_prefix(folder.join(DOCUMENTS)) {
            papers.push((file.clone(), key.to_string_lossy().into_owned()));
        } else if file.to_string_lossy().ends_with(".json.gz") {
            tables.push(file);
        }
    })
    .with_context(|| format!("cannot read {}", folder.display()))?;
    if tables.is_empty() {
        bail!("{} is no backup: it has no *.json.gz", folder.display());
    }
    tables.sort();

    // All of it is read once before anything is written.
    let mut counts = [0u64; 2];
    let mut sample = None;
    let mut access = Vec::new();
    for item in lines(&tables) {
        let item = item?;
        if Access::is_given_by(&item) {
            access.push(item);
            continue;
        }
        counts[usize::from(is_dose(&item))] += 1;
        if sample.is_none() && is_dose(&item) {
            sample = Some(item);
        }
    }
    let target = Target::find(place).await?;
    let aws = target.aws().await?;
    if let Some(sample) = sample {
        let dose = DoseRecord::from_image(sample).context("a dose of the backup is of no known form")?;
        if dose.dose(&aws.keys).is_err() {
            bail!(
                "the backup's records do not open with the secrets in {}: put those back first that they were sealed with",
                target.secrets_place()
            );
        }
    }
    let own_signers = look_for_room(&target, options.overwrite).await?;
    let officers = Officers::new(&aws);
    let access =
        access.into_iter().map(|item| anyhow::Ok((Access::of_image(item.clone(), &officers)?, item)));
    let access = not_left_out(access.collect::<Result<Vec<_>>>()?, &options.without)?;
    let restoring = Restoring::of_table(target.dynamodb.clone(), target.table());
    let access = if options.overwrite { unknown_to(&restoring, access).await? } else { access };
    check_reinstated(&access, options.reinstate)?;
    for (file, key) in &papers {
        document(&aws.keys, file, key)?;
    }

    let progress = Progress::new();
    let bucket = target.bucket()?;
    let (all, mut done) = (papers.len() as u64, 0);
    let s3 = &target.s3;
    let mut kept = stream::iter(&papers)
        .map(async |(file, key)| {
            let (key, pdf) = document(&aws.keys, file, key)?;
            let request = s3.put_object().bucket(bucket).key(key).content_type("application/pdf");
            let request = request.body(ByteStream::from(pdf));
            request.send().await.with_context(|| format!("the document {key} was not taken"))
        })
        .buffer_unordered(AT_ONCE);
    while let Some(result) = kept.next().await {
        result?;
        done += 1;
        progress.show(done, all, &format!("{done} of {all} documents"));
    }
    drop(kept);

    let records = counts.iter().sum::<u64>() + access.len() as u64;
    let (mut done, mut kept) = (0, 0);
    // A new Bukti's own signers have signed nothing. Where the backup's is left out, they go on.
    if access.iter().any(|(access, _)| matches!(access, Access::ActiveSigner(_))) {
        for batch in own_signers.chunks(BATCH) {
            write(&target, batch.to_vec()).await?;
        }
    }
    for (_, item) in access {
        kept += u64::from(!restoring.put(item).await.context(NOT_TAKEN)?);
        done += 1;
    }
    // The doses last: see the top of this file.
    for pass in 0..Restoring::PASSES {
        let items = lines(&tables).filter(|item| {
            item.as_ref().map_or(true, |item| Restoring::pass(item) == pass && !Access::is_given_by(item))
        });
        let mut batches = stream::iter(Batches(items))
            .map(|batch| async {
                let batch = batch?;
                if options.overwrite {
                    return put_over(&restoring, batch).await;
                }
                let puts = batch.into_iter().map(|item| {
                    let put = PutRequest::builder().set_item(Some(item.into())).build()?;
                    Ok(WriteRequest::builder().put_request(put).build())
                });
                Ok((write(&target, puts.collect::<Result<Vec<_>>>()?).await?, 0))
            })
            .buffer_unordered(AT_ONCE);
        while let Some(written) = batches.next().await {
            let (of_batch, kept_of_batch) = written?;
            (done, kept) = (done + of_batch, kept + kept_of_batch);
            progress.show(done, records, &format!("{done} of {records} records"));
        }
    }
    progress.end();
    println!("{} records and {all} documents are back from {}", records - kept, folder.display());
    if kept > 0 {
        println!("{kept} records stay as they are here: they were withdrawn or changed since the backup");
    }
    Ok(ExitCode::SUCCESS)
}

/// A document of a backup, with its key in the bucket.
///
/// # Errors
///
/// Where it cannot be read, or does not open with these keys as the document of that name.
fn document<'a>(keys: &Keys, file: &Path, key: &'a str) -> Result<(&'a str, Vec<u8>)> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let Some(key) = key.strip_suffix(SEALED) else { return Ok((key, bytes)) };
    let opened = keys.open_bytes(key, &bytes).with_context(|| {
        format!(
            "{} is damaged, or sealed with other secrets: take it from another copy, or remove it to restore the rest",
            file.display()
        )
    })?;
    Ok((key, opened))
}

/// The access in a backup without these ids.
///
/// # Errors
///
/// Where the backup does not have one of them.
fn not_left_out(mut access: Vec<(Access, Item)>, without: &[String]) -> Result<Vec<(Access, Item)>> {
    for id in without {
        if !access.iter().any(|(access, _)| access.id() == id) {
            bail!("the backup has no API key, officer, signer or issuer {id}");
        }
    }
    access.retain(|(access, _)| !without.iter().any(|id| id == access.id()));
    Ok(access)
}

/// The access that a table does not have: what it has stays as it is there.
async fn unknown_to(restoring: &Restoring, access: Vec<(Access, Item)>) -> Result<Vec<(Access, Item)>> {
    let mut unknown = Vec::new();
    for (access, item) in access {
        if !restoring.has(&item).await.context("the table cannot be read")? {
            unknown.push((access, item));
        }
    }
    Ok(unknown)
}

/// Checks that an admin has agreed to let these in again.
///
/// # Errors
///
/// The list of them, where nobody has.
fn check_reinstated(access: &[(Access, Item)], reinstate: bool) -> Result<()> {
    let now = Timestamp::now();
    let words = access.iter().filter_map(|(access, _)| Some((access.id(), access.in_words(now)?)));
    let list: String = words.map(|(id, words)| format!("  {id}  {words}\n")).collect();
    if !reinstate && !list.is_empty() {
        bail!(
            "these had access at the backup, and would have it again:\n{list}\
             Leave out with --without ID who was withdrawn since, and say --reinstate for the rest"
        );
    }
    Ok(())
}

/// Restores a batch over what the table has; how many items it has, and how many the table keeps as
/// its own.
async fn put_over(restoring: &Restoring, batch: Vec<Item>) -> Result<(u64, u64)> {
    let (count, mut kept) = (batch.len() as u64, 0);
    for item in batch {
        kept += u64::from(!restoring.put(item).await.context(NOT_TAKEN)?);
    }
    Ok((count, kept))
}

/// Sees to it that a restore writes over nobody. Gives the removal of what a new Bukti has made of signers for itself.
async fn look_for_room(target: &Target, overwrite: bool) -> Result<Vec<WriteRequest>> {
    if overwrite {
        return Ok(Vec::new());
    }
    let scan = target.dynamodb.scan().table_name(target.table()).projection_expression("pk, sk");
    let mut keys = scan.into_paginator().items().send();
    let mut own = Vec::new();
    while let Some(key) = keys.next().await {
        let key = key.context("the table cannot be read")?;
        if is_dose(&Item::from(key.clone())) {
            bail!(
                "{} has doses, over which older ones would be put. Restore into one that has none, or say --overwrite",
                target.name
            );
        }
        if Access::is_of_own_signers(&Item::from(key.clone())) {
            let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
            own.push(WriteRequest::builder().delete_request(delete).build());
        }
    }
    Ok(own)
}

/// Writes a batch, with what DynamoDB did not get to at first; how many that are.
async fn write(target: &Target, mut batch: Vec<WriteRequest>) -> Result<u64> {
    let count = batch.len() as u64;
    for tried in 0..TRIES {
        let request = target.dynamodb.batch_write_item().request_items(target.table(), batch);
        let answer = request.send().await.map_err(|error| error.into_service_error());
        let left = answer.context(NOT_TAKEN)?.unprocessed_items;
        batch = left.unwrap_or_default().into_values().flatten().collect();
        if batch.is_empty() {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(50 << tried)).await;
    }
    bail!("the table does not keep up: try again with --overwrite")
}

/// The keys of the certificates' documents.
async fn documents(target: &Target, bucket: &str) -> Result<Vec<String>> {
    let list = target.s3.list_objects_v2().bucket(bucket).prefix(Documents::FOLDER);
    let pages = list.into_paginator().send();
    let mut pages = pages.try_collect().await.context("the documents cannot be listed")?;
    let objects = pages.iter_mut().flat_map(|page| page.contents.take().unwrap_or_default());
    Ok(objects.filter_map(|object| object.key).collect())
}

/// The path of a key below a folder, and not beside it.
fn relative(key: &str) -> Result<&Path> {
    let path = Path::new(key);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("the document {key} has a name that no file can have");
    }
    Ok(path)
}

fn is_dose(item: &Item) -> bool {
    DoseRecord::is_image(item)
}

fn expired(item: &Item, now: i64) -> bool {
    match item.get("expires_at") {
        Some(AttributeValue::N(ends)) => ends.parse::<i64>().is_ok_and(|ends| ends <= now),
        _ => false,
    }
}

/// The items of these files, one after the other, without those that older backups should not have.
fn lines(files: &[PathBuf]) -> impl Iterator<Item = Result<Item>> {
    let all = files.iter().flat_map(|file| {
        let lines: Box<dyn Iterator<Item = Result<Item>>> = match File::open(file) {
            Ok(open) => Box::new(BufReader::new(MultiGzDecoder::new(open)).lines().enumerate().map(
                move |(at, line)| {
                    let damaged = || format!("{}, line {}, is damaged", file.display(), at + 1);
                    let line = line.with_context(damaged)?;
                    // What serde says of it could hold part of it.
                    let line = serde_json::from_str::<Line>(&line).ok().with_context(damaged)?;
                    Ok(line.item)
                },
            )),
            Err(error) => {
                let error = anyhow::Error::new(error).context(format!("cannot read {}", file.display()));
                Box::new(std::iter::once(Err(error)))
            }
        };
        lines
    });
    all.filter(|item| !item.as_ref().is_ok_and(Restoring::leaves_out))
}

/// Items by the batch. After an error nothing comes.
struct Batches<Items>(Items);

impl<Items: Iterator<Item = Result<Item>>> Iterator for Batches<Items> {
    type Item = Result<Vec<Item>>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Result<Vec<Item>> = self.0.by_ref().take(BATCH).collect();
        Some(batch).filter(|batch| batch.as_ref().map_or(true, |batch| !batch.is_empty()))
    }
}

fn files_below(folder: &Path, found: &mut impl FnMut(PathBuf)) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, found)?;
        } else {
            found(path);
        }
    }
    Ok(())
}

fn owners_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn owners_file(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use bukti_records::{EventKey, ItemKey};

    use super::*;

    fn gz(path: &Path, text: &[u8]) {
        let mut file = GzEncoder::new(File::create(path).unwrap(), Compression::fast());
        file.write_all(text).unwrap();
        file.finish().unwrap();
    }

    #[test]
    fn lines_of_dynamodbs_export_are_read_and_damaged_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json.gz");
        let dose = ItemKey::dose(&EventKey::of_id("1"));
        gz(
            &file,
            format!(
                "{{\"Item\":{{\"pk\":{{\"S\":\"{}\"}},\"sk\":{{\"S\":\"{}\"}},\"b\":{{\"B\":\"AQI=\"}}}}}}\n{{\"Item\":5}}\n",
                dose.pk(),
                dose.sk()
            )
            .as_bytes(),
        );
        let read: Vec<_> = lines(std::slice::from_ref(&file)).collect();
        let item = read[0].as_ref().unwrap();
        assert!(is_dose(item));
        assert_eq!(item.get("b"), Some(&AttributeValue::B(vec![1, 2])));
        assert!(read[1].as_ref().unwrap_err().to_string().ends_with("a.json.gz, line 2, is damaged"));

        // Cut off in the middle, as by a full disk.
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 12]).unwrap();
        assert!(lines(&[file]).any(|line| line.is_err()));
    }

    #[test]
    fn batches_hold_25_and_end_with_an_error() {
        let item = || Ok(Item::default());
        let sizes: Vec<_> = Batches((0..60).map(|_| item())).map(|batch| batch.unwrap().len()).collect();
        assert_eq!(sizes, [25, 25, 10]);
        assert!(Batches([item(), Err(anyhow::anyhow!("damaged"))].into_iter()).next().unwrap().is_err());
    }

    #[test]
    fn a_document_stays_in_the_folder() {
        assert!(relative("certificates/1/a.pdf").is_ok());
        for bad in ["../a", "/etc/a", "certificates/../../a"] {
            assert!(relative(bad).is_err(), "{bad}");
        }
    }
}
