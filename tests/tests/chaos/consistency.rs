//! Consistency of an idle stack's table: doses, certificates, documents and SMS must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bukti_records::{CertificateRecord, DoseRecord, ItemKind};
use bukti_store::Aws;
use bukti_store::Stored;
use bukti_tests::expected::{ExpectedRow, count_documents};

/// Counts of the records in a consistent table.
#[derive(Debug)]
pub struct Summary {
    /// Certificates that are neither superseded nor revoked.
    pub valid: usize,
    /// Superseded certificates.
    pub superseded: usize,
    /// Documents in the bucket that no certificate refers to. A worker leaves one behind if it
    /// crashes, or if another worker issues the certificate first.
    pub orphaned_documents: usize,
}

fn is_sms(item: &serde_dynamo::Item) -> bool {
    let text = |name: &str| match item.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => text.as_str(),
        _ => "",
    };
    ItemKind::of(text("pk"), text("sk")) == Some(ItemKind::Sms)
}

/// Asserts that each issued dose in the feed has one valid certificate, that each certificate has a
/// document and, unless it is superseded, a dose, and that each SMS that was begun is recorded as
/// sent.
pub fn check(aws: &Aws, data: &Path, expected: &[ExpectedRow]) -> Summary {
    let items = scan(aws);
    let (mut doses, mut certificates, mut begun, mut sent) = (Vec::new(), BTreeMap::new(), 0, 0);
    for item in items {
        if let Some(dose) = DoseRecord::from_image(item.clone()) {
            doses.push(dose);
        } else if let Some(certificate) = CertificateRecord::from_image(item.clone()) {
            certificates.insert(certificate.certificate_id().to_owned(), certificate);
        } else if is_sms(&item) {
            begun += 1;
            sent += usize::from(item.contains_key("sent"));
        }
    }
    assert_eq!(sent, begun, "some SMS were begun and not recorded as sent");

    let mut valid = BTreeSet::new();
    for dose in &doses {
        let Some(id) = &dose.certificate_id else { continue };
        assert!(certificates.contains_key(id), "{} has no certificate", dose.pk.as_str());
        let certificate = &certificates[id];
        assert!(certificate.revoked_at.is_none(), "the certificate of {} is revoked", dose.pk.as_str());
        assert_eq!(certificate.event, dose.pk);
        assert!(valid.insert(id.clone()), "{id} belongs to two doses");
    }
    for (id, certificate) in &certificates {
        assert!(
            valid.contains(id) || certificate.superseded_by.is_some(),
            "{id} is valid and belongs to no dose"
        );
        let document = data.join("bucket/bukti-documents").join(&certificate.document);
        assert!(document.is_file(), "{id} has no document");
    }
    let issued = expected.iter().filter(|row| row.outcome == "issued").count();
    assert_eq!(valid.len(), issued, "valid certificates");
    Summary {
        valid: valid.len(),
        superseded: certificates.len() - valid.len(),
        orphaned_documents: count_documents(data) - certificates.len(),
    }
}

fn scan(aws: &Aws) -> Vec<serde_dynamo::Item> {
    let (table, endpoint) = (aws.settings.table.clone(), aws.settings.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (dynamodb, _) = bukti_store::Endpoint::of(&endpoint).unwrap().clients().await;
        let scan = dynamodb.scan().table_name(table).into_paginator().items().send();
        let items: Vec<_> = scan.try_collect().await.unwrap();
        items.into_iter().map(serde_dynamo::Item::from).collect()
    })
}
