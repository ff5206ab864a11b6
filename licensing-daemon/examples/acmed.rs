//! A vendor daemon of one's own, with a line protocol beside the house's: whoever connects with `ACME` may say, a line each,
//!
//! ```text
//! OPEN SECRET USER            -> OPENED SESSION    a new one; SECRET is 32 random hex digits
//! RESUME SESSION SECRET       -> RESUMED           after a failover, or whenever the connection broke
//! TAKE NUMBER FEATURE VERSION -> TAKEN HANDLE      numbers count from 1; the same number has the same answer
//! GIVE NUMBER HANDLE          -> GIVEN
//! ALIVE                       -> ALIVE             every second or so
//! ```
//!
//! and hears `NO reason`, `GONE`, or `ASK AGAIN why` otherwise. Clients of the house are served on the same port.
//!
//! ```text
//! cargo run -p licensing-daemon --example acmed -- acme.lic primary /var/lib/acme
//! ```

#![allow(clippy::print_stdout)] // an example talks

use licensing_daemon::{
    Caller, ClientAction, Daemon, Handle, Identity, LicenseFile, Node, Outcome, RequestId, Role, Session,
    SessionError, SessionId, Token, Wanted, listen, stop_signal,
};
use tokio::io::AsyncWriteExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: acmed LICENSE ROLE DATA");
    let license = LicenseFile::read(argument()?.as_ref())?;
    let role: Role = argument()?.parse()?;
    let port = license.license.servers.get(role.place()).and_then(|server| server.port).unwrap_or(27000);
    let daemon = Daemon::builder(license).role(role).data(argument()?).door(*b"ACME", serve);
    let daemon = daemon.start(listen(([127, 0, 0, 1], port).into())?).await?;
    daemon.run(|address| println!("ready on {address}"), stop_signal()?).await?;
    Ok(())
}

/// Longest line: a word, a number and two names.
const MAX_LINE: usize = 1024;

/// One caller, line by line, until it goes or says too much.
async fn serve(mut caller: Caller) {
    let mut session = None;
    while let Ok(Some(line)) = caller.line(MAX_LINE).await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match (words.as_slice(), &session) {
            (["OPEN", secret, user], _) => match open(&caller.node, secret, user).await {
                Ok(opened) => format!("OPENED {}", session.insert(opened).id()),
                Err(problem) => problem,
            },
            (["RESUME", id, secret], _) => match resume(&caller.node, id, secret).await {
                Ok(resumed) => {
                    session = Some(resumed);
                    "RESUMED".to_owned()
                }
                Err(problem) => problem,
            },
            (["TAKE", number, feature, version], Some(session)) => {
                take(session, number, feature, version).await
            }
            (["GIVE", number, handle], Some(session)) => give(session, number, handle).await,
            (["ALIVE"], Some(session)) => match session.alive().await {
                Ok(()) => "ALIVE".to_owned(),
                Err(problem) => sorry(&problem),
            },
            _ => "NO such word".to_owned(),
        };
        if caller.stream.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn open(node: &Node, secret: &str, user: &str) -> Result<Session, String> {
    let opened = node.open_session(token(secret)?, Identity::new(user, "elsewhere"), None).await;
    opened.map_err(|problem| sorry(&problem))
}

async fn resume(node: &Node, id: &str, secret: &str) -> Result<Session, String> {
    let id = id.parse().map_err(|_| "NO such session")?;
    node.resume_session(SessionId(id), token(secret)?).await.map_err(|problem| sorry(&problem))
}

/// Whoever shares a secret shares a session, so what is no secret must not become one.
fn token(secret: &str) -> Result<Token, String> {
    let is_whole = secret.len() == 32 && secret.chars().all(|digit| digit.is_ascii_hexdigit());
    match u128::from_str_radix(secret, 16) {
        Ok(number) if is_whole => Ok(Token(number.to_be_bytes())),
        _ => Err("NO secret: draw 32 hex digits".to_owned()),
    }
}

async fn take(session: &Session, number: &str, feature: &str, version: &str) -> String {
    ask(session, number, ClientAction::Checkout(Wanted::feature(feature).version(version))).await
}

async fn give(session: &Session, number: &str, handle: &str) -> String {
    let Ok(handle) = handle.parse() else { return "NO such handle".to_owned() };
    ask(session, number, ClientAction::Checkin { handle: Handle(handle) }).await
}

async fn ask(session: &Session, number: &str, action: ClientAction) -> String {
    let Ok(number) = number.parse() else { return "NO such number".to_owned() };
    match session.call(RequestId(number), action).await.map(|answer| answer.outcome) {
        Ok(Outcome::Granted { handle, .. }) => format!("TAKEN {}", handle.0),
        Ok(Outcome::Returned { .. }) => "GIVEN".to_owned(),
        Ok(Outcome::Denied(denial)) => format!("NO {denial}"),
        Ok(other) => format!("NO {other:?}"),
        Err(problem) => sorry(&problem),
    }
}

fn sorry(problem: &SessionError) -> String {
    match problem {
        SessionError::Gone => "GONE".to_owned(),
        SessionError::Refused(denial) => format!("NO {denial}"),
        other => format!("ASK AGAIN {other}"),
    }
}
