//! `control-plane`: gets the binaries, or runs a command against a throwaway control plane.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use control_plane::{Assets, AssetsError, ControlPlane, UNAVAILABLE};

const USAGE: &str =
    "usage: control-plane get              builds or fetches the binaries, prints them
       control-plane with COMMAND...  runs a command that finds them in its environment
       control-plane run COMMAND...   the same, beside a throwaway control plane whose
                                      kubeconfig is $HOTPATCH_E2E_KUBECONFIG";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let command: Vec<OsString> = arguments.collect();
    let verb = verb.to_str().unwrap_or_default();
    let is_known = match verb {
        "get" => command.is_empty(),
        "with" | "run" => !command.is_empty(),
        _ => false,
    };
    if !is_known {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let assets = match Assets::find() {
        Ok(assets) => assets,
        Err(error @ (AssetsError::Missing { .. } | AssetsError::Failed { .. })) => {
            eprintln!("{error}");
            return ExitCode::from(UNAVAILABLE);
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match verb {
        "get" => {
            println!("{assets:#?}");
            ExitCode::SUCCESS
        }
        "with" => execute(&command, &assets, None),
        _ => beside(&command, &assets),
    }
}

fn beside(command: &[OsString], assets: &Assets) -> ExitCode {
    let started = Instant::now();
    match ControlPlane::start(assets) {
        Ok(plane) => {
            let seconds = started.elapsed().as_secs_f32();
            eprintln!(
                "a control plane at {} after {seconds:.1} s",
                plane.address()
            );
            execute(command, assets, Some(&plane))
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: &[OsString], assets: &Assets, plane: Option<&ControlPlane>) -> ExitCode {
    let (program, arguments) = command.split_first().expect("the usage asks for a command");
    let mut run = Command::new(program);
    run.args(arguments)
        .envs(assets.variables())
        .kill_on_drop(true);
    if let Some(plane) = plane {
        run.env("HOTPATCH_E2E_KUBECONFIG", plane.kubeconfig());
        run.env("CONTRACT_KUBECONFIG", plane.kubeconfig());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime.and_then(|runtime| runtime.block_on(until_end(run)));
    match ended {
        Ok(status) => status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs a command to its end, and outlives an interruption so that all is tidied up: Ctrl-C
/// reaches the command too, SIGTERM ends it here.
async fn until_end(mut run: Command) -> io::Result<ExitStatus> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut child = run.spawn()?;
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => child.start_kill()?,
        }
    }
}
