//! `cargo xtask fuzz`: unforeseen inputs for everything that gaitd reads from outside.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cargo_tool::CargoTool;
use crate::process::Process;
use crate::steps::{Outcome, Report};
use crate::tree::Tree;

/// What builds the targets.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool {
    name: "cargo-fuzz",
    version: "0.13.2",
    version_args: &["--version"],
    features: &[],
    quick: true,
    root: "fuzz/cargo-fuzz",
    chore: Some("cargo xtask fuzz"),
    takes: "half a minute",
};

/// The longest input, bytes. What is read is made of short lines and small objects; longer ones only take time.
const LONGEST_INPUT: u64 = 16 * 1024;

/// An input that takes longer than this, in seconds, or more memory than this, in MiB, is a finding.
const TIMEOUT_S: u32 = 5;
const MEMORY_MIB: u32 = 512;

/// The step that all others need.
const BUILD: &str = "build";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to fuzz [default: everything]
    #[arg(value_enum, value_name = "TARGET")]
    targets: Vec<Target>,
    /// All but these; may be repeated
    #[arg(long, value_enum, value_name = "TARGET", conflicts_with = "targets")]
    without: Vec<Target>,
    /// How long to fuzz each target, in seconds
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run one target on this input only, such as one that was found to fail
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Install cargo-fuzz below the target directory where it is missing
    #[arg(long)]
    install: bool,
    /// Where cargo-fuzz or a C++ compiler cannot be had, say so and succeed
    #[arg(long)]
    if_possible: bool,
}

/// The targets in tools/fuzz, each a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The daemon's configuration
    Config,
    /// The model manifest, and the conditioning that it describes
    Manifest,
    /// A model's golden vectors
    Golden,
    /// ONNX networks, read, optimised and run
    Network,
    /// ONNX networks for gaitd's own engine, read, planned and run
    Supernet,
    /// Streams of samples, as CSV and NDJSON
    Samples,
    /// Activities by time, of `gaitd import`
    Intervals,
    /// Binary scans of a Linux IIO sensor, and what its driver says of them
    Scans,
    /// Scenarios of `gaitd simulate`
    Scenario,
    /// Kept profiles
    Profile,
    /// What a policy has learned and kept
    Learned,
    /// Control messages
    Control,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Manifest => "manifest",
            Self::Golden => "golden",
            Self::Network => "network",
            Self::Supernet => "supernet",
            Self::Samples => "samples",
            Self::Intervals => "intervals",
            Self::Scans => "scans",
            Self::Scenario => "scenario",
            Self::Profile => "profile",
            Self::Learned => "learned",
            Self::Control => "control",
        }
    }

    /// The files in the repository that are good inputs of their kind, apart from those in tools/fuzz/seeds.
    fn shipped(self, tree: &Tree) -> Result<Vec<PathBuf>> {
        let folder = match self {
            Self::Config => "configs",
            Self::Scenario => "configs/scenarios",
            Self::Manifest => {
                let folders = entries(&tree.join("models"))?;
                return Ok(folders.into_iter().map(|folder| folder.join("manifest.json")).collect());
            }
            Self::Golden
            | Self::Network
            | Self::Supernet
            | Self::Samples
            | Self::Intervals
            | Self::Scans
            | Self::Profile
            | Self::Learned
            | Self::Control => return Ok(vec![]),
        };
        entries(&tree.join(folder))
    }
}

/// Where the parts are.
struct Places<'a> {
    tree: &'a Tree,
    /// The folder below the target directory in which everything lies.
    work: PathBuf,
}

impl Places<'_> {
    fn program(&self, target: Target) -> PathBuf {
        self.work.join("build").join(triple()).join("release").join(target.name())
    }

    /// The folder of a kind for one target, made where it is missing.
    fn folder(&self, kind: &str, target: Target) -> Result<PathBuf> {
        let folder = self.work.join(kind).join(target.name());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Builds all targets and fuzzes the chosen ones in turn, or runs one on an input.
pub(crate) fn run(tree: &Tree, args: &Args) -> Result<Report> {
    let cargo_fuzz = match cargo_fuzz(tree, args.install) {
        Ok(path) => path,
        Err(error) if args.if_possible => {
            return Ok(Report::skipped(BUILD, format!("nothing was fuzzed: {error:#}")));
        }
        Err(error) => return Err(error),
    };
    let places = Places { tree, work: tree.target("fuzz") };
    let (mut report, mut notes) = (Report::default(), Vec::new());
    let targets = chosen(args);
    report.step(BUILD, &[], || build(&places, &cargo_fuzz, &targets));
    if let Some(input) = &args.input {
        let [target] = targets[..] else { bail!("--input needs exactly one target to run it on") };
        let input = std::path::absolute(input)?;
        report.step(target.name(), &[BUILD], || {
            Process::new(tree, places.program(target)).arg(input).run()?;
            Ok(Outcome::Passed)
        });
        return Ok(report);
    }
    for target in targets {
        report.step(target.name(), &[BUILD], || fuzz(&places, target, args.seconds, &mut notes));
    }
    notes.into_iter().for_each(|note| report.note(note));
    Ok(report)
}

fn chosen(args: &Args) -> Vec<Target> {
    if !args.targets.is_empty() {
        return args.targets.clone();
    }
    Target::value_variants().iter().copied().filter(|target| !args.without.contains(target)).collect()
}

fn cargo_fuzz(tree: &Tree, install: bool) -> Result<PathBuf> {
    if Process::new(tree, "c++").arg("--version").probe().is_none() {
        bail!("libFuzzer is compiled from C++, and there is no `c++`; on Debian and its kin install `g++`");
    }
    CARGO_FUZZ.get(tree, install)
}

/// Builds `targets`, and those that take little time beside them.
fn build(places: &Places<'_>, cargo_fuzz: &Path, targets: &[Target]) -> Result<Outcome> {
    let tree = places.tree;
    // cargo-fuzz has no --locked
    let locked = Process::cargo(tree)
        .args(["metadata", "--locked", "--format-version", "1", "--manifest-path", "tools/fuzz/Cargo.toml"])
        .probe();
    if locked.is_none() {
        bail!(
            "tools/fuzz/Cargo.lock is behind gaitd's dependencies; \
             run `cargo update --workspace --manifest-path tools/fuzz/Cargo.toml` and commit it"
        );
    }
    // Address sanitizer needs a nightly compiler, and there is no unsafe code of gaitd's own for it to look into; without
    // it everything works on the stable compiler, and faster. Debug assertions and overflow checks are on.
    // One unit of code for each crate, as cargo-fuzz would have it, takes longest where only one processor is free.
    Process::new(tree, cargo_fuzz)
        .args(["build", "--fuzz-dir", "tools/fuzz", "--sanitizer", "none", "--codegen-units", "16"])
        .args((!targets.contains(&Target::Network)).then_some("--no-default-features"))
        .args(["--target", &triple(), "--target-dir"])
        .arg(places.work.join("build"))
        .run()
        .context("the fuzz targets cannot be built")?;
    Ok(Outcome::Passed)
}

/// The machine that this runs on, as cargo names it.
fn triple() -> String {
    let system = match env::consts::OS {
        "macos" => "apple-darwin",
        _ => "unknown-linux-gnu",
    };
    format!("{}-{system}", env::consts::ARCH)
}

fn fuzz(places: &Places<'_>, target: Target, seconds: u32, notes: &mut Vec<String>) -> Result<Outcome> {
    let name = target.name();
    let [corpus, seeds, failures] = ["corpus", "seeds", "failures"].map(|kind| places.folder(kind, target));
    let (corpus, seeds, failures) = (corpus?, seeds?, failures?);
    plant(places.tree, target, &seeds)?;
    let log = places.work.join(format!("{name}.log"));
    let mut process = Process::new(places.tree, places.program(target))
        // what is found goes to the first folder, the others are only read
        .args([&corpus, &seeds, &places.tree.join("tools/fuzz/seeds").join(name)])
        .args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={TIMEOUT_S}"),
            format!("-rss_limit_mb={MEMORY_MIB}"),
            format!("-max_len={LONGEST_INPUT}"),
            format!("-artifact_prefix={}/", failures.display()),
            "-print_final_stats=1".to_owned(),
        ]);
    let dictionary = places.tree.join("tools/fuzz/dictionaries").join(format!("{name}.dict"));
    if dictionary.exists() {
        process = process.arg(format!("-dict={}", dictionary.display()));
    }
    eprintln!("for {seconds} s; {}", log.display());
    let good = process.log(&log)?;
    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let figures = figures(&text);
    eprintln!("{figures}");
    notes.push(format!("{name}: {figures}"));
    if good {
        return Ok(Outcome::Passed);
    }
    let found = finding(&text);
    match text.rsplit_once("Test unit written to ").and_then(|(_, rest)| rest.lines().next()) {
        Some(input) => bail!("{found}\nagain with: cargo xtask fuzz {name} --input {input}"),
        None => bail!("{found}\nsee {}", log.display()),
    }
}

/// How much was run and reached, from libFuzzer's own words.
fn figures(log: &str) -> String {
    let last = |before: &str| {
        let (_, rest) = log.rsplit_once(before)?;
        rest.split_whitespace().next()
    };
    let inputs = last("stat::number_of_executed_units:").unwrap_or("no");
    let (edges, memory) = (last("cov: ").unwrap_or("no"), last("stat::peak_rss_mb:").unwrap_or("?"));
    format!("{inputs} inputs, {edges} edges reached, {memory} MiB at most")
}

/// What went wrong: the message of the panic, or libFuzzer's.
fn finding(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let telling = |line: &&str| line.contains("panicked at") || line.contains("allocation of");
    let place =
        lines.iter().position(telling).or_else(|| lines.iter().position(|line| line.contains("ERROR: libFuzzer")));
    let Some(place) = place else { return "the target ended without a word".to_owned() };
    lines[place..].iter().take_while(|line| !line.starts_with("stack backtrace")).take(8).fold(
        String::new(),
        |mut text, line| {
            let separator = if text.is_empty() { "" } else { "\n" };
            // a failed comparison may show a whole model
            let _ = write!(text, "{separator}{line:.400}");
            text
        },
    )
}

/// Lays out what the repository ships, and streams made up here, as first inputs.
fn plant(tree: &Tree, target: Target, seeds: &Path) -> Result<()> {
    let put = |name: &str, bytes: &[u8]| {
        let path = seeds.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    for (number, path) in target.shipped(tree)?.iter().enumerate().filter(|(_, path)| path.is_file()) {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if bytes.len() as u64 <= LONGEST_INPUT {
            put(&number.to_string(), &bytes)?;
        }
    }
    if target == Target::Samples {
        for (name, stream) in streams() {
            put(name, stream.as_bytes())?;
        }
    }
    Ok(())
}

/// Streams of samples. The letter before each tells the target which model reads it, and how.
fn streams() -> [(&'static str, String); 6] {
    const IMU: [&str; 6] = ["acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z"];
    let value = |row: u32, channel: usize| (f64::from(row) / 3.0 + channel as f64).sin();
    let rows = |rows: u32, row: &dyn Fn(u32) -> String| (0..rows).map(row).collect::<Vec<_>>().join("\n");
    let timed = |row: u32| format!("{:.2},{:.3},walk", f64::from(row) * 0.02, value(row, 0));
    let imu = |row: u32| IMU.iter().enumerate().map(|(c, _)| format!("{:.3}", value(row, c))).collect::<Vec<_>>();
    // some samples are missing, then many, and then the clock is set back
    let jumps = |row: u32| match row {
        0..20 => row,
        20..40 => row + 3,
        40..60 => row + 30,
        _ => row - 60,
    };
    let object = |row: u32| {
        let fields: Vec<_> = IMU.iter().zip(imu(row)).map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        format!(r#"{{"t_ms":{},{}}}"#, row * 20, fields.join(","))
    };
    let header = r#"{"class":"stream","rate_hz":50,"units":{"x":"m/s2"}}"#;
    [
        ("csv", format!("@# rate_hz=50\nt,x,label\n{}\n", rows(40, &timed))),
        ("csv-jumps", format!("@t,x,label\n{}\n", rows(120, &|row| timed(jumps(row))))),
        ("csv-untimed", format!("Dx\n{}\n", rows(40, &|row| format!("{:.3}", value(row, 0))))),
        ("csv-imu", format!("J{}\n{}\n", IMU.join(","), rows(150, &|row| imu(row).join(",")))),
        ("ndjson", format!("C{header}\n{}\n", rows(40, &|row| format!(r#"{{"x":{:.3}}}"#, value(row, 0))))),
        ("ndjson-imu", format!("K{}\n", rows(60, &object))),
    ]
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_of_the_crate() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml");
        let text = fs::read_to_string(manifest).unwrap();
        let bins: Vec<_> = text
            .split("[[bin]]")
            .skip(1)
            .map(|bin| bin.split_once("name = \"").unwrap().1.split_once('"').unwrap().0)
            .collect();
        let names: Vec<_> = Target::value_variants().iter().map(|target| target.name()).collect();
        assert_eq!(names, bins);
        for target in Target::value_variants() {
            let name = target.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(target.name()));
        }
    }

    #[test]
    fn all_are_chosen_but_those_that_are_left_out() {
        let chosen = |args: &[&str]| {
            #[derive(clap::Parser)]
            struct Fuzz {
                #[command(flatten)]
                args: Args,
            }
            chosen(&<Fuzz as clap::Parser>::parse_from(["fuzz"].iter().chain(args)).args)
        };
        assert_eq!(chosen(&[]), Target::value_variants());
        assert_eq!(chosen(&["scans", "config"]), [Target::Scans, Target::Config]);
        let others = chosen(&["--without", "network"]);
        assert!(!others.contains(&Target::Network) && others.len() + 1 == Target::value_variants().len());
    }

    #[test]
    fn what_libfuzzer_says_is_understood() {
        let log = "#10 NEW cov: 5 ft: 6\n#19 DONE   cov: 42 ft: 60 corp: 3/9b\n\
                   stat::number_of_executed_units: 1234\nstat::peak_rss_mb:              65\n";
        assert_eq!(figures(log), "1234 inputs, 42 edges reached, 65 MiB at most");
        let panic = "thread '<unnamed>' panicked at a.rs:1:2:\nno such thing\nstack backtrace:\n 0: main\n";
        assert_eq!(finding(panic), "thread '<unnamed>' panicked at a.rs:1:2:\nno such thing");
        let slow = "INFO: x\nALARM: working on the last Unit\n==1== ERROR: libFuzzer: timeout after 6 seconds\n";
        assert_eq!(finding(slow), "==1== ERROR: libFuzzer: timeout after 6 seconds");
    }
}
