//! `lmutil lmstat`: the report of a triad.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use licensing_client::protocol::StatusFilter;

use super::flags::{Flags, Known, TIMEOUT, Word};
use crate::console::{Failure, put};
use crate::exit::Exit;
use crate::operate::without_checkouts;
use crate::survey::{ProbeProblem, Survey, ask};
use crate::text::lmstat::{self, Features, Selection};

pub(super) const FLAGS: Known = &[
    ("-a", Word::None),
    ("-A", Word::None),
    ("-c", Word::Needed),
    ("-f", Word::Optional),
    ("-s", Word::Optional),
    ("-S", Word::Optional),
    ("-t", Word::Needed),
];

pub(super) async fn stat(flags: Flags) -> Result<Exit, Failure> {
    let path = flags.search_path()?;
    let limit = match flags.word("-t").map(str::parse) {
        None => TIMEOUT,
        Some(Ok(seconds @ 1..)) => Duration::from_secs(seconds),
        Some(_) => return Err(Failure::unknown("-t needs a number of seconds")),
    };
    let selection = selection(&flags);
    let filter = match &selection.features {
        Features::None => without_checkouts(),
        Features::Named(name) => StatusFilter { feature: Some(name.clone()), without_checkouts: false },
        _ => StatusFilter::default(),
    };
    let zone = TimeZone::system();
    put(&lmstat::head(Timestamp::now(), &zone))?;
    let mut exits = Vec::new();
    for site in path.sites() {
        let survey = ask::site(site, &filter, limit).await;
        put(&lmstat::block(&survey, &selection, &zone, path.sites().len() > 1))?;
        exits.push(stat_exit(&survey));
    }
    Ok(first_that_serves(&exits))
}

/// Done when somebody of all sites serves, the first error otherwise.
fn first_that_serves(exits: &[Exit]) -> Exit {
    let serves = exits.iter().find(|exit| **exit == Exit::Done);
    serves.or(exits.first()).copied().unwrap_or(Exit::Done)
}

/// Done when somebody serves, the first error otherwise.
fn stat_exit(survey: &Survey) -> Exit {
    match (&survey.page, survey.master()) {
        (Some(_), Some(_)) => Exit::Done,
        // The desired vendor daemon is down.
        (Some(_), None) => Exit::FlexNet(-97),
        (None, _) => Exit::FlexNet(survey.first_problem().map_or(-13, ProbeProblem::flexnet_code)),
    }
}

fn selection(flags: &Flags) -> Selection {
    let features = if flags.has("-a") {
        Features::All
    } else if flags.has("-f") {
        flags.word("-f").map_or(Features::All, |name| Features::Named(name.to_owned()))
    } else if flags.has("-S") {
        flags.word("-S").map_or(Features::All, |vendor| Features::OfVendor(vendor.to_owned()))
    } else if flags.has("-A") {
        Features::InUse
    } else {
        Features::None
    };
    Selection { features, server: flags.word("-s").map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests_support::{page, survey};
    use licensing_core::id::Role;

    fn flags(line: &str) -> Result<Flags, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Flags::parse(&arguments, FLAGS).map_err(|failure| failure.message)
    }

    fn selection(line: &str) -> Selection {
        super::selection(&flags(line).unwrap())
    }

    #[test]
    fn flags_select_what_is_shown() {
        for (line, features) in [
            ("", Features::None),
            ("-a", Features::All),
            ("-A", Features::InUse),
            ("-f", Features::All),
            ("-f f1 -c 1@a", Features::Named("f1".to_owned())),
            ("-c 1@a -S demo", Features::OfVendor("demo".to_owned())),
            ("-A -a", Features::All),
        ] {
            assert_eq!(selection(line).features, features, "{line}");
        }
        assert_eq!(selection("-s pat").server, Some("pat".to_owned()));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(flags("-vd").unwrap_err(), "unknown flag `-vd`: there are -a -A -c -f -s -S -t");
        assert_eq!(flags("-c -a").unwrap_err(), "-c needs a word behind it");
    }

    #[test]
    fn the_exit_code_is_that_of_the_first_error() {
        assert_eq!(stat_exit(&survey(&Role::ALL.map(page))), Exit::Done);
        assert_eq!(stat_exit(&survey(&[])), Exit::FlexNet(-15));
        let mut alone = page(Role::Secondary);
        alone.master = None;
        assert_eq!(stat_exit(&survey(&[alone])), Exit::FlexNet(-97));
        let (dead, other) = (Exit::FlexNet(-15), Exit::FlexNet(-97));
        for (exits, expected) in [
            (vec![dead, Exit::Done], Exit::Done),
            (vec![Exit::Done, dead], Exit::Done),
            (vec![dead, other], dead),
        ] {
            assert_eq!(first_that_serves(&exits), expected, "{exits:?}");
        }
    }
}
