//! `licensectl checkout`: seats for a command, until a signal, or just to see.

use std::process::ExitStatus;

use clap::Args;
use licensing_client::{Checkout, Client, ClientEvent, RequestError};
use licensing_core::counted;
use licensing_core::outcome::Denial;
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::servers::{no_answer, no_session};
use crate::console::{Failure, put, talk};
use crate::exit::{Exit, Wrapping};
use crate::operate::Servers;

#[derive(Debug, Args)]
#[command(
    after_help = "Without --hold and without a COMMAND the seats are given back at once: the answer tells \
                        whether they were free.\nWith a COMMAND everything licensectl says goes to standard error, \
                        and it ends with the command's exit code; with 75 when the seats were denied, 69 when that could not be found \
                        out, 74 when the seats were gone before the command ended, 126 or 127 when it could not be run."
)]
pub(super) struct CheckoutArgs {
    /// Feature name as in the license file
    feature: String,
    /// Vendor of the feature [default: all vendors, in the order of their names]
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    /// Version needed: granted when it is not above the licensed one [default: any]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// How many seats, all or none
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// User to show in status instead of the own one
    #[arg(long)]
    user: Option<String>,
    /// Host to show in status instead of the own one
    #[arg(long)]
    host: Option<String>,
    /// Display to show in status instead of the own one
    #[arg(long)]
    display: Option<String>,
    /// Text to keep with the seats, up to 1024 bytes: `licensectl vendor-data` shows it
    #[arg(long, value_name = "TEXT")]
    vendor_data: Option<String>,
    /// Keep the seats until SIGTERM or SIGINT, then give them back
    #[arg(long, conflicts_with = "command")]
    hold: bool,
    /// One JSON object for each thing that happens
    #[arg(long)]
    json: bool,
    /// Run this command while the seats are held, and end as it ends
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How to say what happens.
struct Voice {
    json: bool,
    /// Standard output belongs to the command.
    to_stderr: bool,
}

/// What happens, for scripts. Keys are a contract: they may be added to, never renamed.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Happening<'a> {
    Granted { handle: u64, index: u64, session: u64, token: String },
    Denied { code: i32, reason: String, text: &'static str },
    Disconnected { reason: &'a str },
    Reconnected { server: String, gap_ms: u64 },
    Lost,
    Returned { handle: u64 },
}

impl Voice {
    fn say(&self, text: impl std::fmt::Display, happening: &Happening<'_>) -> Result<(), Failure> {
        let line = match self.json {
            true => serde_json::to_string(happening).map_err(Failure::unknown)?,
            false => text.to_string(),
        };
        if self.to_stderr {
            talk(line);
            return Ok(());
        }
        put(&(line + "\n"))
    }

    fn event(&self, event: &ClientEvent) -> Result<(), Failure> {
        match event {
            ClientEvent::Connected { .. } => Ok(()),
            ClientEvent::Disconnected { reason } => self
                .say(format_args!("no master at the moment: {reason}"), &Happening::Disconnected { reason }),
            ClientEvent::Reconnected { server, gap_ms } => self.say(
                format_args!("the session goes on with {server} after {gap_ms} ms"),
                &Happening::Reconnected { server: server.to_string(), gap_ms: *gap_ms },
            ),
            ClientEvent::SessionLost => {
                self.say("the session is gone and its seats with it", &Happening::Lost)
            }
            // What a later client may tell besides is nothing that scripts wait for.
            _ => Ok(()),
        }
    }
}

pub(super) async fn checkout(servers: &Servers, args: CheckoutArgs) -> Result<Exit, Failure> {
    let wraps = !args.command.is_empty();
    let ended = under_seats(servers, args).await;
    if !wraps {
        return ended;
    }
    let told = |exit| match exit {
        Exit::No => Exit::Under(Wrapping::Denied),
        Exit::Unknown => Exit::Under(Wrapping::Unknown),
        other => other,
    };
    ended.map(told).map_err(|failure| Failure { exit: told(failure.exit), ..failure })
}

async fn under_seats(servers: &Servers, args: CheckoutArgs) -> Result<Exit, Failure> {
    let voice = Voice { json: args.json, to_stderr: !args.command.is_empty() };
    // Before anything is taken, so that a signal always finds somebody who gives it back.
    let mut signals = Signals::new()?;
    let mut config = servers.client_config();
    for (own, given) in [
        (&mut config.identity.user, args.user),
        (&mut config.identity.host, args.host),
        (&mut config.identity.display, args.display),
    ] {
        if let Some(given) = given {
            *own = given;
        }
    }
    let client = tokio::select! {
        client = Client::connect(config) => client.map_err(no_session)?,
        signal = signals.next() => return Ok(ended_by(signal)),
    };
    let mut events = client.events();
    let mut request = client.checkout(&args.feature).seats(args.count);
    if let Some(vendor) = args.vendor {
        request = request.vendor(vendor);
    }
    if let Some(version) = args.version {
        request = request.version(version);
    }
    if let Some(data) = args.vendor_data {
        request = request.vendor_data(data);
    }
    let asked = tokio::select! {
        asked = request.send() => asked,
        signal = signals.next() => {
            // Seats that are granted all the same go back with the session.
            drop(client.close().await);
            return Ok(ended_by(signal));
        }
    };
    let seats = match asked {
        Ok(seats) => seats,
        Err(RequestError::Denied(denial)) => {
            say_denied(&voice, &denial)?;
            drop(client.close().await);
            return Ok(Exit::No);
        }
        Err(error) => return Err(no_answer(error)),
    };
    say_granted(&voice, &client, &seats, &args.feature)?;
    let exit = if let [program, arguments @ ..] = &args.command[..] {
        run_command(program, arguments, &voice, &mut events, &mut signals).await
    } else if args.hold {
        hold(&voice, &mut events, &mut signals).await
    } else {
        Ok(Exit::Done)
    };
    let is_back = match give_back(&voice, client, seats).await {
        // How the command ended counts more than when its seats are back.
        Err(problem) if matches!(exit, Ok(Exit::Command(_))) => {
            talk(format_args!("note: {}", problem.message));
            true
        }
        given => given?,
    };
    match exit {
        // It ran on without them, and whoever started it should know.
        Ok(Exit::Command(_)) if !is_back => Ok(Exit::Under(Wrapping::Lost)),
        exit => exit,
    }
}

fn say_granted(voice: &Voice, client: &Client, seats: &Checkout, feature: &str) -> Result<(), Failure> {
    let amount = counted(u64::from(seats.seats().0), "seat");
    voice.say(
        format_args!("granted handle {}: {amount} of {feature}", seats.handle()),
        &Happening::Granted {
            handle: seats.handle().0,
            index: seats.index().0,
            session: client.session().0,
            token: client.token().to_hex(),
        },
    )
}

fn say_denied(voice: &Voice, denial: &Denial) -> Result<(), Failure> {
    let (code, text) = (denial.flexnet_code(), denial.flexnet_text());
    voice.say(
        format_args!("denied: {denial} ({text}, {code})"),
        &Happening::Denied { code, reason: denial.to_string(), text },
    )
}

/// Whether they were still there to be given back.
async fn give_back(voice: &Voice, client: Client, seats: Checkout) -> Result<bool, Failure> {
    let handle = seats.handle();
    let is_back = match seats.checkin().await {
        Ok(_) => {
            voice.say(format_args!("returned handle {handle}"), &Happening::Returned { handle: handle.0 })?;
            true
        }
        // An administrator was faster; the seats are free, which is what matters.
        Err(RequestError::Denied(_) | RequestError::SessionLost { .. }) => {
            talk(format_args!("note: handle {handle} had been taken away already"));
            false
        }
        Err(error) => {
            return Err(
                no_answer(error).hint("the servers take the seats back when the session's grace is over")
            );
        }
    };
    drop(client.close().await);
    Ok(is_back)
}

/// Until a signal, or until there is nothing left to hold.
async fn hold(
    voice: &Voice,
    events: &mut Receiver<ClientEvent>,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(Exit::Done),
            event = next(events) => {
                voice.event(&event)?;
                if event == ClientEvent::SessionLost {
                    return Ok(Exit::No);
                }
            }
        }
    }
}

async fn run_command(
    program: &str,
    arguments: &[String],
    voice: &Voice,
    events: &mut Receiver<ClientEvent>,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let mut child = Command::new(program).args(arguments).spawn().map_err(|error| {
        let wrapping = match error.kind() {
            std::io::ErrorKind::NotFound => Wrapping::NotFound,
            _ => Wrapping::NotRunnable,
        };
        Failure::new(Exit::Under(wrapping), format!("cannot run `{program}`: {error}"))
    })?;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let status = ended.map_err(|error| Failure::unknown(format!("cannot wait for `{program}`: {error}")))?;
                return Ok(Exit::Command(code(status)));
            }
            signal = signals.next() => forward(&child, signal),
            // The command goes on when its seats are lost: whether to stop it is not ours to decide.
            event = next(events) => voice.event(&event)?,
        }
    }
}

fn forward(child: &Child, signal: rustix::process::Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        // It may have ended in this moment.
        let _ = rustix::process::kill_process(id, signal);
    }
}

/// As shells tell it.
fn ended_by(signal: rustix::process::Signal) -> Exit {
    Exit::Command(128 + u8::try_from(signal.as_raw()).unwrap_or(0))
}

/// As shells tell it: 128 and the signal's number when a signal ended it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

/// The next event; waits for ever when there will be none.
async fn next(events: &mut Receiver<ClientEvent>) -> ClientEvent {
    loop {
        match events.recv().await {
            Ok(event) => return event,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// SIGTERM and SIGINT, which no longer end this process once they are waited for.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        let handler = |kind| {
            signal(kind).map_err(|error| Failure::unknown(format!("cannot wait for signals: {error}")))
        };
        Ok(Signals {
            terminate: handler(SignalKind::terminate())?,
            interrupt: handler(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> rustix::process::Signal {
        tokio::select! {
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.interrupt.recv() => rustix::process::Signal::INT,
        }
    }
}
