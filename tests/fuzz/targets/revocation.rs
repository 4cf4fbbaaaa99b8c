//! Reads arbitrary bytes as a file of a revocation list, raw and as the payload of a valid
//! signature.
#![no_main]

use std::sync::LazyLock;

use bukti_fuzz::{SIGNERS, check_and_judge, hc1, signed};
use bukti_hcert::Checked;
use bukti_trust::{Partition, RevocationIndex, Revocations, judge};
use jiff::Timestamp;

/// The external data that each file's signature covers; see
/// `functions/lib/trust/src/revocation.rs`.
const CONTEXT: &[u8] = b"bukti revocation list 1";

/// A certificate to look up in the lists. Its claims contain an empty payload.
static CHECKED: LazyLock<Checked> =
    LazyLock::new(|| check_and_judge(&hc1(&signed(&[0xa1, 0x39, 0x01, 0x03, 0xa1, 0x01, 0xa0], &[]))));

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for file in [content, &signed(content, CONTEXT)] {
        let partition = Partition::read("trust/revocation/00.cose", file, &SIGNERS);
        if let Ok(partition) = &partition {
            partition.reason(&CHECKED);
        }
        if let Ok(index) = RevocationIndex::read(file, &SIGNERS) {
            index.partitions_for(&CHECKED);
            index.total_bytes();
            let partitions = Vec::from_iter(partition);
            let (own, index, at) = (&SIGNERS[..], Some(&index), Timestamp::UNIX_EPOCH);
            let revocations = Revocations { own, index, partitions: &partitions, newest_seen: Some(at), at };
            judge(CHECKED.clone(), &SIGNERS, &revocations);
        }
    }
});
