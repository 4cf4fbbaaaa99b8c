//! Tests verdicts from published trust lists and revocation lists, and the import of signers.

#![expect(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bukti_domain::FeedRow;
use bukti_hcert::{
    Checked, LocalSigner, NewKey, Root, Signer, TrustedSigner, Vaccination, check, seal, uvci,
};
use bukti_trust::{
    HashKind, ImportError, IndexedList, ListedSigner, MAX_LIST_AGE, Partition, PublicFile, Report,
    RevocationError, RevocationIndex, RevocationState, Revocations, Revoked, RevokedReason, SignerList,
    SignerSource, SignerStatus, Verdict, did_document, judge, read_issuers, revocation_files,
};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-11-01T08:00:00Z".parse().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Creates a signer and its entry in the trust list.
fn signer() -> (LocalSigner, ListedSigner) {
    let key = NewKey::generate().unwrap();
    let certificate = Root::generate("Bukti", now()).unwrap().certify(&key.public_key, now()).unwrap();
    let signer = LocalSigner::new(&key.private_pem, &certificate).unwrap();
    let listed = ListedSigner {
        kid: STANDARD.encode(signer.kid()),
        certificate: Some(STANDARD.encode(certificate)),
        public_key: None,
        status: SignerStatus::Active,
        source: SignerSource::Own,
        participant: None,
    };
    (signer, listed)
}

/// Creates the text of a certificate and its entry in a revocation list.
fn certificate(signer: &LocalSigner) -> (String, Revoked) {
    let row = FeedRow {
        event_id: "E1".into(),
        sent_at: "2026-10-20T08:41:34+07:00".into(),
        paspor: "A1234567".into(),
        nama: "Ayu".into(),
        tanggal_lahir: "1989-01-24".into(),
        dosis_ke: "1".into(),
        vaksin: "Moderna".into(),
        batch: "17".into(),
        tanggal_vaksinasi: "2026-10-20".into(),
        nama_faskes: "Puskesmas".into(),
        ..FeedRow::default()
    };
    let dose = row.dose().complete().unwrap();
    let uvci = uvci("7KQ2M4XD9TRA6HVC");
    let vaccination = Vaccination { dose: &dose, issuer: "Bukti", uvci: &uvci };
    let sealed = wait(seal(&vaccination, signer, now(), now() + 24.hours() * 700)).unwrap();
    let (kid, hash) = (sealed.kid, sealed.signature_hash);
    (sealed.text, Revoked { kid, kind: HashKind::Signature, hash, reason: RevokedReason::Revoked })
}

/// Verifies a text as a verifier does: fetches the index, then only the partitions that may contain
/// the certificate's hashes.
fn verify(text: &str, signers: &SignerList, files: &[PublicFile], at: Timestamp) -> Report {
    let fetch = |path: &str| files.iter().find(|file| file.path == path).map(|file| &*file.bytes);
    let (trusted, own) = (signers.trusted(), signers.own());
    let checked = check(text, &trusted, at);
    let index = fetch(RevocationIndex::PATH).and_then(|bytes| RevocationIndex::read(bytes, &own).ok());
    let paths = index.as_ref().map(|index| index.partitions_for(&checked)).unwrap_or_default();
    let partitions: Vec<_> =
        paths.iter().filter_map(|path| Some(Partition::read(path, fetch(path)?, &own).unwrap())).collect();
    let (own, index) = (&own[..], index.as_ref());
    let revocations = Revocations { own, index, partitions: &partitions, newest_seen: None, at };
    judge(checked, &trusted, &revocations)
}

fn list(signers: Vec<ListedSigner>) -> SignerList {
    let list = SignerList { issued_at: now(), signers };
    SignerList::read(&serde_json::to_vec(&list).unwrap()).unwrap()
}

/// Creates entries for other certificates of a signer, with pseudo-random hashes.
fn others(signer: &LocalSigner, count: u64) -> Vec<Revoked> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let other = |random: &mut dyn FnMut() -> u64| {
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&random().to_be_bytes());
        hash[8..].copy_from_slice(&random().to_be_bytes());
        hash
    };
    (0..count)
        .map(|at| Revoked {
            kid: signer.kid(),
            kind: HashKind::Signature,
            hash: other(&mut random),
            reason: if at % 3 == 0 { RevokedReason::Revoked } else { RevokedReason::Superseded },
        })
        .collect()
}

#[test]
fn gives_the_verdict_for_each_cause() {
    let (signer, listed) = signer();
    let (text, revoked) = certificate(&signer);
    let ours = list(vec![listed.clone()]);
    let empty = wait(revocation_files(vec![], &signer, now())).unwrap();
    let verdict = |text: &str, signers: &SignerList, at| verify(text, signers, &empty, at).verdict;
    assert_eq!(verdict(&text, &ours, now()), Verdict::Valid);
    assert_eq!(verdict(&text, &ours, now() - 1.hour()), Verdict::NotYetValid);
    assert_eq!(verdict(&text, &ours, now() + 24.hours() * 701), Verdict::Expired);
    assert_eq!(verdict(&text, &list(vec![]), now()), Verdict::IssuerUnknown);
    let withdrawn = list(vec![ListedSigner { status: SignerStatus::Revoked, ..listed.clone() }]);
    assert_eq!(verdict(&text, &withdrawn, now()), Verdict::IssuerUnknown);
    let retired = list(vec![ListedSigner { status: SignerStatus::Retired, ..listed }]);
    assert_eq!(
        verdict(&text, &retired, now()),
        Verdict::Valid,
        "certificates of a retired signer stay valid"
    );
    assert_eq!(verdict("Bukti", &ours, now()), Verdict::NotACertificate);
    assert_eq!(verdict(&text[..text.len() - 6], &ours, now()), Verdict::Damaged);

    for (reason, expected) in
        [(RevokedReason::Revoked, Verdict::Revoked), (RevokedReason::Superseded, Verdict::Superseded)]
    {
        let files = wait(revocation_files(vec![Revoked { reason, ..revoked }], &signer, now())).unwrap();
        for at in [now(), now() + 24.hours() * 701] {
            assert_eq!(verify(&text, &ours, &files, at).verdict, expected);
        }
    }
}

#[test]
fn report_states_whether_revocation_was_checked() {
    let (signer, listed) = signer();
    let (text, revoked) = certificate(&signer);
    let ours = list(vec![listed]);
    let files = wait(revocation_files(others(&signer, 3), &signer, now())).unwrap();
    let state = |files: &[PublicFile]| verify(&text, &ours, files, now()).revocation;
    assert_eq!(state(&files), RevocationState::Checked);
    assert_eq!(state(&files[1..]), RevocationState::Unavailable, "without its partition");
    assert_eq!(state(&[]), RevocationState::Unavailable, "without the index");
    let unlisted = wait(revocation_files(vec![Revoked { kid: [0; 8], ..revoked }], &signer, now())).unwrap();
    assert_eq!(state(&unlisted), RevocationState::Checked, "its signer has no list");

    // The index is from today; the cached partition is from yesterday.
    let yesterday = now() - 24.hours();
    let mut cached = wait(revocation_files(others(&signer, 3), &signer, yesterday)).unwrap();
    assert_eq!(verify(&text, &ours, &files, now()).revocation_as_of, Some(now()));
    cached[1] = files[1].clone();
    assert_eq!(verify(&text, &ours, &cached, now()).revocation_as_of, Some(yesterday));
}

#[test]
fn revocation_is_unknown_without_current_lists_of_the_issuer() {
    let (signer, listed) = signer();
    let (text, _) = certificate(&signer);
    let files = wait(revocation_files(others(&signer, 3), &signer, now())).unwrap();
    let ours = list(vec![listed.clone()]);
    let found = |signers: &SignerList, files: &[PublicFile], at| {
        let report = verify(&text, signers, files, at);
        (report.verdict, report.revocation)
    };
    let last = now() + MAX_LIST_AGE;
    assert_eq!(found(&ours, &files, last), (Verdict::Valid, RevocationState::Checked));
    let late = last + 1.second();
    assert_eq!(found(&ours, &files, late), (Verdict::RevocationUnknown, RevocationState::Outdated));
    assert_eq!(found(&ours, &[], now()), (Verdict::RevocationUnknown, RevocationState::Unavailable));

    // Our lists do not cover a certificate of another issuer, even if its key id equals one of
    // ours.
    let (home, home_listed) = self::signer();
    let files = wait(revocation_files(others(&home, 3), &home, now())).unwrap();
    let imported = ListedSigner { source: SignerSource::Imported, ..listed };
    let same_kid = ListedSigner { kid: home_listed.kid.clone(), ..imported.clone() };
    let foreign = (Verdict::RevocationUnknown, RevocationState::NotCovered);
    assert_eq!(found(&list(vec![home_listed.clone(), imported.clone()]), &files, now()), foreign);
    let both = list(vec![home_listed, same_kid]);
    let mut checked = check(&text, &both.trusted(), now());
    // Simulates a certificate of the imported signer under our signer's key id.
    checked.kid = Some(home.kid().to_vec());
    checked.signer = Some(1);
    let index = RevocationIndex::read(&files.last().unwrap().bytes, &both.own()).unwrap();
    let (own, index) = (&both.own()[..], Some(&index));
    let revocations = Revocations { own, index, partitions: &[], newest_seen: None, at: now() };
    assert_eq!(judge(checked, &both.trusted(), &revocations).revocation, RevocationState::NotCovered);
}

#[test]
fn check_fetches_under_50_kb_of_million_revoked() {
    let (signer, listed) = signer();
    let (text, revoked) = certificate(&signer);
    let mut all = others(&signer, 999_999);
    all.push(revoked);
    let files = wait(revocation_files(all.clone(), &signer, now())).unwrap();
    let own = list(vec![listed.clone()]).own();
    let size = |path: &str| files.iter().find(|file| file.path == path).unwrap().bytes.len();
    let index = &files.last().unwrap().bytes;
    let index = RevocationIndex::read(index, &own).unwrap();
    let checked = check(&text, &own, now());
    let fetched = size(RevocationIndex::PATH)
        + index.partitions_for(&checked).iter().map(|path| size(path)).sum::<usize>();
    println!("{} files, {fetched} bytes for one check", files.len());
    assert!(fetched < 50_000, "{fetched} bytes");
    let largest = files.iter().map(|file| file.bytes.len()).max().unwrap();
    assert!(largest < 20_000, "even the largest file has {largest} bytes");
    let ours = list(vec![listed]);
    assert_eq!(verify(&text, &ours, &files, now()).verdict, Verdict::Revoked);
    assert_eq!(verify(&certificate(&signer).0, &ours, &files, now()).verdict, Verdict::Valid);

    // The totals in the index match the published files.
    let total: u64 = index.lists.iter().map(|list| list.count).sum();
    assert_eq!(total, 1_000_000);
    let published: usize = files.iter().map(|file| file.bytes.len()).sum();
    let estimated = index.total_bytes() as usize;
    assert!(estimated.abs_diff(published) < published / 20, "estimated {estimated}, published {published}");
    assert_eq!(index.all_partitions().len(), files.len() - 1);
}

#[test]
fn rejects_changed_moved_or_foreign_revocation_lists() {
    let (signer, listed) = signer();
    let (foreign, foreign_listed) = self::signer();
    let own = list(vec![listed.clone()]).own();
    let files = wait(revocation_files(others(&signer, 2000), &signer, now())).unwrap();
    let [one, other, ..] = &files[..] else { unreachable!() };
    assert!(Partition::read(&one.path, &one.bytes, &own).is_ok());
    assert_eq!(Partition::read(&one.path, &other.bytes, &own), Err(RevocationError::Damaged));
    for at in (0..one.bytes.len()).step_by(7) {
        let mut changed = one.bytes.clone();
        changed[at] ^= 1;
        assert!(Partition::read(&one.path, &changed, &own).is_err(), "byte {at}");
    }
    // An imported signer may sign its own certificates, but not our revocation lists.
    let imported = ListedSigner { source: SignerSource::Imported, ..foreign_listed };
    let both = list(vec![listed, imported]);
    let forged = wait(revocation_files(vec![], &foreign, now())).unwrap();
    assert_eq!(RevocationIndex::read(&forged[0].bytes, &both.own()), Err(RevocationError::NotTrusted));
    // A certificate must not be accepted as a list.
    assert_eq!(RevocationIndex::read(certificate(&signer).0.as_bytes(), &own), Err(RevocationError::Damaged));
}

#[test]
fn exported_did_document_can_be_imported() {
    let (signer, listed) = signer();
    let (text, _) = certificate(&signer);
    let withdrawn = ListedSigner { status: SignerStatus::Revoked, ..self::signer().1 };
    let document = did_document("bukti.example.go.id:8443", &[listed.clone(), withdrawn]);
    assert_eq!(document["id"], "did:web:bukti.example.go.id%3A8443:trust");
    let imported = read_issuers(&document.to_string()).unwrap();
    let expected = ListedSigner { source: SignerSource::Imported, ..listed };
    assert_eq!(imported, [expected]);
    let checked = check(&text, &list(imported).trusted(), now());
    assert_eq!(checked.steps.signature, Some(true));
}

/// Creates a GDHCN document with one key that has this id and these fields.
fn gdhcn(id: &str, mut jwk: Value) -> String {
    jwk["kty"] = json!("EC");
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": "did:web:tng-cdn.who.int:v2:trustlist:-:XXA:DSC",
        "verificationMethod": [
            "did:web:tng-cdn.who.int:v2:trustlist:-:XXA:DSC#elsewhere",
            {"id": format!("did:web:tng-cdn.who.int:v2:trustlist:-:XXA:DSC#{id}"), "type": "JsonWebKey2020",
             "controller": "did:web:tng-cdn.who.int:v2:trustlist:-:XXA:DSC", "publicKeyJwk": jwk},
        ],
    })
    .to_string()
}

/// The coordinates of a signer's public key, 32 bytes each.
fn coordinates(signer: &TrustedSigner) -> (Vec<u8>, Vec<u8>) {
    let spki = signer.key.to_der().unwrap();
    let point = &spki[spki.len() - 64..];
    (point[..32].to_vec(), point[32..].to_vec())
}

#[test]
fn imports_bare_keys_with_or_without_leading_zeros() {
    // A key whose x coordinate starts with a zero byte. Some issuers write that byte; others omit
    // it.
    let (signer, listed) = std::iter::repeat_with(signer)
        .find(|(_, listed)| coordinates(&listed.trusted().unwrap()).0[0] == 0)
        .unwrap();
    let (text, _) = certificate(&signer);
    let (x, y) = coordinates(&listed.trusted().unwrap());
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let kid = STANDARD.encode(signer.kid()).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for (x, y) in [
        (encode(&x), encode(&y)),
        (encode(&[&[0], &x[..]].concat()), encode(&[&[0], &y[..]].concat())),
        (encode(&x[1..]), encode(&y)),
    ] {
        let document = gdhcn(&kid, json!({"crv": "P-256", "x": x, "y": y}));
        let imported = read_issuers(&document).unwrap();
        assert_eq!(imported[0].participant.as_deref(), Some("XXA"));
        assert_eq!(imported[0].kid, listed.kid);
        let checked = check(&text, &list(imported).trusted(), now());
        assert_eq!(checked.steps.signature, Some(true));
    }
}

#[test]
fn imports_plain_list_and_plain_array() {
    let (_, listed) = signer();
    let array = json!([{"kid": listed.kid, "certificate": listed.certificate, "status": "active"}]);
    let [imported] = &read_issuers(&array.to_string()).unwrap()[..] else { unreachable!() };
    assert_eq!((&imported.kid, imported.source), (&listed.kid, SignerSource::Imported));
    let object = json!({"issued_at": "2026-01-01T00:00:00Z", "signers": [listed]});
    assert_eq!(read_issuers(&object.to_string()).unwrap()[0].source, SignerSource::Imported);
}

#[test]
fn one_unreadable_key_fails_the_whole_import() {
    let (_, listed) = signer();
    let two = json!([listed, {"kid": "AAAAAAAAAAA=", "certificate": "AAAA", "status": "active"}]);
    let error = read_issuers(&two.to_string()).unwrap_err();
    assert!(matches!(&error, ImportError::Key { at: 2, kid } if kid == "AAAAAAAAAAA="), "{error}");
    for jwk in [
        json!({"crv": "P-256"}),
        json!({"x": "AQ", "y": "AQ"}),
        json!({"x": "!", "y": "AQ"}),
        json!({"x": URL_SAFE_NO_PAD.encode([1; 33]), "y": "AQ"}),
        json!({"x5c": ["AAAA"]}),
    ] {
        let error = read_issuers(&gdhcn("AAAAAAAAAAA%3D", jwk.clone())).unwrap_err();
        assert!(matches!(error, ImportError::Key { at: 2, .. }), "{jwk}");
    }
    for text in ["", "{}", "[1]", "null", "HC1:"] {
        assert!(matches!(read_issuers(text), Err(ImportError::Unknown(_))), "{text}");
    }
}

#[test]
fn unreadable_certificate_has_no_partitions() {
    let (signer, listed) = signer();
    let own = list(vec![listed]).own();
    let files = wait(revocation_files(others(&signer, 10), &signer, now())).unwrap();
    let index = RevocationIndex::read(&files.last().unwrap().bytes, &own).unwrap();
    let checked: Checked = check("HC1:NCF", &own, now());
    assert!(index.partitions_for(&checked).is_empty());
}

proptest::proptest! {
    #[test]
    fn arbitrary_files_do_not_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in "\\PC{0,100}") {
        proptest::prop_assert!(RevocationIndex::read(&bytes, &[]).is_err());
        proptest::prop_assert!(Partition::read("trust", &bytes, &[]).is_err());
        proptest::prop_assert!(SignerList::read(&bytes).is_err());
        let _ = read_issuers(&text);
    }
}

#[test]
fn total_size_saturates_for_huge_counts() {
    let list = IndexedList { kid: vec![1; 8], kind: HashKind::Uci, bits: 20, count: u64::MAX };
    let index = RevocationIndex { issued_at: Timestamp::UNIX_EPOCH, lists: vec![list.clone(), list] };
    assert_eq!(index.total_bytes(), u64::MAX);
}
