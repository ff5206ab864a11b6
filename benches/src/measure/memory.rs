//! How much memory the servers take, from `/proc`: what the system has really given them, not what they asked for.
//!
//! Resident memory counts the pages of the program file too, and everything an allocator keeps for later; both are there
//! before and after, so differences tell more than absolute figures.

use anyhow::Context;
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;

/// Memory of one process at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Resident now, in bytes.
    pub resident_bytes: u64,
    /// The most that was ever resident, in bytes.
    pub peak_bytes: u64,
}

/// Memory of a process; `None` when it has ended.
pub fn of_process(id: u32) -> Option<Memory> {
    parse(&std::fs::read_to_string(format!("/proc/{id}/status")).ok()?)
}

/// Memory of the three servers, in the order of their roles. All of them must run.
pub fn of_servers(triad: &LocalTriad) -> anyhow::Result<[Memory; 3]> {
    let mut all = [Memory::default(); 3];
    for role in Role::ALL {
        let id = triad.process_id(role).with_context(|| format!("the {role} is not running"))?;
        all[role.place()] = of_process(id)
            .with_context(|| format!("/proc/{id}/status of the {role} does not say VmRSS and VmHWM in kB"))?;
    }
    Ok(all)
}

/// proc(5): `VmRSS:    1234 kB`, where kB means 1024 bytes.
fn parse(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024)
    };
    Some(Memory { resident_bytes: bytes("VmRSS")?, peak_bytes: bytes("VmHWM")? })
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// `12.3 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", mib(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_its_line() {
        let status = "Name:\tVmRSS\nVmHWM:\t  20 kB\nVmRSS:\t  12 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(parse(status), Some(Memory { resident_bytes: 12 << 10, peak_bytes: 20 << 10 }));
        assert_eq!(parse("VmRSS:\t12 kB\n"), None);
        assert_eq!(parse("VmRSS:\t12 pages\nVmHWM:\t1 kB\n"), None);
    }
}
