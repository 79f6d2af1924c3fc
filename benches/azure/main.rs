//! `make bench`: what the operator costs, measured against the emulated Azure, and what a script
//! does with the same job. docs/bench.md says what each line means.

mod suite;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use control_plane::Assets;

use suite::{Figures, Order, measure, table};

/// Measures the operator against the emulated Azure.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// How many machines there are; several numbers, the largest last, are measured one by
    /// one, and 0 leaves them out
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    machines: Vec<usize>,
    /// How many machines the job has that is killed halfway and run again; 0 leaves it out
    #[arg(long, default_value_t = 1000)]
    job: usize,
    /// The operator's binary [default: the one of this build]
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Leaves the two months out, which take longest
    #[arg(long)]
    no_months: bool,
    /// How the figures are printed
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One aligned table
    Table,
    /// Everything that was measured
    Json,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let python = python(options.job);
    let order = Order {
        binary: options
            .operator
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_hotpatch-operator"))),
        sizes: options
            .machines
            .into_iter()
            .filter(|own| *own > 0)
            .collect(),
        months: !options.no_months,
        job: options.job,
        python: python.as_ref().ok().cloned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let measured = match runtime {
        Ok(runtime) => runtime.block_on(measure(&order, &tell)),
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match measured {
        Ok(figures) => print(&figures, options.output, python.err().as_deref()),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Finds a Python with Microsoft's client, or says why there is none.
fn python(job: usize) -> Result<PathBuf, String> {
    if job == 0 {
        return Err("no job was asked for".to_owned());
    }
    Assets::azure_python().map_err(|error| error.to_string())
}

fn tell(what: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{what}");
}

fn print(figures: &Figures, output: Output, no_script: Option<&str>) -> ExitCode {
    let mut text = match output {
        Output::Json => {
            let text = serde_json::to_string_pretty(figures);
            text.expect("figures are plain data") + "\n"
        }
        Output::Table => format!(
            "{}\n{}",
            table::figures(&figures.machines, &figures.rows),
            table::doers(&figures.killed)
        ),
    };
    if let Some(why) = no_script {
        let line = format!("the script was not measured: {why}\n");
        match output {
            Output::Table => text += &line,
            Output::Json => eprint!("{line}"),
        }
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
