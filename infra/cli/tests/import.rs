//! Tests imports, reports and the choice of the deployment against an embedded stack.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Output, Stdio};

use bukti_local::{Options, Stack};

const HEADER: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,\
                      tanggal_vaksinasi,kode_faskes,nama_faskes";
const ROW: &str = "T-1,2021-01-29T08:41:34+07:00,3171012401896246,,Iwan Ibrahim,1989-01-24,L,082106690743,1,Janssen,\
                   AZ56327A,2021-01-29,P3174020101,Puskesmas";

async fn bukti(folder: &Path, arguments: &[&str]) -> Output {
    bukti_with(folder, arguments, &[]).await
}

/// Runs the command with only these environment variables.
async fn bukti_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_bukti"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn import_reports_rows_and_waits_for_sms() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(".bukti");
    let stack = Stack::start(Options { port: 0, data, ..Default::default() }).await.unwrap();
    std::fs::write(folder.path().join("doses.csv"), format!("{HEADER}\n{ROW}\nT-2,broken\n")).unwrap();

    // Without `--endpoint`, the stack is found by the file `.bukti/endpoint`.
    let output = bukti(folder.path(), &["import", "doses.csv", "--report", "report.csv"]).await;
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.contains(stack.url()), "{err}");
    assert!(out.starts_with("2 rows\n"), "{out}");
    let report = std::fs::read_to_string(folder.path().join("report.csv")).unwrap();
    assert!(
        report.starts_with("line,event_id,outcome,reasons,duplicate_of\n2,T-1,issued,,\n3,T-2,rejected,"),
        "{report}"
    );
    // The command has waited until the SMS was sent.
    assert_eq!(stack.outbox().unwrap().len(), 1);
    assert_eq!(stack.outbox().unwrap()[0].to, "+6282106690743");

    let job = err.split("is job ").nth(1).unwrap().split('.').next().unwrap();
    let report_again = bukti(folder.path(), &["report", job, "--endpoint", stack.url()]).await;
    assert_eq!(texts(&report_again).0, report);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_files_and_wrong_usage_have_clear_messages() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Stack::start(Options { port: 0, data, ..Default::default() }).await.unwrap();
    let import = async |content: &[u8]| {
        std::fs::write(folder.path().join("doses.csv"), content).unwrap();
        let output = bukti(folder.path(), &["import", "doses.csv", "--endpoint", stack.url()]).await;
        (output.status.code(), texts(&output).1)
    };
    let (code, err) = import(b"a,b\n1,2\n").await;
    assert_eq!(code, Some(1));
    assert!(err.contains("doses.csv, line 1:"), "{err}");
    let mut not_utf8 = format!("{HEADER}\n{ROW}\n").into_bytes();
    not_utf8.extend(ROW.replace("T-1", "T-3").bytes().map(|byte| if byte == b'w' { 0xff } else { byte }));
    not_utf8.push(b'\n');
    let (code, err) = import(&not_utf8).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("doses.csv, line 3:"), "{err}");

    // These files are rejected before the upload.
    let header = HEADER.as_bytes();
    let unreadable = format!("{HEADER}\nT-1,broken\nT-2\n");
    let latin_1 = [header, b"\n", ROW.replace("Iwan", "Ren?").as_bytes()].concat();
    let latin_1: Vec<u8> = latin_1.iter().map(|byte| if *byte == b'?' { 0xe9 } else { *byte }).collect();
    for (content, cause) in [
        (&b""[..], "line 1: the file has no header row (empty)"),
        (b"\n ;;;\n\n", "the file has no header row (empty)"),
        (header, "line 1: there is no row below the header (no_rows)"),
        (format!("{HEADER}\n,,,,,,,,,,,,,\n").as_bytes(), "(no_rows)"),
        (
            unreadable.as_bytes(),
            "line 2: no row has as many fields as the header, or is one at all (row_malformed)",
        ),
        (&latin_1, "line 2: no row is UTF-8: save the file as \"CSV UTF-8\" and import that (not_utf8)"),
        (b"{\"event_id\":\n{}}\n", "line 1: no row has as many fields"),
        (b"%PDF-1.7\n", "line 1: this is a PDF: send the table that it was made from, as CSV (pdf)"),
        (b"<html><table><tr><td>event_id", "(html_page)"),
        (b"PK\x03\x04....doses.csv", "(archive)"),
        (
            b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml",
            "cannot read the workbook doses.csv: it is damaged",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "cannot read the workbook doses.csv: it is damaged"),
    ] {
        let (code, err) = import(content).await;
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(cause), "{cause}: {err}");
        assert_eq!(err.trim().lines().count(), 1, "{err}");
        assert!(!err.contains("is job") && !err.contains("certificates"), "{err}");
    }

    std::fs::write(folder.path().join("doses.csv"), format!("{HEADER}\n{ROW}\n")).unwrap();
    for (arguments, code, text) in [
        (&["import", "."][..], 1, "it is no file"),
        (&["import", "absent.csv"][..], 1, "cannot read absent.csv"),
        (&["import", "doses.csv", "--report", "no/report.csv"], 1, "there is no folder no"),
        (&["import", "doses.csv", "--endpoint", "http://127.0.0.1:9"], 1, "cargo xtask up"),
        (&["report", "0123", "--endpoint", stack.url()], 1, "there is no job 0123"),
        (&["import"], 2, "Usage"),
    ] {
        let output = bukti(folder.path(), arguments).await;
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(err.contains(text), "{arguments:?}: {err}");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_choice_between_stack_and_aws() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(".bukti");
    let stack = Stack::start(Options { port: 0, data, ..Default::default() }).await.unwrap();
    let url = stack.url();
    let list = &["trust", "list"][..];
    let run = async |more: &[&str], variables: &[(&str, &str)]| {
        let output = bukti_with(folder.path(), &[list, more].concat(), variables).await;
        (output.status.code().unwrap(), texts(&output).1)
    };
    for setting in [("AWS_PROFILE", "prod"), ("AWS_ACCESS_KEY_ID", "AKIA"), ("BUKTI_TABLE", "bukti")] {
        let (code, err) = run(&[], &[setting]).await;
        assert_eq!(code, 1, "{setting:?}");
        assert!(err.contains(&format!("--endpoint {url} or --aws")), "{err}");
        assert!(err.contains(setting.0) || err.contains("the table bukti"), "{err}");
        let (code, err) = run(&["--endpoint", url], &[setting]).await;
        assert_eq!((code, err.contains(&format!("Using the stack at {url}."))), (0, true), "{err}");
        assert_eq!(run(&[], &[setting, ("BUKTI_TARGET", url)]).await.0, 0);
    }
    // If AWS is chosen, the stack is not used.
    for (more, target) in [(&["--aws"][..], ""), (&[], "aws")] {
        let (code, err) = run(more, &[("AWS_REGION", "ap-southeast-3"), ("BUKTI_TARGET", target)]).await;
        assert_eq!((code, err.contains("name the table")), (1, true), "{err}");
    }
    let (code, err) = run(&[], &[("BUKTI_TARGET", "production")]).await;
    assert_eq!((code, err.contains("BUKTI_TARGET is production")), (1, true), "{err}");
    assert_eq!(run(&["--aws", "--endpoint", url], &[]).await.0, 2);
    // Requests to an embedded stack ignore the proxy settings.
    for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let (code, err) = run(&["--endpoint", url], &[(proxy, "http://127.0.0.1:9")]).await;
        assert_eq!(code, 0, "{proxy}: {err}");
    }
    stack.stop().await;
}
