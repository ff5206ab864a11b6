//! `lmutil`: the utilities administrators of FlexNet servers know, with their flags, their texts and their exit
//! codes (FLEXnet License Administration Guide, License Administration Tools).
//!
//! Flags are read by hand: `-all` is one flag here, not three, and `-f` may or may not be followed by a feature.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use licensing_client::protocol::StatusFilter;
use licensing_client::search_path::DEFAULT_PORT;
use licensing_client::{SearchPath, ServerAddress};

use super::operate::{StopProblem, standbys_first, stop};
use super::servers::{Servers, without_checkouts};
use super::{Failure, finish, put, runtime, talk};
use crate::exit::Exit;
use crate::license_file::LicenseFile;
use crate::render::lmstat::{self, Features, Selection};
use crate::survey::{Survey, ask};

/// How long a server may take: `lmstat` is run from monitors every minute.
const TIMEOUT: Duration = Duration::from_secs(10);

const USAGE: &str = "\
usage: lmutil lmstat [-a] [-A] [-f [feature]] [-s [server]] [-S [vendor]] [-t seconds] [-c port@host,…|file]
       lmutil lmdown [-q] [-all] [-force] [-c port@host,…|file]
       lmutil lmver
";

/// Cannot find license file: no list and no variable names a server.
const NO_SERVER: i32 = -1;

/// Entry point of the program.
pub fn main() -> ExitCode {
    finish(run(std::env::args().skip(1).collect()))
}

fn run(arguments: Vec<String>) -> Result<Exit, Failure> {
    let (utility, flags) = match arguments.split_first() {
        Some((utility, flags)) => (utility.trim_end_matches(".exe"), flags),
        None => {
            talk(USAGE.trim_end());
            return Ok(Exit::Unknown);
        }
    };
    match utility {
        "lmstat" => with_runtime(|flags| Box::pin(stat(flags)), Flags::parse(flags, STAT_FLAGS)?),
        "lmdown" => with_runtime(|flags| Box::pin(down(flags)), Flags::parse(flags, DOWN_FLAGS)?),
        "lmver" => {
            put(&format!("lmutil - licensing-server v{0}\nlmver v{0}\n", crate::VERSION))?;
            Ok(Exit::Done)
        }
        "-h" | "-help" | "--help" => {
            put(USAGE)?;
            Ok(Exit::Done)
        }
        other => Err(Failure::unknown(format!(
            "there is no utility `{other}` here: lmstat, lmdown and lmver there are"
        ))
        .hint("`licensectl --help` lists what else an administrator can do")),
    }
}

type Running = std::pin::Pin<Box<dyn Future<Output = Result<Exit, Failure>>>>;

fn with_runtime(utility: impl FnOnce(Flags) -> Running, flags: Flags) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let result = runtime.block_on(utility(flags));
    runtime.shutdown_background();
    result
}

/// Which flags a utility has, and whether a word belongs to them.
type Known = &'static [(&'static str, Word)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    None,
    Needed,
    Optional,
}

const STAT_FLAGS: Known = &[
    ("-a", Word::None),
    ("-A", Word::None),
    ("-c", Word::Needed),
    ("-f", Word::Optional),
    ("-s", Word::Optional),
    ("-S", Word::Optional),
    ("-t", Word::Needed),
];

const DOWN_FLAGS: Known = &[
    ("-c", Word::Needed),
    ("-q", Word::None),
    ("-all", Word::None),
    ("-force", Word::None),
    ("-vendor", Word::Needed),
];

/// The flags of one call, in order.
#[derive(Debug, PartialEq, Eq)]
struct Flags(Vec<(&'static str, Option<String>)>);

impl Flags {
    fn parse(arguments: &[String], known: Known) -> Result<Flags, Failure> {
        let mut found = Vec::new();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let Some((name, word)) = known.iter().find(|(name, _)| name == argument) else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                return Err(Failure::unknown(format!(
                    "unknown flag `{argument}`: there are {}",
                    names.join(" ")
                )));
            };
            let value = match word {
                Word::None => None,
                Word::Needed | Word::Optional => rest.next_if(|next| !next.starts_with('-')).cloned(),
            };
            if *word == Word::Needed && value.is_none() {
                return Err(Failure::unknown(format!("{name} needs a word behind it")));
            }
            found.push((*name, value));
        }
        Ok(Flags(found))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(flag, _)| *flag == name)
    }

    /// The word behind the last flag of this name.
    fn word(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(flag, _)| *flag == name)?.1.as_deref()
    }

    fn search_path(&self) -> Result<SearchPath, Failure> {
        let path = match self.word("-c") {
            Some(file) if Path::new(file).is_file() => return servers_of(Path::new(file)),
            Some(list) => list.parse(),
            None => SearchPath::from_env(None),
        };
        path.map_err(|error| Failure {
            exit: Exit::FlexNet(NO_SERVER),
            message: error.to_string(),
            hints: vec!["-c 27001@host1,27001@host2,27001@host3 names a triad".to_owned()],
        })
    }

    fn selection(&self) -> Selection {
        let features = if self.has("-a") {
            Features::All
        } else if self.has("-f") {
            self.word("-f").map_or(Features::All, |name| Features::Named(name.to_owned()))
        } else if self.has("-S") {
            self.word("-S").map_or(Features::All, |vendor| Features::OfVendor(vendor.to_owned()))
        } else if self.has("-A") {
            Features::InUse
        } else {
            Features::None
        };
        Selection { features, server: self.word("-s").map(str::to_owned) }
    }
}

/// The servers a license file names; what `-c` is given on the servers themselves.
fn servers_of(path: &Path) -> Result<SearchPath, Failure> {
    let failure = |code, message: String| Failure { exit: Exit::FlexNet(code), message, hints: Vec::new() };
    // Invalid license file syntax.
    let file = LicenseFile::read(path).map_err(|problem| failure(-2, problem.to_string()))?;
    let servers = file.license.servers.iter().map(|server| {
        let host = if server.host.eq_ignore_ascii_case("this_host") { "localhost" } else { &server.host };
        ServerAddress::new(host, server.port.unwrap_or(DEFAULT_PORT))
    });
    let servers: Vec<ServerAddress> = servers.collect();
    match (<[ServerAddress; 3]>::try_from(servers.clone()), servers.into_iter().next()) {
        (Ok(triad), _) => Ok(SearchPath::triad(triad)),
        (Err(_), Some(single)) => Ok(SearchPath::server(single)),
        (Err(_), None) => Err(failure(-13, format!("{}: no SERVER lines in license file", path.display()))),
    }
}

async fn stat(flags: Flags) -> Result<Exit, Failure> {
    let path = flags.search_path()?;
    let limit = match flags.word("-t").map(str::parse) {
        None => TIMEOUT,
        Some(Ok(seconds @ 1..)) => Duration::from_secs(seconds),
        Some(_) => return Err(Failure::unknown("-t needs a number of seconds")),
    };
    let selection = flags.selection();
    let filter = match &selection.features {
        Features::None => without_checkouts(),
        Features::Named(name) => StatusFilter { feature: Some(name.clone()), without_checkouts: false },
        _ => StatusFilter::default(),
    };
    let zone = TimeZone::system();
    put(&lmstat::head(Timestamp::now(), &zone))?;
    let mut exit = Exit::Done;
    for site in path.sites() {
        let survey = ask::survey(site.servers(), &filter, limit).await;
        put(&lmstat::block(&survey, &selection, &zone, path.sites().len() > 1))?;
        exit = exit.and(stat_exit(&survey));
    }
    Ok(exit)
}

/// Done when somebody serves, the first error otherwise.
fn stat_exit(survey: &Survey) -> Exit {
    match (&survey.page, survey.master()) {
        (Some(_), Some(_)) => Exit::Done,
        // The desired vendor daemon is down.
        (Some(_), None) => Exit::FlexNet(-97),
        (None, _) => {
            Exit::FlexNet(survey.first_problem().map_or(-13, crate::survey::ProbeProblem::flexnet_code))
        }
    }
}

async fn down(flags: Flags) -> Result<Exit, Failure> {
    let path = flags.search_path()?;
    if path.sites().len() > 1 && !flags.has("-all") {
        return Err(Failure::unknown(
            "the list names several independent servers: say which one with -c, or -all",
        ));
    }
    let mut surveys = Vec::new();
    for site in path.sites() {
        surveys.push(ask::survey(site.servers(), &without_checkouts(), TIMEOUT).await);
    }
    if let Some(vendor) = flags.word("-vendor") {
        // Each server serves one vendor, so its server goes with it; another vendor's server must not.
        surveys.retain(|survey| survey.page.as_ref().is_some_and(|page| page.vendor == vendor));
        if surveys.is_empty() {
            talk(format_args!("Shutdown failed: no server of vendor {vendor} is running"));
            return Ok(Exit::FlexNet(-97));
        }
    }
    put(&numbered(&surveys))?;
    if !flags.has("-q") && !confirmed()? {
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
    let servers = if stopped == 1 { "License Server" } else { "License Servers" };
    put(&format!("    {stopped} FlexNet {servers} shut down\n"))?;
    Ok(exit)
}

/// What is about to be stopped, one line for each site.
fn numbered(surveys: &[Survey]) -> String {
    let mut out = "\n   Port@Host            Vendors\n".to_owned();
    for (number, survey) in (1..).zip(surveys) {
        let names: Vec<String> = survey.servers.iter().map(|server| server.name.to_string()).collect();
        let vendor = survey.page.as_ref().map_or("", |page| &page.vendor);
        out.push_str(&format!("{number}) {} {vendor} \n", names.join(",")));
    }
    out.push('\n');
    out
}

fn confirmed() -> Result<bool, Failure> {
    put("Are you sure (y/n)?  ")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::unknown(format!("cannot read the answer: {error}")))?;
    let _ = io::stdout().flush();
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests_support::{page, survey};
    use licensing_core::id::Role;

    fn flags(line: &str) -> Result<Flags, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Flags::parse(&arguments, STAT_FLAGS).map_err(|failure| failure.message)
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
            assert_eq!(flags(line).unwrap().selection().features, features, "{line}");
        }
        assert_eq!(flags("-s pat").unwrap().selection().server, Some("pat".to_owned()));
        assert_eq!(flags("-vd").unwrap_err(), "unknown flag `-vd`: there are -a -A -c -f -s -S -t");
        assert_eq!(flags("-c -a").unwrap_err(), "-c needs a word behind it");
    }

    #[test]
    fn a_license_file_names_its_servers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lic");
        let search_path = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let found = flags(&format!("-c {}", path.display())).unwrap().search_path();
            found.map(|path| path.to_string()).map_err(|failure| failure.exit)
        };
        let triad = "SERVER pat ANY 2837\nSERVER lee ANY 2837\nSERVER terry ANY 2837\nVENDOR demo\n";
        assert_eq!(search_path(triad).unwrap(), "2837@pat,2837@lee,2837@terry");
        assert_eq!(search_path("SERVER this_host ANY\nVENDOR demo\n").unwrap(), "27000@localhost");
        assert_eq!(search_path("SERVR pat\n").unwrap_err(), Exit::FlexNet(-2));
    }

    #[test]
    fn the_exit_code_is_that_of_the_first_error() {
        assert_eq!(stat_exit(&survey(&Role::ALL.map(page))), Exit::Done);
        assert_eq!(stat_exit(&survey(&[])), Exit::FlexNet(-15));
        let mut alone = page(Role::Secondary);
        alone.master = None;
        assert_eq!(stat_exit(&survey(&[alone])), Exit::FlexNet(-97));
    }

    #[test]
    fn what_is_stopped_is_listed_first() {
        let listed = numbered(&[survey(&Role::ALL.map(page))]);
        assert_eq!(listed, "\n   Port@Host            Vendors\n1) 2837@pat,2837@lee,2837@terry demo \n\n");
    }

    #[test]
    fn unknown_utilities_are_told_what_exists() {
        let failure = run(vec!["lmborrow".to_owned()]).unwrap_err();
        assert!(failure.message.contains("lmstat, lmdown and lmver"), "{}", failure.message);
    }
}
