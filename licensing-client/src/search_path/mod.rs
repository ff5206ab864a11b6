//! Where to look for license servers: `port@host` lists as FlexNet and RLM users write them.
//!
//! `27001@h1,27001@h2,27001@h3` is one triad, in the order of its SERVER lines; `:` or `;` separates triads and
//! single servers that are independent of each other (FLEXnet License Administration Guide, license search path).
//! Host names and port numbers only: a client of a triad must not name a license file, because the file's copy
//! here may differ from the servers'.

mod limits;
mod problem;

use std::fmt;
use std::str::FromStr;

pub use licensing_core::address::{AddressError, FIRST_PORT, PORTS, ServerAddress};
pub use limits::{MAX_PATH_BYTES, MAX_SITES};
pub use problem::SearchPathError;

/// Servers of one triad.
const TRIAD: usize = 3;

/// Servers that keep one common state: a triad, or a part of one, or a single server. A client gets all its seats
/// from one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    servers: Vec<ServerAddress>,
    any_port: bool,
}

impl Site {
    /// One to three servers, in the order of the SERVER lines when all three are given; or the ports at which a single
    /// server may be ([`Site::is_any_port`]).
    pub fn servers(&self) -> &[ServerAddress] {
        &self.servers
    }

    /// Whether these are the ports at which one server may be, because the entry names none.
    pub fn is_any_port(&self) -> bool {
        self.any_port
    }
}

/// Where to look for license servers, in order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    sites: Vec<Site>,
}

impl SearchPath {
    /// One triad, in the order of its SERVER lines.
    pub fn triad(servers: [ServerAddress; 3]) -> SearchPath {
        SearchPath { sites: vec![Site { servers: servers.into(), any_port: false }] }
    }

    /// One server.
    pub fn server(server: ServerAddress) -> SearchPath {
        SearchPath { sites: vec![Site { servers: vec![server], any_port: false }] }
    }

    /// The independent sites, in order of search; at least one.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The search path of the environment: `<VENDOR>_LICENSE_FILE` (vendor in capitals), else `LM_LICENSE_FILE`,
    /// else `RLM_LICENSE`. The first that is set and not blank counts, the others are not looked at.
    ///
    /// Errors: none is set, or the one that counts does not parse; the error names the variable.
    pub fn from_env(vendor: Option<&str>) -> Result<SearchPath, SearchPathError> {
        SearchPath::from_variables(vendor, |name| std::env::var(name).ok())
    }

    /// As [`SearchPath::from_env`], with variables from elsewhere.
    ///
    /// Errors: as there.
    pub fn from_variables(
        vendor: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<SearchPath, SearchPathError> {
        let vendor = vendor.map(|name| format!("{}_LICENSE_FILE", name.to_ascii_uppercase()));
        let names: Vec<&str> =
            vendor.as_deref().into_iter().chain(["LM_LICENSE_FILE", "RLM_LICENSE"]).collect();
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, set(name)?))) else {
            return Err(SearchPathError::NotSet { variables: names.join(", ") });
        };
        value.parse().map_err(|error: SearchPathError| SearchPathError::InVariable {
            variable: name.to_owned(),
            problem: Box::new(error),
        })
    }
}

impl FromStr for SearchPath {
    type Err = SearchPathError;

    /// Reads a path. Blanks around a component and empty components (`:` at the end) are passed over, as in `PATH`.
    fn from_str(text: &str) -> Result<SearchPath, SearchPathError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(SearchPathError::TooLong { bytes: text.len() });
        }
        let components =
            split_outside_brackets(text).map(str::trim).filter(|component| !component.is_empty());
        let sites = components.map(parse_site).collect::<Result<Vec<_>, _>>()?;
        match sites.len() {
            0 => Err(SearchPathError::Empty),
            count if count > MAX_SITES => Err(SearchPathError::TooManySites { count }),
            _ => Ok(SearchPath { sites }),
        }
    }
}

/// The components between `:` or `;`, where colons inside brackets belong to an IPv6 address.
fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |character| {
        match character {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        !inside && matches!(character, ':' | ';')
    })
}

fn parse_site(component: &str) -> Result<Site, SearchPathError> {
    if component.starts_with('@') && !component.contains(',') {
        let ServerAddress { host, .. } = component.parse()?;
        let ports = FIRST_PORT..FIRST_PORT + PORTS;
        let servers = ports.map(|port| ServerAddress::new(&host, port)).collect();
        return Ok(Site { servers, any_port: true });
    }
    let servers = component
        .split(',')
        .map(|server| server.trim().parse())
        .collect::<Result<Vec<ServerAddress>, _>>()?;
    if servers.len() > TRIAD {
        return Err(SearchPathError::TooManyServers {
            component: component.to_owned(),
            count: servers.len(),
        });
    }
    if let Some((place, twice)) =
        servers.iter().enumerate().find(|(place, server)| servers[..*place].contains(server))
    {
        return Err(SearchPathError::Twice { server: twice.to_string(), place: place + 1 });
    }
    Ok(Site { servers, any_port: false })
}

impl fmt::Display for SearchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, site) in self.sites.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ":" })?;
            if site.any_port {
                let first = site.servers.first().map(ServerAddress::to_string).unwrap_or_default();
                f.write_str(first.trim_start_matches(|digit: char| digit.is_ascii_digit()))?;
                continue;
            }
            for (place, server) in site.servers.iter().enumerate() {
                write!(f, "{}{server}", if place == 0 { "" } else { "," })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written, and how it is understood: sites between `|`, servers between blanks.
    const READS: [(&str, &str); 11] = [
        ("27001@h1,27001@h2,27001@h3", "27001@h1 27001@h2 27001@h3"),
        ("27000@a:27000@b", "27000@a | 27000@b"),
        ("27000@a;2@b-c.example_1", "27000@a | 2@b-c.example_1"),
        ("@h1", "27000@h1 27001@h1 27002@h1 27003@h1 27004@h1 27005@h1 27006@h1 27007@h1 27008@h1 27009@h1"),
        ("@h1,2@h2", "27000@h1 2@h2"),
        ("1@a,2@b:3@c", "1@a 2@b | 3@c"),
        (" 27000@a : 27001@b ", "27000@a | 27001@b"),
        ("27000@a::", "27000@a"),
        ("27000@[::1]", "27000@[::1]"),
        ("1@[fe80::1],2@[fe80::2]:3@127.0.0.1", "1@[fe80::1] 2@[fe80::2] | 3@127.0.0.1"),
        ("65535@h", "65535@h"),
    ];

    #[test]
    fn paths_are_read_and_written_back() {
        for (text, understood) in READS {
            let path: SearchPath = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let sites = path.sites().iter().map(|site| {
                site.servers().iter().map(ServerAddress::to_string).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(sites.collect::<Vec<_>>().join(" | "), understood, "{text}");
            assert_eq!(path.to_string().parse(), Ok(path), "{text}");
        }
    }

    /// What is written, and what the error says.
    const ERRORS: [(&str, &str); 14] = [
        ("", "the license search path is empty: write port@host, or port@h1,port@h2,port@h3 for a triad"),
        (":;", "the license search path is empty: write port@host, or port@h1,port@h2,port@h3 for a triad"),
        (
            "/opt/licenses/license.lic",
            "`/opt/licenses/license.lic` is no server: write port@host, such as \
             27000@localhost; license files cannot be named here",
        ),
        (
            "license.dat:27000@a",
            "`license.dat` is no server: write port@host, such as 27000@localhost; \
             license files cannot be named here",
        ),
        (
            "server1:27000",
            "`server1` is no server: write port@host, such as 27000@server1; license \
             files cannot be named here",
        ),
        ("0@a", "`0` in `0@a` is no port: write a number from 1 to 65535, or nothing for 27000 to 27009"),
        (
            "65536@a",
            "`65536` in `65536@a` is no port: write a number from 1 to 65535, or nothing for 27000 to 27009",
        ),
        ("+1@a", "`+1` in `+1@a` is no port: write a number from 1 to 65535, or nothing for 27000 to 27009"),
        (
            "27000@",
            "`27000@` names no host after the @: write a host name or an address, an IPv6 address in brackets, such \
             as 27000@[::1]",
        ),
        (
            "1@a b",
            "`1@a b` names no host after the @: write a host name or an address, an IPv6 address in brackets, such \
             as 27000@[::1]",
        ),
        (
            "1@[::1",
            "`1@[::1` names no host after the @: write a host name or an address, an IPv6 address in brackets, such \
             as 27000@[::1]",
        ),
        (
            "27000@fe80::1",
            "`1` is no server: write port@host, such as 27000@localhost; license files \
             cannot be named here",
        ),
        (
            "1@a,1@b,1@c,1@d",
            "`1@a,1@b,1@c,1@d` lists 4 servers with commas, a triad has three: separate independent servers with \
             `:` or `;`",
        ),
        ("1@a,1@b,1@a", "`1@a` stands twice in one comma list, again in place 3: name each server once"),
    ];

    #[test]
    fn errors_name_the_component_and_what_to_write() {
        for (text, says) in ERRORS {
            let error = text.parse::<SearchPath>().expect_err(text);
            assert_eq!(error.to_string(), says, "{text}");
        }
        let many = vec!["1@a"; MAX_SITES + 1].join(":");
        assert_eq!(many.parse::<SearchPath>(), Err(SearchPathError::TooManySites { count: MAX_SITES + 1 }));
        let long = "x".repeat(MAX_PATH_BYTES + 1);
        assert_eq!(long.parse::<SearchPath>(), Err(SearchPathError::TooLong { bytes: MAX_PATH_BYTES + 1 }));
    }

    #[test]
    fn the_vendor_variable_goes_first() {
        let path = |set: &[(&str, &str)], vendor| {
            SearchPath::from_variables(vendor, |name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
            .map(|path| path.to_string())
            .map_err(|error| error.to_string())
        };
        let all = [("ACME_LICENSE_FILE", "1@a"), ("LM_LICENSE_FILE", "2@b"), ("RLM_LICENSE", "3@c")];
        assert_eq!(path(&all, Some("acme")), Ok("1@a".to_owned()));
        assert_eq!(path(&all, None), Ok("2@b".to_owned()));
        assert_eq!(
            path(&[("LM_LICENSE_FILE", " "), ("RLM_LICENSE", "3@c")], Some("acme")),
            Ok("3@c".to_owned())
        );
        assert_eq!(
            path(&[], Some("acme")),
            Err("no license server is named: set one of ACME_LICENSE_FILE, LM_LICENSE_FILE, RLM_LICENSE to port@host"
                .to_owned())
        );
        let bad = path(&[("LM_LICENSE_FILE", "0@a")], None).unwrap_err();
        assert!(bad.starts_with("LM_LICENSE_FILE: `0` in `0@a` is no port"), "{bad}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_comes_back(text in "[0-9a-z@:;,\\[\\]. ]{0,40}") {
            if let Ok(path) = text.parse::<SearchPath>() {
                proptest::prop_assert_eq!(path.to_string().parse::<SearchPath>(), Ok(path));
            }
        }
    }
}
