//! placeholder
use std::process::ExitCode;
use clap::Args;
/// demo
#[derive(Debug, Args)]
pub struct Options {
    /// The seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}
/// demo
pub fn main(_options: &Options) -> ExitCode { ExitCode::SUCCESS }
