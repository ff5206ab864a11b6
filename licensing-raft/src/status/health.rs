//! What one server knows of the three, for status commands.

use std::sync::PoisonError;
use std::time::Duration;

use licensing_core::id::{LogIndex, Role};

use crate::membership::standing::Standing;
use crate::peer::known::CLOCK_TOLERANCE_MS;
use crate::peer::message::Report;
use crate::shared::Shared;

/// Shorter waits are over before anybody has read of them.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// What one server knows of a server of its triad (itself included).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerHealth {
    /// Which server.
    pub role: Role,
    /// Whether it was heard lately.
    pub up: bool,
    /// Version of its program; empty when it was never heard.
    pub version: String,
    /// What it has applied.
    pub applied_index: Option<LogIndex>,
    /// How many entries it is behind the newest anybody has.
    pub log_lag: Option<u64>,
    /// Whether it is a full member, which votes: not before the triad is founded, nor while it catches up after the loss
    /// of its log. `false` when it was never heard.
    pub member: bool,
    /// What an administrator should know about it.
    pub remark: Option<String>,
}

/// What this server knows of one of the three.
pub(crate) fn of(shared: &Shared, role: Role) -> ServerHealth {
    let own = shared.report();
    let newest = shared.survey.newest_index().max(own.last_log_index);
    let now = shared.environment.clock.now();
    let median_offset_ms = shared.survey.median_offset_ms(now);
    let lag = |applied: Option<LogIndex>| Some(newest?.0.saturating_sub(applied.map_or(0, |index| index.0)));
    if role == shared.config.role {
        let version = shared.config.software_version.clone();
        let standing = standing_remark(&own.standing, two_logs_are_lost(shared));
        let remarks = [standing, start_remark(shared), clock_remark(-median_offset_ms)];
        let remark = joined(remarks.into_iter().flatten());
        let applied_index = own.applied_index;
        let (member, log_lag) = (own.standing.may_vote(), lag(applied_index));
        return ServerHealth { role, up: true, version, applied_index, log_lag, member, remark };
    }
    let trouble = shared.troubles[role.place()].lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(heard) = shared.survey.of(role) else {
        let version = String::new();
        return ServerHealth {
            role,
            up: false,
            version,
            applied_index: None,
            log_lag: None,
            member: false,
            remark: trouble,
        };
    };
    let up = heard.is_fresh();
    let report = heard.report.clone();
    let remark = if up {
        let still = shared.advance.stands_still(role);
        let standing = standing_remark(&report.standing, two_logs_are_lost(shared));
        let others = peer_remark(&report, heard.clock_offset_ms(now) - median_offset_ms, still);
        joined([standing, others, shared.patience.remark(role)].into_iter().flatten())
    } else {
        trouble.or_else(|| Some(format!("not heard for {} s", heard.at.elapsed().as_secs())))
    };
    ServerHealth {
        role,
        up,
        version: report.software_version,
        applied_index: report.applied_index,
        log_lag: lag(report.applied_index),
        member: report.standing.may_vote(),
        remark,
    }
}

/// What a start waits for, when that takes so long that somebody may ask.
fn start_remark(shared: &Shared) -> Option<String> {
    let left = shared.former_lease_left();
    let waits =
        shared.standing.read().may_vote() && !shared.config.is_single() && shared.sign.led_by().is_none();
    let holder = match shared.former_lease.of_whom() {
        Some(role) => format!("the {role}, which was master before this start"),
        None => "whoever was master before this start".to_owned(),
    };
    let seconds = left.as_secs() + 1;
    (waits && left >= WORTH_A_WORD).then(|| {
        format!("elects nobody for {seconds} s, or until it hears from {holder}: that one may still serve")
    })
}

fn peer_remark(report: &Report, off_median_ms: i64, still: Option<Duration>) -> Option<String> {
    let leaving = report.leaving.then(|| "stopping".to_owned());
    let clock = clock_remark(off_median_ms);
    let still = still.map(|still| {
        let seconds = still.as_secs();
        format!(
            "is behind and has taken nothing for {seconds} s: look into its log, or hand the mastership over"
        )
    });
    let remarks = [leaving, clock, still];
    joined(remarks.into_iter().flatten())
}

fn joined(remarks: impl Iterator<Item = String>) -> Option<String> {
    let remarks: Vec<String> = remarks.collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

fn clock_remark(off_median_ms: i64) -> Option<String> {
    let seconds = off_median_ms / 1000;
    (off_median_ms.abs() > CLOCK_TOLERANCE_MS)
        .then(|| format!("its clock is {seconds} s off the median of the three: correct it"))
}

/// Whether two of the three have lost their logs. Neither votes, so nobody can be elected any more, nor bring them up to date.
fn two_logs_are_lost(shared: &Shared) -> bool {
    let has_lost = |standing: &Standing| matches!(standing, Standing::Joining { .. });
    let others = shared.config.others().filter_map(|role| shared.survey.fresh(role));
    let lost = others.filter(|heard| has_lost(&heard.report.standing)).count();
    lost + usize::from(has_lost(&shared.standing.read())) > 1
}

fn standing_remark(standing: &Standing, two_logs_are_lost: bool) -> Option<String> {
    match standing {
        Standing::Member { .. } => None,
        Standing::Unborn | Standing::Founding { .. } => {
            Some("waiting for all three servers to start".to_owned())
        }
        Standing::Joining { .. } if two_logs_are_lost => Some(
            "lost its log, as another did: two logs are lost, and nobody can be master until one of their disks is back; or start \
             anew, with three empty data directories"
                .to_owned(),
        ),
        Standing::Joining { .. } => Some("lost its log, catching up".to_owned()),
    }
}
