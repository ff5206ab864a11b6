//! Long answers, page by page: every row once, while seats change hands, and no page beyond a frame.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use Role::Primary;
use licensing_client::Direct;
use licensing_client::protocol::{
    MAX_FRAME_BYTES, Reply, Request, ServerMessage, StatusFilter, StatusPage, VendorDataPage,
};
use licensing_core::codec;
use licensing_core::command::{Action, Identity, MAX_NAME_BYTES};
use licensing_core::id::{Handle, Role, SessionId};
use licensing_core::outcome::{Denial, Outcome};
use licensing_core::vendor_data::MAX_TRIAD_DATA_BYTES;
use licensing_daemon::Limits;
use licensing_raft::Node;
use licensing_tests::cluster::Holder;

use crate::support::{Served, ask, crowd, each, join, license_with, long_grace, seat, take, triad};

const SHORT: &str = "FEATURE crowd demo 1.0 permanent 30000 SIGN=0\n";

/// Every page of a status, each in a frame.
pub(crate) async fn pages(direct: &mut Direct) -> Vec<StatusPage> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let request = Request::Status { filter: StatusFilter::default(), after };
        let Reply::Status(page) = direct.request(request).await.expect("an answer") else {
            panic!("no page")
        };
        fits_a_frame(Reply::Status(page.clone()));
        after = page.more;
        pages.push(*page);
        if after.is_none() {
            return pages;
        }
    }
}

async fn data_pages(direct: &mut Direct) -> Vec<VendorDataPage> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let answer = direct.request(Request::VendorData { after }).await.expect("an answer");
        let Reply::VendorData(page) = answer else { panic!("no page: {answer:?}") };
        fits_a_frame(Reply::VendorData(page.clone()));
        after = page.more;
        pages.push(*page);
        if after.is_none() {
            return pages;
        }
    }
}

fn fits_a_frame(reply: Reply) {
    let bytes = codec::to_bytes(&ServerMessage::Reply { id: u64::MAX, reply }).len();
    assert!(bytes <= MAX_FRAME_BYTES, "a page of {bytes} bytes");
}

/// What stays is on exactly one page, whatever comes and goes meanwhile, and nothing is on two.
pub(crate) fn check_rows(pages: &[StatusPage], stay: &[Handle]) {
    let mut seen: BTreeMap<Handle, usize> = BTreeMap::new();
    for row in pages.iter().flat_map(|page| &page.checkouts) {
        *seen.entry(row.handle).or_default() += 1;
    }
    assert_eq!(seen.values().find(|times| **times > 1), None, "a row on two pages");
    let missing: Vec<_> = stay.iter().filter(|handle| !seen.contains_key(handle)).collect();
    assert!(missing.is_empty(), "{} rows are on no page, the first is {}", missing.len(), missing[0]);
}

/// Gives its seat back and takes another, until it is told that it is enough.
async fn change_hands(node: &Node, mut member: Holder, enough: &AtomicBool) -> usize {
    let mut changes = 0;
    let mut held = take(node, &mut member, seat("crowd", 0)).await;
    while !enough.load(Ordering::Relaxed) {
        let back = ask(node, member.call(Action::Checkin { handle: held, owner: None })).await;
        assert_eq!(back, Outcome::Returned { handle: held });
        held = take(node, &mut member, seat("crowd", 0)).await;
        changes += 1;
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_checkouts_are_on_full_pages_each_once_while_seats_change_hands() {
    let cluster = triad(SHORT, long_grace).await;
    let node = cluster.node(Primary);
    crowd(&node, 500, 40, "crowd", 0).await;
    let stay = cluster.handles(Primary);
    let rows = Limits::default().page_rows;
    assert_eq!(stay.len(), 10 * rows);
    let server = Served::of(node.clone(), &license_with(SHORT));
    let mut direct = server.direct().await;
    // Ten full pages are ten: there is no empty one behind them.
    let still = pages(&mut direct).await;
    assert_eq!(still.iter().map(|page| page.checkouts.len()).collect::<Vec<_>>(), [rows; 10]);
    check_rows(&still, &stay);

    let enough = AtomicBool::new(false);
    let movers = async {
        let mut members = Vec::new();
        for number in 0..20 {
            members.push(join(&node, 100_000 + number, Identity::new("mover", "cad-18")).await);
        }
        let moving = members.into_iter().map(|member| change_hands(&node, member, &enough));
        futures_util::future::join_all(moving).await.iter().sum::<usize>()
    };
    let reader = async {
        for _ in 0..10 {
            check_rows(&pages(&mut direct).await, &stay);
        }
        let whole = direct.status_all(StatusFilter::default()).await.expect("the whole");
        check_rows(&[whole], &stay);
        enough.store(true, Ordering::Relaxed);
    };
    let (changes, ()) = tokio::join!(movers, reader);
    eprintln!("{changes} changes while 110 pages were read");
    assert!(changes > 0);
    cluster.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_the_vendor_data_there_may_be_is_told_on_pages_that_fit_a_frame() {
    let cluster = triad(SHORT, long_grace).await;
    let node = cluster.node(Primary);
    fill_the_map(&node).await;
    // A thousand with as much as they may have: bytes fill a page, and the first has the whole map besides.
    each(0..20, async |number| {
        let mut member = join(&node, 100_000 + number, Identity::new("full", "cad-18")).await;
        let data = vec![b's'; 1024];
        let set = ask(&node, member.call(Action::SetVendorData { handle: None, data })).await;
        assert!(matches!(set, Outcome::VendorDataSet { .. }), "{set:?}");
        for _ in 0..50 {
            take(&node, &mut member, seat("crowd", 1024)).await;
        }
        let denied = ask(&node, member.call(seat("crowd", 1025))).await;
        assert!(matches!(denied, Outcome::Denied(Denial::InvalidParameter { .. })), "{denied:?}");
    })
    .await;
    // Four thousand with a byte each: rows fill a page.
    crowd(&node, 40, 100, "crowd", 1).await;
    let server = Served::of(node.clone(), &license_with(SHORT));
    let pages = data_pages(&mut server.direct().await).await;
    let state = node.state();
    let sessions: Vec<_> = pages.iter().flat_map(|page| page.sessions.clone()).collect();
    let checkouts: Vec<_> = pages.iter().flat_map(|page| page.checkouts.clone()).collect();
    let kept = state.session_data_after(SessionId(0)).map(|(session, data)| (session, data.to_vec()));
    assert!(sessions.iter().cloned().eq(kept), "the data of sessions is not told once each, in order");
    let kept = state.checkout_data_after(Handle(0)).map(|(handle, data)| (handle, data.to_vec()));
    assert!(checkouts.iter().cloned().eq(kept), "the data of checkouts is not told once each, in order");
    assert_eq!((sessions.len(), checkouts.len()), (20, 5000));
    let told = pages.iter().flat_map(|page| &page.triad);
    let bytes: usize = told.map(|value| 32 + value.key.len() + value.value.len()).sum();
    assert_eq!(bytes, MAX_TRIAD_DATA_BYTES);
    eprintln!("{} pages", pages.len());
    cluster.shut_down().await;
}

/// Fills the triad's own map to the byte, and finds that not one more fits.
async fn fill_the_map(node: &Node) {
    let set = async |key: &str, bytes: usize| {
        let answer = node.set_triad_data(key, Some(vec![b'v'; bytes]), None).await;
        answer.expect("an answer").outcome
    };
    let full = Outcome::Denied(Denial::VendorDataFull { limit: MAX_TRIAD_DATA_BYTES as u64 });
    let key = "k".repeat(MAX_NAME_BYTES);
    // Short keys with nothing behind them take the most room beside what they say.
    let short = each(0..1000, async |number| set(&format!("{number:04}"), 0).await).await;
    assert!(short.iter().all(|outcome| matches!(outcome, Outcome::VendorDataSet { .. })));
    let rest = MAX_TRIAD_DATA_BYTES - 1000 * (32 + 4) - (32 + key.len());
    assert_eq!(set(&key, rest + 1).await, full);
    assert!(matches!(set(&key, rest).await, Outcome::VendorDataSet { .. }));
    assert_eq!(set("one more", 0).await, full);
    let long = set(&(key + "k"), 0).await;
    assert!(matches!(long, Outcome::Denied(Denial::InvalidParameter { .. })), "{long:?}");
}
