//! Real programs for tests: builds them, finds them, runs them, and reads what they say.
//!
//! The programs belong to another package than the tests, so cargo does not hand their paths over: they lie next to
//! the test program, and are built into the same directory before the first one is started.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use licensing_client::protocol::{StatusFilter, StatusPage};
use licensing_client::{Direct, ServerAddress, TcpDial};
use licensing_core::id::{Handle, Role};
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for something that must happen: far above anything that works, so that only a real stall reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that is expected to change within milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Multiplies the rounds of the suites, for long runs.
const ROUNDS_VARIABLE: &str = "LICENSING_ROUNDS";

/// How often to repeat what a usual run does so many times.
pub fn rounds(usual: usize) -> usize {
    let factor = std::env::var(ROUNDS_VARIABLE).ok().map(|factor| factor.parse::<usize>());
    usual * factor.map_or(1, |factor| factor.unwrap_or_else(|_| panic!("{ROUNDS_VARIABLE} is a number")))
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The daemon.
    pub server: PathBuf,
    /// `licensectl`.
    pub ctl: PathBuf,
    /// `lmutil`.
    pub lmutil: PathBuf,
    /// The example of a daemon of one's own.
    pub acmed: PathBuf,
    /// The target directory: what a failed run leaves goes to `tmp` below it.
    pub target: PathBuf,
}

/// Builds the programs, once per test process, and says where they are.
pub fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| build().unwrap_or_else(|error| panic!("cannot build the programs: {error}")))
}

fn build() -> io::Result<Programs> {
    let own = std::env::current_exe()?;
    let strange = || io::Error::other(format!("{} is not in a target directory", own.display()));
    // target/debug/deps/the_test-0123456789abcdef
    let directory = own.ancestors().skip(1).find(|directory| !directory.ends_with("deps"));
    let directory = directory.ok_or_else(strange)?;
    let between = directory.parent().ok_or_else(strange)?;
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "test",
        Some(name) => name,
        None => return Err(strange()),
    };
    // In the build with planted bugs programs lie elsewhere than tests: tests/mutants/cargo.
    let told = std::env::var_os("CARGO_TARGET_DIR").filter(|_| cfg!(licensing_mutants));
    let target = told.map_or_else(|| between.to_owned(), PathBuf::from);
    let directory = target.join(directory.file_name().unwrap_or_default());
    // With the words of the test command, because that is what has been built already: for `build`, or for one package
    // alone, cargo would choose other features of the dependencies and build them all again. The output is for whoever
    // has broken the build.
    let begun = std::time::Instant::now();
    let built = std::process::Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--workspace", "--no-run", "--profile", profile])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .status()?;
    if !built.success() {
        return Err(io::Error::other(format!("cargo build ended with {built}")));
    }
    // The first test of the first suite pays for it, and should not look slow.
    eprintln!("building the programs took {:?}", begun.elapsed());
    let program = |name: &str| directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    Ok(Programs {
        server: program("licensing-server"),
        ctl: program("licensectl"),
        lmutil: program("lmutil"),
        acmed: program("examples/acmed"),
        target,
    })
}

/// Options with further arguments of `licensing-server serve`.
pub fn with_arguments(arguments: &[&str]) -> TriadOptions {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    TriadOptions { arguments, ..TriadOptions::default() }
}

/// Three servers with the primary as master.
pub async fn start(options: TriadOptions) -> LocalTriad {
    let triad =
        LocalTriad::start(&programs().server, options).await.unwrap_or_else(|error| panic!("{error}"));
    wait_until_master(&triad, Role::Primary).await;
    triad
}

/// As [`start`], but the servers trust a silent leader for three seconds: for tests in which the mastership must not
/// move by itself, on a machine so busy that a heartbeat may be late by more than the usual 300 ms.
pub async fn start_patient(options: TriadOptions) -> LocalTriad {
    start(TriadOptions { heartbeat_interval: Some(1), ..options }).await
}

/// Waits until this server is master.
#[track_caller]
pub fn wait_until_master(triad: &LocalTriad, role: Role) -> impl Future<Output = ()> {
    wait_until(format!("the {role} is master"), async move || {
        (triad.master().await == Some(role)).then_some(())
    })
}

/// Waits until each server hears all three and has nothing to say against any of them: none of them is missing, still
/// catching up, or wrong about the time.
pub async fn wait_until_whole(triad: &LocalTriad) {
    wait_until("all three servers are whole again", async || {
        for role in Role::ALL {
            let page = status(&triad.address(role)).await?;
            if !page.servers.iter().all(|server| server.up && server.remark.is_none()) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Starts a server again.
pub async fn restart(triad: &mut LocalTriad, role: Role) {
    triad.restart(role).await.unwrap_or_else(|error| panic!("{error}"));
}

/// Kills all three with SIGKILL before any of them can notice.
pub fn kill_all(triad: &mut LocalTriad) {
    let running = Role::ALL.map(|role| triad.process_id(role));
    for id in running.into_iter().flatten() {
        signal(id, Signal::KILL);
    }
    // They are reaped one after the other.
    for role in Role::ALL {
        triad.kill(role);
    }
}

/// Sends a signal to a process that was started here and not reaped yet.
pub fn signal(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, signal).expect("the process is ours");
}

/// Looks again and again until there is something.
#[track_caller]
pub fn wait_until<T>(
    awaited: impl Into<String>,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    let awaited = awaited.into();
    async move {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(LOOK_PAUSE).await;
            }
        };
        match timeout(PATIENCE, looking).await {
            Ok(found) => found,
            Err(_) => panic!("{caller}: waited {} s until {awaited}", PATIENCE.as_secs()),
        }
    }
}

/// What one server shows, if it answers.
pub async fn status(server: &ServerAddress) -> Option<StatusPage> {
    let direct = Direct::connect(server, &TcpDial).await.ok()?;
    direct.with_answer_limit(Duration::from_secs(2)).status_all(StatusFilter::default()).await.ok()
}

/// What the master shows.
pub async fn master_status(triad: &LocalTriad) -> StatusPage {
    wait_until("a master shows its state", async || {
        for role in Role::ALL {
            if let Some(page) = status(&triad.address(role)).await
                && page.master == Some(role)
            {
                return Some(page);
            }
        }
        None
    })
    .await
}

/// Handles of the checkouts on a page.
pub fn handles(page: &StatusPage) -> Vec<Handle> {
    page.checkouts.iter().map(|checkout| checkout.handle).collect()
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ended {
    /// Its standard output, if it ended with this code.
    #[track_caller]
    pub fn with(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts exit code and standard error, in which each `…` of `expected` stands for anything.
    #[track_caller]
    pub fn failed(self, code: i32, expected: &str) {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        let mut rest = self.stderr.as_str();
        for part in expected.split('…') {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => panic!("expected: {expected}\nfound: {}", self.stderr),
            }
        }
    }
}

/// A command of ours whose servers are those of the triad.
pub fn command(program: &Path, triad: &LocalTriad, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(triad.directory())
        .env("LM_LICENSE_FILE", triad.search_path().to_string())
        .env("TZ", "UTC")
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub async fn run(mut command: Command) -> Ended {
    let output = timeout(PATIENCE, command.output()).await;
    let output =
        output.unwrap_or_else(|_| panic!("{command:?} does not end")).expect("the program can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Runs `licensectl`; the arguments are separated by blanks.
pub async fn ctl(triad: &LocalTriad, arguments: &str) -> Ended {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    run(command(&programs().ctl, triad, &arguments)).await
}

/// What `licensectl status --json` says.
pub async fn json_status(triad: &LocalTriad) -> Value {
    serde_json::from_str(&ctl(triad, "status --json").await.with(0)).expect("JSON")
}

/// A client process of its own: `licensectl checkout … --hold --json`.
#[derive(Debug)]
pub struct Holder {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    /// Starts it; it is killed when this is dropped.
    pub fn start(triad: &LocalTriad, arguments: &str) -> Holder {
        let arguments: Vec<&str> =
            ["checkout", "--hold", "--json"].into_iter().chain(arguments.split(' ')).collect();
        let mut command = command(&programs().ctl, triad, &arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("licensectl can be run");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Holder { child, lines }
    }

    /// Waits for the next event of this kind; others are passed over.
    pub async fn event(&mut self, kind: &str) -> Value {
        let reading = async {
            loop {
                let line = self.lines.next_line().await.expect("text");
                let line = line.unwrap_or_else(|| panic!("the holder ended without `{kind}`"));
                let event: Value = serde_json::from_str(&line).expect("JSON");
                if event["event"] == kind {
                    return event;
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("the holder never said `{kind}`"))
    }

    /// Waits until it has its seats; gives their handle.
    pub async fn granted(&mut self) -> Handle {
        Handle(self.event("granted").await["handle"].as_u64().expect("a handle"))
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) {
        signal(self.child.id().expect("it runs"), which);
    }

    /// Kills it with SIGKILL and says when it was certainly dead.
    pub async fn kill(mut self) -> Instant {
        self.child.kill().await.expect("it can be killed");
        Instant::now()
    }

    /// Waits for its end.
    pub async fn exit_code(&mut self) -> Option<i32> {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("the holder does not end")).expect("it can be waited for").code()
    }
}
