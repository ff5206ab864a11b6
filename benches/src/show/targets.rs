//! What is wanted, beside what was measured. A missed target is a finding, not an error of the measurement.

use std::fmt;

use serde::Serialize;

/// A figure and the most it should be.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// What was measured, with its unit last, as in `standby_caught_up_ms`.
    pub name: &'static str,
    /// What came out, to a hundredth.
    pub measured: f64,
    /// The most it should be.
    pub at_most: f64,
    /// Whether it is.
    pub met: bool,
}

impl Target {
    /// Compares.
    pub fn at_most(name: &'static str, measured: f64, at_most: f64) -> Target {
        Target { name, measured: (measured * 100.0).round() / 100.0, at_most, met: measured <= at_most }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { name, measured, at_most, met } = self;
        let verdict = if *met { "met" } else { "MISSED" };
        write!(f, "  {name:<34} {measured:>12.2}  (at most {at_most}) {verdict}")
    }
}

/// All of them, one line each.
pub fn table(targets: &[Target]) -> String {
    let mut text = "targets\n".to_owned();
    for target in targets {
        text.push_str(&format!("{target}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_up_to_its_limit() {
        assert!(Target::at_most("x_ms", 5.0, 5.0).met);
        assert!(!Target::at_most("x_ms", 5.001, 5.0).met);
    }
}
