//! Rows from the field, tested without a stack: the sample feed with inserted format characters,
//! and the cases in `../shared/field`. The test module `journeys/field.rs` sends these cases
//! through the whole system.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bukti_domain::feed::COLUMNS;
use bukti_domain::{FeedRow, transliterate};
use bukti_tests::{field_cases, sample_feed};
use jiff::Timestamp;
use proptest::prelude::*;

/// Invisible characters: zero-width characters, bidirectional controls, word joiner, byte order
/// mark, soft hyphen, variation selector, control characters.
const INVISIBLE: [char; 14] = [
    '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{202a}', '\u{202c}', '\u{2066}', '\u{2069}',
    '\u{2060}', '\u{feff}', '\u{ad}', '\u{fe0f}', '\u{1}', '\u{7f}',
];

fn rows_of(file: &std::path::Path) -> Vec<FeedRow> {
    csv::Reader::from_path(file).unwrap().deserialize().map(|row| row.unwrap()).collect()
}

/// The content that the certificate and the SMS for a row would have.
fn certified_content(row: &FeedRow) -> String {
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let row = row.cleaned();
    let (verdict, reasons) = row.judge(now);
    let dose = row.dose();
    let name = dose.certified_name().map(|name| {
        let (family, given) = (name.family().to_owned(), name.given().to_owned());
        (name.text().to_owned(), transliterate(&family), transliterate(&given), family, given)
    });
    let phone = dose.phone.as_ref().map(|phone| phone.e164().to_owned());
    format!("{verdict:?} {reasons:?} {name:?} {phone:?} {}", row.content())
}

#[test]
fn format_characters_in_sample_feed_have_no_effect() {
    let Some(folder) = sample_feed() else { return };
    let rows = rows_of(&folder.join("doses-1.csv"));
    let expected: Vec<String> = rows.iter().map(certified_content).collect();
    // A few insertions into the fields of a row, each with a field, a position and a character.
    let insertions = proptest::collection::vec(
        (0..COLUMNS.len(), any::<prop::sample::Index>(), 0..INVISIBLE.len()),
        1..12,
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(4000));
    runner
        .run(&(0..rows.len(), insertions), |(at, insertions)| {
            let mut fields = rows[at].fields().map(str::to_owned);
            for (field, position, character) in insertions {
                let text = &mut fields[field];
                let positions: Vec<usize> =
                    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                text.insert(positions[position.index(positions.len())], INVISIBLE[character]);
            }
            let changed = FeedRow::from_fields(fields.each_ref().map(String::as_str));
            prop_assert_eq!(certified_content(&changed), &*expected[at]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn field_cases_have_expected_verdicts() {
    let Some(folder) = field_cases() else { return };
    let now: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
    let rows = rows_of(&folder.join("rows.csv"));
    let mut expected = csv::Reader::from_path(folder.join("rows.expected.csv")).unwrap();
    let mut compared = 0;
    for (row, expected) in rows.iter().zip(expected.records()) {
        let expected = expected.unwrap();
        let row = row.cleaned();
        let (verdict, reasons) = row.judge(now);
        let reasons: Vec<&str> = reasons.iter().map(|reason| reason.code()).collect();
        assert_eq!(
            (verdict.outcome().code(), &*reasons.join(";")),
            (&expected[1], &expected[2]),
            "{}",
            &expected[0]
        );
        if &expected[1] == "issued" {
            let name = row.dose().certified_name().unwrap();
            assert_eq!((name.family(), name.given()), (&expected[4], &expected[5]), "{}", &expected[0]);
        }
        if !expected[3].is_empty() {
            assert_eq!(row.dose().phone.unwrap().e164(), &expected[3], "{}", &expected[0]);
        }
        compared += 1;
    }
    assert_eq!(compared, rows.len());
}
