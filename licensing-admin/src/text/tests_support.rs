//! Fixed status pages for the renderers' tests.

use licensing_client::ServerAddress;
use licensing_client::protocol::{CheckoutStatus, FeatureStatus, ServerStatus, StatusPage, VendorStatus};
use licensing_core::id::{Handle, LogIndex, PoolId, Role, Seats, SessionId, Timestamp};

use licensing_core::{Edition, Keeper};

use crate::survey::{Probe, ProbeProblem, Survey};

/// 2026-09-24 22:16:05 UTC, a Thursday.
pub(crate) const NOW: i64 = 1_790_288_165_000;

/// A triad in good health: the primary is master, nobody holds a seat.
pub(crate) fn page(answered_by: Role) -> StatusPage {
    StatusPage {
        answered_by,
        master: Some(Role::Primary),
        quorum: true,
        preferred: None,
        at: Timestamp(NOW as u64),
        applied_index: LogIndex(120),
        edition: Edition::FIRST,
        edition_held: false,
        vendors: vec![VendorStatus {
            name: "demo".to_owned(),
            license_path: "/etc/licensing/triad.lic".to_owned(),
            installed_at: Some(LogIndex(2)),
        }],
        servers: Role::ALL.map(server).to_vec(),
        features: vec![
            feature("f1", "1.0", Some(10), "permanent"),
            FeatureStatus { pool: PoolId(2), ..feature("f2", "2.5", Some(3), "31-dec-2099") },
        ],
        checkouts: Vec::new(),
        sessions: 0,
        more: None,
        warnings: Vec::new(),
    }
}

pub(crate) fn server(role: Role) -> ServerStatus {
    ServerStatus {
        role,
        host: ["pat", "lee", "terry"][role.place()].to_owned(),
        port: 2837,
        host_id: "ANY".to_owned(),
        up: true,
        master: role == Role::Primary,
        version: "0.1.0".to_owned(),
        known_edition: Some(Edition::FIRST),
        applied_index: Some(LogIndex(120)),
        log_lag: Some(0),
        remark: None,
    }
}

pub(crate) fn feature(name: &str, version: &str, issued: Option<u32>, expires: &str) -> FeatureStatus {
    FeatureStatus {
        pool: PoolId(1),
        name: name.to_owned(),
        version: version.to_owned(),
        vendor: "demo".to_owned(),
        issued: issued.map(Seats),
        in_use: Seats(0),
        expires: expires.to_owned(),
        host_id: None,
    }
}

/// A checkout of `f1`, handle by its number, taken 41 minutes before [`NOW`].
pub(crate) fn checkout(handle: u64, user: &str, count: u32) -> CheckoutStatus {
    CheckoutStatus {
        handle: Handle(handle),
        pool: PoolId(1),
        vendor: "demo".to_owned(),
        feature: "f1".to_owned(),
        licensed_version: "1.0".to_owned(),
        version: "1".to_owned(),
        count: Seats(count),
        user: user.to_owned(),
        host: "ws-07.example.com".to_owned(),
        display: "/dev/pts/3".to_owned(),
        pid: 5172,
        project: String::new(),
        address: None,
        since: Timestamp(NOW as u64 - 41 * 60_000),
        keeper: Keeper::Session(SessionId(handle - 1)),
    }
}

pub(crate) fn refused() -> ProbeProblem {
    ProbeProblem::Connect {
        kind: std::io::ErrorKind::ConnectionRefused,
        number: Some(111),
        text: "Connection refused".to_owned(),
    }
}

/// The picture when these answer and the others refuse the connection.
pub(crate) fn survey(pages: &[StatusPage]) -> Survey {
    let probes = Role::ALL.map(|role| {
        let host = ["pat", "lee", "terry"][role.place()].to_owned();
        let answer = pages.iter().find(|page| page.answered_by == role).cloned().ok_or_else(refused);
        Probe { name: ServerAddress::new(host, 2837), answer }
    });
    Survey::merge(&probes)
}
