//! The table of counts: how it is kept, and what differs from it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::arm::targets::Target;

/// A count may be so far from the kept one, in percent of that. Counts of the same program differ by less than half of
/// this.
pub(super) const TOLERANCE_PERCENT: f64 = 0.5;

/// The file of the counts for `target`.
pub(super) fn name(target: Target) -> &'static str {
    if target == Target::Armv7Gnu { "benches/instructions-armv7.csv" } else { "benches/instructions-aarch64.csv" }
}

const ABOUT: &str = "# Instructions per window on emulated ARM cores, made by `cargo xtask instructions --update`; \
                     docs/kernels.md says what they mean.\n";
const HEADER: &str = "core,work,configuration,macs,instructions,instructions_per_mac,kernels";

/// One count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) core: String,
    pub(super) work: String,
    pub(super) configuration: String,
    pub(super) macs: u64,
    pub(super) instructions: u64,
    pub(super) kernels: Vec<String>,
}

impl Row {
    fn is_about_the_same_as(&self, other: &Self) -> bool {
        (&self.core, &self.work, &self.configuration) == (&other.core, &other.work, &other.configuration)
    }

    fn name(&self) -> String {
        format!("{} {} {}", self.core, self.work, self.configuration)
    }

    fn cells(&self) -> [String; 7] {
        [
            self.core.clone(),
            self.work.clone(),
            self.configuration.clone(),
            self.macs.to_string(),
            self.instructions.to_string(),
            format!("{:.3}", self.instructions as f64 / self.macs as f64),
            self.kernels.join(" "),
        ]
    }

    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.split(',').collect();
        let [core, work, configuration, macs, instructions, _, kernels] = cells[..] else { return None };
        Some(Self {
            core: core.to_owned(),
            work: work.to_owned(),
            configuration: configuration.to_owned(),
            macs: macs.parse().ok()?,
            instructions: instructions.parse().ok()?,
            kernels: kernels.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// How it differs from the `kept` one.
    fn findings(&self, kept: &Self) -> Vec<String> {
        let mut findings = Vec::new();
        let (now, then) = (self.instructions, kept.instructions);
        let percent = (now as f64 - then as f64) * 100.0 / then as f64;
        if percent.abs() > TOLERANCE_PERCENT {
            let (much, word, remark) =
                if percent > 0.0 { (percent, "more", "") } else { (-percent, "less", ": good news, to be kept") };
            findings.push(format!("{}: {now} instructions, {much:.1} % {word} than {then}{remark}", self.name()));
        }
        if self.kernels != kept.kernels {
            let (now, then) = (self.kernels.join(" "), kept.kernels.join(" "));
            findings.push(format!("{}: runs on {now}, and ran on {then}", self.name()));
        }
        findings
    }
}

/// Counts, each of another core, work or configuration.
#[derive(Debug, PartialEq)]
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        Self(rows)
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }

    /// The table as it is kept: CSV under a line that says what it is.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{ABOUT}{HEADER}\n");
        for row in &self.0 {
            let _ = writeln!(text, "{}", row.cells().join(","));
        }
        text
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
        ensure!(lines.next().is_some_and(|(_, line)| line == HEADER), "the header is not {HEADER}");
        let rows = lines.map(|(number, line)| Row::parse(line).with_context(|| format!("line {}: {line}", number + 1)));
        Ok(Self(rows.collect::<Result<_>>()?))
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        let read = || Self::parse(&fs::read_to_string(path)?);
        read().with_context(|| format!("{}; `cargo xtask instructions --update` makes it anew", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// How these counts differ from the `kept` ones, a sentence each. Where these are `all` that there is to count, a kept
    /// one that is not among them is a finding too.
    pub(super) fn findings(&self, kept: &Self, all: bool) -> Vec<String> {
        let mut findings = Vec::new();
        for row in &self.0 {
            match kept.find(row) {
                Some(kept) => findings.extend(row.findings(kept)),
                None => findings.push(format!("{}: {} instructions, and none kept", row.name(), row.instructions)),
            }
        }
        let gone = kept.0.iter().filter(|row| all && self.find(row).is_none());
        findings.extend(gone.map(|row| format!("{}: kept, and counted no more", row.name())));
        findings
    }

    fn find(&self, row: &Row) -> Option<&Row> {
        self.0.iter().find(|other| other.is_about_the_same_as(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(configuration: &str, instructions: u64) -> Row {
        Row {
            core: "cortex-a53".to_owned(),
            work: "inference".to_owned(),
            configuration: configuration.to_owned(),
            macs: 1_000_000,
            instructions,
            kernels: vec!["wide".to_owned(), "narrow".to_owned()],
        }
    }

    fn findings(counted: Row, all: bool) -> Vec<String> {
        let kept = Table::new(vec![row("a", 100_000), row("b", 2000)]);
        Table::new(vec![counted]).findings(&kept, all)
    }

    #[test]
    fn a_count_within_the_tolerance_is_no_finding() {
        for instructions in [99_500, 100_000, 100_500] {
            assert_eq!(findings(row("a", instructions), false), Vec::<String>::new());
        }
    }

    #[test]
    fn a_count_beyond_the_tolerance_is_told_each_way() {
        let more = findings(row("a", 101_000), false).concat();
        assert!(more.contains("a: 101000 instructions, 1.0 % more than 100000"), "{more}");
        let less = findings(row("a", 60_000), false).concat();
        assert!(less.contains("40.0 % less than 100000: good news"), "{less}");
        assert_eq!(findings(row("a", 100_501), false).len(), 1);
    }

    #[test]
    fn other_kernels_are_told_even_where_the_count_is_the_same() {
        let other = Row { kernels: vec!["generic".to_owned()], ..row("a", 100_000) };
        let found = findings(other, false).concat();
        assert!(found.contains("runs on generic, and ran on wide narrow"), "{found}");
    }

    #[test]
    fn what_is_new_and_what_is_gone_is_told() {
        assert!(findings(row("c", 1), false).concat().contains("none kept"));
        let gone = findings(row("a", 100_000), true).concat();
        assert!(gone.contains("b: kept, and counted no more"), "{gone}");
        assert!(findings(row("a", 100_000), false).is_empty());
    }

    #[test]
    fn the_table_reads_back_as_it_was_written() {
        let table = Table::new(vec![row("a", 123), row("b", 4)]);
        assert_eq!(Table::parse(&table.text()).unwrap(), table);
        for damaged in ["", "core\n", &table.text().replace(",123,", ",many,")] {
            assert!(Table::parse(damaged).is_err(), "{damaged:?}");
        }
    }
}
