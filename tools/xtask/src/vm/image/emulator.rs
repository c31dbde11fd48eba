//! qemu-system-aarch64, unpacked beside the system: what is installed there, and in which version, does not matter.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::debian::{self, World};
use crate::tree::Tree;

const PACKAGE: &str = "qemu-system-arm";

/// The emulator with all its libraries.
pub(super) struct Emulator {
    folder: PathBuf,
}

impl Emulator {
    /// The one that was unpacked in `folder`.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Downloads it by way of the folder `download`, and unpacks it in `folder`.
    pub(super) fn unpack(tree: &Tree, world: &World<'_>, download: &Path, folder: &Path) -> Result<()> {
        for archive in world.download(&world.closure(PACKAGE)?, download)? {
            debian::unpack(tree, &archive, folder)?;
        }
        Ok(())
    }

    /// A command that starts it.
    pub(super) fn command(&self) -> Command {
        let libraries = self.folder.join("usr/lib/x86_64-linux-gnu");
        // its own C library needs its own loader
        let mut command = Command::new(self.folder.join("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
        command
            .arg("--library-path")
            .arg(format!("{}:{}", self.folder.join("lib/x86_64-linux-gnu").display(), libraries.display()))
            .arg(self.folder.join("usr/bin/qemu-system-aarch64"))
            .arg("-L")
            .arg(self.folder.join("usr/share/qemu"));
        command
    }
}
