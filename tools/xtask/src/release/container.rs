//! A container for gateways: one static program for each kind of processor, and nothing else.

use anyhow::{Context, Result, ensure};

use super::archive::{tar_gz, unpacked};
use super::{Release, started};
use crate::arm::targets::Target;
use crate::files;
use crate::process::Process;
use crate::tree::Tree;

/// The folders from which the recipe takes programs, by the names that builders have for processors.
const PROGRAMS: [(&str, Target); 4] = [
    ("amd64", Target::X86Musl),
    ("arm64", Target::Aarch64Musl),
    ("armv7", Target::Armv7Musl),
    ("armv6", Target::Armv6Musl),
];

/// What is taken from the working copy.
const FILES: [&str; 2] = ["configs/container/Containerfile", "configs/container/config.json"];

/// Packs recipe and programs, and builds and starts them where there is a builder.
pub(super) fn make(release: &Release, notes: &mut Vec<String>) -> Result<String> {
    let tree = release.tree;
    let name = release.name("container");
    let work = release.work(&name)?;
    let folder = work.join(&name);
    for (processor, target) in PROGRAMS {
        let archive = release.folder.join(release.name(target.triple()) + ".tar.gz");
        ensure!(archive.is_file(), "the static program is to be made before: there is no {}", archive.display());
        files::copy(&unpacked(release, &archive)?.join("gaitd"), &folder.join(processor).join("gaitd"))?;
    }
    for file in FILES.iter().chain(&["LICENSE-APACHE", "LICENSE-MIT"]) {
        let kept = file.rsplit('/').next().unwrap_or(file);
        files::copy(&tree.join(file), &folder.join(kept))?;
    }
    files::write(&folder.join("state/README"), "What gaitd learns is kept here.\n")?;
    let path = tar_gz(release, &work, &name)?;
    match Builder::find(tree) {
        Some(builder) => builder.try_out(release, &unpacked(release, &path)?.display().to_string())?,
        None => notes
            .push(format!("{name}: not built, since there is none of {}", Builder::ALL.map(Builder::name).join(", "))),
    }
    release.told(&path)
}

/// A program that builds containers, and starts them.
#[derive(Clone, Copy)]
enum Builder {
    /// Needs no daemon, and no more rights than a container has itself.
    Buildah,
    Podman,
    Docker,
}

impl Builder {
    const ALL: [Self; 3] = [Self::Buildah, Self::Podman, Self::Docker];

    fn name(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// The first that answers; Docker's client does so only where there is a daemon.
    fn find(tree: &Tree) -> Option<Self> {
        Self::ALL.into_iter().find(|builder| Process::new(tree, builder.name()).arg("info").probe().is_some())
    }

    /// Builds the container in `folder` for this machine and, where the release is checked, starts it once.
    fn try_out(self, release: &Release, folder: &str) -> Result<()> {
        let (tree, image) = (release.tree, format!("gaitd:{}", release.version));
        let command = || Process::new(tree, self.name());
        let isolation: &[&str] = if matches!(self, Self::Buildah) { &["--isolation", "chroot"] } else { &[] };
        let file = format!("{folder}/Containerfile");
        command().arg("build").args(isolation).args(["--tag", &image, "--file", &file, folder]).run()?;
        if !release.check {
            return Ok(());
        }
        let (version, decisions) = match self {
            Self::Buildah => {
                let container = command().args(["from", &image]).capture()?;
                let run = |args: &[&str]| {
                    command().arg("run").args(isolation).args([&container, "--", "/usr/bin/gaitd"]).args(args).capture()
                };
                let answers = run(&["--version"]).and_then(|version| Ok((version, run(&started::RUN)?)));
                command().args(["rm", &container]).capture()?;
                answers?
            }
            Self::Podman | Self::Docker => {
                let run = |args: &[&str]| command().args(["run", "--rm", &image]).args(args).capture();
                (run(&["--version"])?, run(&started::RUN)?)
            }
        };
        started::answers(release, &version, &decisions).context(image)
    }
}
