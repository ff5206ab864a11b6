//! A single server, as real processes: most license files there are name one.

use std::path::Path;

use licensing_client::protocol::StatusFilter;
use licensing_client::{Client, ClientConfig, Direct, TcpDial};
use licensing_core::id::Role;
use licensing_server::demo::show_single;
use licensing_server::local_triad::{LocalTriad, TriadOptions};

const PROGRAM: &str = env!("CARGO_BIN_EXE_licensing-server");

async fn single() -> LocalTriad {
    let options = TriadOptions { single: true, ..TriadOptions::default() };
    let server = LocalTriad::start(PROGRAM, options).await.unwrap();
    server.wait_until_master(Role::Primary).await.unwrap();
    server
}

#[tokio::test]
async fn seats_are_there_again_after_a_kill_and_a_restart() {
    let mut server = single().await;
    let client = Client::connect(ClientConfig::new(server.search_path())).await.unwrap();
    let kept = client.checkout("f1").seats(4).await.unwrap();
    for _ in 0..3 {
        server.kill(Role::Primary);
        server.restart(Role::Primary).await.unwrap();
        // Asked for at once, on whatever the session finds.
        client.checkout("f2").await.unwrap().checkin().await.unwrap();
    }
    let mut direct = Direct::connect(&server.address(Role::Primary), &TcpDial).await.unwrap();
    let page = direct.status_all(StatusFilter::default()).await.unwrap();
    let held: Vec<_> = page.checkouts.iter().map(|held| (held.handle, held.count.0)).collect();
    assert_eq!(held, [(kept.handle(), 4)]);
    assert_eq!(page.servers.len(), 1);
    assert_eq!(page.master, Some(Role::Primary));
    assert!(page.warnings.is_empty(), "{:?}", page.warnings);
    kept.checkin().await.unwrap();
}

#[tokio::test]
async fn a_clean_stop_and_a_start_keep_seats_too() {
    let mut server = single().await;
    let client = Client::connect(ClientConfig::new(server.search_path())).await.unwrap();
    let kept = client.checkout("f1").seats(2).await.unwrap();
    assert!(server.stop(Role::Primary).await.unwrap().success());
    server.restart(Role::Primary).await.unwrap();
    let answer = kept.checkin().await.unwrap();
    assert!(answer.index.0 > 0);
}

#[tokio::test]
async fn the_demonstration_of_a_single_server_loses_nothing() {
    let summary = show_single(Path::new(PROGRAM).to_owned(), |line| eprintln!("{line}")).await.unwrap();
    assert!(summary.is_clean(), "{summary:?}");
    assert!(summary.requests > 0);
}
