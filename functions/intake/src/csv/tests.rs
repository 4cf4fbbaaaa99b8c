use crate::feed::{read_in_pieces, read_summaries};

const HEADER: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,tanggal_vaksinasi,kode_faskes,nama_faskes";

fn row(id: &str, facility: &str) -> String {
    format!("{id},2021-01-29T08:41:34+07:00,1,,Ayu,1989-01-24,P,08,1,CoronaVac,B,2021-01-29,F1,{facility}")
}

#[test]
fn numbers_rows_by_line_across_blank_and_quoted_lines() {
    let file = format!(
        "\u{feff}{HEADER}\r\n{}\r\n\r\n{}\r\n{}",
        row("A", "\"K \"\"S\"\",\nB\""),
        row("B", "P"),
        row("C", "P")
    );
    let (lines, problem) = read_summaries(file.as_bytes());
    assert_eq!(problem, None);
    let expected = [(2, "A K \"S\", B"), (5, "B P"), (6, "C P")];
    assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn rejects_lines_joined_by_a_stray_quote() {
    let file = [
        HEADER.to_owned(),
        row("A", "\"RS Harapan"),
        row("B", "Klinik"),
        row("C", "RS \"Sehat\""),
        row("D", "\"Klinik\" Sehat"),
        row("E", "\"Klinik \"\"Sehat\"\"\" "),
    ];
    for line_break in ["\n", "\r\n"] {
        let (lines, problem) = read_summaries((file.join(line_break) + line_break).as_bytes());
        assert_eq!(problem, None);
        let expected = [
            (2, "A RowMalformed"),
            (3, " RowMalformed"),
            (4, " RowMalformed"),
            (5, "D RowMalformed"),
            (6, "E Klinik \"Sehat\""),
        ];
        assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
    }
}

#[test]
fn reads_last_row_with_status_before_fill_bytes() {
    let rows = [format!("{HEADER},status"), row("A", "Klinik Sehat,"), row("B", ",entered-in-error")];
    let expected = vec![(2, "A Klinik Sehat".to_owned()), (3, "B ".to_owned())];
    assert_eq!(read_summaries(rows.join("\n").as_bytes()), (expected.clone(), None));
    for fill in ["\n\u{1a}", "\r\n\0\0\0"] {
        assert_eq!(read_summaries((rows.join("\n") + fill).as_bytes()), (expected.clone(), None));
    }
}

#[test]
fn reads_rows_separated_by_carriage_returns() {
    let file = format!("{HEADER}\r{}\r{}\r{}", row("A", "Puskesmas"), row("B", "Klinik"), row("C", "Klin"));
    let (lines, problem) = read_summaries(file.as_bytes());
    assert_eq!(problem.unwrap().code, "broken_off", "the name of the last facility is truncated");
    assert_eq!(lines.iter().map(|(_, text)| &**text).collect::<Vec<_>>(), ["A Puskesmas", "B Klinik"]);
}

#[test]
fn reads_columns_in_any_order() {
    let mut names: Vec<&str> = HEADER.split(',').collect();
    names.reverse();
    let row = row("A", "P");
    let mut fields: Vec<&str> = row.split(',').collect();
    fields.reverse();
    let (lines, problem) = read_summaries(format!("{}\n{}\n", names.join(","), fields.join(",")).as_bytes());
    assert_eq!((lines, problem), (vec![(2, "A P".to_owned())], None));
}

#[test]
fn reads_variants_of_spreadsheets() {
    let rows = [row("A", "Puskesmas"), row("B", "Klinik")];
    let plain = [HEADER, &rows[0], &rows[1]].join("\r\n");
    let expected =
        |lines: [u64; 2]| vec![(lines[0], "A Puskesmas".to_owned()), (lines[1], "B Klinik".to_owned())];
    for (delimiter, sep) in [(";", "sep=;"), ("\t", "sep=\t"), ("|", "SEP=|"), (",", "\"sep=,\"")] {
        let file = plain.replace(',', delimiter);
        assert_eq!(read_summaries(file.as_bytes()), (expected([2, 3]), None), "{delimiter:?}");
        let file = format!("\u{feff}{sep}\r\n{file}\r\n");
        assert_eq!(read_summaries(file.as_bytes()), (expected([3, 4]), None), "{sep:?}");
    }
    // Empty columns and rows at the end and in the middle, and a header with spaces and mixed case.
    let padded = plain.replace("\r\n", ";;;\r\n").replace(',', ";");
    let padded = padded.replacen("\r\n", "\r\n;;;;;;;\r\n", 2);
    assert_eq!(read_summaries(format!(";;\r\n{padded};;\r\n;;;\r\n \r\n").as_bytes()).0, expected([4, 6]));
    let titled =
        plain.replace("event_id", " Event ID").replace("no_hp", "\"No-HP\"").replace(",nik,", ",NIK,");
    assert_eq!(read_summaries(titled.as_bytes()), (expected([2, 3]), None));
    // A field without a column in the header is not padding.
    let more = format!("{plain},x\r\n");
    assert_eq!(read_summaries(more.as_bytes()).0[1], (3, "B RowMalformed".to_owned()));
}

/// Builds a file in which these columns come last.
fn ordered(columns: &[&str], rows: &[&str]) -> Vec<u8> {
    let rest = HEADER.split(',').filter(|column| !columns.contains(column));
    let header: Vec<&str> = rest.chain(columns.iter().copied()).collect();
    [&[header.join(",").as_str()], rows].concat().join("\n").into_bytes()
}

#[test]
fn pads_rows_with_omitted_trailing_fields() {
    let expected = |text: &str| vec![(2, text.to_owned()), (3, "B P".to_owned())];
    for (last, row, whole) in [
        (&["no_hp"][..], "A,t,,,Ayu,d,P,1,V,B,d,F,P", "B,t,,,Ayu,d,P,1,V,B,d,F,P,"),
        (&["paspor"], "A,t,1,Ayu,d,P,08,1,V,B,d,F,P", "B,t,1,Ayu,d,P,08,1,V,B,d,F,P,"),
        (&["jenis_kelamin", "no_hp"], "A,t,,,Ayu,d,1,V,B,d,F,P", "B,t,,,Ayu,d,1,V,B,d,F,P,,"),
        (&["no_hp", "status"], "A,t,,,Ayu,d,P,1,V,B,d,F,P", "B,t,,,Ayu,d,P,1,V,B,d,F,P,,"),
    ] {
        assert_eq!(read_summaries(&ordered(last, &[row, whole])), (expected("A P"), None), "{last:?}");
        // The last row of a file may be truncated.
        let truncated = read_summaries(&ordered(last, &[whole, row]));
        assert_eq!((truncated.0.len(), truncated.1.unwrap().code), (1, "broken_off".to_owned()), "{last:?}");
    }
    for (last, row) in [
        (&["tanggal_vaksinasi"][..], "A,t,,,Ayu,d,P,08,1,V,B,F,P"),
        (&["nama"], "A,t,1,,d,P,08,1,V,B,d,F,P"),
        (&["batch", "no_hp"], "A,t,1,,Ayu,d,P,1,V,d,F,P"),
    ] {
        let file = ordered(last, &[row, "B,t,1,,Ayu,d,P,08,1,V,B,d,F,P"]);
        assert_eq!(read_summaries(&file).0[0].1, "A RowMalformed", "{last:?}");
    }
}

#[test]
fn names_unknown_columns() {
    for (header, named) in [
        (format!("{HEADER},keterangan,no"), "keterangan, no"),
        (HEADER.replace(",nik,", ",,nik,"), "the one without a name after column 2"),
        (format!("{};Alamat Lengkap;;;", HEADER.replace(',', ";")), "alamat_lengkap"),
    ] {
        let problem = read_summaries(format!("{header}\n").as_bytes()).1.unwrap();
        assert_eq!((problem.line, &*problem.code), (1, "header_wrong"));
        assert!(problem.detail.ends_with(&format!("has: {named}")), "{}", problem.detail);
    }
}

#[test]
fn bad_rows_do_not_stop_the_others() {
    let mut file = format!("{HEADER}\n{}\nB,too few\n", row("A", "P")).into_bytes();
    file.extend(row("C", "Caf\u{fffd}").replace('\u{fffd}', "").as_bytes());
    file.extend(b"\xe9\n");
    file.extend(row("D", "P").as_bytes());
    let (lines, problem) = read_summaries(&file);
    assert_eq!(problem, None);
    let expected = [(2, "A P"), (3, "B RowMalformed"), (4, "C NotUtf8"), (5, "D P")];
    assert_eq!(lines, expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn truncated_file_names_line_and_keeps_complete_rows() {
    let whole = format!("{HEADER}\n{}\n", row("A", "\"Klinik \"\"Sehat\"\", Bandung\""));
    let file = format!("{whole}{}", row("B", "\"Klinik \"\"Sehat\"\", Bandung\""));
    for cut in 1..(file.len() - whole.len()) {
        let (lines, problem) = read_summaries(&file.as_bytes()[..whole.len() + cut]);
        assert_eq!(lines.len(), 1, "cut after {cut}");
        assert_eq!(
            problem.map(|problem| (problem.code, problem.line)),
            Some(("broken_off".to_owned(), 3)),
            "{cut}"
        );
    }
    let (lines, problem) = read_summaries(file.as_bytes());
    assert_eq!((lines.len(), problem), (2, None), "a last row without a line break is complete");
    let unquoted = format!("{HEADER}\n{}\n{}", row("A", "Puskesmas Kebayoran"), row("B", "Puskesmas Keb"));
    assert_eq!(read_summaries(unquoted.as_bytes()).1.map(|problem| problem.line), Some(3));
}

#[test]
fn reports_wrong_headers_and_empty_files() {
    for (file, code) in [
        (String::new(), "empty"),
        ("\n\n".to_owned(), "empty"),
        (";;;\r\n ; ;\r\n".to_owned(), "empty"),
        ("\t\t\n".to_owned(), "empty"),
        ("a,b,c\n1,2,3\n".to_owned(), "header_wrong"),
        (HEADER.replace("nik", "ktp"), "header_wrong"),
        (HEADER.replace("paspor", "nik"), "header_wrong"),
        (format!("{HEADER},x\n"), "header_wrong"),
    ] {
        assert_eq!(
            read_summaries(file.as_bytes()).1.map(|problem| problem.code).as_deref(),
            Some(code),
            "{file}"
        );
    }
    let long = format!("{HEADER}\n\"{}", "x".repeat(100_000));
    assert_eq!(
        read_summaries(long.as_bytes()).1.map(|problem| problem.code).as_deref(),
        Some("row_too_long")
    );
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(file in proptest::collection::vec(proptest::num::u8::ANY, 0..300), headed in proptest::bool::ANY) {
        let file = if headed { [HEADER.as_bytes(), b"\n", &file].concat() } else { file };
        let whole = read_in_pieces(&file, file.len().max(1));
        proptest::prop_assert_eq!(read_in_pieces(&file, 3), whole);
    }
}
