//! What must hold of a package.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::process::Process;
use crate::tree::Tree;

/// The libraries that may be needed, and the package that each is in.
const LIBRARIES: [(&str, &str); 4] =
    [("libc.so.6", "libc6"), ("libm.so.6", "libc6"), ("ld-linux", "libc6"), ("libgcc_s.so.1", "libgcc-s1")];

/// Fails where a program is missing without which packages can be neither made nor checked.
pub(super) fn ensure_programs(tree: &Tree) -> Result<()> {
    for (program, package) in [("dpkg-deb", "dpkg"), ("readelf", "binutils"), ("lintian", "lintian")] {
        ensure!(
            Process::new(tree, program).arg("--version").probe().is_some(),
            "there is no {program}: install {package}, on Debian or one of its kin (`cargo xtask programs --install`)"
        );
    }
    Ok(())
}

/// The program needs no library and no version of libc that the package does not depend on.
pub(super) fn depends(tree: &Tree, program: &Path, package: &Path) -> Result<()> {
    let depends = Process::new(tree, "dpkg-deb").arg("--field").arg(package).arg("Depends").capture()?;
    let readelf = |part| Process::new(tree, "readelf").env("LC_ALL", "C").args([part, "--wide"]).arg(program).capture();
    let (dynamic, versions) = (readelf("--dynamic")?, readelf("--version-info")?);
    let missing = missing(&depends, &dynamic, &versions)?;
    ensure!(
        missing.is_empty(),
        "{} needs {}, and the package depends on {depends} only; correct `depends` in Cargo.toml",
        program.display(),
        missing.join(", ")
    );
    Ok(())
}

/// What readelf prints of a program's libraries and their versions, without what `depends` covers.
fn missing(depends: &str, dynamic: &str, versions: &str) -> Result<Vec<String>> {
    let covered: Vec<_> = depends.split(", ").collect();
    let mut missing = Vec::new();
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for library in needed.filter_map(|line| line.split_once('[')?.1.split_once(']')).map(|(library, _)| library) {
        let package = LIBRARIES.iter().find(|(name, _)| library.starts_with(name)).map(|&(_, package)| package);
        if !package
            .is_some_and(|package| covered.iter().any(|dependency| dependency.split(' ').next() == Some(package)))
        {
            missing.push(library.to_owned());
        }
    }
    let promised = covered.iter().find_map(|dependency| dependency.strip_prefix("libc6 (>= ")?.strip_suffix(')'));
    let promised = promised.and_then(version).context("the package does not depend on a version of libc6")?;
    let used =
        versions.split_whitespace().filter_map(|word| version(word.trim_matches(['(', ')']).strip_prefix("GLIBC_")?));
    if let Some((major, minor)) = used.max().filter(|&used| used > promised) {
        missing.push(format!("libc6 (>= {major}.{minor})"));
    }
    Ok(missing)
}

/// `2.36` or `2.2.5`, without its last part.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// lintian finds neither an error nor a warning, but for those in configs/debian/lintian-overrides.
pub(super) fn lintian(tree: &Tree, package: &Path) -> Result<()> {
    // as root it asks for this flag
    let lintian = Process::new(tree, "lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(package);
    lintian.run().context("lintian (`lintian-explain-tags TAG` explains a tag)")
}

/// Two packages are equal to the last byte.
pub(super) fn same(one: &Path, other: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    ensure!(
        read(one)? == read(other)?,
        "{} and {} differ; diffoscope shows where (Debian: apt-get install diffoscope-minimal)",
        one.display(),
        other.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDS: &str = "libc6 (>= 2.35), libgcc-s1, systemd | systemd-sysusers";
    const DYNAMIC: &str = " 0x1 (NEEDED)             Shared library: [libgcc_s.so.1]\n \
                           0x1 (NEEDED)             Shared library: [libm.so.6]\n \
                           0x1 (NEEDED)             Shared library: [ld-linux-armhf.so.3]\n \
                           0x1d (RUNPATH)           Library runpath: [/nowhere]\n";

    #[test]
    fn what_the_package_depends_on_is_enough() {
        let versions = "  018:   8 (GLIBC_2.29)    3 (GLIBC_2.2.5)\n  0x0010:   Name: GLIBC_2.35  Flags: none";
        let missing = missing(DEPENDS, DYNAMIC, versions).unwrap();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn a_library_or_a_version_too_many_is_named() {
        let dynamic = DYNAMIC.to_owned() + " 0x1 (NEEDED)             Shared library: [libssl.so.3]\n";
        let versions = "  0x0010:   Name: GLIBC_2.36  Flags: none\n  0x0020:   Name: GLIBC_2.4  Flags: none";
        assert_eq!(missing(DEPENDS, &dynamic, versions).unwrap(), ["libssl.so.3", "libc6 (>= 2.36)"]);
        let without = missing("libc6 (>= 2.36)", DYNAMIC, versions).unwrap();
        assert_eq!(without, ["libgcc_s.so.1"]);
    }
}
