//! Writes a sheet as CSV, one line per row.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result, bail, ensure};
use bukti_intake::feed_column;
use calamine::Data;

use super::SAVE_AS_CSV;
use super::cells::cell_text;

/// The largest CSV that is written, in bytes. A long text that the workbook stores only once can
/// appear in many cells.
const MAX_CSV: u64 = 1024 * 1024 * 1024;
/// The longest accepted row, in bytes. The intake has the same limit.
const MAX_ROW: usize = 64 * 1024;
/// The last row and column of a sheet, counted from 0: cell XFD1048576.
const LAST_CELL: (u32, u32) = (1_048_575, 16_383);

/// Writes cells as lines of CSV. The cells must arrive in sheet order.
pub(super) struct CsvWriter<W: Write> {
    to: BufWriter<W>,
    written: u64,
    has_1904_epoch: bool,
    /// The feed's columns, by their position in the sheet. `None` until the header is written.
    columns: Option<Vec<Option<&'static str>>>,
    /// The number of the current row, counted from 0.
    row: u32,
    /// The fields of the current row so far.
    fields: Vec<String>,
    /// The length of the current row so far, in bytes.
    length: usize,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(to: W, has_1904_epoch: bool) -> Self {
        Self {
            to: BufWriter::new(to),
            written: 0,
            has_1904_epoch,
            columns: None,
            row: 0,
            fields: Vec::new(),
            length: 0,
        }
    }

    pub(super) fn write_cell(&mut self, (row, column): (u32, u32), cell: &Data) -> Result<()> {
        // Checked before the empty rows up to this cell are written: otherwise a reference of 11
        // bytes could produce a GiB of output.
        ensure!(
            row <= LAST_CELL.0 && column <= LAST_CELL.1,
            "it has a cell beyond XFD1048576, where a sheet ends: {SAVE_AS_CSV}"
        );
        let column = column as usize;
        ensure!(
            row >= self.row && (row > self.row || column >= self.fields.len()),
            "the cells of row {} are out of order: {SAVE_AS_CSV}",
            row + 1
        );
        while self.row < row {
            self.end_row()?;
        }
        let name = self.columns.as_ref().and_then(|columns| columns.get(column).copied()?);
        let text = cell_text(cell, name, self.has_1904_epoch);
        self.length += text.len();
        if self.length > MAX_ROW {
            bail!("row {} is longer than 64 KiB: shorten it, then import the workbook again", row + 1);
        }
        if !text.is_empty() {
            self.fields.resize(column, String::new());
            self.fields.push(text);
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<()> {
        let mut fields = std::mem::take(&mut self.fields);
        let mut line = vec![b'\n'];
        if !fields.is_empty() {
            // Workbooks omit empty cells, even at the end of a row. Without these fields the row
            // would look truncated.
            let width = self.columns.as_ref().map_or(0, Vec::len);
            fields.resize(fields.len().max(width), String::new());
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields)?;
            line = writer.into_inner().map_err(|error| error.into_error())?;
        }
        if self.columns.is_none() {
            let columns: Vec<_> = fields.iter().map(|name| feed_column(name)).collect();
            self.columns = columns.iter().any(Option::is_some).then_some(columns);
        }
        self.written += line.len() as u64;
        ensure!(self.written <= MAX_CSV, "its sheet is larger than 1 GiB: {SAVE_AS_CSV}");
        self.to.write_all(&line).context("cannot write a temporary file")?;
        (self.row, self.length) = (self.row + 1, 0);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        if !self.fields.is_empty() {
            self.end_row()?;
        }
        self.to.flush().context("cannot write a temporary file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_csv(cells: &[((u32, u32), Data)]) -> Result<String> {
        let mut out = Vec::new();
        let mut csv = CsvWriter::new(&mut out, false);
        cells.iter().try_for_each(|(at, cell)| csv.write_cell(*at, cell))?;
        csv.finish()?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn writes_one_line_per_row_of_the_sheet() {
        let string = |text: &str| Data::String(text.to_owned());
        let cells = [
            ((2, 1), string("NIK")),
            ((2, 3), string("Tanggal Lahir")),
            ((5, 1), Data::Float(3_171_012_401_896_246.0)),
            ((5, 3), Data::Float(32_532.0)),
            ((5, 9), string("")),
            ((6, 2), string("a \"b\"\n,c")),
        ];
        let expected =
            "\n\n,NIK,,Tanggal Lahir\n\n\n,3171012401896246.0,,1989-01-24\n,,\"a \"\"b\"\" ,c\",\n";
        assert_eq!(to_csv(&cells).unwrap(), expected);
        assert_eq!(to_csv(&[]).unwrap(), "");
        for wrong in [[(2, 1), (1, 1)], [(1, 2), (1, 1)], [(1, 1), (1, 1)]] {
            let cells = wrong.map(|at| (at, string("x")));
            assert!(to_csv(&cells).unwrap_err().to_string().contains("out of order"));
        }
    }

    #[test]
    fn rejects_rows_that_are_too_long() {
        let cells: Vec<_> = (0..16_384).map(|at| ((4, at), Data::String("12345".into()))).collect();
        assert!(to_csv(&cells).unwrap_err().to_string().contains("row 5 is longer than 64 KiB"));
    }
}
