//! Feeds in each format: row results, certificates and SMS.

use std::io::Write;
use std::path::{Path, PathBuf};

use bukti_domain::FeedRow;
use bukti_tests::expected::{
    assert_report, assert_sms, count_documents, expected_of_sample, find_files, generate_feed,
};
use bukti_tests::{
    Report, TestApp, call, csv, deduplicated_sms, dose, dose_for, fhir_bundle, import, ndjson, sample_feed,
};
use bukti_wire::HolderRoute;
use serde_json::json;

#[test]
fn sample_feed_has_expected_results_and_import_is_idempotent() {
    let Some(folder) = sample_feed() else { return };
    let app = TestApp::start();
    let expected = expected_of_sample(&folder);
    let (feed, first_report) = (app.data.path().join("feed.csv"), app.data.path().join("feed.report"));
    std::fs::copy(folder.join("doses-1.csv"), &feed).unwrap();

    let (output, report) = import(app.url(), &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_report(&report, &expected);
    app.wait_until_idle();
    let messages = app.messages();
    assert_sms(&messages, &expected);
    assert_eq!(deduplicated_sms(app.url()), 0, "no SMS was sent twice");
    let documents = documents(&app);
    let issued = expected.iter().filter(|row| row.outcome == "issued").count();
    assert_eq!(documents, issued, "each certificate has a document");

    // A link that was sent to a phone before the phone was corrected is dead.
    for row in expected.iter().filter(|row| row.outcome == "superseded" && row.first_dose_sms) {
        for message in messages.iter().filter(|message| message.to == row.phone) {
            let request = json!({"token": message.token(), "birth_date": "1990-01-01"});
            assert_eq!(app.post(HolderRoute::Link.path(), request).code(), "link_dead", "line {}", row.line);
        }
    }

    std::fs::remove_file(first_report).unwrap();
    let (output, again) = import(app.url(), &feed);
    assert!(output.status.success());
    app.wait_until_idle();
    for row in &expected {
        assert_eq!(again[&row.line].0, "duplicate", "line {}", row.line);
    }
    assert_eq!(app.messages(), messages);
    assert_eq!(self::documents(&app), documents);
}

#[test]
fn generated_feed_has_expected_results() {
    let app = TestApp::start();
    let (feed, expected) = generate_feed(app.data.path(), 250, 7);
    assert!(expected.len() > 300, "{} rows", expected.len());
    let (output, report) = import(app.url(), &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_report(&report, &expected);
    app.wait_until_idle();
    assert_sms(&app.messages(), &expected);
}

/// A hub may use the same file name every day. Processed feeds are deleted, including feeds with
/// several parts.
#[test]
fn second_file_of_same_name_is_new_job() {
    let app = TestApp::start();
    app.upload_feed("harian.csv", csv(&[dose("E1")]));
    let first = app.job("harian").unwrap();
    assert_eq!((first.totals["issued"], first.parts_all), (1, Some(1)));

    let mut rows: Vec<FeedRow> = (0..4500).map(|at| dose_for(at, &format!("F{at}"))).collect();
    rows.iter_mut().for_each(|row| row.batch.clear());
    // This row is in the third part and corrects a row in the first part.
    rows.push(FeedRow { sent_at: "2021-02-01T08:00:00+07:00".to_owned(), ..dose_for(0, "F0") });
    app.upload_feed("harian.csv", csv(&rows));
    assert_eq!(app.job("harian").unwrap(), first);
    assert_eq!(documents(&app), 2);

    let intake = |folder: &'static str| move |path: &Path| path.to_string_lossy().contains(folder);
    let bucket = app.data.path().join("bucket");
    assert_eq!(find_files(&bucket, intake("/intake/feeds/")), Vec::<PathBuf>::new());
    assert_eq!(find_files(&bucket, intake("/intake/reports/")).len(), 2, "the reports of parts are deleted");
    let reports = find_files(&bucket, intake("/intake/reports/harian-"));
    let report = bukti_tests::read_report(&reports[0]);
    assert_eq!(report.len(), 4501);
    assert_eq!(report[&2], ("superseded".to_owned(), "batch_missing".to_owned()));
    assert_eq!(report[&3], ("incomplete".to_owned(), "batch_missing".to_owned()));
    assert_eq!(report[&4502], ("issued".to_owned(), String::new()));
}

/// Imports the sample feed as CSV. Returns its records, starting with the header, the report, and
/// the recipients of the SMS. Uses only the first 600 rows unless `BUKTI_THOROUGH` is set.
fn sample_as_csv(folder: &Path) -> (Vec<csv::StringRecord>, Report, Vec<String>) {
    let count = if std::env::var_os("BUKTI_THOROUGH").is_some() { usize::MAX } else { 601 };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_path(folder.join("doses-1.csv")).unwrap();
    let records: Vec<_> = reader.records().map(|record| record.unwrap()).take(count).collect();
    let app = TestApp::start();
    let feed = app.data.path().join("feed.csv");
    std::fs::write(&feed, separated(&records, b',')).unwrap();
    let (output, report) = import(app.url(), &feed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(report.len(), records.len() - 1);
    for outcome in ["issued", "incomplete", "held", "rejected", "superseded", "duplicate"] {
        assert!(report.values().any(|row| row.0 == outcome), "no row is {outcome}");
    }
    app.wait_until_idle();
    (records, report, recipients(&app))
}

/// The phones to which SMS were sent, sorted; a phone occurs once per SMS.
fn recipients(app: &TestApp) -> Vec<String> {
    let mut recipients: Vec<String> = app.messages().into_iter().map(|message| message.to).collect();
    recipients.sort();
    recipients
}

fn separated(records: &[csv::StringRecord], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    records.iter().for_each(|record| writer.write_record(record).unwrap());
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn assert_all_duplicate(report: &Report, expected: &Report) {
    assert_eq!(report.len(), expected.len());
    for (line, row) in report {
        assert_eq!(row.0, "duplicate", "line {line}");
    }
}

/// Each format preserves every field of a row: after an import in one format, all rows in another
/// format are duplicates.
#[test]
fn sample_feed_has_same_results_as_ndjson_and_fhir() {
    let Some(folder) = sample_feed() else { return };
    let (records, expected, _) = sample_as_csv(&folder);
    let app = TestApp::start();
    let row = |record: &csv::StringRecord| record.deserialize(Some(&records[0])).unwrap();
    let rows: Vec<FeedRow> = records[1..].iter().map(row).collect();
    let import_file = |name: &str, file: &[u8]| {
        let path = app.data.path().join(name);
        std::fs::write(&path, file).unwrap();
        let (output, report) = import(app.url(), &path);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // NDJSON and FHIR have no header line, so their line numbers are one lower.
        report.into_iter().map(|(line, row)| (line + 1, row)).collect::<Report>()
    };

    assert_eq!(import_file("feed.ndjson.zst", &zstd::encode_all(&*ndjson(&rows), 3).unwrap()), expected);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&fhir_bundle(&rows)).unwrap();
    assert_all_duplicate(&import_file("feed.json.gz", &gzip.finish().unwrap()), &expected);
}

/// Writes records to an Excel workbook. If `is_typed` is set, dose numbers, dates and times are
/// stored as numbers, as spreadsheets do. Otherwise, all cells contain text.
fn workbook(records: &[csv::StringRecord], is_typed: bool, path: &Path) {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    let date_format = rust_xlsxwriter::Format::new().set_num_format("dd/mm/yyyy");
    let time_format = rust_xlsxwriter::Format::new().set_num_format("dd/mm/yyyy hh:mm:ss");
    let epoch = jiff::civil::date(1899, 12, 30).at(0, 0, 0, 0);
    for (row, record) in (0..).zip(records) {
        for (column, text) in (0..).zip(record) {
            let header = records[0].get(usize::from(column)).unwrap();
            let is_typed = is_typed && row > 0;
            let day = bukti_domain::parse_date(text).filter(|_| is_typed && header.starts_with("tanggal_"));
            // Cells contain local time, so timestamps with other offsets remain text.
            let local = text.strip_suffix("+07:00").filter(|_| is_typed && header == "sent_at");
            let local = local.map(|local| local.parse::<jiff::civil::DateTime>().unwrap());
            let serial =
                |moment: jiff::civil::DateTime| moment.duration_since(epoch).as_secs_f64() / 86_400.0;
            let written = match (day, local) {
                (Some(day), _) => {
                    sheet.write_number_with_format(row, column, serial(day.at(0, 0, 0, 0)), &date_format)
                }
                (_, Some(local)) => sheet.write_number_with_format(row, column, serial(local), &time_format),
                _ if is_typed && header == "dosis_ke" && matches!(text, "1" | "2" | "3") => {
                    sheet.write_number(row, column, text.parse::<f64>().unwrap())
                }
                _ => sheet.write_string(row, column, text),
            };
            written.unwrap();
        }
    }
    // Add a second sheet, which the import must ignore.
    workbook.add_worksheet().write_string(0, 0, "catatan").unwrap();
    workbook.save(path).unwrap();
}

#[test]
fn sample_feed_has_same_results_as_workbook_and_tsv() {
    let Some(folder) = sample_feed() else { return };
    let (records, expected, expected_recipients) = sample_as_csv(&folder);
    let app = TestApp::start();
    let import_file = |name: &str, file: Option<Vec<u8>>, lines_before: u64| {
        let path = app.data.path().join(name);
        if let Some(file) = file {
            std::fs::write(&path, file).unwrap();
        }
        let (output, report) = import(app.url(), &path);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        report.into_iter().map(|(line, row)| (line - lines_before, row)).collect::<Report>()
    };

    workbook(&records, true, &app.data.path().join("feed.xlsx"));
    assert_eq!(import_file("feed.xlsx", None, 0), expected);
    app.wait_until_idle();
    assert_eq!(recipients(&app), expected_recipients);

    let separated = |delimiter: u8, line_end: &str| separated(&records, delimiter).replace('\n', line_end);
    let semicolons = format!("sep=;\r\n{};;;\r\n", separated(b';', ";;\r\n"));
    let tabs = format!("\u{feff}{}", separated(b'\t', "\r\n"));
    let little_endian: Vec<u8> = tabs.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big_endian = tabs.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    workbook(&records, false, &app.data.path().join("text.xlsx"));
    for (name, file, lines_before) in [
        ("text.xlsx", None, 0),
        ("semicolons.csv", Some(semicolons.into_bytes()), 1),
        ("tabs.txt", Some(little_endian), 0),
        ("tabs.txt.zst", Some(zstd::encode_all(&*big_endian, 3).unwrap()), 0),
    ] {
        assert_all_duplicate(&import_file(name, file, lines_before), &expected);
    }
}

/// The number of certificate documents in the bucket.
pub fn documents(app: &TestApp) -> usize {
    count_documents(app.data.path())
}

#[test]
fn rows_of_an_event_are_order_independent() {
    let mut completed = dose("E1");
    completed.sent_at = "2021-02-01T08:00:00+07:00".into();
    let mut incomplete = dose("E1");
    incomplete.batch.clear();
    for rows in [[incomplete.clone(), completed.clone()], [completed.clone(), incomplete.clone()]] {
        let app = TestApp::start();
        let report = app.import(&rows);
        let mut outcomes: Vec<_> = report.into_values().collect();
        outcomes.sort();
        let expected = [("issued", ""), ("superseded", "batch_missing")];
        assert_eq!(outcomes, expected.map(|(outcome, reason)| (outcome.to_owned(), reason.to_owned())));
        assert_eq!(app.messages().len(), 1);
    }
}

#[test]
fn completed_dose_gets_certificate_and_sms() {
    let app = TestApp::start();
    let mut row = dose("E1");
    row.batch.clear();
    assert_eq!(app.import(&[row.clone()])[&2], ("incomplete".to_owned(), "batch_missing".to_owned()));
    assert_eq!((app.messages().len(), documents(&app)), (0, 0));
    (row.batch, row.sent_at) = ("B1".into(), "2021-02-01T08:00:00+07:00".into());
    assert_eq!(app.import(&[row])[&2], ("issued".to_owned(), String::new()));
    assert_eq!((app.messages().len(), documents(&app)), (1, 1));
}

#[test]
fn phone_from_incomplete_row_gets_sms_after_completion() {
    let app = TestApp::start();
    let mut row = dose("E1");
    app.import(&[row.clone()]);
    let batch = std::mem::take(&mut row.batch);
    (row.no_hp, row.sent_at) = ("0813-1111-0001".into(), "2021-02-01T08:00:00+07:00".into());
    assert_eq!(app.import(&[row.clone()])[&2].0, "incomplete");
    assert_eq!(app.messages_to(&row.no_hp), []);
    (row.batch, row.sent_at) = (batch, "2021-02-02T08:00:00+07:00".into());
    assert_eq!(app.import(&[row.clone()])[&2].0, "issued");
    let [sms] = app.messages_to(&row.no_hp).try_into().unwrap();
    let opened =
        app.post(HolderRoute::Link.path(), json!({"token": sms.token(), "birth_date": row.tanggal_lahir}));
    assert_eq!((opened.status, documents(&app)), (200, 1), "{}", opened.code());
}

#[test]
fn damaged_file_names_line_and_keeps_whole_rows() {
    let app = TestApp::start();
    let feed = app.data.path().join("feed.csv");
    let run = |bytes: &[u8]| {
        std::fs::write(&feed, bytes).unwrap();
        let (output, report) = import(app.url(), &feed);
        app.wait_until_idle();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), report)
    };
    let whole = csv(&[dose("E1"), dose("E2")]);

    let (code, stderr, report) = run(&whole[..whole.len() - 40]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("line 3"), "{stderr}");
    assert_eq!(report.len(), 1);
    assert_eq!(app.messages().len(), 1, "the whole rows before the damage are kept");

    let (code, stderr, _) = run(b"a,b,c\n1,2,3\n");
    assert_eq!(code, Some(1));
    assert!(stderr.contains("line 1") && stderr.contains("event_id"), "{stderr}");

    let latin_1: Vec<u8> = csv(&[dose("E3")])[csv(&[]).len()..]
        .iter()
        .map(|byte| if *byte == b'I' { 0xe9 } else { *byte })
        .collect();
    let (code, stderr, report) =
        run(&[&whole[..], &latin_1, &csv(&[dose_for(4, "E4")])[csv(&[]).len()..]].concat());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("line 4"), "{stderr}");
    assert_eq!(report[&4], ("rejected".to_owned(), "not_utf8".to_owned()));
    assert_eq!(report[&5].0, "issued", "a malformed row does not stop the import");

    for (file, code_in_message) in [
        (b"".as_slice(), "empty"),
        (br#"{"resourceType": "Patient"}"#, "not_a_bundle"),
        (&zstd::encode_all(&*whole, 3).unwrap()[..100], "compression_broken"),
    ] {
        let (code, stderr, _) = run(file);
        assert_eq!(code, Some(1));
        assert!(stderr.contains(code_in_message), "{stderr}");
    }
}

#[test]
fn table_holds_no_personal_data_in_clear() {
    let app = TestApp::start();
    app.import(&[dose("E1")]);
    app.log_in("0821-0669-0743", Some("Rahasia Sekali"));
    app.status("Iwan Ibrahim Purnomo", "3171012401896246");
    // Request one quick download that matches a dose, and one that matches none.
    app.request_download(&dose("E1"));
    let mut unknown = dose("E1");
    (unknown.nik, unknown.nama) = ("3171012401896247".into(), "Purnomo".into());
    app.request_download(&unknown);
    app.wait_until_idle();
    assert_eq!(app.messages_to("0821-0669-0743").len(), 3, "first dose, code, quick download");
    let table: Vec<u8> = ["table.sqlite", "table.sqlite-wal"]
        .iter()
        .filter_map(|file| std::fs::read(app.data.path().join(file)).ok())
        .flatten()
        .collect();
    assert!(table.len() > 1000);
    for personal in
        ["3171012401896246", "3171012401896247", "Iwan", "Purnomo", "82106690743", "1989-01-24", "Rahasia"]
    {
        let found = table.windows(personal.len()).any(|window| window == personal.as_bytes());
        assert!(!found, "{personal} is in the table in clear");
    }
    let token = app.messages()[0].token().unwrap();
    assert!(
        !table.windows(token.len()).any(|window| window == token.as_bytes()),
        "a token is in the table in clear"
    );
    assert_eq!(call(app.url(), "GET", "/_stack.json", None, None).status, 200);
}
