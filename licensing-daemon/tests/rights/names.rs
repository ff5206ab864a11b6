//! Names are somebody's own words: they are kept as they were said, and nobody takes them for more than names.

use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use licensing_client::framing::encode_frame;
use licensing_client::protocol::{Hello, MAX_HELLO_BYTES, PREAMBLE, Reply, Request, StatusFilter};
use licensing_core::command::{Action, Identity};
use licensing_core::id::{RequestId, Role, Seats, Token};
use licensing_core::outcome::{Answer, Denial, Outcome};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::askers::{HOSTILE, Right, long, relayed};
use crate::site::{LONG, Site};
use crate::support::{FEATURES, Raw, TestTriad, bytes, refusal, wait_until};

/// Everything this process logs, as a formatter is handed it: texts are escaped by every formatter, words are not.
static LOG: OnceLock<Mutex<Vec<Line>>> = OnceLock::new();

#[derive(Debug, Default, Clone)]
struct Line {
    texts: String,
    words: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let part = if field.name() == "message" { &mut self.words } else { &mut self.texts };
        part.push_str(value);
    }

    fn record_debug(&mut self, _field: &Field, value: &dyn Debug) {
        let _ = write!(self.words, "{value:?}");
    }
}

struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("licensing_")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        lines().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn lines() -> std::sync::MutexGuard<'static, Vec<Line>> {
    LOG.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn status() -> Request {
    Request::Status { filter: StatusFilter::default(), after: None }
}

/// A client of this name, user, host and everything, relayed: what is logged of it by the server, at every level.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_kept_as_it_is_and_forges_no_line_of_the_log() {
    // The first that asks in this process; the other tests then log into it, too.
    let _ = tracing::subscriber::set_global_default(Recorder);
    let (site, _directory) = Site::new(LONG).await;
    for (number, name) in (1..).zip(HOSTILE) {
        let mut raw = Raw::connect_as(site.address, relayed(&format!("program {number} {name}"))).await;
        let [user, host, display, project] = [(); 4].map(|()| name.to_owned());
        let identity = Identity { user, host, display, pid: number, project };
        let token = Token([number as u8; 16]);
        let opened = raw.ask(Request::OpenSession { token, identity: identity.clone() }).await;
        let Reply::Answer(Answer { outcome: Outcome::SessionOpened { session }, .. }) = opened else {
            panic!("{name:?}: {opened:?}");
        };
        let (acknowledged, version) = (RequestId(0), "1.0".to_owned());
        let call = |request, feature: &str| Request::Call {
            session,
            token,
            request: RequestId(request),
            acknowledged,
            action: Action::Checkout {
                vendor: None,
                feature: feature.to_owned(),
                version: version.clone(),
                seats: Seats(1),
            },
        };
        let denied = raw.ask(call(1, name)).await;
        let unknown = Denial::UnknownFeature { feature: name.to_owned() };
        assert!(
            matches!(&denied, Reply::Answer(Answer { outcome: Outcome::Denied(denial), .. }) if *denial == unknown),
            "{name:?}: {denied:?}"
        );
        raw.ask(call(2, "f1")).await;
        for administrative in [Request::Reread, Request::Authenticate { proof: [0; 32] }] {
            refusal(raw.ask(administrative).await);
        }
        let Reply::Status(page) = raw.ask(status()).await else { panic!("no status") };
        let shown = &page.checkouts.last().expect("its checkout").user;
        assert_eq!(
            (shown.as_str(), site.node.look(|state| state.identity(session) == Some(&identity))),
            (name, true)
        );
        site.tidy().await;
    }
    site.stop().await;
    let lines = lines().clone();
    let said = |text: &str| {
        lines.iter().filter(|line| line.texts.contains(text) || line.words.contains(text)).count()
    };
    for number in 1..=HOSTILE.len() {
        assert!(said(&format!("program {number} ")) > 0, "nothing was logged of program {number}");
    }
    let is_hostile = |character: char| character.is_control() || matches!(character, '\u{2028}'..='\u{202e}');
    let forged: Vec<&Line> = lines.iter().filter(|line| line.words.contains(is_hostile)).collect();
    assert!(forged.is_empty(), "{forged:#?}");
}

/// Names of 256 bytes are taken, longer ones are not, and nothing is left of those.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_as_long_as_may_be_and_no_longer() {
    let (site, _directory) = Site::new(LONG).await;
    let mut raw = Right::Named("long").connect(site.address).await;
    let mut open = async |user: String| {
        let before = site.node.state();
        let identity = Identity::new(user, "desk");
        let token = Token([7; 16]);
        let reply = raw.ask(Request::OpenSession { token, identity }).await;
        let said =
            format!("{} {}", crate::rows::kind(&reply), crate::site::left(&before, &site.node.state()));
        site.tidy().await;
        said
    };
    assert_eq!(open("x".repeat(256)).await, "SessionOpened !");
    assert_eq!(open("\u{e9}".repeat(128)).await, "SessionOpened !");
    assert_eq!(open("x".repeat(257)).await, "InvalidParameter ~");
    assert_eq!(open("\u{e9}".repeat(129)).await, "InvalidParameter ~");
    assert_eq!(open("x".repeat(100_000)).await, "InvalidParameter ~");
}

/// Whoever may speak to the master may be led there by a standby, which adds words of its own to a hello.
#[tokio::test(flavor = "multi_thread")]
async fn a_hello_as_long_as_may_be_is_relayed_and_a_longer_one_is_not_heard() {
    let triad = TestTriad::start(FEATURES, |_| {}).await;
    let address = triad.address(Role::Tertiary);
    wait_until("a standby that knows the master", async || {
        Raw::connect(address).await.whereabouts().master.is_some().then_some(())
    })
    .await;
    for hello in [long(MAX_HELLO_BYTES), long(MAX_HELLO_BYTES - 20), long(300)] {
        let hello = Hello { relay: true, relayed_by: None, ..hello };
        // One byte for the role that is not there.
        let hello = Hello { software: hello.software + "x", ..hello };
        let mut raw = Raw::connect_as(address, hello).await;
        assert_eq!(raw.whereabouts().role, Role::Primary, "it was not relayed");
        refusal(raw.ask(Request::Reread).await);
    }
    // What a standby cannot shorten it answers itself.
    let more = vec![(9, vec![0; MAX_HELLO_BYTES - encode_frame(&Hello::new("")).unwrap().len()])];
    let full = Hello { relay: true, more, ..Hello::new("") };
    assert_eq!(encode_frame(&full).unwrap().len(), MAX_HELLO_BYTES + 4);
    let mut raw = Raw::connect_as(address, full).await;
    assert_eq!(raw.whereabouts().role, Role::Tertiary);
    assert!(matches!(raw.ask(status()).await, Reply::Status(_)));

    let longer = Hello { relay: true, ..long(MAX_HELLO_BYTES + 1) };
    let bytes = bytes(address, &[&PREAMBLE[..], &encode_frame(&longer).unwrap()].concat()).await;
    assert_eq!(bytes, b"");
}
