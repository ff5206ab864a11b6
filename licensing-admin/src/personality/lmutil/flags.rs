//! Flags as FlexNet's utilities have them, read by hand: `-all` is one flag here, not three, and `-f` may or may not be
//! followed by a feature.

use std::path::Path;
use std::time::Duration;

use licensing_client::license_file::LicenseFile;
use licensing_client::search_path::FIRST_PORT;
use licensing_client::{SearchPath, SearchPathError, ServerAddress};

use crate::console::Failure;
use crate::exit::Exit;

/// How long a server may take: `lmstat` is run from monitors every minute.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Cannot find license file: no list and no variable names a server.
const NO_SERVER: i32 = -1;

/// Which flags a utility has, and whether a word belongs to them.
pub(super) type Known = &'static [(&'static str, Word)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    None,
    Needed,
    Optional,
}

/// The flags of one call, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flags(Vec<(&'static str, Option<String>)>);

impl Flags {
    pub(super) fn parse(arguments: &[String], known: Known) -> Result<Flags, Failure> {
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

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(flag, _)| *flag == name)
    }

    /// The word behind the last flag of this name.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(flag, _)| *flag == name)?.1.as_deref()
    }

    pub(super) fn search_path(&self) -> Result<SearchPath, Failure> {
        let path = match self.word("-c") {
            Some(file) if Path::new(file).is_file() => return servers_of(Path::new(file)),
            Some(list) => list.parse(),
            None => SearchPath::from_env(None),
        };
        path.map_err(|error| {
            Failure::new(Exit::FlexNet(NO_SERVER), error)
                .hint("-c 27001@host1,27001@host2,27001@host3 names a triad")
        })
    }
}

/// The servers a license file names; what `-c` is given on the servers themselves.
fn servers_of(path: &Path) -> Result<SearchPath, Failure> {
    let failure = |code, message: String| Failure::new(Exit::FlexNet(code), message);
    // Invalid license file syntax.
    let file = LicenseFile::read(path).map_err(|problem| failure(-2, problem.to_string()))?;
    let servers = file.license.servers.iter().map(|server| {
        let host = if server.host.eq_ignore_ascii_case("this_host") { "localhost" } else { &server.host };
        ServerAddress::new(host, server.port.unwrap_or(FIRST_PORT))
    });
    let servers: Vec<ServerAddress> = servers.collect();
    match (<[ServerAddress; 3]>::try_from(servers.clone()), servers.into_iter().next()) {
        (Ok(triad), _) => Ok(SearchPath::triad(triad)),
        (Err(_), Some(single)) if file.license.servers.iter().all(|line| line.port.is_none()) => {
            format!("@{}", single.host)
                .parse()
                .map_err(|error: SearchPathError| failure(-13, error.to_string()))
        }
        (Err(_), Some(single)) => Ok(SearchPath::server(single)),
        (Err(_), None) => Err(failure(-13, format!("{}: no SERVER lines in license file", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_license_file_names_its_servers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.lic");
        let search_path = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let arguments = ["-c".to_owned(), path.display().to_string()];
            let found = Flags::parse(&arguments, &[("-c", Word::Needed)]).unwrap().search_path();
            found.map(|path| path.to_string()).map_err(|failure| failure.exit)
        };
        let triad = "SERVER pat ANY 2837\nSERVER lee ANY 2837\nSERVER terry ANY 2837\nVENDOR demo\n";
        assert_eq!(search_path(triad).unwrap(), "2837@pat,2837@lee,2837@terry");
        assert_eq!(search_path("SERVER this_host ANY\nVENDOR demo\n").unwrap(), "@localhost");
        assert_eq!(search_path("SERVER pat ANY 27000\nVENDOR demo\n").unwrap(), "27000@pat");
        assert_eq!(search_path("SERVR pat\n").unwrap_err(), Exit::FlexNet(-2));
    }
}
