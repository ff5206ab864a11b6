//! Files, directories, peers, bytes and requests that are wrong: each gets an error that names the thing, the servers
//! go on, and no seat is lost.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use licensing_client::framing::encode_frame;
use licensing_client::protocol::Hello;
use licensing_client::{Client, ClientConfig};
use licensing_core::id::{Handle, Role};
use licensing_server::local_triad::{LocalTriad, TriadOptions};
use licensing_tests::process::{
    Ended, Holder, PATIENCE, command, ctl, handles, master_status, programs, restart, run, start, status,
    wait_until, with_arguments,
};
use licensing_tests::workload::{Plan, Workload};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use Role::{Primary, Secondary, Tertiary};

/// Runs a server that must not start, in a directory; the arguments are separated by blanks.
async fn serve(directory: &Path, arguments: &str) -> Ended {
    let mut command = Command::new(&programs().server);
    command.arg("serve").args(arguments.split(' ')).current_dir(directory).env("RUST_LOG", "off");
    command.stdin(Stdio::null()).kill_on_drop(true);
    run(command).await
}

fn license(port: u16, features: &str) -> String {
    let servers: String = [port, 27002, 27003].map(|port| format!("SERVER 127.0.0.1 ANY {port}\n")).concat();
    format!("{servers}VENDOR demo\n{features}")
}

const F1: &str = "FEATURE f1 demo 1.0 permanent 10 SIGN=0\n";

#[tokio::test]
async fn a_license_file_with_an_error_is_refused_with_line_and_column() {
    for (text, expected) in [
        (license(27001, "FEATURE f1 demo 1.x permanent 10 SIGN=0\n"), "error: a.lic:5:17: …`1.x`…version…"),
        (license(27001, "FEATURE f1 demo 1.0 permanent ten SIGN=0\n"), "error: a.lic:5:31: …`ten`…"),
        (license(27001, "FEATURE f1 demo 1.0\n"), "error: a.lic:5:…"),
        (
            license(27001, &format!("{F1}FEATURES f2 demo 1.0 permanent 1\n")),
            "error: a.lic:6:1: …`FEATURES`…",
        ),
        (
            format!("SERVER 127.0.0.1 ANY 27001\nSERVER 127.0.0.1 ANY 27002\nVENDOR demo\n{F1}"),
            "error: a.lic:2:1: …SERVER…",
        ),
        (
            "VENDOR demo\nFEATURE f1 demo 1.0 permanent uncounted HOSTID=ANY SIGN=0\n".to_owned(),
            "error: a.lic: …0 SERVER lines…one for a single server or three for a triad",
        ),
        (license(27001, F1).replace("27001", "27002"), "error: a.lic:2:…27002…"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.lic"), text).unwrap();
        serve(directory.path(), "--license a.lic --role primary --data d").await.failed(1, expected);
        assert!(!directory.path().join("d").exists(), "nothing is made before everything is right");
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.lic"), license(port, F1)).unwrap();
    let expected =
        format!("error: cannot listen on 127.0.0.1:{port}: the port is in use by another program\nhint: ");
    serve(directory.path(), "--license a.lic --role primary --data d").await.failed(1, &expected);
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.lic"), license(27001, F1)).unwrap();
    fs::create_dir(directory.path().join("thesis")).unwrap();
    fs::write(directory.path().join("thesis/chapter-1.txt"), "It was a dark and stormy night").unwrap();
    for (data, expected) in [
        // Also root cannot make a directory below a file.
        ("a.lic/d", "error: cannot make directory a.lic/d: Not a directory"),
        ("a.lic", "error: cannot make directory a.lic: File exists"),
        ("thesis", "error: data directory thesis: it holds other files and none of a license server: …"),
    ] {
        let arguments = format!("--license a.lic --role primary --data {data} --listen 127.0.0.1:0");
        serve(directory.path(), &arguments).await.failed(1, expected);
    }
    let left: Vec<_> = fs::read_dir(directory.path().join("thesis")).unwrap().collect();
    assert_eq!(left.len(), 1, "nobody else's directory is written to");
}

/// A triad on which somebody holds two seats, and the means to see that this stays so.
struct Held {
    triad: LocalTriad,
    handle: Handle,
    _holder: Holder,
}

impl Held {
    async fn start(options: TriadOptions) -> Held {
        let triad = start(options).await;
        let mut holder = Holder::start(&triad, "f1 --count 2");
        let handle = holder.granted().await;
        Held { triad, handle, _holder: holder }
    }

    /// All servers serve, or stand by, with the seats that are held.
    async fn is_well(&self) {
        wait_until("all servers are up and know the seats that are held", async || {
            for role in Role::ALL {
                let page = status(&self.triad.address(role)).await?;
                let all_up = page.servers.iter().all(|server| server.up && server.remark.is_none());
                if handles(&page) != [self.handle] || page.master != Some(Primary) || !all_up {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Runs one more server in the triad's directory; it must not start.
    async fn serve(&self, arguments: &str) -> Ended {
        serve(self.triad.directory(), arguments).await
    }
}

#[tokio::test]
async fn the_data_directory_of_another_server_is_refused() {
    let mut held = Held::start(TriadOptions::default()).await;
    let tertiary = "--license triad.lic --role tertiary --data tertiary";
    held.serve(&format!("{tertiary} --listen 127.0.0.1:0"))
        .await
        .failed(1, "error: data directory tertiary: another server is running on it: stop that one first");

    held.triad.kill(Tertiary);
    held.serve("--license triad.lic --role secondary --data tertiary --listen 127.0.0.1:0").await.failed(
        1,
        "error: data directory tertiary belongs to the tertiary of triad `host ids any, any, any`, this is the secondary of …",
    );
    let license = fs::read_to_string(held.triad.license_path()).unwrap();
    fs::write(held.triad.directory().join("other.lic"), license.replacen(" ANY ", " ID=5 ", 1)).unwrap();
    held.serve("--license other.lic --role tertiary --data tertiary").await.failed(
        1,
        "error: data directory tertiary belongs to the tertiary of triad `host ids any, any, any`, this is the tertiary of \
         `host ids id=5, any, any`: give the right directory, or an empty one",
    );

    let file = held.triad.data_directory(Tertiary).join("triad");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("format=1\n", "format=2\n")).unwrap();
    held.serve(tertiary).await.failed(
        1,
        "error: data directory tertiary has format 2, this program knows formats up to 1: upgrade this server",
    );
    fs::write(&file, text.replace("format=1\n", "")).unwrap();
    held.serve(tertiary).await.failed(1, "error: data directory tertiary/triad: it names no format: …");

    // Refusing has broken nothing.
    fs::write(&file, text).unwrap();
    restart(&mut held.triad, Tertiary).await;
    held.is_well().await;
}

/// A server that stands where the tertiary should stand.
struct Impostor {
    child: Child,
}

impl Impostor {
    async fn start(triad: &LocalTriad, arguments: &str) -> Impostor {
        let arguments: Vec<&str> =
            ["serve", "--role", "tertiary"].into_iter().chain(arguments.split(' ')).collect();
        let log = fs::File::create(triad.directory().join("impostor.log")).unwrap();
        let mut child = command(&programs().server, triad, &arguments)
            .env("RUST_LOG", "info,openraft=error")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert!(ready.starts_with("ready role=tertiary"), "{ready}");
        Impostor { child }
    }

    /// Ends it, and waits until its port is free and the master has noticed.
    async fn end(mut self, triad: &LocalTriad) {
        self.child.kill().await.unwrap();
        remarks(triad, "Connection refused").await;
    }
}

/// Waits until the master says this of the tertiary.
async fn remarks(triad: &LocalTriad, expected: &str) {
    wait_until(format!("the primary says of the tertiary: {expected}"), async || {
        let page = master_status(triad).await;
        page.servers[2].remark.as_deref().is_some_and(|remark| remark.contains(expected)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_peer_of_another_triad_is_named_and_kept_out() {
    let mut held = Held::start(TriadOptions::default()).await;
    held.triad.kill(Tertiary);
    let license = fs::read_to_string(held.triad.license_path()).unwrap();
    fs::write(held.triad.directory().join("other.lic"), license.replacen(" ANY ", " ID=5 ", 1)).unwrap();
    let impostor = Impostor::start(&held.triad, "--license other.lic --data impostor").await;
    remarks(&held.triad, "the SERVER lines differ").await;
    impostor.end(&held.triad).await;
    // One with the same SERVER lines and a history of its own.
    let mut other = start(TriadOptions::default()).await;
    // Without an entry it would have none, and might join this triad.
    wait_until("the other tertiary has a history", async || {
        let page = status(&other.address(Tertiary)).await?;
        (page.applied_index.0 > 0).then_some(())
    })
    .await;
    other.kill(Tertiary);
    let stray = other.data_directory(Tertiary);
    let impostor =
        Impostor::start(&held.triad, &format!("--license triad.lic --data {}", stray.display())).await;
    remarks(&held.triad, "belong to different triads").await;
    impostor.end(&held.triad).await;
    restart(&mut held.triad, Tertiary).await;
    held.is_well().await;
}

#[tokio::test]
async fn a_peer_with_another_key_is_kept_out() {
    let keys = tempfile::tempdir().unwrap();
    let [right, wrong] = ["right.key", "wrong.key"].map(|name| keys.path().join(name).display().to_string());
    for key in [&right, &wrong] {
        let mut command = Command::new(&programs().server);
        command.args(["peer-key", key]);
        run(command).await.with(0);
    }
    let mut held = Held::start(with_arguments(&["--peer-key", &right])).await;
    held.triad.kill(Tertiary);
    for arguments in [
        format!("--license triad.lic --data a --peer-key {wrong}"),
        "--license triad.lic --data b".to_owned(),
    ] {
        let impostor = Impostor::start(&held.triad, &arguments).await;
        remarks(&held.triad, "the peer does not know the peer key").await;
        impostor.end(&held.triad).await;
    }
    restart(&mut held.triad, Tertiary).await;
    held.is_well().await;
}

#[tokio::test]
async fn requests_that_make_no_sense_are_denied_with_the_reason() {
    let held = Held::start(TriadOptions::default()).await;
    let handle = held.handle;
    for (arguments, code, expected) in [
        ("checkout f9", 1, "denied: no feature `f9` in the license file (No such feature exists, -5)"),
        (
            "checkout f1 --count 0",
            1,
            "denied: 0 seats asked for: ask for at least 1 (Invalid parameter, -42)",
        ),
        (
            "checkout f1 --version 1.x",
            1,
            "denied: `1.x` is not a version: write a decimal number without letters, such as 2.5 (Bad version number…, -77)",
        ),
        (
            "checkout f1 --version 1.1",
            1,
            "denied: feature `f1` is licensed up to version 1.0, not 1.1 (…, -25)",
        ),
        (
            "checkout f1 --count 11",
            1,
            "denied: 11 seats of feature `f1` asked for, 10 licensed in all (…, -26)",
        ),
        ("checkout f1 --count 9", 1, "denied: 9 seats of feature `f1` asked for, 2 of 10 are in use (…, -4)"),
        ("checkin 999999", 1, "error: nothing to remove: no checkout with handle 999999"),
        (
            "checkin 999999 --token 00000000000000000000000000000000",
            1,
            "error: no checkout with handle 999999\n",
        ),
        (
            "checkin HANDLE --token 00000000000000000000000000000000",
            1,
            "error: handle HANDLE belongs to another session…",
        ),
        ("checkin HANDLE --token 123", 2, "error: a token is 32 hex digits"),
        (
            "remove f1 nobody nowhere :0",
            1,
            "error: nothing to remove: nobody on nowhere at :0 holds no seat of feature `f1`",
        ),
        ("checkout f1 --count many", 2, "error: invalid value 'many' for '--count <COUNT>'"),
        ("failover --to tertiary", 2, "error: invalid value 'tertiary' for '--to <TO>'"),
        ("-c nowhere status", 2, "error: invalid value 'nowhere' for '--search-path <LIST>': …"),
    ] {
        let name = |text: &str| text.replace("HANDLE", &handle.to_string());
        let ended = ctl(&held.triad, &name(arguments)).await;
        // A denial is data, an error is talk; here it is the words that count.
        let said = Ended { stderr: format!("{}{}", ended.stdout, ended.stderr), ..ended };
        said.failed(code, &name(expected));
    }
    held.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_disturb_nobody() {
    let triad = start(TriadOptions::default()).await;
    let work = Workload::start(&triad, Plan::new("hostile_bytes_disturb_nobody")).await;
    let port = triad.address(Primary).port;
    let noise: Vec<u8> =
        (0..100_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let hello = |length: u32| [b"\0LSC".as_slice(), &length.to_be_bytes()].concat();
    let peer = |length: u32| [b"\0LSP".as_slice(), &length.to_be_bytes()].concat();
    let greeting = Hello::new("a test");
    let welcomed = [b"\0LSC".as_slice(), &encode_frame(&greeting).unwrap()].concat();
    let mut attacks = JoinSet::new();
    for (what, bytes) in [
        ("noise", noise.clone()),
        ("a client's hello of four gigabytes", hello(u32::MAX)),
        ("a peer's hello of four gigabytes", peer(u32::MAX)),
        ("a client's request of four gigabytes", [welcomed.clone(), vec![0xff; 4]].concat()),
        // Of our version, and then nothing that can be read.
        ("a client's hello that means nothing", [hello(64), vec![1; 64]].concat()),
        ("a peer's hello that means nothing", [peer(64), vec![1; 64]].concat()),
        ("a line without an end", vec![b'x'; 100_000]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("a slow client", hello(64)),
        ("a slow peer", peer(64)),
        ("silence", Vec::new()),
    ] {
        // All at once: half of them are closed only when their time is up.
        attacks.spawn(async move {
            let closed = async {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                // It may be closed before all of it is written.
                let _ = stream.write_all(&bytes).await;
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer).await;
                answer
            };
            let answer = timeout(PATIENCE, closed).await;
            (what, bytes, answer.unwrap_or_else(|_| panic!("{what} is never closed")))
        });
        work.answers(1).await;
    }
    while let Some(attack) = attacks.join_next().await {
        let (what, bytes, answer) = attack.unwrap();
        // Whoever introduces himself properly is welcomed, once.
        let welcome = answer.get(..4).map_or(0, |length| 4 + u32::from_be_bytes(length.try_into().unwrap()));
        assert_eq!(
            answer.len(),
            if bytes.starts_with(&welcomed) { welcome as usize } else { 0 },
            "{what}: {answer:?}"
        );
        work.answers(1).await;
    }
    let report = work.finish(&triad).await;
    assert_eq!(report.errors, []);
    assert_eq!(triad.log(Primary).matches("panicked").count(), 0, "{}", triad.log(Primary));
    let late = Client::connect(ClientConfig::new(triad.search_path())).await.unwrap();
    late.checkout("f1").await.unwrap().checkin().await.unwrap();
    late.close().await.unwrap();
    assert!(triad.is_running(Secondary));
}
