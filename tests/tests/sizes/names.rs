//! The longest names: through checkout, log, snapshot, pages and texts.

use Role::{Primary, Secondary, Tertiary};
use jiff::tz::TimeZone;
use licensing_admin::survey::{Probe, Survey};
use licensing_admin::text;
use licensing_admin::text::lmstat::{Features, Selection};
use licensing_client::ServerAddress;
use licensing_client::protocol::{CheckoutStatus, StatusFilter};
use licensing_core::command::{Action, Command, Identity, MAX_NAME_BYTES};
use licensing_core::id::{Role, Seats, Token};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::state::State;
use licensing_daemon::Limits;

use crate::pages::{check_rows, pages};
use crate::support::{Served, ask, join, level, license_with, long_grace, take, triad};

/// A name that is as long as it may be.
fn name(letter: &str) -> String {
    letter.repeat(MAX_NAME_BYTES)
}

fn longest() -> Identity {
    Identity { user: name("u"), host: name("h"), display: name("d"), pid: u32::MAX, project: name("p") }
}

/// The longest version there may be.
fn version() -> String {
    format!("1.{}", "0".repeat(29))
}

fn wanted(feature: &str) -> Action {
    Action::checkout(None, feature.to_owned(), version(), Seats(1), Vec::new())
}

/// Bytes of a row as a page counts them.
fn counted(row: &CheckoutStatus) -> usize {
    let version = row.licensed_version.len() + row.version.len();
    let holder = row.user.len() + row.host.len() + row.display.len() + row.project.len();
    64 + row.vendor.len() + row.feature.len() + version + holder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_names_are_kept_and_told_whole_on_pages_that_are_cut_by_bytes() {
    let feature = format!("FEATURE {} demo {} permanent 1000 SIGN=0\n", name("f"), version());
    let cluster = triad(&feature, long_grace).await;
    let node = cluster.node(Primary);
    let mut member = join(&node, 0, longest()).await;
    for _ in 0..600 {
        take(&node, &mut member, wanted(&name("f"))).await;
    }
    for other in [Secondary, Tertiary] {
        level(&cluster, Primary, other).await;
    }
    let snapshot = State::from_bytes(&node.state().to_bytes()).expect("a snapshot can be read");
    assert_eq!(snapshot.digest(), node.state().digest());

    let server = Served::of(node.clone(), &license_with(&feature));
    let mut direct = server.direct().await;
    let pages = pages(&mut direct).await;
    check_rows(&pages, &cluster.handles(Primary));
    let limit = Limits::default().page_bytes;
    let row = counted(&pages[0].checkouts[0]);
    for page in &pages {
        let bytes: usize = page.checkouts.iter().map(counted).sum();
        let is_full = page.more.is_none() || bytes + row > limit;
        assert!(bytes <= limit && is_full, "{bytes} bytes of rows of {row}");
    }
    eprintln!("{} pages of up to {} rows of {row} bytes", pages.len(), limit / row);
    for row in pages.iter().flat_map(|page| &page.checkouts) {
        let row = row.clone();
        let told = Identity {
            user: row.user,
            host: row.host,
            display: row.display,
            pid: row.pid,
            project: row.project,
        };
        assert_eq!(
            (told, row.feature, row.licensed_version, row.version),
            (longest(), name("f"), version(), version())
        );
    }

    let page = direct.status_all(StatusFilter::default()).await.expect("the whole");
    let survey = Survey::merge(&[Probe { name: ServerAddress::new("memory", 2001), answer: Ok(page) }]);
    let all = Selection { features: Features::All, server: None };
    for text in [
        text::status::text(&survey, &TimeZone::UTC),
        text::lmstat::block(&survey, &all, &TimeZone::UTC, false),
    ] {
        for letter in ["f", "u", "h", "d"] {
            let told = text.lines().filter(|line| line.contains(&name(letter))).count();
            assert!(told > 0, "{letter} is not told whole in\n{}", text.lines().last().unwrap_or_default());
        }
        assert!(text.lines().filter(|line| line.contains(&name("u"))).count() >= 600, "a row is missing");
    }
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_a_byte_longer_is_denied_with_both_lengths() {
    let cluster = triad("FEATURE crowd demo 1.0 permanent 10 SIGN=0\n", long_grace).await;
    let node = cluster.node(Primary);
    let check = |what: &str, denied: Outcome| {
        let Outcome::Denied(Denial::InvalidParameter { what: words }) = &denied else { panic!("{denied:?}") };
        assert!(words.contains(what) && words.contains("257") && words.contains("256"), "{words}");
    };
    for (what, identity) in [
        ("user", Identity { user: name("u") + "u", ..longest() }),
        ("host", Identity { host: name("h") + "h", ..longest() }),
        ("display", Identity { display: name("d") + "d", ..longest() }),
        ("project", Identity { project: name("p") + "p", ..longest() }),
    ] {
        check(
            what,
            ask(&node, Command::OpenSession { token: Token([1; 16]), identity, address: None }).await,
        );
    }
    let mut member = join(&node, 0, longest()).await;
    check("feature", ask(&node, member.call(wanted(&(name("f") + "f")))).await);
    // As long as may be, it is asked for and not there.
    let unknown = ask(&node, member.call(wanted(&name("f")))).await;
    assert!(matches!(unknown, Outcome::Denied(Denial::UnknownFeature { .. })), "{unknown:?}");
    cluster.shut_down().await;
}
