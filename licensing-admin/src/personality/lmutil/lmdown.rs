//! `lmutil lmdown`: stops servers.

use std::io::{self, BufRead, Write};

use licensing_core::counted;

use super::flags::{Flags, Known, TIMEOUT, Word};
use crate::console::{Failure, put, talk};
use crate::exit::Exit;
use crate::operate::{Servers, StopProblem, standbys_first, stop, without_checkouts};
use crate::survey::{Survey, ask};
use crate::text::words::printable;

pub(super) const FLAGS: Known = &[
    ("-c", Word::Needed),
    ("-q", Word::None),
    ("-all", Word::None),
    ("-force", Word::None),
    ("-vendor", Word::Needed),
];

pub(super) async fn down(flags: Flags) -> Result<Exit, Failure> {
    let path = flags.search_path()?;
    if path.sites().len() > 1 && !flags.has("-all") {
        return Err(Failure::unknown(
            "the list names several independent servers: say which one with -c, or -all",
        ));
    }
    let mut surveys = Vec::new();
    for site in path.sites() {
        surveys.push(ask::site(site, &without_checkouts(), TIMEOUT).await);
    }
    if let Some(vendor) = flags.word("-vendor") {
        // Each server serves one vendor, so its server goes with it; another vendor's server must not.
        surveys.retain(|survey| {
            survey.page.as_ref().is_some_and(|page| page.vendors.iter().any(|served| served.name == vendor))
        });
        if surveys.is_empty() {
            talk(format_args!("Shutdown failed: no server of vendor {vendor} is running"));
            return Ok(Exit::FlexNet(-97));
        }
    }
    put(&numbered(&surveys))?;
    // Where nothing runs there is nothing to be sure about.
    let is_running = surveys.iter().any(|survey| survey.page.is_some());
    if is_running && !flags.has("-q") && !confirmed()? {
        talk(format_args!("nothing was stopped"));
        return Ok(Exit::Done);
    }
    let servers = Servers { path, admin_key: None, timeout: TIMEOUT };
    let mut stopped = 0;
    let mut exit = Exit::Done;
    for server in surveys.iter().flat_map(|survey| standbys_first(&survey.servers)) {
        match stop(&servers, &server.name).await {
            Ok(()) => stopped += 1,
            Err(StopProblem::NotRunning) => {}
            Err(StopProblem::Refused(why)) => {
                talk(format_args!("{}: {why}", server.name));
                // lmdown must be run on the license server machine.
                exit = exit.and(Exit::FlexNet(-119));
            }
            Err(StopProblem::Unknown(why)) => {
                talk(format_args!("{}: {why}", server.name));
                exit = exit.and(Exit::FlexNet(-16));
            }
        }
    }
    if stopped == 0 && exit == Exit::Done {
        let problem = surveys.iter().find_map(Survey::first_problem);
        talk(format_args!(
            "Shutdown failed: {}",
            problem.map_or_else(|| "no server is running".to_owned(), |problem| problem.flexnet_text())
        ));
        exit = Exit::FlexNet(problem.map_or(-15, |problem| problem.flexnet_code()));
    }
    put(&format!("    {} shut down\n", counted(stopped, "FlexNet License Server")))?;
    Ok(exit)
}

/// What is about to be stopped, one line for each site.
fn numbered(surveys: &[Survey]) -> String {
    let mut out = "\n   Port@Host            Vendors\n".to_owned();
    for (number, survey) in (1..).zip(surveys) {
        let names: Vec<String> = survey.servers.iter().map(|server| server.name.to_string()).collect();
        let served = survey.page.iter().flat_map(|page| &page.vendors).map(|vendor| printable(&vendor.name));
        let vendors: Vec<_> = served.collect();
        out.push_str(&format!("{number}) {} {} \n", names.join(","), vendors.join(" ")));
    }
    out.push('\n');
    out
}

fn confirmed() -> Result<bool, Failure> {
    put("Are you sure (y/n)?  ")?;
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    let read = read.map_err(|error| Failure::unknown(format!("cannot read the answer: {error}")))?;
    if read == 0 {
        return Err(Failure::unknown("nobody to ask on standard input, nothing was stopped: say -q"));
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests_support::{page, survey};
    use licensing_core::id::Role;

    #[test]
    fn what_is_stopped_is_listed_first() {
        let listed = numbered(&[survey(&Role::ALL.map(page))]);
        assert_eq!(listed, "\n   Port@Host            Vendors\n1) 2837@pat,2837@lee,2837@terry demo \n\n");
    }
}
