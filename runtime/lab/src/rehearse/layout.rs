//! JSON that people can look at although it holds long lists of numbers.

use serde::Serialize;

/// `value` as JSON with every key on a line of its own and every list on one line, so that long lists of numbers stay
/// out of the way.
///
/// # Errors
/// When `value` cannot be JSON.
pub fn compact_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Layout::default()))?;
    text.push(b'\n');
    Ok(text)
}

/// Lays out objects over lines until the first list, and everything inside a list on one line.
#[derive(Default)]
struct Layout {
    depth: usize,
    lists: usize,
}

impl Layout {
    fn line<W: std::io::Write + ?Sized>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl serde_json::ser::Formatter for Layout {
    fn begin_array<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.lists += 1;
        writer.write_all(b"[")
    }

    fn end_array<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.lists -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        self.depth -= 1;
        if self.lists == 0 {
            self.line(writer)?;
        }
        writer.write_all(b"}")
    }

    fn begin_object_key<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if self.lists == 0 { self.line(writer) } else { Ok(()) }
    }

    fn begin_object_value<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(if self.lists == 0 { b": " } else { b":" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_on_one_line() {
        let value = serde_json::json!({"a": {"b": [1, 2, {"c": null}], "d": "x"}});
        let text = String::from_utf8(compact_json(&value).unwrap()).unwrap();
        assert_eq!(text, "{\n  \"a\": {\n    \"b\": [1,2,{\"c\":null}],\n    \"d\": \"x\"\n  }\n}\n");
    }
}
