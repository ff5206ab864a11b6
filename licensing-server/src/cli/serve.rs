//! `licensing-server serve`: flags, signals and the open port around [`crate::run::run`].

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use licensing_admin::console::{Failure, no_runtime, parse_duration, parse_duration_or_zero, put, talk};
use licensing_admin::exit::Exit;
use licensing_core::address::{AddressError, ServerAddress};
use licensing_core::id::{Role, UnknownRole};
use licensing_daemon::{Limits, listen};
use rustix::process::{Resource, Rlimit, getpriority_process, getrlimit, setpriority_process, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::config::{self, Profile, ServeOptions, default_listen};
use crate::log::{Log, LogFormat};
use crate::run::run;

/// File descriptors a server needs besides those of clients: peers, the store, standard streams.
const OTHER_FILES: usize = 256;

/// With room for fewer clients than this a server is of no use to anybody.
const FEW_CONNECTIONS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// License file with three SERVER lines, or with one for a single server; once for each vendor
    #[arg(long, value_name = "FILE", required = true)]
    license: Vec<PathBuf>,
    /// Which of the three this is; may be left out for a single server, and when exactly one SERVER line names this host
    #[arg(long, value_name = "primary|secondary|tertiary")]
    role: Option<Role>,
    /// Directory for this server's data; made when missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen on [default: the port of the own SERVER line, on the loopback if its host is the loopback]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Where this server reaches another one, when its SERVER line is for clients only: behind address translation,
    /// or over a network of the servers' own; once for each
    #[arg(long, value_name = "ROLE=PORT@HOST", value_parser = parse_peer_address)]
    peer_address: Vec<(Role, ServerAddress)>,
    /// How fast a dead master is noticed, unless HEARTBEAT_INTERVAL in the license file says so
    #[arg(long, value_enum, default_value_t)]
    profile: ProfileArg,
    /// How long a client may be silent before its seats go back [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    session_grace: Option<Duration>,
    /// Longest time a server that keeps crashing must have been up before it is given mastership, 0s = at once
    /// [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration_or_zero)]
    failback_hold: Option<Duration>,
    /// Key the three servers prove themselves with, see `licensing-server peer-key`; needed unless all are local
    #[arg(long, value_name = "FILE")]
    peer_key: Option<PathBuf>,
    /// Key administrators on other machines prove themselves with; without it they must come to this one
    #[arg(long, value_name = "FILE")]
    admin_key: Option<PathBuf>,
    /// Found the triad with two servers, on the day the third is lost before the very first start
    #[arg(long)]
    force_bootstrap: bool,
    /// Form of the log on standard error; RUST_LOG selects what is logged
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log_format: LogFormat,
    /// Exit when standard input ends, for tests whose parent may be killed
    #[arg(long, hide = true)]
    exit_with_stdin: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ProfileArg {
    /// Failover in about 300 ms
    #[default]
    Default,
    /// Failover in about 160 ms, for quiet hosts close to each other
    Fast,
}

pub(super) fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    // Given up last: what is logged on the way out is written then.
    let log = Log::to_stderr(args.log_format);
    let options = ServeOptions {
        licenses: args.license,
        role: args.role,
        data_dir: args.data,
        profile: match args.profile {
            ProfileArg::Default => Profile::Default,
            ProfileArg::Fast => Profile::Fast,
        },
        session_grace: args.session_grace,
        peer_addresses: args.peer_address,
        peer_key: args.peer_key,
        admin_key: args.admin_key,
        force_bootstrap: args.force_bootstrap,
    };
    let mut config = config::load(&options).map_err(Failure::no)?;
    config.limits = fit_to_files(config.limits)?;
    config.node.failback_hold = args.failback_hold.unwrap_or(config.node.failback_hold);
    let addresses = args.listen.map_or_else(|| default_listen(&config), |address| vec![address]);
    if args.exit_with_stdin {
        exit_with_stdin();
    }
    let role = config.node.role;
    let runtime = runtime()?;
    runtime.spawn(log.watch());
    runtime.block_on(async move {
        let shutdown = shutdown_signal()?;
        let listener = bind(&addresses)?;
        config::took_port(&mut config, listener.local_addr().map_err(Failure::no)?.port());
        // A parent that has gone away does not matter: the log says the same.
        let ready = |address| drop(put(&format!("ready role={role} listen={address}\n")));
        run(config, listener, ready, shutdown).await.map_err(Failure::no)?;
        Ok(Exit::Done)
    })
}

/// For most clients and the log; the node has a thread of its own. When there are too few processors for everything, that and
/// its disk go first: what they decide together grows while clients wait, and heartbeats are not late.
fn runtime() -> Result<Runtime, Failure> {
    /// Enough to step back, and far from being starved.
    const NICENESS: i32 = 5;
    // Behind whatever niceness the server was started with. A thread that may not even be nicer is as good as before.
    let niceness = getpriority_process(None).unwrap_or_default() + NICENESS;
    let step_back = move || {
        let _ = setpriority_process(None, niceness);
    };
    Builder::new_multi_thread().on_thread_start(step_back).enable_all().build().map_err(no_runtime)
}

fn parse_peer_address(text: &str) -> Result<(Role, ServerAddress), String> {
    let Some((role, address)) = text.split_once('=') else {
        return Err("write a role and an address, such as secondary=27001@10.0.0.2".to_owned());
    };
    let role: Role = role.parse().map_err(|error: UnknownRole| error.to_string())?;
    let address: ServerAddress = address.parse().map_err(|error: AddressError| error.to_string())?;
    Ok((role, address))
}

/// Raises the limit of open files as far as needed and allowed; takes fewer connections when it is not enough.
fn fit_to_files(limits: Limits) -> Result<Limits, Failure> {
    let wanted = (limits.connections + limits.undecided + OTHER_FILES) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.unwrap_or(u64::MAX).min(wanted);
    let mut files = current.unwrap_or(u64::MAX);
    if files < allowed && setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum }).is_ok() {
        files = allowed;
    }
    if files >= wanted {
        return Ok(limits);
    }
    let usable = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES);
    let mut limits = limits;
    (limits.connections, limits.undecided) = (usable / 4 * 3, usable / 4);
    let connections = limits.connections;
    let told =
        format!("{files} open files are allowed, so at most {connections} client connections are taken");
    if connections < FEW_CONNECTIONS {
        return Err(Failure::no(format!("{told}: raise ulimit -n (LimitNOFILE) to 1024 at least")));
    }
    info!("{told}: raise ulimit -n if more clients will come");
    Ok(limits)
}

/// Listens on the first address that can be had. One whose port is in use is passed over only for another port.
fn bind(addresses: &[SocketAddr]) -> Result<TcpListener, Failure> {
    let mut taken: Option<SocketAddr> = None;
    let mut last = None;
    for address in addresses {
        if taken.is_some_and(|taken| taken.port() == address.port()) {
            continue;
        }
        match listen(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = Some(*address),
            Err(error) => last = Some((address, error)),
        }
    }
    Err(match (taken, last, addresses) {
        (Some(_), _, [first, .., last]) if first.port() != last.port() => Failure::no(format!(
            "cannot listen: the ports {} to {} are all in use",
            first.port(),
            last.port()
        ))
        .hint("name a free port on the SERVER line, or with --listen"),
        (Some(taken), ..) => {
            Failure::no(format!("cannot listen on {taken}: the port is in use by another program"))
                .hint("another server runs here already, or --listen takes another address")
        }
        (None, Some((address, error)), _) => Failure::no(format!("cannot listen on {address}: {error}")),
        (None, None, _) => Failure::no("no address to listen on"),
    })
}

/// Done at the first SIGTERM or SIGINT; a second one ends the process on the spot.
fn shutdown_signal() -> Result<impl Future<Output = ()>, Failure> {
    let handler =
        |kind| signal(kind).map_err(|error| Failure::no(format!("cannot wait for signals: {error}")));
    let (mut terminate, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let mut either = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    Ok(async move {
        let name = either().await;
        info!("{name}: stopping, once more to stop at once");
        tokio::spawn(async move {
            let name = either().await;
            // The log's own thread would not get to it any more.
            talk(format_args!("{name} again: EXITING at once"));
            std::process::exit(i32::from(Exit::No.code()));
        });
    })
}

/// Standard input is a pipe held by the parent: its end means that the parent is gone, however it died. The state on
/// disk survives this like any crash.
fn exit_with_stdin() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while matches!(io::stdin().read(&mut byte), Ok(1..)) {}
        std::process::exit(i32::from(Exit::No.code()));
    });
}
