//! `bukti restore`: restores a backup into a table and a bucket.
//!
//! Anything withdrawn since the backup must stay withdrawn: [`Restoring`] decides which items in
//! the table take precedence. API keys, officers, signers and other issuers that are missing from
//! the table are restored only after an admin has reviewed the list.
//!
//! The table's stream delivers restored items to the functions that issue certificates and send
//! SMS. Doses are therefore restored last: by then their certificates and SMS records exist, and
//! the functions have nothing to do.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use aws_sdk_s3::primitives::ByteStream;
use bukti_records::{DoseRecord, Keys};
use bukti_store::{Access, Officers, Restoring, Stored};
use clap::{Args, ValueHint};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_dynamo::Item;

use super::files::{BATCH, BackupFiles, Batches, SEALED};
use super::{CONCURRENCY, TABLE_UNREADABLE};
use crate::output::print;
use crate::progress::{Count, Progress, Reading};
use crate::target::{Target, TargetOptions};

/// The maximum number of attempts to write items that DynamoDB returns as unprocessed.
const ATTEMPTS: u32 = 10;

const NOT_WRITTEN: &str = "cannot write records to the table";

#[derive(Args)]
pub(crate) struct RestoreOptions {
    /// Folder that `bukti backup` wrote, or the data files of a DynamoDB export to S3
    #[arg(value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// Restore into a table that has doses
    ///
    /// Doses of the backup replace those of the table, except what was withdrawn or changed since.
    #[arg(long)]
    overwrite: bool,
    /// Give access again to those who had it at the time of the backup
    ///
    /// Without this option they are listed and nothing is restored.
    #[arg(long)]
    reinstate: bool,
    /// Leave out an API key, officer, signer or issuer that was withdrawn since; can be repeated
    #[arg(long, value_name = "ID")]
    without: Vec<String>,
}

/// The contents of a backup, read completely before anything is written.
struct Contents {
    /// The number of items that do not give access.
    records: u64,
    /// The items that give access: API keys, officers, signers and other issuers.
    access: Vec<Item>,
    /// Any dose, used to check that the deployment's secrets can open it.
    dose: Option<Item>,
}

/// Restores a backup. Writes nothing if part of the backup is damaged, or if its records cannot be
/// opened with this deployment's secrets.
pub(crate) async fn restore(target: &TargetOptions, options: &RestoreOptions) -> Result<ExitCode> {
    let files = BackupFiles::find(&options.folder)?;
    let contents = read_contents(&files)?;
    let target = Target::connect(target).await?;
    let aws = target.aws().await?;
    if let Some(dose) = contents.dose {
        let dose = DoseRecord::from_image(dose)
            .context("a dose of the backup has an unknown form: restore it with a newer `bukti`")?;
        if dose.dose(&aws.keys).is_err() {
            bail!(
                "the backup's records do not open with the secrets in {}: restore the secrets first with which \
                 they were sealed",
                target.secrets_location()
            );
        }
    }
    let own_signers = check_overwrite(&target, options.overwrite).await?;
    let officers = Officers::new(&aws);
    let access = contents.access.into_iter();
    let access = access.map(|item| anyhow::Ok((Access::of_image(item.clone(), &officers)?, item)));
    let access = leave_out(access.collect::<Result<Vec<_>>>()?, &options.without)?;
    let restoring = Restoring::of_table(target.dynamodb.clone(), target.table());
    let access = if options.overwrite { absent_from(&restoring, access).await? } else { access };
    check_reinstated(&access, options.reinstate)?;
    for (file, key) in &files.documents {
        open_document(&aws.keys, file, key)?;
    }

    let documents = files.documents.len() as u64;
    let records = contents.records + access.len() as u64;
    let bar = Bar { progress: Progress::new(), done: 0, all: documents + records };
    let bar = restore_documents(&target, &aws.keys, &files, bar).await?;
    // The signers of a new deployment have not signed anything, so the signers in the backup
    // replace them. If `--without` excludes the backup's active signer, the new signers stay.
    if access.iter().any(|(access, _)| matches!(access, Access::ActiveSigner(_))) {
        for batch in own_signers.chunks(BATCH) {
            write_batch(&target, batch.to_vec()).await?;
        }
    }
    let (bar, kept) = restore_records(&target, &restoring, &files, access, options.overwrite, bar).await?;
    bar.progress.finish();
    let restored = records - kept;
    print(&format!(
        "{restored} records and {documents} documents are restored from {}\n",
        options.folder.display()
    ));
    if kept > 0 {
        print(&format!(
            "{kept} records stay as they are here: they were withdrawn or changed since the backup\n"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the whole backup, so that damage is found before anything is written.
fn read_contents(files: &BackupFiles) -> Result<Contents> {
    let mut contents = Contents { records: 0, access: Vec::new(), dose: None };
    for item in files.items() {
        let item = item?;
        if Access::is_given_by(&item) {
            contents.access.push(item);
            continue;
        }
        contents.records += 1;
        if contents.dose.is_none() && DoseRecord::is_image(&item) {
            contents.dose = Some(item);
        }
    }
    Ok(contents)
}

/// The combined progress of documents and records.
struct Bar {
    progress: Progress,
    done: u64,
    all: u64,
}

impl Bar {
    fn advance(&mut self, count: u64) {
        self.done += count;
        let count = Count::DoneOf(self.done, self.all);
        self.progress.show(Reading::new("Restoring", "documents and records", count));
    }
}

async fn restore_documents(target: &Target, keys: &Keys, files: &BackupFiles, mut bar: Bar) -> Result<Bar> {
    let bucket = target.bucket()?;
    let mut stored = stream::iter(&files.documents)
        .map(async |(file, key)| {
            let (key, pdf) = open_document(keys, file, key)?;
            let request = target.s3.put_object().bucket(bucket).key(key).content_type("application/pdf");
            let request = request.body(ByteStream::from(pdf));
            request.send().await.with_context(|| format!("cannot store the document {key}"))
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(result) = stored.next().await {
        result?;
        bar.advance(1);
    }
    drop(stored);
    Ok(bar)
}

/// Restores items that give access, then all other items, with doses last. Returns the number of
/// items for which the table's version was kept.
async fn restore_records(
    target: &Target,
    restoring: &Restoring,
    files: &BackupFiles,
    access: Vec<(Access, Item)>,
    overwrite: bool,
    mut bar: Bar,
) -> Result<(Bar, u64)> {
    let mut kept = 0;
    for (_, item) in access {
        kept += u64::from(!restoring.put(item).await.context(NOT_WRITTEN)?);
        bar.advance(1);
    }
    for pass in 0..Restoring::PASSES {
        let items = files.items().filter(|item| {
            item.as_ref().map_or(true, |item| Restoring::pass(item) == pass && !Access::is_given_by(item))
        });
        let mut batches = stream::iter(Batches(items))
            .map(|batch| async {
                let batch = batch?;
                if overwrite {
                    return put_batch(restoring, batch).await;
                }
                let puts = batch.into_iter().map(|item| {
                    let put = PutRequest::builder().set_item(Some(item.into())).build()?;
                    Ok(WriteRequest::builder().put_request(put).build())
                });
                Ok((write_batch(target, puts.collect::<Result<Vec<_>>>()?).await?, 0))
            })
            .buffer_unordered(CONCURRENCY);
        while let Some(written) = batches.next().await {
            let (count, kept_of_batch) = written?;
            kept += kept_of_batch;
            bar.advance(count);
        }
    }
    Ok((bar, kept))
}

/// Reads a document of the backup and unseals it if it is sealed. Returns it with its bucket key.
fn open_document<'a>(keys: &Keys, file: &Path, key: &'a str) -> Result<(&'a str, Vec<u8>)> {
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

/// Removes the given ids from the access to be restored. Fails if one of them is not in the backup.
fn leave_out(mut access: Vec<(Access, Item)>, without: &[String]) -> Result<Vec<(Access, Item)>> {
    for id in without {
        if !access.iter().any(|(access, _)| access.id() == id) {
            bail!("the backup has no API key, officer, signer or issuer {id}: correct --without");
        }
    }
    access.retain(|(access, _)| !without.iter().any(|id| id == access.id()));
    Ok(access)
}

/// Returns the items that give access and are missing from the table. Existing ones are not
/// replaced.
async fn absent_from(restoring: &Restoring, access: Vec<(Access, Item)>) -> Result<Vec<(Access, Item)>> {
    let mut absent = Vec::new();
    for (access, item) in access {
        if !restoring.has(&item).await.context(TABLE_UNREADABLE)? {
            absent.push((access, item));
        }
    }
    Ok(absent)
}

/// Checks that an admin has agreed to restore this access. If not, the error lists it.
fn check_reinstated(access: &[(Access, Item)], reinstate: bool) -> Result<()> {
    let now = Timestamp::now();
    let words = access.iter().filter_map(|(access, _)| Some((access.id(), access.in_words(now)?)));
    let list: String = words.map(|(id, words)| format!("  {id}  {words}\n")).collect();
    if !reinstate && !list.is_empty() {
        bail!(
            "these had access at the time of the backup and would have it again:\n{list}\
             Leave out with --without ID who was withdrawn since, and confirm the rest with --reinstate"
        );
    }
    Ok(())
}

/// Checks that the table has no doses, unless they may be overwritten. Returns the requests that
/// delete the signers created by a new deployment itself.
async fn check_overwrite(target: &Target, overwrite: bool) -> Result<Vec<WriteRequest>> {
    if overwrite {
        return Ok(Vec::new());
    }
    let scan = target.dynamodb.scan().table_name(target.table()).projection_expression("pk, sk");
    let mut keys = scan.into_paginator().items().send();
    let mut own_signers = Vec::new();
    while let Some(key) = keys.next().await {
        let key = key.context(TABLE_UNREADABLE)?;
        if DoseRecord::is_image(&Item::from(key.clone())) {
            bail!(
                "{} has doses, which older ones would replace: restore into an empty deployment, or confirm with \
                 --overwrite",
                target.name
            );
        }
        if Access::is_of_own_signers(&Item::from(key.clone())) {
            let delete = DeleteRequest::builder().set_key(Some(key)).build()?;
            own_signers.push(WriteRequest::builder().delete_request(delete).build());
        }
    }
    Ok(own_signers)
}

/// Puts a batch into a table that already has items. Returns the size of the batch, and the number
/// of items for which the table's version was kept.
async fn put_batch(restoring: &Restoring, batch: Vec<Item>) -> Result<(u64, u64)> {
    let (count, mut kept) = (batch.len() as u64, 0);
    for item in batch {
        kept += u64::from(!restoring.put(item).await.context(NOT_WRITTEN)?);
    }
    Ok((count, kept))
}

/// Writes a batch, retrying items that DynamoDB returns as unprocessed. Returns the number of
/// items.
async fn write_batch(target: &Target, mut batch: Vec<WriteRequest>) -> Result<u64> {
    let count = batch.len() as u64;
    for attempt in 0..ATTEMPTS {
        let request = target.dynamodb.batch_write_item().request_items(target.table(), batch);
        let response = request.send().await.map_err(|error| error.into_service_error());
        let unprocessed = response.context(NOT_WRITTEN)?.unprocessed_items;
        batch = unprocessed.unwrap_or_default().into_values().flatten().collect();
        if batch.is_empty() {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
    }
    bail!("the table is throttled: retry in a few minutes with --overwrite")
}
