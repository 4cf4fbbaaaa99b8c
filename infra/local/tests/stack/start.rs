//! Tests the start of a stack: its port, its data folder and its demo.

use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use bukti_local::{Options, Stack, StartError, demo};

use crate::{get, start};

#[tokio::test]
async fn allows_one_stack_per_folder_and_port() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stack = start(data.path()).await;
    let endpoint = data.path().join("endpoint");
    assert_eq!(std::fs::read_to_string(&endpoint).unwrap(), stack.url());
    let second = Stack::start(Options { port: 0, data: data.path().to_owned(), ..Default::default() }).await;
    assert!(matches!(second, Err(StartError::Locked { .. })));
    let port = stack.url().rsplit(':').next().unwrap().parse().unwrap();
    let second = Stack::start(Options { port, data: other.path().to_owned(), ..Default::default() }).await;
    let Err(error @ StartError::Port { .. }) = second else { panic!("the port is in use") };
    assert!(error.to_string().contains("--port"), "{error}");
    // Stacks with different ports and folders can run at the same time, each with its own keys.
    let third = start(other.path()).await;
    assert_ne!(third.info().secret_key, stack.info().secret_key);
    third.stop().await;
    stack.stop().await;
    assert!(!endpoint.exists());
}

#[test]
fn program_writes_files_for_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bukti-local"));
    command.args(["--port", "0", "--data"]).arg(&data).stdout(std::process::Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // The public lists are published after the first signer exists, and s3s-fs writes them.
    let list = data.join("bucket/bukti-public/trust/signers.json");
    let deadline = SystemTime::now() + Duration::from_secs(60);
    while !list.exists() && SystemTime::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let is_published = list.exists();
    let (mut folders, mut accessible) = (vec![data], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // This fails if the file has been replaced in the meantime.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.permissions().mode() & 0o077 != 0 {
                accessible.push(path.clone());
            }
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(is_published, "no list was published within a minute");
    assert_eq!(accessible, Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_demo_once_and_lists_examples() {
    const COLUMNS: &str = "event_id,sent_at,nik,paspor,nama,tanggal_lahir,jenis_kelamin,no_hp,dosis_ke,vaksin,batch,\
                           tanggal_vaksinasi,kode_faskes,nama_faskes,status";
    let row = |event: &str, nik: &str, name: &str, phone: &str, number: &str, batch: &str| {
        format!(
            "{event},2021-02-01T08:00:00+07:00,{nik},,{name},1989-01-24,L,{phone},{number},CoronaVac,{batch},2021-01-29,\
             P3174020101,Puskesmas,\n"
        )
    };
    let rows = [
        row("D1", "3171012401896241", "Iwan <b>", "081200000001", "1", "B1"),
        row("D2", "3171012401896242", "Budi", "081200000002", "1", ""),
        row("D3", "3171012501896243", "Sari", "081200000003", "1", "B1"),
        row("D4", "3171012401896244", "Dewi", "021", "1", "B1"),
        row("D5", "3171012401896245", "Agus", "081200000005", "3", "B1"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (data, feed) = (folder.path().join("data"), folder.path().join("feed.csv"));
    std::fs::write(&feed, format!("{COLUMNS}\n{}", rows.concat())).unwrap();
    let stack = Stack::start(Options { port: 0, data: data.clone(), ..Default::default() }).await.unwrap();
    let (status, _, page) = get(stack.url(), "/_demo").await;
    assert_eq!((status, page.contains("There are none")), (200, true), "{page}");
    for _ in 0..2 {
        demo::import(stack.info(), &data, &feed).await.unwrap();
        assert!(stack.wait_idle(Duration::from_secs(60)).await);
    }
    assert_eq!(stack.outbox().unwrap().len(), 1, "one SMS, for the complete first dose with a valid phone");
    let (_, _, page) = get(stack.url(), "/_demo").await;
    for name in ["Iwan &lt;b&gt;", "Budi", "Sari", "Dewi", "Agus"] {
        assert!(page.contains(name), "{name}: {page}");
    }
    stack.stop().await;
}
