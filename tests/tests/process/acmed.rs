//! A daemon of one's own (`licensing-daemon/examples/acmed.rs`) as three processes: its own protocol beside the house's, through
//! kill -9 and back.

use std::time::Duration;

use licensing_client::{Client, ClientConfig, RequestError};
use licensing_core::id::Role;
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{PATIENCE, programs, wait_until_master};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use Role::{Primary, Secondary};

/// What a server may take for one answer before its client goes elsewhere.
const ANSWER: Duration = Duration::from_secs(2);

/// Seats that are licensed.
const SEATS: usize = 10;

async fn triad() -> LocalTriad {
    let options = TriadOptions {
        features: format!("FEATURE cad demo 1.0 permanent {SEATS} SIGN=0\n"),
        call: Some(|start| vec![start.license.into(), start.role.name().into(), start.data.into()]),
        ..TriadOptions::default()
    };
    let triad = LocalTriad::start(&programs().acmed, options).await.unwrap();
    wait_until_master(&triad, Primary).await;
    triad
}

/// A caller of the daemon's own protocol: it goes from server to server until it has an answer, and says the same again.
struct Caller {
    ports: [u16; 3],
    secret: String,
    session: Option<String>,
    stream: Option<BufReader<TcpStream>>,
    number: u64,
}

impl Caller {
    fn new(triad: &LocalTriad, secret: u128) -> Caller {
        let ports = Role::ALL.map(|role| triad.address(role).port);
        Caller { ports, secret: format!("{secret:032x}"), session: None, stream: None, number: 0 }
    }

    async fn take(&mut self) -> String {
        self.number += 1;
        self.ask(&format!("TAKE {} cad 1.0", self.number)).await
    }

    async fn give(&mut self, handle: &str) -> String {
        self.number += 1;
        self.ask(&format!("GIVE {} {handle}", self.number)).await
    }

    /// The answer of whoever gives one.
    async fn ask(&mut self, line: &str) -> String {
        let begun = Instant::now();
        loop {
            for port in self.ports {
                if let Some(answer) = self.try_at(port, line).await {
                    return answer;
                }
                self.stream = None;
            }
            assert!(begun.elapsed() < PATIENCE, "nobody answers `{line}`");
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn try_at(&mut self, port: u16, line: &str) -> Option<String> {
        if self.stream.is_none() {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            stream.write_all(b"ACME").await.ok()?;
            let mut stream = BufReader::new(stream);
            match &self.session {
                None => {
                    let opened = say(&mut stream, &format!("OPEN {} ada", self.secret)).await?;
                    self.session = Some(opened.strip_prefix("OPENED ")?.to_owned());
                }
                Some(session) => {
                    let resumed = say(&mut stream, &format!("RESUME {session} {}", self.secret)).await?;
                    assert_eq!(resumed, "RESUMED", "session {session}");
                }
            }
            self.stream = Some(stream);
        }
        say(self.stream.as_mut()?, line).await
    }
}

/// The answer to a line, if there is one: the same may be asked elsewhere otherwise.
async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<String> {
    let exchange = async {
        stream.get_mut().write_all(format!("{line}\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await.ok()?;
        let answer = answer.strip_suffix('\n')?;
        (!answer.starts_with("ASK AGAIN")).then(|| answer.to_owned())
    };
    timeout(ANSWER, exchange).await.ok()?
}

fn taken(answer: &str) -> Option<String> {
    answer.strip_prefix("TAKEN ").map(str::to_owned)
}

/// Takes and gives back until it is told to stop, and keeps one seat; how often that was.
async fn work(mut caller: Caller, stop: tokio::sync::watch::Receiver<bool>) -> (String, u64) {
    let mut rounds = 0;
    loop {
        let handle = taken(&caller.take().await).expect("there are seats for all");
        if *stop.borrow() {
            return (handle, rounds);
        }
        assert_eq!(caller.give(&handle).await, "GIVEN");
        rounds += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_of_a_protocol_of_ones_own_survive_kill_9() {
    let mut triad = triad().await;
    let mut keeper = Caller::new(&triad, 1);
    let kept = taken(&keeper.take().await).expect("the first seat");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let working: Vec<_> =
        (2..6).map(|secret| tokio::spawn(work(Caller::new(&triad, secret), stopped.clone()))).collect();
    for _ in 0..2 {
        triad.kill(Primary);
        wait_until_master(&triad, Secondary).await;
        assert_eq!(keeper.ask("ALIVE").await, "ALIVE");
        triad.restart(Primary).await.unwrap();
        wait_until_master(&triad, Primary).await;
        assert_eq!(keeper.ask("ALIVE").await, "ALIVE");
    }
    stop.send(true).unwrap();
    let (mut held, mut rounds) = (vec![kept.clone()], 0);
    for worker in working {
        let (handle, done) = worker.await.unwrap();
        held.push(handle);
        rounds += done;
    }
    assert!(rounds > 0, "nobody did anything");

    // What is left is what the house's own client gets, and no more.
    let path = triad.search_path();
    let client = Client::connect(ClientConfig::new(path)).await.unwrap();
    let mut seats = Vec::new();
    for _ in held.len()..SEATS {
        seats.push(client.checkout("cad").await.unwrap());
    }
    let refused = client.checkout("cad").await.expect_err("all seats are taken");
    assert!(matches!(refused, RequestError::Denied(_)), "{refused}");
    // A number that was answered is answered the same, by whoever is master now.
    assert_eq!(keeper.ask("TAKE 1 cad 1.0").await, format!("TAKEN {kept}"));
    assert_eq!(keeper.give(&kept).await, "GIVEN");
    drop(client.checkout("cad").await.unwrap());
}
