//! The guest's disk: a small Debian with systemd, and the few programs by which it is steered and observed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::SUITE;
use crate::debian::World;
use crate::process::Process;
use crate::tree::Tree;

/// Beside the essential ones: systemd and what goes with it, QEMU's guest agent, a client for HTTP, and strace, which can
/// hold a single thread. No apt: the package must get by with dpkg.
pub(super) const PACKAGES: &str = "systemd,systemd-sysv,udev,dbus,qemu-guest-agent,curl,strace";

/// The disk's size; what is not used takes no room on the host.
const SIZE: &str = "1G";

/// Makes `root.img` in `folder`.
pub(super) fn make(tree: &Tree, world: &World<'_>, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    {
        let _foreign = Foreign::register(tree)?;
        Process::new(tree, "mmdebstrap")
            .args(["--mode=root", "--architectures=arm64", "--variant=essential"])
            .arg(format!("--include={PACKAGES}"))
            .args(["--aptopt=Acquire::Retries \"3\"", "--dpkgopt=path-exclude=/usr/share/locale/*"])
            .args(["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*"])
            .arg(SUITE)
            .arg(&root)
            .arg(world.sources())
            .run()
            .context("the guest's Debian could not be made; that takes root, and qemu-user in binfmt_misc")?;
    }
    // what may be excluded here is what the package must be able to bring
    let excluded = root.join("etc/dpkg/dpkg.cfg.d/99mmdebstrap");
    if excluded.exists() {
        fs::remove_file(&excluded).with_context(|| format!("cannot remove {}", excluded.display()))?;
    }
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("etc/hostname", "board\n")?;
    // an empty one is filled in at each boot
    write("etc/machine-id", "")?;
    disk(tree, &root, SIZE, &folder.join("root.img"))?;
    fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))
}

/// Makes a disk of `size` (as mke2fs has it) with the files below `folder`.
pub(crate) fn disk(tree: &Tree, folder: &Path, size: &str, image: &Path) -> Result<()> {
    let mut process = Process::new(tree, program("mke2fs"));
    process = process.args(["-q", "-F", "-t", "ext4", "-d"]).arg(folder).arg(image).arg(size);
    process.run()
}

/// A program that lies where only root's path may lead.
fn program(name: &str) -> PathBuf {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() { path } else { name.into() }
}

/// Lets the kernel run arm64 programs by qemu-user while it lives, where it does not already.
struct Foreign {
    mounted: bool,
    registered: bool,
}

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";
const FORMAT: &str = "/usr/lib/binfmt.d/qemu-aarch64.conf";

impl Foreign {
    fn register(tree: &Tree) -> Result<Self> {
        let mut foreign = Self { mounted: false, registered: false };
        let folder = Path::new(BINFMT);
        if !folder.join("register").exists() {
            Process::new(tree, "mount").args(["-t", "binfmt_misc", "binfmt_misc", BINFMT]).run()?;
            foreign.mounted = true;
        }
        if !folder.join("qemu-aarch64").exists() {
            let text = fs::read_to_string(FORMAT).with_context(|| format!("cannot read {FORMAT}"))?;
            let format =
                text.lines().find(|line| line.starts_with(':')).with_context(|| format!("{FORMAT} is empty"))?;
            fs::write(folder.join("register"), format).context("the kernel does not register arm64 programs")?;
            foreign.registered = true;
        }
        ensure!(folder.join("qemu-aarch64").exists(), "the kernel did not register arm64 programs");
        Ok(foreign)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let undo = || -> std::io::Result<()> {
            if self.registered {
                fs::write(Path::new(BINFMT).join("qemu-aarch64"), "-1")?;
            }
            if self.mounted {
                std::process::Command::new("umount").arg(BINFMT).status()?;
            }
            Ok(())
        };
        if let Err(error) = undo() {
            eprintln!("{BINFMT} could not be left as it was: {error}");
        }
    }
}
