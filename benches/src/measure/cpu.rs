//! Who used the processors while something was measured, from `/proc`: the reader must see whether the measuring
//! process, the servers or strangers were the bottleneck.

use std::fmt;
use std::time::{Duration, Instant};

use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;

/// Processor time of some processes since a moment.
#[derive(Debug)]
pub struct CpuWatch {
    begun: Instant,
    /// Name; its processes, each with the time it had used before.
    groups: Vec<(String, Vec<(u32, Duration)>)>,
    machine_before: Duration,
}

/// What was used, each as a number of processors: 0.5 is half of one.
#[derive(Debug, Clone, Default)]
pub struct CpuUse {
    /// The measuring process first, then the servers.
    pub shares: Vec<(String, f64)>,
    /// Everything else on this machine.
    pub others: f64,
}

impl CpuWatch {
    /// Watches this process and the servers of the triad that run now.
    pub fn begin(triad: Option<&LocalTriad>) -> CpuWatch {
        let servers = Role::ALL.into_iter().filter_map(|role| {
            let id = triad?.process_id(role)?;
            Some((role.to_string(), vec![id]))
        });
        CpuWatch::of(servers.collect())
    }

    /// Watches this process and some others; those under one name count together.
    pub fn of(servers: Vec<(String, Vec<u32>)>) -> CpuWatch {
        let own = ("clients".to_owned(), vec![std::process::id()]);
        let before = |id| (id, process_time(id).unwrap_or_default());
        let groups = std::iter::once(own)
            .chain(servers)
            .map(|(name, ids)| (name, ids.into_iter().map(before).collect()))
            .collect();
        CpuWatch { begun: Instant::now(), groups, machine_before: machine_time().unwrap_or_default() }
    }

    /// What was used since the beginning. A process that has ended meanwhile is left out.
    pub fn end(&self) -> CpuUse {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let used = |(id, before): &(u32, Duration)| Some(process_time(*id)?.saturating_sub(*before));
        let shares: Vec<(String, f64)> = self
            .groups
            .iter()
            .filter_map(|(name, processes)| {
                let used: Vec<Duration> = processes.iter().filter_map(used).collect();
                let total: Duration = used.iter().sum();
                (!used.is_empty()).then(|| (name.clone(), total.as_secs_f64() / elapsed))
            })
            .collect();
        let machine = machine_time().unwrap_or_default().saturating_sub(self.machine_before);
        let known: f64 = shares.iter().map(|(_, share)| share).sum();
        let others = (machine.as_secs_f64() / elapsed - known).max(0.0);
        CpuUse { shares, others }
    }
}

/// `processors in use: clients 0.44, primary 1.25, secondary 0.57, tertiary 0.57, others 0.10`.
impl fmt::Display for CpuUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("processors in use: ")?;
        for (name, share) in &self.shares {
            write!(f, "{name} {share:.2}, ")?;
        }
        write!(f, "others {:.2}", self.others)
    }
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// User and system time of a process, all its threads together.
fn process_time(id: u32) -> Option<Duration> {
    process_ticks(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?).map(ticks)
}

/// Fields 14 and 15 of proc(5), counted behind the name, which may itself contain anything.
fn process_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// What all processors have worked together.
fn machine_time() -> Option<Duration> {
    machine_ticks(&std::fs::read_to_string("/proc/stat").ok()?).map(ticks)
}

/// user nice system idle iowait irq softirq steal: all but idle and iowait. What the host of a virtual machine took
/// away (steal) was not ours either.
fn machine_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    Some([0, 1, 2, 5, 6, 7].iter().filter_map(|place| fields.get(*place)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 4 0 1 1 1";
        assert_eq!(process_ticks(stat), Some(42));
        assert_eq!(process_ticks("7 (broken"), None);
    }

    #[test]
    fn idle_and_waiting_time_is_not_work() {
        assert_eq!(machine_ticks("cpu  1 2 4 800 1600 8 16 32 64 128\ncpu0 1\n"), Some(63));
    }

    #[test]
    fn this_process_is_seen_working() {
        let watch = CpuWatch::begin(None);
        while watch.end().shares[0].1 == 0.0 {}
    }
}
