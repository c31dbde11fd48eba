//! `cargo xtask size`: the program as it is shipped, held to its limits.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::arm::targets::Target;
use crate::arm::toolchain::Toolchain;
use crate::dist;
use crate::elf;
use crate::tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these targets [default: those with a limit]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TARGET,...")]
    target: Vec<Target>,
    /// Only these forms [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORM,...")]
    form: Vec<Form>,
    /// Print as well what each of the default features adds: one more build for each, beside the whole program's
    #[arg(long)]
    features: bool,
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

const TARGETS: [Target; 5] =
    [Target::Aarch64Gnu, Target::Armv7Gnu, Target::Aarch64Musl, Target::Armv7Musl, Target::Armv6Musl];
const FEATURES: [&str; 4] = ["figures", "http", "npz", "tract"];

/// What the program is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Without `tract`: it runs what `gaitd-train` writes
    Lean,
    /// All default features
    Whole,
}

impl Form {
    /// The arguments for cargo.
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Lean => &dist::LEAN,
            Self::Whole => &[],
        }
    }

    /// The most that the stripped program may take, in bytes.
    fn limit(self, target: Target) -> Option<u64> {
        match (target, self) {
            (Target::Aarch64Gnu, Self::Lean) => Some(9_000_000),
            (Target::Aarch64Musl, Self::Lean) => Some(10_000_000),
            (Target::Aarch64Gnu | Target::Aarch64Musl, Self::Whole) => Some(24_000_000),
            (Target::Armv7Gnu | Target::Armv7Musl | Target::Armv6Musl, Self::Whole) => Some(20_000_000),
            _ => None,
        }
    }
}

/// Builds the program for every chosen target and prints how large it is; the exit code says whether all limits hold.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let targets = if args.target.is_empty() { TARGETS.as_slice() } else { &args.target };
    // the whole program comes last, so that it is what lies in the folder of builds
    let forms = if args.form.is_empty() { Form::value_variants() } else { &args.form };
    let (mut lines, mut good) = (Vec::new(), true);
    for &target in targets {
        let toolchain = match Toolchain::find(tree, target) {
            Ok(toolchain) => toolchain,
            Err(error) if args.if_possible => {
                eprintln!("\n*** {target} WAS NOT BUILT: {error:#}\n");
                lines.push(format!("{target:<30} NOT BUILT"));
                continue;
            }
            Err(error) => return Err(error),
        };
        for &form in forms {
            let start = Instant::now();
            let size = build(tree, &toolchain, form.args())?;
            let seconds = start.elapsed().as_secs();
            let verdict = match form.limit(target) {
                Some(limit) if size > limit => {
                    good = false;
                    format!("OVER its limit of {limit}")
                }
                Some(limit) => format!("limit {limit}"),
                None => String::new(),
            };
            let name = format!("{target} {}", format!("{form:?}").to_lowercase());
            lines.push(format!("{name:<36} {size:>9} bytes  {verdict}  (built in {seconds} s)"));
            let program = toolchain.gaitd(tree, dist::PROFILE);
            if target.is_musl() {
                elf::ensure_static(tree, &program)?;
            }
            if form == Form::Lean {
                // with what it lacks it still runs the shipped ladders
                toolchain.emulator(tree, None)?.arg(&program).arg("check").args(tree.ladders()?).run()?;
            }
        }
        if args.features {
            let size = build(tree, &toolchain, Form::Whole.args())?;
            for left_out in FEATURES {
                let without = build(tree, &toolchain, &["--no-default-features", "--features", &others(left_out)])?;
                lines.push(format!("{:>36} {:>9} bytes", left_out, size.saturating_sub(without)));
            }
        }
    }
    println!("\n{}", lines.join("\n"));
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds what is shipped, with further arguments for cargo; its size in bytes.
fn build(tree: &Tree, toolchain: &Toolchain, args: &[&str]) -> Result<u64> {
    let gaitd = dist::build(tree, toolchain, args)?;
    Ok(fs::metadata(&gaitd).with_context(|| gaitd.display().to_string())?.len())
}

/// The default features but one, as cargo takes them.
fn others(left_out: &str) -> String {
    let rest: Vec<_> = FEATURES.into_iter().filter(|feature| *feature != left_out).collect();
    rest.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lean_program_lacks_tract() {
        assert_eq!(dist::LEAN, ["--no-default-features", "--features", &others("tract")]);
    }
}
