//! Measures the peak memory of the readers. There is only one test in this file, since the peak is
//! measured for the whole process.

#![expect(clippy::unwrap_used, reason = "a panic is the failure message of a test")]

use std::io::Write;
use std::process::Command;

use bukti_intake::{FeedReader, Line};
use flate2::Compression;
use flate2::write::GzEncoder;

/// The maximum peak memory of the process, in KiB.
const MAX_PEAK_KIB: u64 = 64 * 1024;

/// The environment variable that names the case for the child process to read.
const CASE: &str = "BUKTI_MEMORY_CASE";
/// The maximum length of a request body, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;
/// Slightly less than the maximum length of a FHIR file, in bytes. Other formats are not buffered.
const LONGEST_FILE: usize = 16 * 1024 * 1024 - 1024;

const COLUMNS: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes\n";

/// The peak memory of this process, in KiB; `None` if the system has no `/proc`.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Compresses a text of this length with gzip: `before`, then `repeated` as often as it fits, then
/// `after`. The text is streamed, so that it does not count towards the peak.
fn gzipped(before: &str, repeated: &str, after: &str, length: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(before.as_bytes()).unwrap();
    let per_block = (64 * 1024 / repeated.len()).max(1);
    let block = repeated.repeat(per_block);
    let count = (length - before.len() - after.len()) / repeated.len();
    (0..count / per_block).for_each(|_| encoder.write_all(block.as_bytes()).unwrap());
    (0..count % per_block).for_each(|_| encoder.write_all(repeated.as_bytes()).unwrap());
    encoder.write_all(after.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Compressed rows, each from a different facility with a long name. Random digits keep the
/// compression ratio below the limit of 100.
fn facilities() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(COLUMNS.as_bytes()).unwrap();
    let name = "0".repeat(32 * 1024);
    let mut random = 1_u64;
    for at in 0..2_400 {
        write!(encoder, "E,,,,,,,,,,,,{at},{name}").unwrap();
        for _ in 0..40 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(encoder, "{random:016x}").unwrap();
        }
        encoder.write_all(b"\n").unwrap();
    }
    encoder.finish().unwrap()
}

/// Reads a file. Returns the code of its problem and the number of rows.
fn read(file: &[u8]) -> (Option<String>, usize) {
    let (mut reader, mut lines) = (FeedReader::default(), Vec::<Line>::new());
    let (mut rest, mut rows) = (Some(file), 0);
    while let Some(piece) = rest {
        match reader.push(piece, &mut lines) {
            Ok(left) => rest = left,
            Err(problem) => return (Some(problem.code), rows + lines.len()),
        }
        rows += lines.len();
        lines.clear();
    }
    let finished = reader.finish(&mut lines);
    (finished.err().map(|problem| problem.code), rows + lines.len())
}

#[test]
fn reads_any_body_of_1_mib_within_64_mib() {
    let entries = r#"{"resourceType":"Bundle","entry":["#;
    let identifiers = r#"{"resource":{"resourceType":"Patient","identifier":["#;
    let full_patient = format!("{identifiers}{}{{}}]}}}},", r#"{"system":"a","value":"b"},"#.repeat(60));
    let small_patient = r#"{"resource":{"resourceType":"Patient","name":[{},{}],"telecom":[{},{}]}},"#;
    let dose_number = r#"{"resource":{"resourceType":"Immunization","protocolApplied":[{"doseNumber":["#;
    let immunization = r#"{"resource":{"resourceType":"Immunization","status":"completed","patient":{"reference":"Patient/p"}}},"#;
    let named = |length: usize| {
        let patient = r#"{"resource":{"resourceType":"Patient","id":"p","name":[{"text":""#;
        format!("{entries}{patient}{}\"}}]}}}},", "x".repeat(length))
    };
    let resource = "{\"resourceType\":\"Patient\",\"identifier\":[{},{},{}]}\n";
    let long = "0".repeat(60_000);
    let file = |before: &str, repeated: &str, after: &str| gzipped(before, repeated, after, LONGEST_FILE);
    let rows = |before: &str, repeated: &str| gzipped(before, repeated, "", 2 * LONGEST_BODY);
    let first = "{\"event_id\":\"A\"}\n";
    let too_large = Some("bundle_too_large");
    let cases = [
        ("identifiers", file(&format!("{entries}{identifiers}"), "{},", "{}]}}]}"), None),
        ("identifiers of many", file(entries, &full_patient, "{}]}"), too_large),
        ("patients", gzipped(entries, small_patient, "{}]}", small_patient.len() * 9_990), None),
        ("a list as a number", file(&format!("{entries}{dose_number}"), "1,", "1]}]}}]}"), None),
        ("a long name", gzipped(&named(60_000), immunization, "{}]}", LONGEST_BODY), too_large),
        ("a longer name", gzipped(&named(LONGEST_BODY), immunization, "{}]}", LONGEST_BODY * 3 / 2), None),
        ("entries", file(entries, "{},", "{}]}"), too_large),
        ("a text", file(r#"{"resourceType":"Bundle","timestamp":""#, "0", r#"","entry":[]}"#), None),
        ("lists in lists", file(r#"{"resourceType":"Bundle","entry":"#, "[", ""), Some("nested_too_deeply")),
        ("resources", file("", resource, ""), too_large),
        ("a text without end", gzipped(r#"{"resourceType":""#, "0", "", 4 * LONGEST_FILE), too_large),
        ("empty rows", rows(first, "{}\n"), None),
        ("long rows", rows(first, &format!("{{\"nama\":\"{long}\"}}\n")), None),
        ("lists", rows(first, &format!("{{\"nama\":[{}1]}}\n", "1,".repeat(30_000))), None),
        ("short records", rows(COLUMNS, "E,,,,,,,,,,,,,P\n"), None),
        ("long records", rows(COLUMNS, &format!("E,,,,,,,,,,,,,{long}\n")), None),
        ("facilities", facilities(), None),
        ("fields", file(COLUMNS, ",", ""), Some("row_too_long")),
        ("columns", gzipped("", ",a", "\n", 30_000), Some("header_wrong")),
        ("a header", file("", "a", "\n"), Some("row_too_long")),
    ];
    // Each case runs in its own process, since the allocator keeps freed memory.
    let Ok(case) = std::env::var(CASE) else {
        for (name, ..) in cases {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["reads_any_body_of_1_mib_within_64_mib", "--exact", "--nocapture"]).env(CASE, name);
            assert!(child.status().unwrap().success(), "{name}");
        }
        return;
    };
    for (name, file, problem) in cases.into_iter().filter(|(name, ..)| *name == case) {
        assert!(file.len() <= LONGEST_BODY, "{name}: {} bytes", file.len());
        let before = peak_kib();
        let (found, rows) = read(&file);
        let after = peak_kib();
        let summary =
            format!("{name}: {} bytes, {rows} rows, {before:?} to {after:?} KiB, {found:?}", file.len());
        println!("{summary}");
        assert_eq!(found.as_deref(), problem, "{summary}");
        assert!(after.is_none_or(|peak| peak < MAX_PEAK_KIB), "{summary}");
    }
}
