//! `bukti backup`: copies all records and documents to a folder.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bukti_records::Keys;
use bukti_store::{Documents, Restoring};
use clap::{Args, ValueHint};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_dynamo::{AttributeValue, Item};

use super::files::{
    DOCUMENTS, Line, SEALED, TABLE, create_private_file, create_private_folder, relative_path,
};
use super::{CONCURRENCY, TABLE_UNREADABLE};
use crate::output::print;
use crate::progress::{Count, Progress, Reading};
use crate::target::{Target, TargetOptions};

#[derive(Args)]
pub(crate) struct BackupOptions {
    /// Folder to create; it must not exist yet
    #[arg(value_hint = ValueHint::DirPath)]
    folder: PathBuf,
}

/// Writes the backup to `FOLDER.part`, then renames it to `FOLDER` once it is complete.
pub(crate) async fn backup(target: &TargetOptions, options: &BackupOptions) -> Result<ExitCode> {
    let folder = &options.folder;
    if folder.exists() {
        bail!("{} is there already: name a folder that does not exist", folder.display());
    }
    let target = Target::connect(target).await?;
    let bucket = target.bucket()?;
    let sealing_keys = target.aws().await?.keys;
    let mut part = folder.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let unwritable = || format!("cannot write {}", part.display());
    if part.exists() {
        // An interrupted backup left this folder.
        std::fs::remove_dir_all(&part).with_context(unwritable)?;
    }
    create_private_folder(&part).with_context(unwritable)?;

    let progress = Progress::new();
    let records = write_table(&target, &part, &progress).await?;
    // Documents are copied after the records. A document is stored before the record that names it,
    // so the backup contains every document that its records name.
    let documents = write_documents(&target, bucket, &sealing_keys, &part, &progress).await?;
    progress.finish();
    std::fs::rename(&part, folder).with_context(|| format!("cannot write {}", folder.display()))?;
    print(&format!("{records} records and {documents} documents are in {}\n", folder.display()));
    eprintln!(
        "They open only with the secrets of this deployment: store {} and {} elsewhere.",
        target.secrets_location(),
        target.root_location()
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes all items, except expired items and short-lived kinds such as sessions. Returns the
/// number of items written.
async fn write_table(target: &Target, folder: &Path, progress: &Progress) -> Result<u64> {
    let unwritable = || format!("cannot write {}", folder.display());
    let table = create_private_file(&folder.join(TABLE)).with_context(unwritable)?;
    let mut table = GzEncoder::new(BufWriter::new(table), Compression::fast());
    let now = Timestamp::now().as_second();
    let scan = target.dynamodb.scan().table_name(target.table()).consistent_read(true);
    let mut items = scan.into_paginator().items().send();
    let mut records = 0;
    while let Some(item) = items.next().await {
        let item = Item::from(item.context(TABLE_UNREADABLE)?);
        if is_expired(&item, now) || Restoring::leaves_out(&item) {
            continue;
        }
        serde_json::to_writer(&mut table, &Line { item }).with_context(unwritable)?;
        table.write_all(b"\n").with_context(unwritable)?;
        records += 1;
        progress.show(Reading::new("Writing records", "records", Count::Done(records)));
    }
    let table = table.finish().and_then(|file| file.into_inner().map_err(Into::into));
    table.and_then(|file| file.sync_all()).with_context(unwritable)?;
    Ok(records)
}

/// Writes all documents, sealed, and returns their number.
async fn write_documents(
    target: &Target,
    bucket: &str,
    sealing_keys: &Keys,
    folder: &Path,
    progress: &Progress,
) -> Result<u64> {
    let keys = document_keys(target, bucket).await?;
    let (all, mut done) = (keys.len() as u64, 0);
    let mut written = stream::iter(keys)
        .map(|key| async {
            let key = key;
            let document = target.s3.get_object().bucket(bucket).key(&key).send().await;
            let document = document.with_context(|| format!("cannot read the document {key}"))?;
            let body = document.body.collect().await;
            let bytes = body.with_context(|| format!("cannot read the document {key}"))?.into_bytes();
            let sealed = sealing_keys.seal_bytes(&key, bytes.to_vec(), Timestamp::now());
            let sealed = sealed.context("no sealing key is active: check the secrets")?;
            let mut file = folder.join(DOCUMENTS).join(relative_path(&key)?).into_os_string();
            file.push(SEALED);
            let file = PathBuf::from(file);
            let write = || -> std::io::Result<()> {
                create_private_folder(file.parent().unwrap_or(folder))?;
                create_private_file(&file)?.write_all(&sealed)
            };
            write().with_context(|| format!("cannot write {}", file.display()))
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(result) = written.next().await {
        result?;
        done += 1;
        progress.show(Reading::new("Writing documents", "documents", Count::DoneOf(done, all)));
    }
    Ok(all)
}

/// Lists the bucket keys of all certificate documents.
async fn document_keys(target: &Target, bucket: &str) -> Result<Vec<String>> {
    let list = target.s3.list_objects_v2().bucket(bucket).prefix(Documents::FOLDER);
    let pages = list.into_paginator().send();
    let mut pages = pages.try_collect().await.context("cannot list the documents")?;
    let objects = pages.iter_mut().flat_map(|page| page.contents.take().unwrap_or_default());
    Ok(objects.filter_map(|object| object.key).collect())
}

fn is_expired(item: &Item, now: i64) -> bool {
    match item.get("expires_at") {
        Some(AttributeValue::N(ends)) => ends.parse::<i64>().is_ok_and(|ends| ends <= now),
        _ => false,
    }
}
