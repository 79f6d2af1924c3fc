//! The operator's program: parses the command line and runs the verb.

use std::process::ExitCode;

#[cfg(feature = "quick-allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hotpatch_operator::cli::main()
}
