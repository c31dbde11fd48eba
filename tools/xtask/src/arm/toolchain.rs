//! What builds and runs gaitd for a target: found on this machine, or made.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::ndk;
use super::rust::{Rust, has_standard};
use super::standard;
use super::targets::{Proof, Target};
use super::zig::Zig;
use crate::debian;
use crate::process::{Process, on_path};
use crate::tree::Tree;

/// Names the folder in which a compiler that had to be made is kept.
const CACHE: &str = "GAITD_ARM_TOOLCHAIN";

/// A Rust compiler with a target's standard library, a C compiler and an emulator.
pub(crate) struct Toolchain {
    target: Target,
    /// The compiler that was made; the caller's where there is none.
    rust: Option<Rust>,
    /// What compiles and links static programs.
    zig: Option<Zig>,
}

impl Toolchain {
    /// What the target needs. The caller's compiler and what is on the path or named by cargo's variables come
    /// first. On Debian what is missing is made: C compiler and emulator installed, which takes root, and a Rust
    /// compiler unpacked into the user's cache folder (`GAITD_ARM_TOOLCHAIN` names another).
    pub(crate) fn find(tree: &Tree, target: Target) -> Result<Self> {
        let make = || -> Result<Self> {
            install_programs(tree, target)?;
            let zig = if target.is_musl() { Some(Zig::get(tree)?) } else { None };
            let rust = if caller_has_standard(tree, target) { None } else { Some(make_rust(tree, target)?) };
            Ok(Self { target, rust, zig })
        };
        make().with_context(|| {
            format!(
                "there is no toolchain for {target}, and none could be made. It takes `rustup target add {target}`, \
                 {}-gcc and {}; this command makes it on Debian for amd64, as root. With Docker, `cross` needs none \
                 of it (CONTRIBUTING.md, ARM)",
                target.processor().gnu(),
                target.processor().emulators()[0],
            )
        })
    }

    /// What it builds for.
    pub(crate) fn target(&self) -> Target {
        self.target
    }

    /// `cargo COMMAND --target TARGET` with everything that the target's compiler needs; output goes below
    /// `target/arm`.
    pub(crate) fn cargo(&self, tree: &Tree, command: &str) -> Result<Process> {
        let process = match &self.zig {
            Some(zig) => zig.cargo(tree, command, self.target)?,
            None => Process::cargo(tree).arg(command),
        };
        let mut process = process.args(["--target", self.target.triple()]);
        for (name, value) in self.environment() {
            process = process.env(&name, value);
        }
        // Another compiler than the host's: in one directory, each would rebuild what the other has built.
        Ok(process.env("CARGO_TARGET_DIR", build_folder(tree)))
    }

    /// The emulator, to be given one of the target's programs and its arguments; what starts it where this machine needs no
    /// emulator. `core` is one of `qemu-... -cpu help`; without it the least that the target is for is emulated.
    pub(crate) fn emulator(&self, tree: &Tree, core: Option<&str>) -> Result<Process> {
        let processor = self.target.processor();
        let words = emulator(self.target).with_context(|| format!("there is no {}", processor.emulators()[0]))?;
        let mut process = Process::new(tree, &words[0]).args(&words[1..]);
        if let Some(core) = core.or(self.target.core()).filter(|_| !processor.is_here()) {
            process = process.args(["-cpu", core]);
        }
        Ok(process)
    }

    /// The folder of the target's libraries that the emulator is given, where there is one.
    pub(crate) fn libraries(&self) -> Option<PathBuf> {
        libraries(self.target)
    }

    /// The gaitd that was built with `profile` (`dev`, `release`, `dist`).
    pub(crate) fn gaitd(&self, tree: &Tree, profile: &str) -> PathBuf {
        // the one profile whose folder has another name
        let folder = if profile == "dev" { "debug" } else { profile };
        build_folder(tree).join(self.target.triple()).join(folder).join("gaitd")
    }

    /// The compiler.
    pub(crate) fn rustc(&self) -> OsString {
        self.rust.as_ref().map_or_else(caller_rustc, |rust| rust.program("rustc").into())
    }

    /// The variables that cargo, rustc and the `cc` crate take the toolchain from. What the caller has set stays.
    fn environment(&self) -> Vec<(String, OsString)> {
        let (target, gnu) = (self.target, self.target.processor().gnu());
        let mut variables: Vec<(String, OsString)> = Vec::new();
        if needs_gcc(target) {
            let (compiler, archiver) = match ndk::bin().filter(|_| target == Target::Android) {
                Some(bin) => (ndk::compiler(&bin).into(), bin.join("llvm-ar").into()),
                None => (OsString::from(format!("{gnu}-gcc")), OsString::from(format!("{gnu}-ar"))),
            };
            if self.zig.is_none() {
                variables.push((cargo_variable(target, "LINKER"), compiler.clone()));
            }
            variables.push((cc_variable(target, "CC"), compiler));
            variables.push((cc_variable(target, "AR"), archiver));
        }
        if let Some(words) = emulator(target) {
            variables.push((cargo_variable(target, "RUNNER"), words.join(" ").into()));
        }
        variables.retain(|(name, _)| env::var_os(name).is_none());
        if let Some(rust) = &self.rust {
            // the caller's compiler, if one is named, lacks the target
            variables.push(("RUSTC".into(), rust.program("rustc").into()));
            variables.push(("RUSTDOC".into(), rust.program("rustdoc").into()));
        }
        variables
    }
}

/// The target directory of all that a toolchain builds.
pub(crate) fn build_folder(tree: &Tree) -> PathBuf {
    tree.target("arm")
}

/// The compiler that cargo uses by default.
pub(crate) fn caller_rustc() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// `CARGO_TARGET_<TRIPLE>_<NAME>`.
fn cargo_variable(target: Target, name: &str) -> String {
    format!("CARGO_TARGET_{}_{name}", target.triple().to_uppercase().replace('-', "_"))
}

/// `<NAME>_<triple>`.
fn cc_variable(target: Target, name: &str) -> String {
    format!("{name}_{}", target.triple().replace('-', "_"))
}

/// Whether programs for `target` can be run here.
pub(crate) fn is_emulated(target: Target) -> bool {
    emulator(target).is_some()
}

/// The emulator's command line: the caller's, or qemu with Debian's folder of foreign libraries.
fn emulator(target: Target) -> Option<Vec<String>> {
    if let Ok(runner) = env::var(cargo_variable(target, "RUNNER")) {
        return Some(runner.split_whitespace().map(str::to_owned).collect()).filter(|words: &Vec<_>| !words.is_empty());
    }
    let processor = target.processor();
    if processor.is_here() {
        return Some(vec!["env".into()]);
    }
    let program = on_path(processor.emulators()).into_iter().find(|path| path.is_file())?;
    let mut words = vec![program.display().to_string()];
    if let Some(libraries) = libraries(target) {
        words.extend(["-L".into(), libraries.display().to_string()]);
    }
    Some(words)
}

/// Debian's folder of foreign libraries, in which the emulator looks for what a program opens; none where the program
/// needs no library.
fn libraries(target: Target) -> Option<PathBuf> {
    let folder = Path::new("/usr").join(target.processor().gnu());
    (!target.is_musl() && folder.is_dir()).then_some(folder)
}

/// Whether the caller's own Rust can build for the target.
fn caller_has_standard(tree: &Tree, target: Target) -> bool {
    let folder =
        Process::new(tree, caller_rustc()).args(["--print", "target-libdir", "--target", target.triple()]).probe();
    folder.is_some_and(|folder| has_standard(Path::new(&folder), target.proof()))
}

/// Installs the C compilers and emulators that are neither there nor named by the caller.
fn install_programs(tree: &Tree, target: Target) -> Result<()> {
    let packages = missing_packages(target);
    if packages.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    debian::ensure_apt(tree, &packages.join(", "))?;
    if debian::is_root(tree) {
        debian::update(tree)?;
    }
    debian::install(tree, &packages)?;
    let missing = missing_packages(target);
    ensure!(missing.is_empty(), "{missing:?} were installed, but their programs are not on the path");
    Ok(())
}

/// Whether the GNU compiler serves for the target, if only as assembler: Zig's knows no instruction beyond the target's
/// least processor, and tract picks its kernels where they run.
fn needs_gcc(target: Target) -> bool {
    target != Target::X86Musl
}

fn missing_packages(target: Target) -> Vec<String> {
    let processor = target.processor();
    let mut packages = Vec::new();
    let compiler = format!("{}-gcc", processor.gnu());
    let named = |name| env::var_os(name).is_some();
    let compiler_named = named(cargo_variable(target, "LINKER")) && named(cc_variable(target, "CC"));
    if needs_gcc(target) && !compiler_named && !on_path(&[&compiler]).iter().any(|path| path.is_file()) {
        packages.push(format!("gcc-{}", processor.gnu()));
        packages.push(format!("libc6-dev-{}-cross", processor.debian()));
    }
    if !matches!(target.proof(), Proof::Checked | Proof::Linked) && emulator(target).is_none() {
        packages.push("qemu-user".into());
    }
    packages
}

/// The compiler made of Debian packages, with the target's standard library.
fn make_rust(tree: &Tree, target: Target) -> Result<Rust> {
    match debian::architecture(tree).as_deref() {
        Some("amd64") => {}
        Some(other) => bail!("this machine is Debian for {other}, and only the compiler for amd64 serves"),
        None => bail!("the Rust on this machine lacks a target, and there is no dpkg to get another Rust"),
    }
    let cache = cache(tree)?;
    let rust = Rust::at(&cache);
    if rust.serves(target) {
        return Ok(rust);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // two at once would write into the same folders
    let lock = cache.join("lock");
    let locked = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _locked = locked.with_context(|| format!("cannot lock {}", lock.display()))?;
    rust.make(tree, &cache)?;
    if !rust.serves(target) {
        standard::build(tree, &cache, &rust, target)
            .with_context(|| format!("the standard library for {target} could not be made"))?;
    }
    Ok(rust)
}

fn cache(tree: &Tree) -> Result<PathBuf> {
    match env::var_os(CACHE) {
        Some(folder) => std::path::absolute(folder).context(CACHE),
        None => tree.cache("arm"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_as_cargo_and_cc_want_them() {
        let target = Target::Armv7Gnu;
        assert_eq!(cargo_variable(target, "LINKER"), "CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER");
        assert_eq!(cc_variable(target, "CC"), "CC_armv7_unknown_linux_gnueabihf");
    }

    #[test]
    fn a_target_that_is_only_checked_needs_no_emulator() {
        assert!(!missing_packages(Target::Android).contains(&"qemu-user".to_owned()));
    }
}
