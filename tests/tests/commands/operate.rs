//! Servers, looked after with `licensectl`.

use licensing_core::id::Role;
use licensing_server::local_triad::TriadOptions;
use licensing_tests::process::programs;
use serde_json::Value;
use tokio::process::Command;

use super::support::{Holder, ctl, ended, output, status, status_until, text, triad, triad_with};

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
    assert!(text(&foreign.stderr).contains("is for other servers"), "{}", text(&foreign.stderr));
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
    let mut make = Command::new(&programs().server);
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
