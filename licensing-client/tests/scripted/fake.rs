// A master over TCP that grants everything it is asked for, for programs that only need some server: the front page's
// example includes this file. It opens session 1, gives handles 10, 11, ... and shows three checkouts on three pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use licensing_client::framing::{FrameReader, FrameWriter, read_preamble};
use licensing_client::protocol::{
    CheckoutStatus, ClientMessage, Hello, MasterAddress, Place, Reply, Request, ServerMessage, StatusPage,
    Welcome, Whereabouts, is_administrative,
};
use licensing_client::{AdminKey, ServerAddress};
use licensing_core::command::Action;
use licensing_core::id::{Handle, LogIndex, PoolId, Role, Seats, SessionId, Timestamp};
use licensing_core::outcome::{Answer, Outcome};
use licensing_core::{Edition, Keeper};

/// The key administrators prove.
pub(crate) const ADMIN_KEY: [u8; 32] = [0x11; 32];

/// Starts the master and gives its address.
pub(crate) async fn fake_master() -> std::io::Result<ServerAddress> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = ServerAddress::new("127.0.0.1", listener.local_addr()?.port());
    let port = address.port;
    let index = Arc::new(AtomicU64::new(9));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, port, Arc::clone(&index)));
        }
    });
    Ok(address)
}

async fn serve(mut stream: tokio::net::TcpStream, port: u16, index: Arc<AtomicU64>) {
    read_preamble(&mut stream).await.expect("a preamble");
    let (reader, writer) = stream.split();
    let (mut reader, mut writer) = (FrameReader::new(reader), FrameWriter::new(writer));
    let _hello: Hello = reader.next("hello").await.expect("a frame").expect("a hello");
    let master = Some(MasterAddress { role: Role::Primary, host: "127.0.0.1".to_owned(), port });
    let whereabouts = Whereabouts { role: Role::Primary, master };
    let challenge = [9; 32];
    let welcome = Welcome::Ready {
        version: 1,
        whereabouts,
        heartbeat_ms: 3000,
        grace_ms: 10_000,
        challenge,
        more: Vec::new(),
    };
    writer.queue(&welcome).expect("a short frame");
    writer.flush().await.expect("a client");
    let mut admin = false;
    while let Ok(Some(ClientMessage { id, request })) = reader.next("request").await {
        if let Request::Authenticate { proof } = &request {
            admin = AdminKey::from_bytes(ADMIN_KEY).verifies(&challenge, proof);
        }
        let reply = reply(request, admin, &index);
        writer.queue(&ServerMessage::Reply { id, reply }).expect("a short frame");
        if writer.flush().await.is_err() {
            return;
        }
    }
}

fn reply(request: Request, admin: bool, index: &AtomicU64) -> Reply {
    let answer = |outcome| {
        let index = LogIndex(index.fetch_add(1, Ordering::Relaxed) + 1);
        let outcome = match outcome {
            Outcome::Granted { seats, .. } => Outcome::Granted { handle: Handle(index.0), seats },
            other => other,
        };
        Reply::Answer(Answer { index, at: Timestamp(1), outcome })
    };
    match request {
        Request::OpenSession { .. } => Reply::Answer(Answer {
            index: LogIndex(1),
            at: Timestamp(1),
            outcome: Outcome::SessionOpened { session: SessionId(1) },
        }),
        Request::Heartbeat { .. } => Reply::Alive { index: LogIndex(1), heartbeat_ms: 3000 },
        Request::Call { action, .. } if is_administrative(&action) && !admin => refused(),
        Request::Call { action: Action::Checkout { seats, .. }, .. } => {
            answer(Outcome::Granted { handle: Handle(0), seats })
        }
        Request::Call { action: Action::Checkin { handle, .. }, .. } => answer(Outcome::Returned { handle }),
        Request::Call { action: Action::Maintain { role, on }, .. } => {
            answer(Outcome::Maintained { role, on })
        }
        Request::CloseSession { .. } => answer(Outcome::SessionClosed { returned: Vec::new() }),
        Request::Status { after, .. } => Reply::Status(Box::new(page(after))),
        Request::Authenticate { .. } if admin => Reply::Done("welcome, administrator".to_owned()),
        Request::Shutdown { .. } | Request::Reread if admin => Reply::Done("done".to_owned()),
        _ => refused(),
    }
}

fn refused() -> Reply {
    Reply::Error("only administrators may do that".to_owned())
}

fn page(after: Option<Place>) -> StatusPage {
    let handle = match after {
        Some(Place::Checkout(handle)) => handle.0 + 1,
        _ => 1,
    };
    let text = |text: &str| text.to_owned();
    let checkout = CheckoutStatus {
        handle: Handle(handle),
        pool: PoolId(1),
        vendor: text("acme"),
        feature: text("editor"),
        licensed_version: text("2.0"),
        version: text("1.0"),
        count: Seats(1),
        user: text("ann"),
        host: text("desk"),
        display: text(":0"),
        pid: 1,
        project: String::new(),
        address: None,
        since: Timestamp(1),
        keeper: Keeper::Session(SessionId(1)),
    };
    StatusPage {
        answered_by: Role::Primary,
        master: Some(Role::Primary),
        quorum: true,
        preferred: None,
        at: Timestamp(1),
        applied_index: LogIndex(9),
        edition: Edition::FIRST,
        edition_held: false,
        vendors: Vec::new(),
        servers: Vec::new(),
        features: Vec::new(),
        checkouts: vec![checkout],
        sessions: 1,
        more: (handle < 3).then_some(Place::Checkout(Handle(handle))),
        warnings: Vec::new(),
    }
}
