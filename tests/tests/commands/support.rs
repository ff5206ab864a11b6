//! Programs as an administrator runs them, and what they print.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::programs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn triad_with(options: TriadOptions) -> LocalTriad {
    let triad = LocalTriad::start(&programs().server, options).await.unwrap();
    triad.wait_until_master(Role::Primary).await.unwrap();
    triad
}

pub(super) async fn triad() -> LocalTriad {
    triad_with(TriadOptions::default()).await
}

pub(super) fn command(program: &Path, triad: &LocalTriad, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LM_LICENSE_FILE", triad.search_path().to_string())
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(super) async fn output(mut command: Command) -> Output {
    timeout(PATIENCE, command.output()).await.expect("the command does not end").unwrap()
}

pub(super) async fn ctl(triad: &LocalTriad, arguments: &[&str]) -> Output {
    output(command(&programs().ctl, triad, arguments)).await
}

pub(super) async fn lmutil(triad: &LocalTriad, arguments: &[&str]) -> Output {
    output(command(&programs().lmutil, triad, arguments)).await
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a verb that must end with this code; gives what it wrote to stdout.
#[track_caller]
pub(super) fn ended(output: &Output, code: i32) -> String {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {}\nstderr: {}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

pub(super) async fn status(triad: &LocalTriad) -> Value {
    serde_json::from_str(&ended(&ctl(triad, &["status", "--json"]).await, 0)).unwrap()
}

/// Looks at the status until it is as expected.
pub(super) async fn status_until(triad: &LocalTriad, awaited: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let status = status(triad).await;
            if is_so(&status) {
                return status;
            }
        }
    };
    match timeout(PATIENCE, looking).await {
        Ok(status) => status,
        Err(_) => panic!("{awaited} has not come: {}", status(triad).await),
    }
}

/// A `checkout` that goes on, with what it prints.
pub(super) struct Holder {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    pub(super) fn start(triad: &LocalTriad, arguments: &[&str]) -> Holder {
        let mut command = command(&programs().ctl, triad, arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Holder { child, lines }
    }

    pub(super) async fn line(&mut self) -> String {
        timeout(PATIENCE, self.lines.next_line()).await.expect("it is silent").unwrap().expect("it has ended")
    }

    /// The next event of this kind; others are passed over.
    pub(super) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event: Value = serde_json::from_str(&self.line().await).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(super) async fn exit_code(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap().code()
    }
}
