//! Tables of the suite's data: files of tab-separated columns, with the names of the columns on the first line.

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRow<const N: usize> {
    /// Its line in the file, counted from 1.
    pub line: usize,
    /// Its columns.
    pub columns: [String; N],
}

/// A line that does not fit the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedLine {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The rows of the table `text`, whose columns have to have these names.
///
/// # Errors
/// The first line that does not fit: another header, or another number of columns.
pub fn rows<const N: usize>(text: &str, names: [&str; N]) -> Result<Vec<TableRow<N>>, MalformedLine> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut has_header = false;
    for record in reader.records() {
        let record = record.map_err(|error| MalformedLine { line: 0, why: error.to_string() })?;
        let line = record.position().map_or(0, |place| line_of(text, place));
        if !has_header {
            if record != names[..] {
                break;
            }
            has_header = true;
            continue;
        }
        let columns: Vec<_> = record.iter().map(str::to_owned).collect();
        let columns = columns.try_into().map_err(|found: Vec<_>| {
            let why = format!("expected {N} columns, found {}", found.len());
            MalformedLine { line, why }
        })?;
        rows.push(TableRow { line, columns });
    }
    if has_header {
        Ok(rows)
    } else {
        Err(MalformedLine { line: 1, why: format!("expected the columns {}", names.join(", ")) })
    }
}

/// The line of a record. The reader's own place of it is before the empty lines that it skips.
fn line_of(text: &str, place: &csv::Position) -> usize {
    let [byte, line] = [place.byte(), place.line()].map(|number| usize::try_from(number).unwrap_or(0));
    let rest = text.get(byte..).unwrap_or_default();
    let skipped = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    line + rest[..skipped].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_lines() {
        let read = rows("id\ttext\na\t\"b\" c\n\nd\t\n", ["id", "text"]).unwrap();
        let row = |line, id: &str, text: &str| TableRow { line, columns: [id.to_owned(), text.to_owned()] };
        assert_eq!(read, [row(2, "a", "\"b\" c"), row(4, "d", "")]);
    }

    #[test]
    fn a_line_that_does_not_fit_is_an_error() {
        for (text, line, word) in [
            ("", 1, "id, text"),
            ("id\n", 1, "id, text"),
            ("text\tid\n", 1, "id, text"),
            ("id\ttext\na\tb\nc\n", 3, "found 1"),
            ("id\ttext\na\tb\tc\n", 2, "found 3"),
        ] {
            let malformed = rows(text, ["id", "text"]).unwrap_err();
            assert_eq!(malformed.line, line, "{text:?}");
            assert!(malformed.why.contains(word), "{text:?}: {malformed:?}");
        }
    }
}
