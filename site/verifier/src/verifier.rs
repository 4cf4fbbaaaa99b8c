//! Verifies certificates with the public lists.

use std::collections::HashMap;

use bukti_hcert::{Checked, TrustedSigner, check};
use bukti_trust::{Partition, Report, RevocationIndex, Revocations, SignerList, judge};
use jiff::Timestamp;

/// A verifier with the public lists that have been loaded. It stores no certificate data.
#[derive(Default)]
pub struct Verifier {
    listed_at: Option<Timestamp>,
    signers: Vec<TrustedSigner>,
    /// The signers of this deployment. Its revocation lists must be signed by one of them.
    own_signers: Vec<TrustedSigner>,
    index: Option<RevocationIndex>,
    partitions: HashMap<String, Partition>,
}

impl Verifier {
    /// Loads `trust/signers.json`. Returns `false`, and keeps the current list, if the file cannot
    /// be parsed.
    pub fn load_signers(&mut self, json: &[u8]) -> bool {
        let Ok(list) = serde_json::from_slice::<SignerList>(json) else { return false };
        (self.signers, self.own_signers) = (list.trusted(), list.own());
        self.listed_at = Some(list.issued_at);
        true
    }

    /// Loads the index of the revocation lists. Load the signers first. Returns `false`, and keeps
    /// the current index, if the new index is damaged, is not signed by a signer of this
    /// deployment, or is older than the current one. An older index could hide revocations. A newer
    /// index discards all partitions.
    pub fn load_index(&mut self, bytes: &[u8]) -> bool {
        let Ok(index) = RevocationIndex::read(bytes, &self.own_signers) else { return false };
        if self.index.as_ref().is_some_and(|current| index.issued_at < current.issued_at) {
            return false;
        }
        if self.index.as_ref() != Some(&index) {
            self.partitions.clear();
            self.index = Some(index);
        }
        true
    }

    /// Loads the partition with this path. Returns `false` if it is damaged or not signed for this
    /// path.
    pub fn load_partition(&mut self, path: &str, bytes: &[u8]) -> bool {
        let Ok(partition) = Partition::read(path, bytes, &self.own_signers) else { return false };
        self.partitions.insert(path.to_owned(), partition);
        true
    }

    /// When the trust list was published; `None` if none is loaded.
    pub fn listed_at(&self) -> Option<Timestamp> {
        self.listed_at
    }

    /// The index of the revocation lists; `None` if none is loaded.
    pub fn index(&self) -> Option<&RevocationIndex> {
        self.index.as_ref()
    }

    /// Checks the text of a QR code at the given time. Does not check revocation.
    pub fn check(&self, text: &str, at: Timestamp) -> Checked {
        check(text, &self.signers, at)
    }

    /// The paths of the partitions that the verdict requires and that are not loaded yet.
    pub fn missing_partitions(&self, checked: &Checked) -> Vec<String> {
        let mut paths = self.index.as_ref().map_or_else(Vec::new, |index| index.partitions_for(checked));
        paths.retain(|path| !self.partitions.contains_key(path));
        paths
    }

    /// Checks revocation at the given time, and returns the report with the verdict.
    pub fn judge(&self, checked: Checked, at: Timestamp) -> Report {
        let needed = self.index.as_ref().map_or_else(Vec::new, |index| index.partitions_for(&checked));
        let partitions: Vec<Partition> =
            needed.iter().filter_map(|path| self.partitions.get(path)).cloned().collect();
        let (own_signers, index) = (&self.own_signers[..], self.index.as_ref());
        // `load_index` has already rejected older indexes.
        let revocations =
            Revocations { own: own_signers, index, partitions: &partitions, newest_seen: None, at };
        judge(checked, &self.signers, &revocations)
    }
}

#[cfg(test)]
mod tests {
    use bukti_trust::Verdict;

    use super::*;

    #[test]
    fn unreadable_files_leave_lists_unchanged() {
        let mut verifier = Verifier::default();
        assert!(verifier.load_signers(br#"{"issued_at":"2026-11-23T03:15:00Z","signers":[]}"#));
        let listed_at = verifier.listed_at();
        // A web site with a fallback page for all URLs returns HTML instead of the file.
        assert!(!verifier.load_signers(b"<!doctype html>"));
        assert_eq!(verifier.listed_at(), listed_at);
        assert!(!verifier.load_index(b"<!doctype html>"));
        assert!(!verifier.load_partition("trust/revocation/a.cose", b"<!doctype html>"));
        assert!(verifier.index().is_none());
    }

    #[test]
    fn refuses_index_older_than_the_one_held() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let key = bukti_hcert::NewKey::generate().unwrap();
        let root = bukti_hcert::Root::generate("Bukti", now).unwrap();
        let certificate = root.certify(&key.public_key, now).unwrap();
        let signer = bukti_hcert::LocalSigner::new(&key.private_pem, &certificate).unwrap();
        let index = |at| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let files = runtime.block_on(bukti_trust::revocation_files(vec![], &signer, at)).unwrap();
            files.last().unwrap().bytes.clone()
        };
        let own_signers = TrustedSigner::from_certificate(&certificate).unwrap();
        let mut verifier = Verifier { own_signers: vec![own_signers], ..Verifier::default() };
        let hour = jiff::SignedDuration::from_hours(1);
        assert!(verifier.load_index(&index(now)));
        assert!(!verifier.load_index(&index(now - hour)));
        assert_eq!(verifier.index().unwrap().issued_at, now);
        assert!(verifier.load_index(&index(now)) && verifier.load_index(&index(now + hour)));
    }

    #[test]
    fn judges_without_lists() {
        let verifier = Verifier::default();
        let found = verifier.check("https://bukti.example.go.id", Timestamp::UNIX_EPOCH);
        assert!(verifier.missing_partitions(&found).is_empty());
        assert_eq!(verifier.judge(found, Timestamp::UNIX_EPOCH).verdict, Verdict::NotACertificate);
    }
}
