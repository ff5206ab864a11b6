//! `docs/releases.md` is true: its last line is what this build speaks and writes, and nothing in it ever goes back.

use std::fs;
use std::path::Path;

use licensing_client::protocol::PROTOCOL_VERSIONS;
use licensing_core::edition::Edition;
use licensing_core::encode::{PROPOSAL_FORMAT, STATE_FORMAT, compiled};
use licensing_raft::versions::{DIRECTORY_FORMAT, PEER_PROTOCOLS, RECORD_FORMAT, SNAPSHOT_FORMAT};

/// What stands above the numbers.
const HEADS: &str = "version | commit | client protocol | peer protocol | edition | directory | record | snapshot | \
                     proposal | state | license in parts";

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Release {
    version: String,
    commit: String,
    client: (u16, u16),
    peer: (u16, u16),
    /// The edition and the formats.
    numbers: Vec<u32>,
}

impl Release {
    fn parse(cells: &str) -> Release {
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let [version, commit, client, peer, numbers @ ..] = &cells[..] else {
            panic!("too short: {cells:?}")
        };
        let number = |cell: &&str| cell.parse().unwrap_or_else(|_| panic!("`{cell}` is no number"));
        Release {
            version: (*version).to_owned(),
            commit: (*commit).to_owned(),
            client: range(client),
            peer: range(peer),
            numbers: numbers.iter().map(number).collect(),
        }
    }

    /// Its version, so that it can be compared.
    fn parts(&self) -> Vec<u32> {
        let part = |part: &str| part.parse().unwrap_or_else(|_| panic!("`{}` is no version", self.version));
        self.version.split('.').map(part).collect()
    }
}

/// `1` or `1-2`.
fn range(cell: &str) -> (u16, u16) {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{cell}` is no range of versions"));
    cell.split_once('-').map_or_else(|| (number(cell), number(cell)), |(from, to)| (number(from), number(to)))
}

fn releases() -> Vec<Release> {
    let text = read("docs/releases.md");
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    assert_eq!(rows.next(), Some(HEADS));
    rows.map(Release::parse).collect()
}

#[test]
fn the_last_line_is_what_this_build_speaks_and_writes() {
    let last = releases().pop().expect("a line");
    let formats = [RECORD_FORMAT, SNAPSHOT_FORMAT, PROPOSAL_FORMAT, STATE_FORMAT, compiled::FORMAT];
    let numbers = [Edition::NEWEST.0, DIRECTORY_FORMAT].into_iter().chain(formats.map(u32::from));
    let this = Release {
        version: licensing_server::VERSION.to_owned(),
        commit: last.commit.clone(),
        client: PROTOCOL_VERSIONS,
        peer: PEER_PROTOCOLS,
        numbers: numbers.collect(),
    };
    assert_eq!(last, this, "a version that is out keeps its line, the next one gets one of its own");
}

#[test]
fn nothing_goes_back_and_neighbours_understand_each_other() {
    let releases = releases();
    for pair in releases.windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        let both = format!("{} and {}", before.version, after.version);
        assert!(before.parts() < after.parts(), "{both}: the order of versions");
        assert!(before.client.1 <= after.client.1, "{both}: client protocols");
        assert!(before.peer.0 <= after.peer.0 && before.peer.1 <= after.peer.1, "{both}: peer protocols");
        assert!(after.peer.0 <= before.peer.1, "{both}: no peer protocol in common");
        assert_eq!(before.numbers.len(), after.numbers.len(), "{both}");
        for (earlier, later) in before.numbers.iter().zip(&after.numbers) {
            assert!(earlier <= later, "{both}: {earlier} became {later}");
        }
    }
    for release in &releases {
        assert_eq!(release.client.0, 1, "{}: client protocol 1 is for good", release.version);
        assert!(release.client.0 <= release.client.1 && release.peer.0 <= release.peer.1, "{release:?}");
    }
}

#[test]
fn every_version_has_its_section_in_the_changelog_and_all_but_the_last_their_commit() {
    let changelog = read("CHANGELOG.md");
    let releases = releases();
    let out = releases.len() - 1;
    for (place, Release { version, commit, .. }) in releases.iter().enumerate() {
        assert!(changelog.lines().any(|line| line.starts_with(&format!("## {version}"))), "{version}");
        let is_commit = commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
        assert!(is_commit || place == out && commit == "COMMIT", "{version}: `{commit}` is no commit");
    }
}
