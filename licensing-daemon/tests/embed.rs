//! A daemon of one's own: what its builder wants to know, a protocol of one's own beside the house's, one's own word on rights.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use licensing_client::protocol::{Reply, Request};
use licensing_core::command::Identity;
use licensing_core::id::{RequestId, Role, Token};
use licensing_core::outcome::Outcome;
use licensing_daemon::{Asked, Caller, Daemon, DaemonBuilder, LicenseFile, listen};
use licensing_raft::{ClientAction, SessionError, Wanted};
use support::{FEATURES, Raw, refusal, text, wait_until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

fn license(directory: &TempDir, servers: &str) -> LicenseFile {
    let path = directory.path().join("a.lic");
    std::fs::write(&path, format!("{servers}VENDOR demo\n{FEATURES}")).unwrap();
    LicenseFile::read(&path).unwrap()
}

fn builder(directory: &TempDir) -> DaemonBuilder {
    Daemon::builder(license(directory, "SERVER this_host ANY\n")).data(directory.path().join("data"))
}

/// Serves until the sender is dropped, and is master already.
async fn serving(builder: DaemonBuilder) -> (SocketAddr, oneshot::Sender<()>) {
    let daemon = builder.start(listen("127.0.0.1:0".parse().unwrap()).unwrap()).await.unwrap();
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { drop(stopped.await) };
    tokio::spawn(daemon.run(move |address| ready.send(address).unwrap(), shutdown));
    let address = is_ready.await.unwrap();
    let is_master = async || text(address, "STATUS\r\n").await.contains("(MASTER)").then_some(());
    wait_until("a master", is_master).await;
    (address, stop)
}

#[tokio::test]
async fn a_builder_says_what_it_was_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let port = || listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let of = |builder: DaemonBuilder| async { builder.start(port()).await.unwrap_err().to_string() };
    let three = "SERVER a ANY 27000\nSERVER b ANY 27000\nSERVER c ANY 27000\n";
    let without_role = Daemon::builder(license(&directory, three)).data("unused");
    assert_eq!(of(without_role).await, "a daemon needs the role of this server: say it to its builder");
    let without_data = Daemon::builder(license(&directory, three)).role(Role::Primary);
    assert_eq!(of(without_data).await, "a daemon needs a directory for its data: say it to its builder");
    for (preamble, shown, whose) in [
        (*b"STAT", "STAT", "the question STATUS"),
        (*b"\0LSC", "\\x00LSC", "clients of the house"),
        (*b"\0LSP", "\\x00LSP", "the other servers"),
        (*b"\x16\x03\x01\0", "\\x16\\x03\\x01\\x00", "TLS"),
        (*b"\r\n\r\n", "\\r\\n\\r\\n", "an empty line of text"),
    ] {
        let told = of(builder(&directory).door(preamble, |_| async {})).await;
        let expected =
            format!("connections that begin with `{shown}` are those of {whose}: choose other four bytes");
        assert_eq!(told, expected);
    }
    let twice = builder(&directory).door(*b"ACME", |_| async {}).door(*b"ACME", |_| async {});
    assert!(of(twice).await.contains("`ACME` are those of another door"));
    let same = builder(&directory).license(license(&directory, "SERVER this_host ANY\n"));
    assert!(of(same).await.contains("are both of vendor `demo`: give one file for each vendor"));
}

/// Takes a seat for whoever says a secret, and says how that went.
async fn take(mut caller: Caller) {
    let mut secret = [0; 16];
    caller.stream.read_exact(&mut secret).await.unwrap();
    let opened = caller.node.open_session(Token(secret), Identity::new("ada", "desk"), None).await.unwrap();
    let session = caller.node.resume_session(opened.id(), Token(secret)).await.unwrap();
    let action = ClientAction::Checkout(Wanted::feature("f1").version("1.0"));
    let answer = session.call(RequestId(1), action).await.unwrap();
    let Outcome::Granted { handle, .. } = answer.outcome else { panic!("{answer:?}") };
    caller.stream.write_all(format!("{handle}").as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_protocol_of_ones_own_is_spoken_beside_the_houses() {
    let directory = tempfile::tempdir().unwrap();
    let (address, _stop) = serving(builder(&directory).door(*b"ACME", take)).await;
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"ACME0123456789abcdef").await.unwrap();
        support::read_to_end(&mut stream).await
    };
    let first = ask().await;
    assert!(!first.is_empty());
    assert_eq!(ask().await, first, "the same secret, the same session, the same request: the same seat");
    // A line that only begins like it is a line.
    assert!(text(address, "ACM?\r\n").await.starts_with("ERROR unknown request"));
    assert!(text(address, "STATUS\r\n").await.contains("(MASTER)"));
    assert!(matches!(Raw::connect(address).await.ask(Request::Reread).await, Reply::Done(_)));
}

#[tokio::test]
async fn a_door_that_begins_as_a_line_does_takes_nothing_from_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let (address, _stop) = serving(builder(&directory).door(*b"SHOP", take)).await;
    for line in ["STATUS\r\n", "status\r\n"] {
        let told = text(address, line).await;
        assert!(told.contains("(MASTER)"), "{line}: {told}");
    }
    assert!(text(address, "SHO\r\n").await.starts_with("ERROR unknown request"));
}

/// Whoever is silent at a door does not hold up the end, and is told of it.
#[tokio::test]
async fn a_caller_is_let_go_when_the_daemon_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (address, stop) = serving(builder(&directory).door(*b"ACME", take)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"ACME").await.unwrap();
    drop(stop);
    assert_eq!(support::read_to_end(&mut stream).await, b"");
}

/// Says a line's length for each line, and panics at one word.
async fn measure(mut caller: Caller) {
    while let Ok(Some(line)) = caller.line(10).await {
        assert!(line != "panic", "a caller said so");
        caller.stream.write_all(format!("{}\n", line.len()).as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_that_says_too_much_or_breaks_the_program_costs_its_own_connection() {
    let directory = tempfile::tempdir().unwrap();
    let (address, _stop) = serving(builder(&directory).door(*b"ACME", measure)).await;
    let say = async |words: &[u8]| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Whoever is sent away may still be speaking.
        let _ = stream.write_all(&[b"ACME", words].concat()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let say_and_end = async |words: &[u8]| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[b"ACME", words].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8(support::read_to_end(&mut stream).await).unwrap()
    };
    let end = |words: &str| format!("{words}\n{}\n", "x".repeat(11));
    assert_eq!(say(end("a\r\n1234567890").as_bytes()).await, "1\n10\n");
    assert_eq!(say(&vec![b'x'; 4 << 20]).await, "");
    assert_eq!(say(b"\xff\xfe\n").await, "");
    assert_eq!(say(b"ab\npanic\nabc\n").await, "2\n");
    assert_eq!(say_and_end(b"ab\nabc").await, "2\n", "what ends with the connection is no line");
    assert_eq!(say(end("abc").as_bytes()).await, "3\n");
}

#[tokio::test]
async fn a_session_that_is_gone_is_not_resumed_as_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let (node, is_node) = oneshot::channel();
    let node = std::sync::Mutex::new(Some(node));
    let lend = move |caller: Caller| {
        let _ = node.lock().unwrap().take().map(|node| node.send(caller.node));
        std::future::ready(())
    };
    let (address, _stop) = serving(builder(&directory).door(*b"ACME", lend)).await;
    TcpStream::connect(address).await.unwrap().write_all(b"ACME").await.unwrap();
    let node = is_node.await.unwrap();
    let token = Token([5; 16]);
    let session = node.open_session(token, Identity::new("ada", "desk"), None).await.unwrap();
    let id = session.id();
    assert_eq!(node.resume_session(id, Token([6; 16])).await.unwrap_err(), SessionError::Gone);
    assert_eq!(node.resume_session(id, token).await.unwrap().id(), id);
    session.close().await.unwrap();
    assert_eq!(node.resume_session(id, token).await.unwrap_err(), SessionError::Gone);
    assert_ne!(node.open_session(token, Identity::new("ada", "desk"), None).await.unwrap().id(), id);
}

#[tokio::test]
async fn the_program_has_the_last_word_on_rights() {
    let directory = tempfile::tempdir().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let judge = move |ask: &Asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert!(ask.allowed && ask.from.ip().is_loopback());
        (ask.what == "reread").then_some(false)
    };
    let (address, stop) = serving(builder(&directory).rights(judge)).await;
    let mut raw = Raw::connect(address).await;
    assert_eq!(refusal(raw.ask(Request::Reread).await), "this server does not let you do that: reread");
    let stopping = raw.ask(Request::Shutdown { hand_over: false }).await;
    assert!(matches!(stopping, Reply::Done(_)), "{stopping:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    drop(stop);
}
