//! The table's books: what each dose, certificate and SMS must agree upon once everything is worked off.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bukti_records::{CertificateRecord, DoseRecord, ItemKind};
use bukti_store::Aws;
use bukti_store::Stored;
use bukti_tests::expected::{ExpectedRow, count_documents};

/// What is in the table.
#[derive(Debug)]
pub struct Books {
    /// Certificates that are good.
    pub good: usize,
    /// Certificates that were superseded.
    pub superseded: usize,
    /// Documents in the bucket that no certificate names: made by who then found that another was first, or died.
    pub left_over: usize,
}

fn is_sms(item: &serde_dynamo::Item) -> bool {
    let text = |name: &str| match item.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => text.as_str(),
        _ => "",
    };
    ItemKind::of(text("pk"), text("sk")) == Some(ItemKind::Sms)
}

/// Reads the table and compares: each complete dose has its one good certificate, and each certificate its dose and its
/// document; each SMS that was begun was recorded as sent; there are as many doses as the feed has.
pub fn balanced(aws: &Aws, data: &Path, expected: &[ExpectedRow]) -> Books {
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
    assert_eq!(sent, begun, "SMS that were begun and not recorded as sent");

    let mut good = BTreeSet::new();
    for dose in &doses {
        let Some(id) = &dose.certificate_id else { continue };
        assert!(certificates.contains_key(id), "{} has no certificate", dose.pk.as_str());
        let certificate = &certificates[id];
        assert!(certificate.revoked_at.is_none(), "the certificate of {} is not good", dose.pk.as_str());
        assert_eq!(certificate.event, dose.pk);
        assert!(good.insert(id.clone()), "{id} is of two doses");
    }
    for (id, certificate) in &certificates {
        assert!(good.contains(id) || certificate.superseded_by.is_some(), "{id} is good and of no dose");
        let document = data.join("bucket/bukti-documents").join(&certificate.document);
        assert!(document.is_file(), "{id} has no document");
    }
    let issued = expected.iter().filter(|row| row.outcome == "issued").count();
    assert_eq!(good.len(), issued, "certificates that are good");
    Books {
        good: good.len(),
        superseded: certificates.len() - good.len(),
        left_over: count_documents(data) - certificates.len(),
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
