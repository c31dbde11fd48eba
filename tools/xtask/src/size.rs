//! `cargo xtask size`: the program as it is shipped, held to its limits.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

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
    /// Print as well what each of the default features adds: one more build for each
    #[arg(long)]
    features: bool,
    /// Where the toolchain cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

const TARGETS: [Target; 5] =
    [Target::Aarch64Gnu, Target::Armv7Gnu, Target::Aarch64Musl, Target::Armv7Musl, Target::Armv6Musl];
const FEATURES: [&str; 4] = ["figures", "http", "npz", "onnx"];

/// The feature without which a program runs the trainer's own networks only, and is small.
const LARGEST: &str = "onnx";

/// The most that the stripped program may take, in bytes: with all default features, and without [`LARGEST`].
fn limits(target: Target) -> Option<(u64, u64)> {
    match target {
        Target::Aarch64Gnu => Some((24_000_000, 15_500_000)),
        Target::Aarch64Musl => Some((24_000_000, 15_500_000)),
        Target::Armv7Gnu | Target::Armv7Musl => Some((20_000_000, 12_000_000)),
        Target::Armv6Musl => Some((20_000_000, 13_000_000)),
        Target::X86Musl | Target::Android => None,
    }
}

/// Builds the program for every chosen target and prints how large it is; the exit code says whether all limits hold.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<ExitCode> {
    let targets = if args.target.is_empty() { TARGETS.as_slice() } else { &args.target };
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
        let limits = limits(target);
        let mut measured = |what: &str, args: &[&str], limit: Option<u64>| -> Result<u64> {
            let start = Instant::now();
            let size = build(tree, &toolchain, args)?;
            let seconds = start.elapsed().as_secs();
            let verdict = match limit {
                Some(limit) if size > limit => {
                    good = false;
                    format!("OVER its limit of {limit}")
                }
                Some(limit) => format!("limit {limit}"),
                None => String::new(),
            };
            lines.push(format!("{what:<30} {size:>9} bytes  {verdict}  (built in {seconds} s)"));
            Ok(size)
        };
        measured(&format!("  without {LARGEST}"), &dist::SMALL, limits.map(|(_, small)| small))?;
        // last, so that it is what lies in the folder of builds
        let size = measured(&target.to_string(), &[], limits.map(|(whole, _)| whole))?;
        if target.is_musl() {
            elf::ensure_static(tree, &toolchain.gaitd(tree, dist::PROFILE))?;
        }
        if args.features {
            for left_out in FEATURES {
                let without = build(tree, &toolchain, &["--no-default-features", "--features", &others(left_out)])?;
                lines.push(format!("{:>30} {:>9} bytes", left_out, size.saturating_sub(without)));
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
    fn the_small_program_lacks_the_largest_feature() {
        assert_eq!(dist::SMALL, ["--no-default-features", "--features", &others(LARGEST)]);
    }
}
