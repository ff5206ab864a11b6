//! `licensectl upgrade`: which edition of the rules the servers apply, and when a newer one does.

use licensing_client::protocol::{Reply, Request, StatusPage, Upgrade};
use licensing_core::edition::Edition;

use super::servers::no_master;
use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::{Servers, without_checkouts};

/// Shows where the servers are, or decides.
pub(super) async fn upgrade(servers: &Servers, act: Option<Upgrade>) -> Result<Exit, Failure> {
    let survey = servers.survey(&without_checkouts()).await;
    let Some(act) = act else {
        let Some(page) = &survey.page else { return Err(no_master(&survey)) };
        put(&report(page))?;
        return Ok(Exit::Done);
    };
    let Some(master) = survey.master() else { return Err(no_master(&survey)) };
    let mut direct = servers.direct(&master.name).await?;
    match direct.request(Request::Upgrade(act)).await.map_err(Failure::unknown)? {
        Reply::Done(words) => {
            put(&format!("{words}\n"))?;
            Ok(Exit::Done)
        }
        Reply::Error(why) => Err(Failure::no(why)),
        Reply::NotMaster(_) => {
            Err(Failure::unknown("the master has just changed, nothing was done").hint("ask again"))
        }
        Reply::Unknown(why) => Err(Failure::unknown(format!("it may or may not be done: {why}"))),
        other => Err(Failure::unknown(format!("unexpected answer to upgrade: {other:?}"))),
    }
}

/// One line for the edition, one for each server, one for what comes next.
fn report(page: &StatusPage) -> String {
    let held = if page.edition_held { ", held" } else { "" };
    let mut out = format!("edition {} of the rules applies{held}\n", page.edition);
    for server in &page.servers {
        let known = match server.known_edition {
            Some(known) => format!("version {}, knows editions up to {known}", server.version),
            None => "is not there to say what it knows".to_owned(),
        };
        out.push_str(&format!("{}: {known}\n", server.role));
    }
    out.push_str(&next(page));
    out.push('\n');
    out
}

fn next(page: &StatusPage) -> String {
    let by_all: Option<Edition> = page.servers.iter().map(|server| server.known_edition).min().flatten();
    let newest = page.servers.iter().filter_map(|server| server.known_edition).max();
    match (by_all, newest) {
        (Some(all), _) if all > page.edition && page.edition_held => {
            format!("all servers know edition {all}: `licensectl upgrade --finish` applies it")
        }
        (Some(all), _) if all > page.edition => format!(
            "all servers know edition {all}: it applies after an hour of that, or with `licensectl upgrade --finish`; \
             until then each server can go back to its version before"
        ),
        (_, Some(newest)) if newest > page.edition => {
            format!("edition {newest} waits until all servers know it: upgrade the others")
        }
        (None, _) => "a newer edition could only apply while all servers are there".to_owned(),
        _ => "there is no newer edition".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests_support::page;
    use licensing_core::id::Role;

    fn check(knows: [Option<u32>; 3], held: bool, last: &str) {
        let mut page = page(Role::Primary);
        page.edition_held = held;
        for (server, known) in page.servers.iter_mut().zip(knows) {
            server.known_edition = known.map(Edition);
        }
        let report = report(&page);
        assert!(report.lines().last().is_some_and(|line| line.starts_with(last)), "{report}");
    }

    #[test]
    fn what_comes_next_is_the_last_line() {
        check([Some(1); 3], false, "there is no newer edition");
        check([Some(2), Some(1), Some(1)], false, "edition 2 waits until all servers know it");
        check([Some(2), Some(2), None], false, "edition 2 waits until all servers know it");
        check([Some(1), Some(1), None], false, "a newer edition could only apply while all");
        check([Some(2); 3], false, "all servers know edition 2: it applies after an hour");
        check([Some(2); 3], true, "all servers know edition 2: `licensectl upgrade --finish` applies it");
    }
}
