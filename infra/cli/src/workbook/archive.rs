//! Measures the unpacked size of a workbook's archive before the workbook is read.

use std::io::{self, Cursor, Read, Write};

use anyhow::{Context, Result, ensure};

use super::SAVE_AS_CSV;

/// The maximum total size of the unpacked files, in bytes. It suffices for about half a million
/// rows.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// The maximum number of cells that an OpenDocument sheet may create with repeat counts.
const MAX_REPEATED_CELLS: u64 = 1_000_000;
/// The longest tag that is searched for a repeat count, in bytes.
const MAX_TAG: usize = 64 * 1024;

/// Rejects a workbook that is too large when unpacked. Accepts files that are not archives.
///
/// The files are unpacked and discarded, because the sizes stated in an archive may be false.
pub(super) fn check_unpacked_size(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(b"PK") {
        return Ok(());
    }
    let damaged = || format!("it is damaged: {SAVE_AS_CSV}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).with_context(damaged)?;
    let (mut unpacked, mut repeated) = (0, RepeatedCells::default());
    for at in 0..archive.len() {
        let file = archive.by_index(at).with_context(damaged)?;
        let is_content = file.name().is_ok_and(|name| name.eq_ignore_ascii_case("content.xml"));
        let mut file = file.take(MAX_UNPACKED + 1 - unpacked);
        unpacked += if is_content {
            io::copy(&mut file, &mut repeated).with_context(damaged)?
        } else {
            io::copy(&mut file, &mut io::sink()).with_context(damaged)?
        };
        ensure!(
            unpacked <= MAX_UNPACKED && repeated.count <= MAX_REPEATED_CELLS,
            "it becomes too large when it is unpacked: {SAVE_AS_CSV}"
        );
    }
    Ok(())
}

/// A writer for XML that counts how many filled cells are repeated within rows (OpenDocument 1.2,
/// part 1, section 19.675).
#[derive(Default)]
struct RepeatedCells {
    /// The part of the current tag read so far, without its `<`.
    tag: Option<Vec<u8>>,
    count: u64,
}

impl RepeatedCells {
    fn count_tag(&mut self, tag: &[u8]) {
        const REPEATED: &[u8] = b"number-columns-repeated=";
        let find = |part: &[u8]| tag.windows(part.len()).position(|found| found == part);
        // The reader discards cells without a value or a formula, whatever their repeat count.
        let is_filled = find(b"office:").is_some() || find(b"table:formula").is_some();
        let Some(at) = find(REPEATED).filter(|_| is_filled) else { return };
        let digits = tag[at + REPEATED.len()..].iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let times = digits
            .fold(0_u64, |times, digit| times.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        self.count = self.count.saturating_add(times);
    }
}

impl Write for RepeatedCells {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            match (byte, &mut self.tag) {
                (b'<', _) => self.tag = Some(Vec::new()),
                (b'>', Some(_)) => {
                    let tag = self.tag.take().unwrap_or_default();
                    self.count_tag(&tag);
                }
                (byte, Some(tag)) if tag.len() < MAX_TAG => tag.push(*byte),
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::workbook) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn rejects_archives_that_become_too_large() {
        let blanks = vec![b' '; 64 * 1024 * 1024];
        let files = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|name| (name, &*blanks));
        let bomb = archive(&files);
        assert!(bomb.len() < 1024 * 1024);
        assert!(check_unpacked_size(&bomb).unwrap_err().to_string().contains("too large"));
        check_unpacked_size(&archive(&files[..2])).unwrap();

        let cell = |times: &str, more: &str| {
            format!("<table:table-cell table:number-columns-repeated=\"{times}\"{more}><text:p>x</text:p>")
        };
        let content = |cell: String| archive(&[("content.xml", cell.repeat(100).as_bytes())]);
        let filled = " office:value-type=\"string\"";
        for times in ["16384", "99999999999999999999999"] {
            assert!(
                check_unpacked_size(&content(cell(times, filled)))
                    .unwrap_err()
                    .to_string()
                    .contains("too large")
            );
        }
        check_unpacked_size(&content(cell("3", filled))).unwrap();
        check_unpacked_size(&content(cell("16384", ""))).unwrap();
    }
}
