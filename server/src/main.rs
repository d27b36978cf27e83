//! The `symbolon` program. Everything is in the library; this is the door.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    symbolon::cli::main()
}
