//! Malformed frames by the ten thousand against one server, while clients work: nobody panics, every client is
//! answered, and the server's memory stays where it was.

use std::hash::{BuildHasher, RandomState};

use licensing_client::{Client, ClientConfig};
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use licensing_tests::hostile::flood::{flood, memory};
use licensing_tests::process::{master_status, programs, run, start_patient, with_arguments};
use licensing_tests::workload::Choices;
use tokio::process::Command;

/// How many malformed frames instead of a tenth of what a release must stand.
const FRAMES: &str = "LICENSING_FLOOD";
const SEED: &str = "LICENSING_SEED";

/// The flood comes in so many waves, during each of which every client is answered.
const WAVES: u64 = 10;
/// Seats each client takes and gives back in a wave.
const ROUNDS: u64 = 3;
/// What a server's memory may grow by.
const MOST_GROWTH: u64 = 16 << 20;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn work(client: &Client) {
    for _ in 0..ROUNDS {
        let checkout = client.checkout("f1").await.expect("a seat is given");
        checkout.checkin().await.expect("a seat is taken back");
    }
}

async fn wave(port: u16, frames: u64, choices: &mut Choices, clients: &[Client; 3]) {
    let [one, two, three] = clients;
    tokio::join!(flood(port, frames, choices), work(one), work(two), work(three));
}

fn panics(triad: &LocalTriad) -> usize {
    Role::ALL.into_iter().map(|role| triad.log(role).matches("panicked").count()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_disturb_nobody_and_cost_no_memory() {
    let frames = variable(FRAMES).unwrap_or(10_000);
    let seed = variable(SEED).unwrap_or_else(|| RandomState::new().hash_one("flood"));
    eprintln!(
        "the same again: {SEED}={seed} {FRAMES}={frames} cargo test -p licensing-tests --test hostile_flood"
    );
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("peer.key").display().to_string();
    let mut command = Command::new(&programs().server);
    command.args(["peer-key", &key]);
    run(command).await.with(0);
    let triad = start_patient(with_arguments(&["--peer-key", &key])).await;
    let port = triad.address(Role::Primary).port;
    let process = triad.process_id(Role::Primary).unwrap();
    let connect = || Client::connect(ClientConfig::new(triad.search_path()));
    let clients = [connect().await.unwrap(), connect().await.unwrap(), connect().await.unwrap()];
    let mut choices = Choices::new(seed, 0);
    // The first wave fills what a server keeps for the next ones.
    wave(port, frames / WAVES, &mut choices, &clients).await;
    let before = memory(process);
    for _ in 0..WAVES {
        wave(port, frames / WAVES, &mut choices, &clients).await;
    }
    match (before, memory(process)) {
        (Some(before), Some(after)) => {
            let growth = after.saturating_sub(before);
            eprintln!("{frames} malformed frames: {} KiB before, {} KiB after", before >> 10, after >> 10);
            assert!(growth <= MOST_GROWTH, "the server has grown by {growth} bytes");
        }
        _ => eprintln!("SKIPPED: this system does not tell how much memory a process has"),
    }
    for client in clients {
        client.close().await.unwrap();
    }
    assert_eq!(panics(&triad), 0, "a server panicked: {}", triad.log(Role::Primary));
    assert_eq!(triad.process_id(Role::Primary), Some(process));
    let page = master_status(&triad).await;
    assert_eq!((page.master, page.checkouts.len()), (Some(Role::Primary), 0));
}
