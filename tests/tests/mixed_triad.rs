//! Servers of two versions as one triad: the version before, of which `LICENSING_BEFORE` names the program, is upgraded server
//! by server to this one while clients work and hold seats; one server is given the old version once more in between.
//! Without the variable this is skipped, and says so. `tests/mixed_triad.sh` builds the version before, and `make nightly`
//! runs that.

use std::path::PathBuf;

use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use licensing_tests::process::{
    ctl, json_status, master_status, programs, restart, wait_until, wait_until_master, wait_until_whole,
    with_arguments,
};
use licensing_tests::workload::{Plan, Workload};

use Role::{Primary, Secondary, Tertiary};

const BEFORE: &str = "LICENSING_BEFORE";

/// What an administrator does for each server: stop, replace the program, start, wait until all is well.
async fn give(triad: &mut LocalTriad, role: Role, program: &PathBuf) {
    let ended = triad.stop(role).await.unwrap();
    assert_eq!(ended.code(), Some(0), "SIGTERM ends the {role} in order");
    triad.set_program(role, program);
    restart(triad, role).await;
    wait_until_whole(triad).await;
    ctl(triad, "health").await.with(0);
}

/// The edition that applies, and the newest that all servers know.
async fn editions(triad: &LocalTriad) -> (u32, Option<u32>) {
    let page = master_status(triad).await;
    let known = page.servers.iter().map(|server| server.known_edition.map(|edition| edition.0));
    (page.edition.0, known.min().flatten())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triad_is_upgraded_from_the_version_before_and_no_seat_is_lost() {
    let Some(before) = std::env::var_os(BEFORE).map(PathBuf::from) else {
        return eprintln!("SKIPPED: {BEFORE} names no licensing-server of the version before");
    };
    let now = programs().server.clone();
    let options = with_arguments(&["--failback-hold", "0s"]);
    let mut triad = LocalTriad::start(&before, options).await.unwrap_or_else(|error| panic!("{error}"));
    wait_until_master(&triad, Primary).await;
    wait_until_whole(&triad).await;
    let (old, _) = editions(&triad).await;
    let work =
        Workload::start(&triad, Plan::new("a_triad_is_upgraded_from_the_version_before_and_no_seat_is_lost"))
            .await;
    work.answers(5).await;

    ctl(&triad, "upgrade --hold").await.with(0);
    give(&mut triad, Tertiary, &now).await;
    work.answers(5).await;
    give(&mut triad, Secondary, &now).await;
    work.answers(5).await;
    // Somebody has second thoughts.
    give(&mut triad, Tertiary, &before).await;
    work.answers(5).await;
    give(&mut triad, Tertiary, &now).await;

    ctl(&triad, "failover --to secondary").await.with(0);
    work.answers(5).await;
    give(&mut triad, Primary, &now).await;
    ctl(&triad, "failover --to none").await.with(0);
    wait_until_master(&triad, Primary).await;
    work.answers(5).await;

    let new = wait_until("all servers say what they know", async || editions(&triad).await.1).await;
    let status = json_status(&triad).await;
    assert_eq!(status["edition"], old, "held");
    assert_eq!(status["edition_held"], true);
    let finished = ctl(&triad, "upgrade --finish").await.with(0);
    assert_eq!(finished, format!("edition {new} of the rules applies\n"));
    for role in Role::ALL {
        wait_until(format!("the {role} applies edition {new}"), async || {
            let page = licensing_tests::process::status(&triad.address(role)).await?;
            (page.edition.0 == new).then_some(())
        })
        .await;
    }
    work.answers(5).await;
    if new > old {
        // There is no way back any more: the old version says so and leaves the other two alone.
        triad.stop(Tertiary).await.unwrap();
        triad.set_program(Tertiary, &before);
        let started = triad.restart(Tertiary).await;
        if started.is_ok() {
            triad.wait_for_exit(Tertiary).await.unwrap();
        }
        let log = triad.log(Tertiary);
        assert!(log.contains("upgrade this server"), "{log}");
        work.answers(5).await;
        triad.set_program(Tertiary, &now);
        restart(&mut triad, Tertiary).await;
        wait_until_whole(&triad).await;
    }
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, [], "an upgrade is a slower answer");
    assert!(report.verdict.granted > 50, "too little was done: {report:?}");
    eprintln!("longest wait for an answer: {:?}", report.longest_wait);
}
