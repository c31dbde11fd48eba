//! What a static program with musl is linked from, beside Rust's own libraries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::targets::{Processor, Target};
use crate::debian::{self, World};
use crate::files::remove;
use crate::process::Process;
use crate::tree::Tree;

/// The suite that musl is taken from.
const SUITE: &str = "bookworm";
/// Its package of LLVM's unwinder, and where that lies in it.
const UNWINDER: (&str, &str) = ("libunwind-14-dev", "usr/lib/llvm-14/lib/libunwind.a");

/// LLVM's unwinder as Debian builds it calls this function of glibc, on its way out with an error.
const FORTIFIED: &str = "int __fprintf_chk(void *file, int flag, const char *format, ...)\n\
                         { (void)file; (void)flag; (void)format; return 0; }\n";

/// Fills `folder`, which rustc links static programs from: musl itself, the code that surrounds `main`, and an
/// unwinder under the name that Rust's standard library asks for.
pub(super) fn add(tree: &Tree, cache: &Path, target: Target, folder: &Path) -> Result<()> {
    let processor = target.processor();
    let architecture = processor.debian();
    let world = World::open(tree, &cache.join(format!("{SUITE}-{architecture}")), SUITE, &[architecture])?;
    let mut packages = vec![format!("musl-dev:{architecture}")];
    if processor == Processor::Arm64 {
        packages.push(format!("{}:{architecture}", UNWINDER.0));
    }
    let download = cache.join("download");
    let unpacked = cache.join("musl");
    remove(&unpacked)?;
    for archive in world.download(&packages, &download)? {
        debian::unpack(tree, &archive, &unpacked)?;
    }
    remove(&download)?;

    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let musl = unpacked.join("usr/lib").join(processor.gnu().replace("gnu", "musl"));
    for file in ["crt1.o", "rcrt1.o", "Scrt1.o", "crti.o", "crtn.o", "libc.a"] {
        copy(&musl.join(file), &folder.join(file))?;
    }
    let gcc = Gcc { tree, program: format!("{}-gcc", processor.gnu()) };
    for (theirs, ours) in [
        ("crtbeginT.o", "crtbegin.o"),
        ("crtbeginS.o", "crtbeginS.o"),
        ("crtend.o", "crtend.o"),
        ("crtendS.o", "crtendS.o"),
    ] {
        copy(&gcc.file(theirs)?, &folder.join(ours))?;
    }
    let unwinder = folder.join("libunwind.a");
    match processor {
        // GCC's own needs glibc 2.35 there
        Processor::Arm64 => {
            copy(&unpacked.join(UNWINDER.1), &unwinder)?;
            let (source, object) = (unpacked.join("fortified.c"), unpacked.join("fortified.o"));
            fs::write(&source, FORTIFIED).with_context(|| format!("cannot write {}", source.display()))?;
            gcc.run().args(["-O2", "-c"]).arg(&source).arg("-o").arg(&object).run()?;
            Process::new(tree, format!("{}-ar", processor.gnu())).arg("r").arg(&unwinder).arg(&object).run()?;
        }
        Processor::Arm => copy(&gcc.file("libgcc_eh.a")?, &unwinder)?,
    }
    remove(&unpacked)
}

struct Gcc<'a> {
    tree: &'a Tree,
    program: String,
}

impl Gcc<'_> {
    fn run(&self) -> Process {
        Process::new(self.tree, &self.program)
    }

    /// A file that comes with the compiler.
    fn file(&self, name: &str) -> Result<PathBuf> {
        let printed = self.run().arg(format!("-print-file-name={name}")).probe();
        let path = PathBuf::from(printed.with_context(|| format!("{} does not run", self.program))?);
        // what it does not have it prints as it was asked
        ensure!(path.is_absolute(), "{} has no {name}", self.program);
        Ok(path)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
