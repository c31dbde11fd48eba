//! The binary holds the shipped ladder, so it is built anew when the ladder changes.

fn main() {
    println!("cargo::rerun-if-changed=models/uci-har-cnn");
    println!("cargo::rerun-if-changed=build.rs");
}
