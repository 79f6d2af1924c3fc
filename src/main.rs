//! The operator's program: parses the command line and runs the verb.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotpatch_operator::cli::main()
}
