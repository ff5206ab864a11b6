//! Seats, taken and given back with `licensectl`.

use licensing_core::id::Role;
use licensing_server::local_triad::TriadOptions;
use rustix::process::Signal;
use serde_json::Value;

use super::support::{Holder, ctl, ended, status, status_until, text, triad, triad_with};

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
    ended(&ran, 127);
    let ran = ctl(&triad, &["checkout", "f1", "--", "/etc/passwd"]).await;
    ended(&ran, 126);
    let ran = ctl(&triad, &["checkout", "f1", "--count", "99", "--", "true"]).await;
    ended(&ran, 75);
    let ran = ctl(&triad, &["checkout", "f9", "--", "true"]).await;
    ended(&ran, 75);
    assert_eq!(status(&triad).await["features"][0]["in_use"], 0, "the seat is back in any case");

    // A signal goes to the command, and its end comes back.
    let mut holder = Holder::start(&triad, &["checkout", "f1", "--", "sh", "-c", "echo up; exec sleep 1000"]);
    assert_eq!(holder.line().await, "up");
    holder.signal(Signal::TERM);
    assert_eq!(holder.exit_code().await, Some(128 + 15));
    assert_eq!(status(&triad).await["features"][0]["in_use"], 0);
}

/// An administrator took the seat, or it went with the session: the command has run without it.
#[tokio::test]
async fn a_command_that_ran_on_without_its_seats_ends_with_74() {
    let triad = triad().await;
    let works = triad.directory().join("works");
    std::fs::write(&works, "").unwrap();
    let script = format!("echo up; while test -e '{}'; do sleep 0.02; done", works.display());
    let mut holder = Holder::start(&triad, &["checkout", "f1", "--", "sh", "-c", &script]);
    assert_eq!(holder.line().await, "up");
    let held = status(&triad).await["checkouts"][0]["handle"].to_string();
    ended(&ctl(&triad, &["remove", "--handle", &held]).await, 0);
    std::fs::remove_file(&works).unwrap();
    assert_eq!(holder.exit_code().await, Some(74));
}

#[tokio::test]
async fn denials_say_why_and_end_with_1() {
    let triad = triad().await;
    let mut holder = Holder::start(&triad, &["checkout", "f2", "--count", "3", "--hold", "--json"]);
    assert!(holder.event("granted").await["handle"].is_u64());
    for (arguments, code, reason) in [
        ("f2", -4, "1 seat of feature `f2` asked for, 3 of 3 are in use"),
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
