//! The kernel, and an initrd that knows just the board's disk and serial ports.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian::{self, World};
use crate::process::Process;
use crate::tree::Tree;

/// Depends on the kernel of the day. The one for virtual machines is a third of the other's size.
const KERNEL: &str = "linux-image-cloud-arm64:arm64";
const BUSYBOX: &str = "busybox-static:arm64";

/// In the order in which they need each other. ext4 is built into the kernel.
pub(super) const MODULES: [&str; 7] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
];

/// What the kernel starts first.
pub(super) const INIT: &str = "#!/busybox sh
/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /busybox insmod \"$module\"; done
until [ -b /dev/vda ]; do /busybox sleep 0.1; done
/busybox mount -t ext4 /dev/vda /sysroot
/busybox mount -o move /dev /sysroot/dev
exec /busybox switch_root /sysroot /sbin/init
";

/// Makes `kernel` and `initrd` in `folder`.
pub(super) fn make(tree: &Tree, world: &World<'_>, download: &Path, folder: &Path) -> Result<()> {
    let (files, initrd) = (folder.join("kernel.files"), folder.join("initrd.files"));
    let kernel = world.closure(KERNEL)?.into_iter().find(|name| is_image(name));
    let kernel = kernel.with_context(|| format!("{KERNEL} depends on no kernel"))?;
    for archive in world.download(&[kernel, BUSYBOX.to_owned()], download)? {
        debian::unpack(tree, &archive, &files)?;
    }
    for directory in ["dev", "modules", "sysroot"] {
        fs::create_dir_all(initrd.join(directory)).with_context(|| format!("cannot make {}", initrd.display()))?;
    }
    for (number, module) in MODULES.iter().enumerate() {
        copy(&find(&files.join("lib/modules"), &format!("{module}.ko"))?, &initrd.join(format!("modules/{number}")))?;
    }
    copy(&find(&files, "busybox")?, &initrd.join("busybox"))?;
    fs::write(initrd.join("init"), INIT).with_context(|| format!("cannot write to {}", initrd.display()))?;
    let pack = "chmod 755 init busybox && find . | cpio --create --format=newc --quiet --owner=0:0 > ../initrd";
    Process::new(tree, "sh").args(["-euc", pack]).directory(&initrd).run()?;
    copy(&boot_image(&files.join("boot"))?, &folder.join("kernel"))?;
    for work in [files, initrd] {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    Ok(())
}

/// Whether this is the name of a kernel itself, with its version, and not of what depends on the latest.
fn is_image(package: &str) -> bool {
    package.strip_prefix("linux-image-").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn boot_image(boot: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(boot).with_context(|| format!("cannot read {}", boot.display()))?;
    let mut images = entries.filter_map(|entry| Some(entry.ok()?.path()));
    images
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .with_context(|| format!("there is no kernel in {}", boot.display()))
}

/// The file `name` anywhere below `folder`.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_file() && path.file_name().is_some_and(|found| found == name) {
                return Ok(path);
            }
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    anyhow::bail!("the packages have no {name}")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_told_from_what_depends_on_it() {
        assert!(is_image("linux-image-6.1.0-50-cloud-arm64:arm64"));
        assert!(!is_image("linux-image-cloud-arm64:arm64"));
        assert!(!is_image("linux-base:arm64"));
    }
}
