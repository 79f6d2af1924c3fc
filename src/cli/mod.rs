//! The command line: one file a verb, and rendering.

pub mod crds;
pub mod demo;
mod identity;
pub mod probe_azure;
pub mod release;
pub mod roles;
pub mod run;
pub mod serve;
pub mod simulate;
mod whole;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// A Kubernetes operator for Windows Server hotpatching.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs the controller against a cluster and an Azure endpoint.
    Run(Box<run::Options>),
    /// Shows the product doing its main job: the real controller on a virtual clock, over an
    /// embedded Kubernetes API and an emulated Azure. Needs no cluster and no cloud.
    Demo(demo::Options),
    /// Plays whole rollouts in bad weather: faults, deaths, people and clouds that interfere, all
    /// drawn from a seed, judged after every request. Needs no cluster and no cloud.
    Simulate(simulate::Options),
    /// Prints the custom resource definitions as YAML.
    Crds {
        /// Writes one file a kind into this folder instead.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Asks a live tenant how Azure behaves where its documents are silent, and says which
    /// assumption of the emulator to pin. Only reads; refuses in CI.
    ProbeAzure(probe_azure::Options),
    /// Puts back the settings that machines had before a fleet changed them, from the claim on
    /// each. Needs no cluster; writes only with --yes.
    Release(Box<release::Options>),
    /// Prints the Azure roles that the operator needs, as `az role definition create` takes them.
    Roles {
        /// Writes one file a role, and what each action is for, into this folder instead.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

/// Returns the long help of a verb; none where there is no such verb.
pub fn help(verb: &str) -> Option<String> {
    let mut program = Cli::command();
    let verb = program.find_subcommand_mut(verb)?;
    Some(verb.render_long_help().to_string())
}

/// Parses the command line and runs the verb.
pub fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Run(options) => run::main(*options),
        Verb::Demo(options) => demo::main(&options),
        Verb::Simulate(options) => simulate::main(&options),
        Verb::Crds { dir } => print_or_write(dir, crds::print, crds::files),
        Verb::ProbeAzure(options) => probe_azure::main(&options),
        Verb::Release(options) => release::main(&options),
        Verb::Roles { dir } => print_or_write(dir, roles::print, roles::files),
    }
}

/// Prints one text, or writes files into a folder.
fn print_or_write(
    dir: Option<PathBuf>,
    print: fn() -> String,
    files: fn() -> Vec<(String, String)>,
) -> ExitCode {
    let Some(dir) = dir else {
        print!("{}", print());
        return ExitCode::SUCCESS;
    };
    for (name, text) in files() {
        let path = dir.join(name);
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("wrote {}", path.display());
    }
    ExitCode::SUCCESS
}
