//! The emulated board: qemu-system-aarch64 with two disks and the serial ports by which the host reaches in.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::image::Image;

/// The port of QEMU's guest agent, by the name that the agent looks for.
pub(super) const AGENT: &str = "org.qemu.guest_agent.0";
/// The port that is the motion sensor: samples go in.
pub(super) const SENSOR: &str = "gaitd.samples";
/// The port at which gaitd's events come out.
pub(super) const EVENTS: &str = "gaitd.events";

/// The guest's kernel command line: no timer of Debian's own may come between, for each costs seconds under emulation.
const KERNEL: &str = "root=/dev/vda rw console=ttyAMA0 panic=-1 \
    systemd.mask=apt-daily.timer systemd.mask=apt-daily-upgrade.timer systemd.mask=dpkg-db-backup.timer \
    systemd.mask=e2scrub_all.timer systemd.mask=fstrim.timer";

/// How long qemu itself may take to open its sockets.
const START: Duration = Duration::from_secs(60);

/// What the board is made of.
pub(super) struct Board {
    /// A processor that `qemu-system-aarch64 -cpu help` lists.
    pub(super) cpu: String,
    /// MiB.
    pub(super) memory: u32,
}

/// A running board; it is switched off when dropped.
pub(super) struct Machine {
    qemu: Child,
    ports: PathBuf,
}

impl Machine {
    /// Boots `image`, with `payload` as the second disk; the console goes to `console`. What the guest writes to its
    /// disks is gone with the machine.
    pub(super) fn boot(image: &Image, board: &Board, payload: &Path, console: &Path) -> Result<Self> {
        // the target directory's path may be longer than that of a socket can be
        let ports = std::env::temp_dir().join(format!("gaitd-vm-{}", std::process::id()));
        fs::create_dir_all(&ports).with_context(|| format!("cannot make {}", ports.display()))?;
        let mut command = image.qemu();
        command
            .args(["-machine", "virt", "-cpu", &board.cpu, "-smp", "2", "-m", &board.memory.to_string()])
            .args(["-accel", "tcg,thread=multi", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none"])
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.initrd)
            .args(["-append", KERNEL]);
        option(&mut command, "-serial", "file:", console, "");
        option(&mut command, "-drive", "if=virtio,format=raw,snapshot=on,file=", &image.root, "");
        option(&mut command, "-drive", "if=virtio,format=raw,snapshot=on,file=", payload, "");
        command.args(["-device", "virtio-serial-pci"]);
        for (number, name) in [AGENT, SENSOR, EVENTS].iter().enumerate() {
            let socket = ports.join(name);
            option(&mut command, "-chardev", &format!("socket,id=port{number},server=on,wait=off,path="), &socket, "");
            command.arg("-device").arg(format!("virtserialport,chardev=port{number},name={name}"));
        }
        // a signal from the terminal reaches qemu too, and ends it
        let qemu = command.stdin(Stdio::null()).spawn().context("cannot start qemu-system-aarch64")?;
        Ok(Self { qemu, ports })
    }

    /// The host's end of the port `name`.
    pub(super) fn port(&mut self, name: &str) -> Result<UnixStream> {
        let path = self.ports.join(name);
        let start = Instant::now();
        loop {
            if let Some(status) = self.qemu.try_wait()? {
                anyhow::bail!("qemu-system-aarch64 ended at once, with {status}");
            }
            match UnixStream::connect(&path) {
                Ok(port) => return Ok(port),
                Err(error) => {
                    ensure!(start.elapsed() < START, "qemu does not open {}: {error}", path.display());
                    sleep(Duration::from_millis(50));
                }
            }
        }
    }

    /// Waits until the guest has switched itself off.
    pub(super) fn off(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        while self.qemu.try_wait()?.is_none() {
            ensure!(start.elapsed() < patience, "still on after {} s", patience.as_secs());
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // it may have ended by itself, which is all right
        if matches!(self.qemu.try_wait(), Ok(None)) && self.qemu.kill().and_then(|()| self.qemu.wait()).is_err() {
            eprintln!("qemu-system-aarch64 (process {}) could not be ended", self.qemu.id());
        }
        if let Err(error) = fs::remove_dir_all(&self.ports) {
            eprintln!("cannot remove {}: {error}", self.ports.display());
        }
    }
}

/// `name` with a value that has a path in it, in which QEMU wants commas doubled.
fn option(command: &mut Command, name: &str, before: &str, path: &Path, after: &str) {
    command.arg(name).arg(format!("{before}{}{after}", path.display().to_string().replace(',', ",,")));
}
