//! Packs the simulated wearer's parameters into the binary.

const WEARER: &str = "src/wearer.json";

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={WEARER}");
    gaitd_packed::pack("wearer", &std::fs::read(WEARER)?).map(drop)
}
