//! Packs the font of the figures into the binary: it takes less than half of its size.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "figures")]
    {
        gaitd_packed::pack("font", epaint_default_fonts::UBUNTU_LIGHT)?;
    }
    Ok(())
}
