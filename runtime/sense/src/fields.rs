//! The fields of one line of separated values.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// What may stand between fields, in the order in which they are looked for: a comma may be a decimal one beside the
/// others.
pub(super) const SEPARATORS: [u8; 3] = [b'\t', b';', b','];

/// Room for the bytes and the fields of a line from the start.
const SHORTEST_ROOM: usize = 256;

/// Splits lines, one at a time, into memory of its own.
pub(super) struct Fields {
    separator: u8,
    reader: Reader,
    /// A line in which no blank stands before a quote.
    close: String,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// The fields of a line.
pub(super) struct Row<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl Fields {
    pub(super) fn new(separator: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(separator).build();
        Self { separator, reader, close: String::new(), text: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn separator(&self) -> u8 {
        self.separator
    }

    /// The fields of `line`. A field that begins with a double quote may hold separators, and two quotes for one.
    pub(super) fn split(&mut self, line: &str) -> Row<'_> {
        let line = if self.without_blanks_before_quotes(line) { self.close.as_bytes() } else { line.as_bytes() };
        // one field more than there can be separators, and room for the lines to come
        if self.ends.len() <= line.len() {
            let room = (line.len() + 1).next_power_of_two().max(SHORTEST_ROOM);
            self.text.resize(room, 0);
            self.ends.resize(room, 0);
        }
        self.reader.reset();
        let (_, read, mut written, mut ended) = self.reader.read_record(line, &mut self.text, &mut self.ends);
        if read == line.len() {
            // the end of the line is the end of the record
            let (result, _, more, last) =
                self.reader.read_record(&[], &mut self.text[written..], &mut self.ends[ended..]);
            debug_assert!(line.is_empty() || matches!(result, ReadRecordResult::Record));
            written += more;
            ended += last;
        }
        Row { text: std::str::from_utf8(&self.text[..written]).unwrap_or_default(), ends: &self.ends[..ended] }
    }

    /// Whether blanks stand before quotes, and so would make them a part of the text: they are then left out in `close`.
    fn without_blanks_before_quotes(&mut self, line: &str) -> bool {
        let separator = char::from(self.separator);
        let stands_apart = |text: &str| text.trim_start_matches(' ').starts_with('"') && text.starts_with(' ');
        if memchr::memchr(b'"', line.as_bytes()).is_none() {
            return false;
        }
        if !stands_apart(line) && !line.split(separator).any(stands_apart) {
            return false;
        }
        self.close.clear();
        for (number, part) in line.split(separator).enumerate() {
            if number > 0 {
                self.close.push(separator);
            }
            self.close.push_str(if stands_apart(part) { part.trim_start_matches(' ') } else { part });
        }
        true
    }
}

impl<'a> Row<'a> {
    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields, without the blanks and the double quotes around them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let (text, ends) = (self.text, self.ends);
        let mut start = 0;
        ends.iter().map(move |&end| {
            let field = text.get(start..end).unwrap_or_default().trim();
            start = end;
            field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or(field, str::trim)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str, separator: u8) -> Vec<String> {
        Fields::new(separator).split(line).iter().map(str::to_owned).collect()
    }

    #[test]
    fn fields() {
        assert_eq!(split("1, 2 ,3", b','), ["1", "2", "3"]);
        assert_eq!(split("1,2,", b','), ["1", "2", ""]);
        assert_eq!(split("\t2\t", b'\t'), ["", "2", ""]);
        assert_eq!(split(r#"1,"a, b" , "c, d","say ""so""""#, b','), ["1", "a, b", "c, d", r#"say "so""#]);
        assert_eq!(split(r#" "1,5" ;2"#, b';'), ["1,5", "2"]);
        assert_eq!(split(r#"1,"no end"#, b','), ["1", "no end"]);
        assert_eq!(split("°,é", b','), ["°", "é"]);
        assert_eq!(split("only", b','), ["only"]);
    }

    proptest! {
        #[test]
        fn any_line_has_one_field_more_than_separators(line in "[a-z0-9 .;°]{1,40}(,[a-z0-9 .;°]{0,9}){0,9}") {
            let found = split(&line, b',');
            let expected: Vec<_> = line.split(',').map(|field| field.trim().to_owned()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
