//! What stands below every result: what the machine can do, what it is, and how busy it was before and after the run.

use std::fs::read_to_string;
use std::path::Path;
use std::thread::available_parallelism;

use crate::measure::limits::Limits;
use crate::show::output::talk;

/// What was there before the run.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// What the machine can do; `None` where no disk of it is measured.
    pub limits: Option<Limits>,
    load_before: String,
}

impl Conditions {
    /// To be called first. With a directory the limits of its disk are measured, which takes four seconds and does not
    /// count as load.
    pub fn before_run(disk: Option<&Path>) -> anyhow::Result<Conditions> {
        let load_before = load_average();
        let measure = |directory| {
            talk("measuring the disk and the loopback");
            Limits::measure(directory)
        };
        Ok(Conditions { limits: disk.map(measure).transpose()?, load_before })
    }

    /// The last lines of a table. To be called after the run: the load average is read again.
    pub fn after_run(&self) -> String {
        let limits = self.limits.map(|limits| limits.to_string()).unwrap_or_default();
        format!("{limits}{}; load average before {}, after {}", machine(), self.load_before, load_average())
    }
}

/// `4 cores (AMD EPYC), Linux 6.18.44`.
pub fn machine() -> String {
    let cores = available_parallelism().map_or(0, |count| count.get());
    let model = read_to_string("/proc/cpuinfo").ok().and_then(|text| cpu_model(&text));
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores ({}), Linux {}", model.as_deref().unwrap_or("unknown"), kernel.trim())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim().to_owned())
}

/// Load averages over 1, 5 and 15 minutes.
fn load_average() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_disk_to_measure_one_line_says_all() {
        let conditions = Conditions::before_run(None).unwrap();
        let told = conditions.after_run();
        assert_eq!(told.lines().count(), 1);
        assert!(told.contains(&conditions.load_before), "{told}");
    }

    #[test]
    fn the_model_is_what_stands_behind_the_colon() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: A: B \n").as_deref(), Some("A: B"));
        assert_eq!(cpu_model("processor : 0"), None);
    }
}
