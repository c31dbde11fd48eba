//! What the machine boots from, made of Debian's packages and kept in the user's cache folder: an emulator, a kernel, an
//! initrd and a disk with a small Debian whose process 1 is systemd.

mod emulator;
mod initrd;
pub(super) mod root;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use self::emulator::Emulator;
use crate::debian::{self, World};
use crate::process::on_path;
use crate::tree::Tree;

/// The suite of the guest and of the emulator: the oldest for which the service is meant.
const SUITE: &str = "bookworm";

/// What is made, in words: where this changes, everything is made anew.
const RECIPE: &str = "1";

/// The host's programs that make it, and the packages that have them.
const PROGRAMS: [(&str, &str); 5] = [
    ("mmdebstrap", "mmdebstrap"),
    ("arch-test", "arch-test"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("cpio", "cpio"),
    ("mke2fs", "e2fsprogs"),
];

/// Everything to boot, lying in the cache folder. Nothing of it is written to.
pub(super) struct Image {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    pub(super) root: PathBuf,
    emulator: Emulator,
}

impl Image {
    /// The image in the cache folder; made where it is missing or another recipe made it, which takes root.
    pub(super) fn provide(tree: &Tree) -> Result<Self> {
        let cache = tree.cache("vm")?;
        fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
        // two at once would write into the same folder
        let lock = cache.join("lock");
        let locked = File::create(&lock).and_then(|file| file.lock().map(|()| file));
        let _locked = locked.with_context(|| format!("cannot lock {}", lock.display()))?;
        let folder = cache.join("image");
        if fs::read_to_string(folder.join("recipe")).is_ok_and(|made| made == recipe()) {
            return Ok(Self::at(&folder));
        }
        let part = cache.join("image.part");
        for old in [&part, &folder] {
            if old.exists() {
                fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        make(tree, &part)?;
        fs::rename(&part, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self::at(&folder))
    }

    fn at(folder: &Path) -> Self {
        Self {
            kernel: folder.join("kernel"),
            initrd: folder.join("initrd"),
            root: folder.join("root.img"),
            emulator: Emulator::at(&folder.join("qemu")),
        }
    }

    /// A command that starts the emulator.
    pub(super) fn qemu(&self) -> Command {
        self.emulator.command()
    }
}

/// All that decides what the image is.
fn recipe() -> String {
    format!("{RECIPE} {SUITE}\n{}\n{}\n{}", root::PACKAGES, initrd::MODULES.join(" "), initrd::INIT)
}

fn make(tree: &Tree, folder: &Path) -> Result<()> {
    eprintln!(
        "Making an arm64 Debian in {}: 170 MB to download, 600 MB on disk, and some four minutes on two cores",
        folder.display()
    );
    install_programs(tree)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let world = World::open(tree, &folder.join("world"), SUITE, &["amd64", "arm64"])?;
    let download = folder.join("download");
    Emulator::unpack(tree, &world, &download, &folder.join("qemu"))?;
    initrd::make(tree, &world, &download, folder)?;
    root::make(tree, &world, folder)?;
    for work in [download, folder.join("world")] {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let written = fs::write(folder.join("recipe"), recipe());
    written.with_context(|| format!("cannot write to {}", folder.display()))
}

/// Installs those of the host's programs that are missing.
fn install_programs(tree: &Tree) -> Result<()> {
    let missing = || -> Vec<&str> {
        // root's own programs are not on everybody's path
        let there = |name: &str| {
            on_path(&[name]).into_iter().chain([Path::new("/usr/sbin").join(name)]).any(|path| path.is_file())
        };
        PROGRAMS.iter().filter(|(program, _)| !there(program)).map(|(_, package)| *package).collect()
    };
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    debian::ensure_apt(tree, &packages.join(", "))?;
    if debian::is_root(tree) {
        debian::update(tree)?;
    }
    debian::install(tree, &packages)?;
    ensure!(missing().is_empty(), "{:?} were installed, but their programs are not on the path", missing());
    Ok(())
}
