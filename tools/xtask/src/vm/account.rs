//! What was expected of each step and what was seen, printed as it happens and once more in short at the end.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps so far. All that is printed is kept in a file too.
pub(super) struct Account {
    file: File,
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    passed: bool,
    time: Duration,
}

impl Account {
    /// An account that is kept at `path`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, steps: Vec::new() })
    }

    /// Prints a line that belongs to no step.
    pub(super) fn say(&mut self, text: &str) -> Result<()> {
        println!("{text}");
        writeln!(self.file, "{text}").context("the account cannot be written")
    }

    /// Takes the step `name`: prints what is `expected` and what was seen, or what went wrong. Whether it passed.
    pub(super) fn step(
        &mut self,
        name: &'static str,
        expected: &str,
        step: impl FnOnce() -> Result<String>,
    ) -> Result<bool> {
        self.say(&format!("\n{:2}  {name}\n    expected  {expected}", self.steps.len() + 1))?;
        let start = Instant::now();
        let outcome = step();
        let time = start.elapsed();
        let (passed, seen) = match &outcome {
            Ok(seen) => (true, seen.clone()),
            Err(error) => (false, format!("{error:#}")),
        };
        let word = if passed { "passed" } else { "FAILED" };
        let seen = seen.trim().replace('\n', "\n              ");
        self.say(&format!("    seen      {seen}\n    {word}, {:.1} s", time.as_secs_f64()))?;
        self.steps.push(Step { name, passed, time });
        Ok(passed)
    }

    /// Prints a line per step and the sums; whether all passed.
    pub(super) fn close(mut self) -> Result<bool> {
        let steps = std::mem::take(&mut self.steps);
        self.say("\nsummary")?;
        for Step { name, passed, time } in &steps {
            let word = if *passed { "passed" } else { "FAILED" };
            self.say(&format!("  {word}  {:>6.1} s  {name}", time.as_secs_f64()))?;
        }
        let failed = steps.iter().filter(|step| !step.passed).count();
        let time: Duration = steps.iter().map(|step| step.time).sum();
        self.say(&format!("{} passed, {failed} failed, {:.0} s", steps.len() - failed, time.as_secs_f64()))?;
        Ok(failed == 0)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_was_expected_and_seen_is_kept_and_a_failure_fails_the_whole() {
        let path = std::env::temp_dir().join(format!("gaitd-account-{}", std::process::id()));
        let mut account = Account::open(&path).unwrap();
        assert!(account.step("boots", "a login", || Ok("a login\nand more".into())).unwrap());
        assert!(!account.step("answers", "200", || bail!("503")).unwrap());
        assert!(!account.close().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for part in [
            " 1  boots\n    expected  a login\n    seen      a login\n              and more\n    passed",
            "503\n    FAILED",
            "1 passed, 1 failed",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
}
