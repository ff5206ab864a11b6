//! Everybody asks everything, and is told what the table says.

use licensing_daemon::Node;

use crate::askers::{HOSTILE, Right, Standing};
use crate::rows::{Row, kind, rows};
use crate::site::{LONG, Site, left};

fn expected(row: &Row, right: Right, standing: Standing) -> &'static str {
    if row.administrative && !right.is_admin() {
        return "Error =";
    }
    match standing {
        Standing::Own => row.own,
        Standing::WrongToken | Standing::OthersToken | Standing::OldToken => row.wrong,
        Standing::Never | Standing::Closed | Standing::Expired => row.gone,
    }
}

/// Asks all of it by each of these rights, in everybody's name.
async fn check(rights: &[Right]) {
    let (site, _directory) = Site::new(LONG).await;
    let mut wrong = Vec::new();
    for right in rights {
        let mut raw = right.connect(site.address).await;
        for standing in Standing::ALL {
            for row in rows() {
                // Whoever may stop the server ends the test.
                if row.what.starts_with("shutdown") && right.is_admin() {
                    continue;
                }
                // Three of them, and a connection is not listened to any more; that is `TooManyKeys`.
                if row.what == "authenticate" && standing != Standing::Own {
                    continue;
                }
                let named = standing.prepare(&site).await;
                let (before, out) = (site.node.state(), outside(&site.node));
                let reply = raw.ask((row.ask)(&named)).await;
                let left = left(&before, &site.node.state());
                let found = format!("{} {left}", kind(&reply));
                let expected = expected(&row, *right, standing);
                if found != expected {
                    wrong.push(format!("{right:?}, {standing:?}, {}: {found}, not {expected}", row.what));
                }
                if left != '!' && outside(&site.node) != out {
                    wrong.push(format!("{right:?}, {standing:?}, {}: something else was left", row.what));
                }
                site.tidy().await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    site.stop().await;
}

/// What is in no state and would be kept from others: sessions that are listened for, proposals under way.
fn outside(node: &Node) -> (usize, usize) {
    let metrics = node.metrics();
    (metrics.sessions, metrics.proposals)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_may_do_all_of_it() {
    check(&[Right::Local, Right::LocalWithAWrongKey, Right::Key, Right::KeyTwice]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_from_elsewhere_may_do_what_a_client_may() {
    check(&[Right::Named(""), Right::LongName]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_program_gives_no_right() {
    check(&HOSTILE.map(Right::Named)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_not_of_this_key_and_this_connection_is_good_for_nothing() {
    check(&[Right::WrongKey, Right::OthersProof, Right::TooManyKeys]).await;
}
