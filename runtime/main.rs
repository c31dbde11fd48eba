//! The gaitd command; the crate `gaitd-cli` has all of it.

fn main() -> std::process::ExitCode {
    gaitd_cli::main()
}
