//! Packs the font of the figures into the binary: it takes less than half of its size.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "figures")]
    {
        // beyond this, packing takes longer and gains nothing
        let packed = zstd::bulk::compress(epaint_default_fonts::UBUNTU_LIGHT, 19)?;
        std::fs::write(std::path::Path::new(&std::env::var("OUT_DIR")?).join("font.zst"), packed)?;
    }
    Ok(())
}
