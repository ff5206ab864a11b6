//! What is told about the triad and its rivals together: rows, ratios, the line of JSON, the picture.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::measure::cpu::CpuUse;
use crate::measure::limits::Limits;
use crate::programs::load::LoadReport;
use crate::show::output::micros;
use crate::show::plot::{Axis, Plot, Scale, Series, Style};

/// What a system did, and what it used for that.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What came out.
    #[serde(flatten)]
    pub report: LoadReport,
    /// Processors in use, 1.00 is one core: of the clients' process, of each server, of `others` on this machine.
    pub processors: BTreeMap<String, f64>,
    /// The slowest 4 KiB and `fdatasync` beside the load, in microseconds; none when the servers run elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_probe_us: Option<u64>,
}

impl Measured {
    /// Puts it together.
    pub fn new(report: LoadReport, cpu: &CpuUse, slowest_probe: Option<Duration>) -> Measured {
        let others = ("others".to_owned(), cpu.others);
        let shares = cpu.shares.iter().cloned().chain([others]);
        let processors = shares.map(|(name, share)| (name, hundredths(share))).collect();
        Measured { report, processors, slowest_probe_us: slowest_probe.map(whole_micros) }
    }

    fn table(&self) -> String {
        let Measured { report, processors, slowest_probe_us } = self;
        let mut text = format!(
            "{:.0} ops/s, {} answered, {} errors; latency p50 {}, p99 {}, max {}\n",
            report.ops_per_s,
            report.ops,
            report.errors,
            micros(report.p50_us),
            micros(report.p99_us),
            micros(report.max_us)
        );
        let shares = processors.iter().map(|(name, share)| format!("{name} {share:.2}"));
        text.push_str(&format!("  processors in use: {}\n", shares.collect::<Vec<_>>().join(", ")));
        if let Some(slowest) = slowest_probe_us {
            let slowest = micros(*slowest);
            text.push_str(&format!(
                "  slowest probe of the disk under load (4 KiB and fdatasync, 100/s): {slowest}\n"
            ));
        }
        text
    }
}

/// A rival at the same work.
#[derive(Debug, Clone, Serialize)]
pub struct RivalRow {
    /// Its name on the command line.
    pub system: &'static str,
    /// As it says itself.
    pub version: String,
    /// How the seats lie in it.
    pub layout: &'static str,
    /// What it did.
    #[serde(flatten)]
    pub measured: Measured,
    /// Our rate divided by the rival's: above 1 we are faster.
    pub ops_ratio: f64,
    /// Our median latency divided by the rival's: below 1 we are faster.
    pub p50_ratio: f64,
    /// The same of the 99th percentile.
    pub p99_ratio: f64,
}

impl RivalRow {
    /// With the ratios of ours to the rival's.
    pub fn new(
        (system, version, layout): (&'static str, &str, &'static str),
        ours: &LoadReport,
        theirs: Measured,
    ) -> RivalRow {
        let (version, report) = (version.to_owned(), &theirs.report);
        let ops_ratio = ratio(ours.ops_per_s, report.ops_per_s);
        let p50_ratio = ratio(ours.p50_us as f64, report.p50_us as f64);
        let p99_ratio = ratio(ours.p99_us as f64, report.p99_us as f64);
        RivalRow { system, version, layout, measured: theirs, ops_ratio, p50_ratio, p99_ratio }
    }
}

/// One number of clients: the triad, then its rivals.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The triad.
    #[serde(flatten)]
    pub ours: Measured,
    /// The rivals that could be started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<RivalRow>,
}

impl Point {
    /// Of all systems.
    pub fn errors(&self) -> u64 {
        self.ours.report.errors + self.rivals.iter().map(|rival| rival.measured.report.errors).sum::<u64>()
    }

    /// Some lines for each system.
    pub fn table(&self) -> String {
        let LoadReport { clients, features, seconds, .. } = self.ours.report;
        let mut text = format!("{clients} clients, {features} features, {seconds} s\n");
        let name = if self.rivals.is_empty() { "" } else { "triad: " };
        text.push_str(&format!("{name}{}", self.ours.table()));
        for rival in &self.rivals {
            let RivalRow { system, version, layout, ops_ratio, p50_ratio, p99_ratio, .. } = rival;
            text.push_str(&format!("{system} {version}, {layout}: {}", rival.measured.table()));
            text.push_str(&format!(
                "  triad / {system}: {ops_ratio:.2} of the rate, {p50_ratio:.2} of the p50, {p99_ratio:.2} of the p99\n"
            ));
        }
        text
    }
}

/// Everything of one run: what goes on the line of JSON. With one point its keys stand at the top.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// One for each number of clients.
    #[serde(flatten)]
    pub points: Points,
    /// What the machine can do; none when the servers run elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsRow>,
    /// Rivals that were asked for and are not installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_rivals: Vec<&'static str>,
}

/// See [`Comparison`].
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Points {
    /// A single number of clients.
    One(Box<Point>),
    /// Some.
    Many {
        /// In the order they were asked for.
        points: Vec<Point>,
    },
}

impl Points {
    /// As many as there are.
    pub fn of(mut points: Vec<Point>) -> Points {
        match points.pop() {
            Some(only) if points.is_empty() => Points::One(Box::new(only)),
            last => {
                points.extend(last);
                Points::Many { points }
            }
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Point] {
        match self {
            Points::One(only) => std::slice::from_ref(only),
            Points::Many { points } => points,
        }
    }

    /// Throughput over clients, a line for each system.
    pub fn plot(&self, conditions: &str) -> Plot {
        let all = self.all();
        let place = |report: &LoadReport| (report.clients as f64, report.ops_per_s);
        let mut lines: Vec<Series> = Vec::new();
        let mut add = |name: String, point: (f64, f64)| match lines.iter_mut().find(|line| line.name == name)
        {
            Some(line) => line.points.push(point),
            None => lines.push(Series { name, style: Style::Line, points: vec![point] }),
        };
        for point in all {
            add("licensing (3 servers)".to_owned(), place(&point.ours.report));
            for rival in &point.rivals {
                add(format!("{} ({})", rival.system, rival.layout), place(&rival.measured.report));
            }
        }
        for line in &mut lines {
            line.points.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        let ticks = all.iter().map(|point| point.ours.report.clients as f64).collect();
        Plot {
            title: "Checkouts and checkins answered per second".to_owned(),
            subtitle: conditions.to_owned(),
            x: Axis { ticks, ..Axis::new("clients, each with one request at a time", Scale::Log) },
            y: Axis::new("answers per second", Scale::Linear),
            series: lines,
            marks: Vec::new(),
        }
    }
}

/// The limits of the machine in numbers; see [`Limits`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LimitsRow {
    /// Median of 4 KiB in place and `fdatasync`, in microseconds.
    pub fdatasync_p50_us: u64,
    /// How many of them one thread does in a second.
    pub fdatasync_per_s: f64,
    /// How many three threads do together.
    pub fdatasync_of_three_per_s: f64,
    /// Median round trip over the loopback, in microseconds.
    pub round_trip_p50_us: u64,
}

impl From<&Limits> for LimitsRow {
    fn from(limits: &Limits) -> LimitsRow {
        LimitsRow {
            fdatasync_p50_us: whole_micros(limits.in_place.p50),
            fdatasync_per_s: limits.in_place.per_second.round(),
            fdatasync_of_three_per_s: limits.three_writers.per_second.round(),
            round_trip_p50_us: whole_micros(limits.round_trip.p50),
        }
    }
}

/// To hundredths; 0 when there is nothing to divide by.
fn ratio(ours: f64, theirs: f64) -> f64 {
    if theirs > 0.0 { hundredths(ours / theirs) } else { 0.0 }
}

fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(clients: usize, ops_per_s: f64, p50_us: u64) -> Measured {
        let report = LoadReport {
            ops_per_s,
            p50_us,
            p99_us: 2 * p50_us,
            max_us: 9 * p50_us,
            ops: 1,
            errors: 1,
            clients,
            features: 16,
            seconds: 1,
        };
        Measured::new(report, &CpuUse::default(), None)
    }

    fn point(clients: usize) -> Point {
        let ours = measured(clients, 3000.0, 200);
        let rival = RivalRow::new(("etcd", "3.4", "seat-keys"), &ours.report, measured(clients, 2000.0, 400));
        Point { ours, rivals: vec![rival] }
    }

    fn json(points: Vec<Point>) -> serde_json::Value {
        let comparison = Comparison { points: Points::of(points), limits: None, missing_rivals: Vec::new() };
        serde_json::to_value(comparison).unwrap()
    }

    #[test]
    fn one_point_stands_at_the_top() {
        let json = json(vec![point(64)]);
        assert_eq!(json["ops_per_s"], 3000.0);
        assert_eq!(json["clients"], 64);
        assert_eq!(json["rivals"][0]["system"], "etcd");
        assert_eq!(json["rivals"][0]["ops_per_s"], 2000.0);
        assert_eq!(json.get("points"), None);
    }

    #[test]
    fn more_points_stand_in_a_list() {
        let json = json(vec![point(1), point(64)]);
        assert_eq!(json.get("ops_per_s"), None);
        assert_eq!(json["points"][1]["clients"], 64);
        assert_eq!(json["points"][0]["rivals"][0]["ops_ratio"], 1.5);
    }

    #[test]
    fn ratios_are_ours_divided_by_theirs() {
        let rival = &point(1).rivals[0];
        assert_eq!((rival.ops_ratio, rival.p50_ratio, rival.p99_ratio), (1.5, 0.5, 0.5));
        assert_eq!(ratio(1.0, 0.0), 0.0);
    }

    #[test]
    fn errors_of_a_rival_count() {
        assert_eq!(point(1).errors(), 2);
    }

    #[test]
    fn the_picture_has_a_line_for_each_system() {
        let plot = Points::of(vec![point(64), point(1)]).plot("");
        let lines: Vec<_> =
            plot.series.iter().map(|line| (line.name.as_str(), line.points.as_slice())).collect();
        assert_eq!(lines[0], ("licensing (3 servers)", [(1.0, 3000.0), (64.0, 3000.0)].as_slice()));
        assert_eq!(lines[1], ("etcd (seat-keys)", [(1.0, 2000.0), (64.0, 2000.0)].as_slice()));
    }
}
