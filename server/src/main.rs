//! The `symbolon` program. Everything is in the library; this is the door.
#![forbid(unsafe_code)]

/// Every request allocates some hundred small pieces, and what one thread makes the committer frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    symbolon::cli::main()
}
