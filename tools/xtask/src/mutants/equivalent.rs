//! The mutants that change nothing that a test could see, each with its reason.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::mutant::Mutant;
use super::subject::Subject;
use crate::tree::Tree;

/// Where they stand.
pub(super) const FILE: &str = "runtime/core/mutants.json";

/// All of them, with the sources that they are looked up in.
pub(super) struct Equivalents<'a> {
    tree: &'a Tree,
    entries: Vec<Entry>,
}

/// Names one mutant by what stays the same when lines move.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    file: String,
    function: String,
    mutation: String,
    /// The line of source that is changed, where the function has several mutants of that text.
    code: Option<String>,
}

impl<'a> Equivalents<'a> {
    pub(super) fn read(tree: &'a Tree) -> Result<Self> {
        let path = tree.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let entries = parse(&text).with_context(|| path.display().to_string())?;
        Ok(Self { tree, entries })
    }

    /// Those among the `mutants` of `subject`. An entry that names none of them, or several, is an error.
    pub(super) fn of(&self, subject: &Subject, mutants: &[Mutant]) -> Result<Vec<Mutant>> {
        let entries = self.entries.iter().filter(|entry| subject.has(&entry.file));
        entries
            .map(|entry| {
                let path = self.tree.join(&entry.file);
                let source =
                    fs::read_to_string(&path).with_context(|| format!("{FILE}: cannot read {}", path.display()))?;
                entry.find(&source, mutants)
            })
            .collect()
    }
}

fn parse(text: &str) -> Result<Vec<Entry>> {
    let value: Value = serde_json::from_str(text)?;
    let entries = value["equivalent"].as_array().context("`equivalent` is no list")?;
    entries
        .iter()
        .enumerate()
        .map(|(number, entry)| Entry::parse(entry).with_context(|| format!("entry {number}")))
        .collect()
}

impl Entry {
    fn parse(value: &Value) -> Result<Self> {
        let fields = value.as_object().context("no object")?;
        let known = ["file", "function", "mutation", "code", "reason"];
        let unknown = fields.keys().find(|key| !known.contains(&key.as_str()));
        ensure!(unknown.is_none(), "`{}` is no field of it", unknown.map_or("", String::as_str));
        let optional = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let required =
            |name: &str| optional(name).filter(|text| !text.is_empty()).with_context(|| format!("`{name}` is missing"));
        required("reason")?;
        Ok(Self {
            file: required("file")?,
            function: required("function")?,
            mutation: required("mutation")?,
            code: optional("code"),
        })
    }

    fn find(&self, source: &str, mutants: &[Mutant]) -> Result<Mutant> {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let is_at = |mutant: &Mutant| {
            self.code.as_deref().is_none_or(|code| lines.get(mutant.line - 1).is_some_and(|line| *line == code.trim()))
        };
        let found: Vec<&Mutant> = mutants
            .iter()
            .filter(|mutant| mutant.file == self.file && mutant.function == self.function)
            .filter(|mutant| mutant.mutation() == self.mutation && is_at(mutant))
            .collect();
        ensure!(
            !found.is_empty(),
            "{FILE}: no mutant is `{}` in {} of {}; it is stale",
            self.mutation,
            self.function,
            self.file
        );
        ensure!(
            found.len() == 1,
            "{FILE}: {} mutants are `{}` in {} of {}; give the line of source as `code`",
            found.len(),
            self.mutation,
            self.function,
            self.file
        );
        Ok(found[0].clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::mutant::tests::mutant;
    use super::*;

    fn entry(code: Option<&str>) -> Entry {
        Entry {
            file: "runtime/core/src/a.rs".to_owned(),
            function: "A::b".to_owned(),
            mutation: "replace > with >= in A::b".to_owned(),
            code: code.map(str::to_owned),
        }
    }

    #[test]
    fn an_entry_names_just_one_mutant() {
        let mutants = [mutant(1), mutant(2)];
        let source = "    x > 1\n    y > 2\n";
        assert_eq!(entry(Some("y > 2")).find(source, &mutants).unwrap(), mutants[1]);
        assert_eq!(entry(None).find(source, &mutants[..1]).unwrap(), mutants[0]);
        let error = |entry: &Entry| entry.find(source, &mutants).unwrap_err().to_string();
        assert!(error(&entry(None)).contains("give the line of source"));
        assert!(error(&entry(Some("z > 3"))).contains("it is stale"));
        let elsewhere = Entry { function: "A::c".to_owned(), ..entry(None) };
        assert!(error(&elsewhere).contains("it is stale"));
    }

    #[test]
    fn an_entry_needs_its_reason() {
        let text = r#"{"equivalent": [{"file": "a", "function": "b", "mutation": "c", "reason": "d"}]}"#;
        assert_eq!(parse(text).unwrap().len(), 1);
        for broken in [text.replace("reason", "raeson"), text.replace(r#""d""#, r#""""#), "{}".to_owned()] {
            assert!(parse(&broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_file_in_the_tree_is_well_formed() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FILE);
        parse(&fs::read_to_string(path).unwrap()).unwrap();
    }
}
