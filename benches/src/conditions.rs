//! The machine and how busy it is, for the head of a result.

use std::fs::read_to_string;
use std::thread::available_parallelism;

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
pub fn load_average() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_what_stands_behind_the_colon() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: A: B \n").as_deref(), Some("A: B"));
        assert_eq!(cpu_model("processor : 0"), None);
    }
}
