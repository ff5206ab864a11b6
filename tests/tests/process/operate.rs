//! What an administrator does to three real servers, and what the clients and the administrator see of it.

use licensing_core::id::{Handle, Role};
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{
    Holder, command, ctl, json_status, programs, restart, run, start, start_patient, wait_until,
    wait_until_master, with_arguments,
};
use licensing_tests::workload::{Plan, Workload};

use Role::{Primary, Secondary, Tertiary};

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_handover_is_an_error_for_no_client() {
    let triad = start(TriadOptions::default()).await;
    let work = Workload::start(&triad, Plan::new("a_planned_handover_is_an_error_for_no_client")).await;
    for _ in 0..3 {
        for (to, role) in [("secondary", Secondary), ("primary", Primary)] {
            work.answers(5).await;
            let moved = ctl(&triad, &format!("failover --to {to}")).await.with(0);
            let port = triad.address(role).port;
            assert!(moved.starts_with(&format!("{to} is master at 127.0.0.1:{port} after ")), "{moved}");
            wait_until_master(&triad, role).await;
        }
    }
    ctl(&triad, "failover --to none").await.with(0);
    work.answers(5).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
    eprintln!("longest wait for an answer: {:?}", report.longest_wait);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_told_to_stop_hands_over_first() {
    let mut triad = start_patient(with_arguments(&["--failback-hold", "0s"])).await;
    let work = Workload::start(&triad, Plan::new("a_master_that_is_told_to_stop_hands_over_first")).await;
    for round in 1..=3 {
        work.answers(5).await;
        let ended = triad.stop(Primary).await.unwrap();
        assert_eq!(ended.code(), Some(0), "SIGTERM ends in order");
        let log = triad.log(Primary);
        assert_eq!(log.matches("handing over to the secondary").count(), round, "{log}");
        wait_until_master(&triad, Secondary).await;
        work.answers(5).await;
        restart(&mut triad, Primary).await;
        wait_until_master(&triad, Primary).await;
    }
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_primary_is_master_the_secondary_stays_master() {
    let options = TriadOptions { primary_is_master: false, ..TriadOptions::default() };
    let mut triad = start_patient(options).await;
    let work =
        Workload::start(&triad, Plan::new("without_primary_is_master_the_secondary_stays_master")).await;
    work.answers(5).await;
    triad.kill(Primary);
    wait_until_master(&triad, Secondary).await;
    work.answers(5).await;
    restart(&mut triad, Primary).await;
    wait_until("the primary is up and level", async || {
        let status = json_status(&triad).await;
        let primary = &status["servers"][0];
        (primary["up"] == true && primary["log_lag"].as_u64() < Some(10)).then_some(())
    })
    .await;
    // Whatever would give it the mastership back has had its chance by now: with PRIMARY_IS_MASTER it takes less.
    work.answers(50).await;
    wait_until_master(&triad, Secondary).await;
    triad.kill(Secondary);
    wait_until_master(&triad, Primary).await;
    work.answers(5).await;
    restart(&mut triad, Secondary).await;
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_status_tells_who_serves() {
    let mut triad = start(TriadOptions::default()).await;
    says(&triad, Primary, "license server UP (MASTER) v… role=primary").await;
    says(&triad, Secondary, "license server DOWN (STANDBY) v… role=secondary master=primary").await;
    says(&triad, Tertiary, "license server DOWN (STANDBY) v… role=tertiary master=primary").await;
    triad.kill(Primary);
    says(&triad, Secondary, "license server UP (MASTER) v… role=secondary").await;
    says(&triad, Tertiary, "license server DOWN (STANDBY) v… role=tertiary master=secondary").await;
    triad.kill(Tertiary);
    says(&triad, Secondary, "license server DOWN (NO QUORUM) v… role=secondary").await;
    restart(&mut triad, Primary).await;
    says(&triad, Primary, "license server UP (MASTER) v… role=primary").await;
}

/// Waits for an answer to `STATUS`; the master's role stands for its address, `v…` for the version.
async fn says(triad: &LocalTriad, role: Role, expected: &str) {
    let mut expected = expected.replace("v…", &format!("v{}", licensing_server::VERSION));
    for master in Role::ALL {
        let address = format!("master=127.0.0.1:{}", triad.address(master).port);
        expected = expected.replace(&format!("master={master}"), &address);
    }
    wait_until(format!("the {role} says `{expected}`"), async || {
        (triad.text_status(role).await.ok()? == expected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_day() {
    let mut triad = start(TriadOptions::default()).await;
    let primary = triad.address(Primary).port;
    let mut ann = Holder::start(&triad, "f1 --count 2 --user ann --host ws-07 --display :0");
    let mut bob = Holder::start(&triad, "f1 --user bob --host ws-08 --display :0");
    let (anns, bobs) = (ann.granted().await, bob.event("granted").await);
    let bobs_handle = Handle(bobs["handle"].as_u64().unwrap());

    assert_eq!(ctl(&triad, "primary").await.with(0), format!("127.0.0.1:{primary}\n"));
    let health = ctl(&triad, "health").await.with(0);
    assert!(health.starts_with(&format!("primary 127.0.0.1:{primary} up, master\n")), "{health}");
    assert_eq!(health.lines().count(), 3, "{health}");
    let status = json_status(&triad).await;
    assert_eq!((&status["master"], &status["features"][0]["in_use"]), (&"primary".into(), &3.into()));
    let users = status["checkouts"].as_array().unwrap().iter().map(|checkout| checkout["user"].as_str());
    assert!(users.eq(if anns < bobs_handle { ["ann", "bob"] } else { ["bob", "ann"] }.map(Some)));
    lmstat_shows(&triad, Primary, anns).await;

    // Who is told of a failover in the words of old, is told the same of the new master.
    triad.kill(Primary);
    wait_until_master(&triad, Secondary).await;
    lmstat_shows(&triad, Secondary, anns).await;
    let health = ctl(&triad, "health").await.with(1);
    assert!(health.starts_with(&format!("primary 127.0.0.1:{primary} down")), "{health}");
    restart(&mut triad, Primary).await;
    wait_until_master(&triad, Primary).await;

    assert_eq!(ctl(&triad, "remove f1 ann ws-07 :0").await.with(0), format!("removed {anns}\n"));
    let token = bobs["token"].as_str().unwrap();
    let returned = ctl(&triad, &format!("checkin {bobs_handle} --token {token}")).await.with(0);
    assert_eq!(returned, format!("returned handle {bobs_handle}\n"));
    assert_eq!(json_status(&triad).await["features"][0]["in_use"], 0);

    triad.write_license("FEATURE f1 demo 1.0 permanent 12 SIGN=0\n").unwrap();
    let changes = ctl(&triad, "reread").await.with(0);
    assert_eq!(changes, "f1 v1.0: 12 seats instead of 10 seats\nf2 v2.5: gone\n");
    assert_eq!(Holder::start(&triad, "f1 --count 12").event("granted").await["event"], "granted");

    let stopped = ctl(&triad, "down --yes").await.with(0);
    assert_eq!(stopped.matches(" stopped\n").count(), 3, "{stopped}");
    for role in Role::ALL {
        assert_eq!(triad.wait_for_exit(role).await.unwrap().code(), Some(0), "the {role}");
    }
    ctl(&triad, "status").await.with(2);
    for role in Role::ALL {
        restart(&mut triad, role).await;
    }
    wait_until_master(&triad, Primary).await;
    assert_eq!(json_status(&triad).await["features"][0]["issued"], 12);
}

/// What `lmutil lmstat -a -c …` prints while ann has two seats of f1 and bob has one.
async fn lmstat_shows(triad: &LocalTriad, master: Role, anns: Handle) {
    let path = triad.search_path().to_string();
    let report = run(command(&programs().lmutil, triad, &["lmstat", "-a", "-c", &path])).await.with(0);
    let version = licensing_server::VERSION;
    for line in [
        &format!("License server status: {path}"),
        &format!(" 127.0.0.1: license server UP (MASTER) v{version}"),
        &format!("      demo: UP v{version}"),
        "Users of f1:  (Total of 10 licenses issued;  Total of 3 licenses in use)",
        "Users of f2:  (Total of 3 licenses issued;  Total of 0 licenses in use)",
    ] {
        assert!(report.lines().any(|found| found == line), "`{line}` is missing:\n{report}");
    }
    let port = triad.address(master).port;
    let ann = format!("    ann ws-07 :0 (v0.000) (127.0.0.1/{port} {anns}), start ");
    let line = report.lines().find(|line| line.starts_with(&ann));
    assert!(line.is_some_and(|line| line.ends_with(", 2 licenses")), "`{ann}…` is missing:\n{report}");
}
