//! `licensing-server demo`.

use licensing_admin::console::{Failure, put, put_json, runtime, talk};
use licensing_admin::exit::Exit;

use crate::demo::{show, show_single};

/// What a shell calls a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(super) fn demo(json: bool, single: bool) -> Result<Exit, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::unknown(format!("cannot find this program to start it: {error}")))?;
    let tell = move |line: String| {
        if json {
            talk(line);
        } else {
            // A reader that has gone away does not end the demonstration.
            let _ = put(&(line + "\n"));
        }
    };
    let runtime = runtime()?;
    let showing = async {
        match single {
            true => show_single(program, tell).await,
            false => show(program, tell).await,
        }
    };
    let shown = runtime.block_on(async {
        // Leaving this block drops the servers, however it is left.
        tokio::select! {
            shown = showing => Some(shown),
            () = interrupted() => None,
        }
    });
    // No task in the background has anything left to say to the servers.
    runtime.shutdown_background();
    let summary = match shown {
        None => return Ok(Exit::Command(INTERRUPTED)),
        Some(shown) => shown.map_err(Failure::unknown)?,
    };
    if json {
        put_json(&summary)?;
    }
    Ok(if summary.is_clean() { Exit::Done } else { Exit::No })
}

/// Ctrl-C, or a polite kill.
async fn interrupted() {
    match licensing_daemon::stop_signal() {
        Ok(signal) => signal.await,
        Err(_) => std::future::pending().await,
    }
}
