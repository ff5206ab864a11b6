//! What an administrator does, on three real processes.

use std::process::{Output, Stdio};
use std::time::Duration;

use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn triad_with(options: TriadOptions) -> LocalTriad {
    let triad = LocalTriad::start(env!("CARGO_BIN_EXE_licensing-server"), options).await.unwrap();
    triad.wait_until_master(Role::Primary).await.unwrap();
    triad
}

async fn triad() -> LocalTriad {
    triad_with(TriadOptions::default()).await
}

fn command(program: &str, triad: &LocalTriad, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LM_LICENSE_FILE", triad.search_path().to_string())
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn output(mut command: Command) -> Output {
    timeout(PATIENCE, command.output()).await.expect("the command does not end").unwrap()
}

async fn ctl(triad: &LocalTriad, arguments: &[&str]) -> Output {
    output(command(env!("CARGO_BIN_EXE_licensectl"), triad, arguments)).await
}

async fn lmutil(triad: &LocalTriad, arguments: &[&str]) -> Output {
    output(command(env!("CARGO_BIN_EXE_lmutil"), triad, arguments)).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a verb that must end with this code; gives what it wrote to stdout.
#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {}\nstderr: {}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

async fn status(triad: &LocalTriad) -> Value {
    serde_json::from_str(&ended(&ctl(triad, &["status", "--json"]).await, 0)).unwrap()
}

/// Looks at the status until it is as expected.
async fn status_until(triad: &LocalTriad, awaited: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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
struct Holder {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn start(triad: &LocalTriad, arguments: &[&str]) -> Holder {
        let mut command = command(env!("CARGO_BIN_EXE_licensectl"), triad, arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Holder { child, lines }
    }

    async fn line(&mut self) -> String {
        timeout(PATIENCE, self.lines.next_line()).await.expect("it is silent").unwrap().expect("it has ended")
    }

    /// The next event of this kind; others are passed over.
    async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event: Value = serde_json::from_str(&self.line().await).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    async fn exit_code(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap().code()
    }
}

#[tokio::test]
async fn seats_survive_kill_9_of_the_master() {
    let mut triad = triad().await;
    let mut holder =
        Holder::start(&triad, &["checkout", "f1", "--count", "2", "--user", "ann", "--hold", "--json"]);
    let granted = holder.event("granted").await;
    assert_eq!(granted["token"].as_str().unwrap().len(), 32);
    assert!(granted["index"].as_u64().unwrap() >= granted["session"].as_u64().unwrap());

    triad.kill(Role::Primary);
    let reconnected = holder.event("reconnected").await;
    assert_eq!(reconnected["server"], triad.address(Role::Secondary).to_string());
    let status = status(&triad).await;
    assert_eq!(status["master"], "secondary");
    assert_eq!(status["servers"][0]["up"], false);
    assert_eq!(status["checkouts"][0]["handle"], granted["handle"]);
    assert_eq!(status["checkouts"][0]["count"], 2);
    assert_eq!(status["checkouts"][0]["user"], "ann");
    assert_eq!(status["features"][0]["in_use"], 2);

    // It comes back as master, because PRIMARY_IS_MASTER, and knows the seats.
    triad.restart(Role::Primary).await.unwrap();
    triad.wait_until_master(Role::Primary).await.unwrap();
    let status =
        status_until(&triad, "the primary's own word", |status| status["answered_by"] == "primary").await;
    assert_eq!(status["checkouts"][0]["handle"], granted["handle"]);

    holder.signal(Signal::TERM);
    assert_eq!(holder.event("returned").await["handle"], granted["handle"]);
    assert_eq!(holder.exit_code().await, Some(0));
    status_until(&triad, "free seats", |status| status["features"][0]["in_use"] == 0).await;
}

#[tokio::test]
async fn seats_of_a_killed_client_come_back_after_the_grace() {
    let options = TriadOptions {
        arguments: ["--session-grace", "1s"].map(str::to_owned).to_vec(),
        ..TriadOptions::default()
    };
    let triad = triad_with(options).await;
    let mut holder = Holder::start(&triad, &["checkout", "f1", "--hold", "--json"]);
    holder.event("granted").await;
    holder.signal(Signal::KILL);
    let status = status_until(&triad, "free seats", |status| status["features"][0]["in_use"] == 0).await;
    assert_eq!(status["sessions"], 0);
    assert!(triad.log(Role::Primary).contains("IN: \"f1\""));
    assert!(triad.log(Role::Primary).contains("(INACTIVE)"));
}

#[tokio::test]
async fn a_command_runs_under_a_seat() {
    let triad = triad().await;
    let ran = ctl(&triad, &["checkout", "f1", "--", "sh", "-c", "echo data; exit 7"]).await;
    assert_eq!(ended(&ran, 7), "data\n", "standard output is the command's");
    assert!(text(&ran.stderr).starts_with("granted handle "), "{}", text(&ran.stderr));
    let ran = ctl(&triad, &["checkout", "f1", "--", "/no/such/program"]).await;
    ended(&ran, 2);
    assert_eq!(status(&triad).await["features"][0]["in_use"], 0, "the seat is back in any case");

    // A signal goes to the command, and its end comes back.
    let mut holder = Holder::start(&triad, &["checkout", "f1", "--", "sh", "-c", "echo up; exec sleep 1000"]);
    assert_eq!(holder.line().await, "up");
    holder.signal(Signal::TERM);
    assert_eq!(holder.exit_code().await, Some(128 + 15));
    assert_eq!(status(&triad).await["features"][0]["in_use"], 0);
}

#[tokio::test]
async fn denials_say_why_and_end_with_1() {
    let triad = triad().await;
    let mut holder = Holder::start(&triad, &["checkout", "f2", "--count", "3", "--hold", "--json"]);
    assert!(holder.event("granted").await["handle"].is_u64());
    for (arguments, code, reason) in [
        ("f2", -4, "1 seats of feature `f2` asked for, 3 of 3 are in use"),
        ("f2 --count 4", -26, "4 seats of feature `f2` asked for, 3 licensed in all"),
        ("f2 --version 2.6", -25, "feature `f2` is licensed up to version 2.5, not 2.6"),
        ("f9", -5, "no feature `f9` in the license file"),
        ("f1 --count 0", -42, "0 seats asked for: ask for at least 1"),
        (
            "f1 --version 1.x",
            -77,
            "`1.x` is not a version: write a decimal number without letters, such as 2.5",
        ),
    ] {
        let words: Vec<&str> = ["checkout", "--json"].into_iter().chain(arguments.split(' ')).collect();
        let denied: Value = serde_json::from_str(&ended(&ctl(&triad, &words).await, 1)).unwrap();
        assert_eq!(
            (&denied["event"], &denied["code"]),
            (&"denied".into(), &code.into()),
            "{arguments}: {denied}"
        );
        assert_eq!(denied["reason"], reason, "{arguments}");
    }
}

#[tokio::test]
async fn seats_go_back_by_token_or_by_an_administrator() {
    let triad = triad().await;
    let mut taken = Vec::new();
    let mut holders = Vec::new();
    for user in ["ann", "bob", "cem"] {
        let arguments =
            ["checkout", "f1", "--hold", "--json", "--user", user, "--host", "ws", "--display", ":0"];
        let mut holder = Holder::start(&triad, &arguments);
        taken.push(holder.event("granted").await);
        holders.push(holder);
    }
    let handle = |place: usize| taken[place]["handle"].to_string();
    let wrong = ctl(&triad, &["checkin", &handle(0), "--token", &"0".repeat(32)]).await;
    ended(&wrong, 1);
    let error = text(&wrong.stderr);
    assert_eq!(error, format!("error: handle {} belongs to another session: give its token\n", handle(0)));
    let short = ctl(&triad, &["checkin", &handle(0), "--token", "abc"]).await;
    ended(&short, 2);
    let token = taken[0]["token"].as_str().unwrap();
    let returned = ctl(&triad, &["checkin", &handle(0), "--token", token]).await;
    assert_eq!(ended(&returned, 0), format!("returned handle {}\n", handle(0)));
    assert_eq!(
        ended(&ctl(&triad, &["checkin", &handle(1)]).await, 0),
        format!("returned handle {}\n", handle(1))
    );
    let removed = ctl(&triad, &["remove", "f1", "cem", "ws", ":0"]).await;
    assert_eq!(ended(&removed, 0), format!("removed {}\n", handle(2)));
    let unknown = ctl(&triad, &["remove", "--handle", &handle(2)]).await;
    ended(&unknown, 1);
    assert_eq!(
        text(&unknown.stderr),
        format!("error: nothing to remove: no checkout with handle {}\n", handle(2))
    );
    assert_eq!(status(&triad).await["features"][0]["in_use"], 0);
    // Holders whose seats were taken away end in peace.
    for mut holder in holders {
        holder.signal(Signal::INT);
        assert_eq!(holder.exit_code().await, Some(0));
    }
}

#[tokio::test]
async fn mastership_goes_where_the_operator_wants_it() {
    let triad = triad().await;
    let address = |role| {
        let address = triad.address(role);
        format!("{}:{}", address.host, address.port)
    };
    assert_eq!(ended(&ctl(&triad, &["primary"]).await, 0), format!("{}\n", address(Role::Primary)));
    let moved = ended(&ctl(&triad, &["failover", "--to", "secondary"]).await, 0);
    assert!(
        moved.starts_with(&format!("secondary is master at {} after ", address(Role::Secondary))),
        "{moved}"
    );
    let state = status(&triad).await;
    assert_eq!((&state["master"], &state["preferred"]), (&"secondary".into(), &"secondary".into()));
    assert_eq!(
        ended(&ctl(&triad, &["failover", "--to", "secondary"]).await, 0),
        "secondary is master already, and stays it\n"
    );
    ended(&ctl(&triad, &["failover", "--to", "none"]).await, 0);
    triad.wait_until_master(Role::Primary).await.unwrap();

    let begun = ended(&ctl(&triad, &["maintenance", "--server", "primary", "--enable"]).await, 0);
    assert!(begun.ends_with(&format!("master is now {}\n", address(Role::Secondary))), "{begun}");
    let refused = ctl(&triad, &["failover", "--to", "primary", "--timeout", "500ms"]).await;
    ended(&refused, 1);
    assert!(
        text(&refused.stderr).contains("the primary has not become master within 500ms, the secondary is")
    );
    ended(&ctl(&triad, &["maintenance", "--server", "primary", "--disable"]).await, 0);
    triad.wait_until_master(Role::Primary).await.unwrap();
}

#[tokio::test]
async fn health_and_status_tell_what_is_down() {
    let mut triad = triad().await;
    let three = ended(&ctl(&triad, &["health"]).await, 0);
    assert!(three.contains(" up, master\n") && three.lines().count() == 3, "{three}");
    triad.kill(Role::Tertiary);
    let two = ended(&ctl(&triad, &["health"]).await, 1);
    assert!(
        two.contains("tertiary ") && two.contains(" down (") && two.contains("connection refused"),
        "{two}"
    );
    triad.kill(Role::Primary);
    // It hears that a peer is gone before the lease is over that it has granted.
    let lost = |status: &Value| status["quorum"] == false && status["master"].is_null();
    let alone = status_until(&triad, "a lost quorum", lost).await;
    assert_eq!(alone["answered_by"], "secondary");
    assert_eq!(alone["features"][0]["name"], "f1", "its last knowledge is shown");
    let nobody = ctl(&triad, &["primary"]).await;
    ended(&nobody, 2);
    assert_eq!(text(&nobody.stderr), "error: no master: fewer than two servers hear each other\n");
    let waiting = ctl(&triad, &["checkout", "f1", "--timeout", "500ms"]).await;
    ended(&waiting, 2);
    triad.kill(Role::Secondary);
    ended(&ctl(&triad, &["status"]).await, 2);
    ended(&ctl(&triad, &["health"]).await, 1);
}

#[tokio::test]
async fn a_corrected_license_is_served_after_a_reread() {
    let triad = triad().await;
    assert_eq!(ended(&ctl(&triad, &["reread"]).await, 0), "nothing changed\n");
    triad
        .write_license("FEATURE f1 demo 1.0 permanent 12 SIGN=0\nFEATURE f3 demo 1.0 permanent 1 SIGN=0\n")
        .unwrap();
    assert_eq!(
        ended(&ctl(&triad, &["reread"]).await, 0),
        "f1 v1.0: 12 seats instead of 10 seats\nf3 v1.0: new, 1 seat\nf2 v2.5: gone\n"
    );
    let same = status_until(&triad, "standbys that have read the same file", |status| {
        !status["warnings"].to_string().contains("differs")
    });
    assert_eq!(same.await["features"][0]["issued"], 12);

    triad.write_license("FEATURE f1 demo 1.x permanent 12 SIGN=0\n").unwrap();
    let wrong = ctl(&triad, &["reread"]).await;
    ended(&wrong, 1);
    let error = text(&wrong.stderr);
    assert!(error.starts_with(&format!("error: {}:5:17: ", triad.license_path().display())), "{error}");

    let own = std::fs::read_to_string(triad.license_path()).unwrap();
    std::fs::write(triad.license_path(), own.replace("1.x", "1.0").replacen(" ANY ", " ID=5 ", 1)).unwrap();
    let foreign = ctl(&triad, &["reread"]).await;
    ended(&foreign, 1);
    assert!(text(&foreign.stderr).contains("is for another triad"), "{}", text(&foreign.stderr));
    assert_eq!(status(&triad).await["features"][0]["issued"], 12, "what was refused changed nothing");
}

#[tokio::test]
async fn down_stops_all_three_also_those_it_was_not_told_of() {
    let mut triad = triad().await;
    let one = triad.address(Role::Tertiary).to_string();
    let unasked = ctl(&triad, &["-c", &one, "down"]).await;
    ended(&unasked, 2);
    assert_eq!(text(&unasked.stderr), "error: nobody to ask on standard input\nhint: say --yes\n");
    let stopped = ended(&ctl(&triad, &["-c", &one, "down", "--yes"]).await, 0);
    assert_eq!(stopped.matches(" stopped\n").count(), 3, "{stopped}");
    assert!(stopped.lines().last().unwrap().starts_with("primary "), "the master last: {stopped}");
    for role in Role::ALL {
        assert!(triad.wait_for_exit(role).await.unwrap().success());
    }
    // All of it is on disk.
    for role in Role::ALL {
        triad.restart(role).await.unwrap();
    }
    triad.wait_until_master(Role::Primary).await.unwrap();
    assert_eq!(status(&triad).await["features"][0]["issued"], 10);
}

#[tokio::test]
async fn peers_with_one_key_form_a_triad_and_a_stop_hands_over() {
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("peer.key");
    let mut make = Command::new(env!("CARGO_BIN_EXE_licensing-server"));
    make.arg("peer-key").arg(&key);
    ended(&output(make).await, 0);
    let arguments = vec!["--peer-key".to_owned(), key.display().to_string()];
    let mut triad = triad_with(TriadOptions { arguments, ..TriadOptions::default() }).await;
    assert!(!status(&triad).await["warnings"].to_string().contains("authenticated"));
    let mut holder = Holder::start(&triad, &["checkout", "f1", "--hold", "--json"]);
    holder.event("granted").await;

    assert!(triad.stop(Role::Primary).await.unwrap().success());
    assert_eq!(holder.event("reconnected").await["server"], triad.address(Role::Secondary).to_string());
    assert_eq!(status(&triad).await["features"][0]["in_use"], 1);
    assert!(triad.log(Role::Primary).contains("handing over to the secondary"), "it was an election instead");
}

#[tokio::test]
async fn a_client_that_reaches_one_standby_only_works_through_it() {
    let mut triad = triad().await;
    let path = licensing_client::SearchPath::server(triad.address(Role::Tertiary));
    let mut config = licensing_client::ClientConfig::new(path);
    config.relay = true;
    let client = licensing_client::Client::connect(config).await.unwrap();
    let first = client.checkout("f1").await.unwrap();
    triad.kill(Role::Primary);
    let second = client.checkout("f1").await.unwrap();
    let state = status_until(&triad, "two seats", |status| status["features"][0]["in_use"] == 2).await;
    assert_eq!(state["master"], "secondary");
    first.checkin().await.unwrap();
    second.checkin().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test]
async fn lmutil_speaks_as_it_always_did() {
    let mut triad = triad().await;
    let mut holder = Holder::start(
        &triad,
        &[
            "checkout",
            "f1",
            "--count",
            "2",
            "--user",
            "ann",
            "--host",
            "ws-07",
            "--display",
            ":0",
            "--hold",
            "--json",
        ],
    );
    let handle = holder.event("granted").await["handle"].to_string();
    let port = |role| triad.address(role).port;
    let report = ended(&lmutil(&triad, &["lmstat", "-a"]).await, 0);
    let [first, second, third] = Role::ALL.map(port);
    for line in [
        &format!("License server status: {first}@127.0.0.1,{second}@127.0.0.1,{third}@127.0.0.1"),
        &format!("    License file(s) on 127.0.0.1: {}:", triad.license_path().display()),
        " 127.0.0.1: license server UP (MASTER) v0.1.0",
        " 127.0.0.1: license server UP v0.1.0",
        "Vendor daemon status (on 127.0.0.1):",
        "      demo: UP v0.1.0",
        "Users of f1:  (Total of 10 licenses issued;  Total of 2 licenses in use)",
        "  \"f1\" v1.0, vendor: demo, expiry: permanent(no expiration date)",
        "Users of f2:  (Total of 3 licenses issued;  Total of 0 licenses in use)",
    ] {
        assert!(report.lines().any(|found| found == line), "`{line}` is missing:\n{report}");
    }
    let user = report.lines().find(|line| line.contains(" ann ")).unwrap();
    assert!(
        user.starts_with(&format!("    ann ws-07 :0 (v0.000) (127.0.0.1/{first} {handle}), start ")),
        "{user}"
    );
    assert!(user.ends_with(", 2 licenses"), "{user}");

    let unknown = ended(&lmutil(&triad, &["lmstat", "-f", "f9"]).await, 0);
    assert!(
        unknown.ends_with("Users of f9: Cannot get users of f9: No such feature exists. (-5,222)\n"),
        "{unknown}"
    );
    ended(&lmutil(&triad, &["lmborrow"]).await, 2);
    assert!(ended(&lmutil(&triad, &["lmver"]).await, 0).contains("v0.1.0"));

    let path = triad.search_path().to_string();
    let mut asked = command(env!("CARGO_BIN_EXE_lmutil"), &triad, &["lmdown", "-c", &path]);
    let mut asked = asked.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    asked.stdin.take().unwrap().write_all(b"n\n").await.unwrap();
    let kept = timeout(PATIENCE, asked.wait_with_output()).await.unwrap().unwrap();
    let kept = ended(&kept, 0);
    assert!(
        kept.contains(&format!("1) {path} demo \n")) && kept.ends_with("Are you sure (y/n)?  "),
        "{kept}"
    );

    let downed = ended(&lmutil(&triad, &["lmdown", "-q"]).await, 0);
    assert!(downed.ends_with("    3 FlexNet License Servers shut down\n"), "{downed}");
    for role in Role::ALL {
        assert!(triad.wait_for_exit(role).await.unwrap().success());
    }
    let nobody = ended(&lmutil(&triad, &["lmstat"]).await, 241);
    let refused = "Error getting status: Cannot connect to license server system. (-15,570:111 \"Connection refused\")\n";
    assert!(nobody.ends_with(refused), "{nobody}");
}

#[tokio::test]
async fn the_demo_shows_a_failover_without_a_loss() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_licensing-server"));
    demo.args(["demo", "--json"]);
    let output = output(demo).await;
    let summary: Value = serde_json::from_str(&ended(&output, 0)).unwrap();
    assert_eq!((&summary["lost"], &summary["double"]), (&0.into(), &0.into()), "{summary}");
    assert!(summary["failover_ms"].is_u64() && summary["handback_ms"].is_u64(), "{summary}");
    assert!(text(&output.stderr).contains("the primary is killed"), "the timeline is talk");
}

#[tokio::test]
async fn servers_end_when_their_parent_is_killed() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_licensing-server"));
    // A killed demo cannot tidy up; the test can.
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = demo.arg("demo").env("TMPDIR", temporary.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let ports: Vec<u16> =
        first.split_whitespace().filter_map(|word| word.trim_end_matches(',').parse().ok()).collect();
    assert_eq!(ports.len(), 3, "{first}");
    demo.kill().await.unwrap();
    let gone = async {
        while futures_util::future::join_all(
            ports.iter().map(|port| tokio::net::TcpStream::connect(("127.0.0.1", *port))),
        )
        .await
        .iter()
        .any(Result::is_ok)
        {}
    };
    timeout(PATIENCE, gone).await.expect("a server outlives the demo");
}
