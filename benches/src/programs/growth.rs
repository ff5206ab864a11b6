//! Growth: what a triad under full load takes of disk and memory, looked at every few seconds.
//!
//! A log that is purged and a state that stays the same must not grow, however long the load lasts. What is looked at is
//! the second half of the run: in the first one buffers fill, and the log reaches the length at which it is purged.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use licensing_core::id::Role;
use licensing_server::local_triad::LocalTriad;
use serde::Serialize;

use crate::measure::memory::{mib, of_process};
use crate::measure::memory_watch::processes;
use crate::show::plot::{Axis, Plot, Scale, Series, Style};

/// A half that grows by less than this share of what was there is flat. A snapshot and the 25,000 entries a log may
/// reach come and go all the time: a few percent of up and down are the ordinary sawtooth.
const FLAT_SHARE: f64 = 0.1;

/// So is one that grows by less than this, whatever was there: the journal takes a MiB at a time and, after a snapshot
/// that took long, keeps four files more than before. This is twice that, and what an allocator keeps for one more thread.
const FLAT_BYTES: f64 = (8 << 20) as f64;

/// Looks that a half needs for a line through it to mean anything.
const FEWEST_LOOKS: usize = 4;

/// What one server took at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// All files of the data directory, in bytes.
    pub directory: u64,
    /// Those of them that are files of the journal, spare ones too, in bytes.
    pub journal: u64,
    /// Memory that is not swapped out, in bytes.
    pub memory: u64,
}

/// What the three servers took at one moment, in the order of their roles.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the load began.
    pub at: Duration,
    /// By [`Role::place`].
    pub servers: [Look; 3],
}

impl Sample {
    /// Looks at the servers that run.
    pub fn take(triad: &LocalTriad, at: Duration) -> anyhow::Result<Sample> {
        let mut servers = [Look::default(); 3];
        for (role, process) in processes(triad) {
            let path = triad.data_directory(role);
            let about = || format!("cannot look into {}", path.display());
            servers[role.place()] = Look {
                directory: bytes_below(&path).with_context(about)?,
                journal: bytes_below(&path.join("log")).with_context(about)?,
                memory: of_process(process)
                    .map(|memory| memory.resident_bytes)
                    .with_context(|| format!("the {role} has ended"))?,
            };
        }
        Ok(Sample { at, servers })
    }

    /// The first line of a table with one line for each sample.
    pub fn csv_head(out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "seconds")?;
        for role in Role::ALL {
            write!(out, ",{role}_directory_bytes,{role}_journal_bytes,{role}_rss_bytes")?;
        }
        writeln!(out)
    }

    /// One line of that table.
    pub fn csv_line(&self, out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "{:.1}", self.at.as_secs_f64())?;
        for look in &self.servers {
            write!(out, ",{},{},{}", look.directory, look.journal, look.memory)?;
        }
        writeln!(out)
    }
}

/// The course of a run as a picture: two lines for each server.
pub fn plot(samples: &[Sample], conditions: &str) -> Plot {
    let line = |role: Role, what: &str, bytes: fn(&Look) -> u64| Series {
        name: format!("{role}, {what}"),
        style: Style::Line,
        points: samples
            .iter()
            .map(|sample| (sample.at.as_secs_f64() / 60.0, mib(bytes(&sample.servers[role.place()]))))
            .collect(),
    };
    let mut series: Vec<Series> = Role::ALL.map(|role| line(role, "memory", |look| look.memory)).into();
    series.extend(Role::ALL.map(|role| line(role, "directory", |look| look.directory)));
    Plot {
        title: "Disk and memory of three servers under full load".to_owned(),
        subtitle: conditions.to_owned(),
        x: Axis::new("minutes", Scale::Linear),
        y: Axis::new("MiB", Scale::Linear),
        series,
        marks: Vec::new(),
    }
}

/// Files come and go while they are counted: one that has gone counts nothing.
fn bytes_below(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(directory)? {
        let file = file?;
        bytes += match file.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&file.path())?,
            Ok(data) => data.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}

/// How one thing went, in bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Course {
    /// At the first look.
    pub first_bytes: u64,
    /// At the last one.
    pub last_bytes: u64,
    /// At the most.
    pub max_bytes: u64,
    /// Growth of the second half, by least squares, in millions of bytes per hour.
    pub slope_mb_per_hour: f64,
    /// Whether the second half grew by less than a tenth, or by less than 8 MiB.
    pub flat: bool,
}

/// How one server went.
#[derive(Debug, Clone, Serialize)]
pub struct ServerCourse {
    /// Its role.
    pub role: String,
    /// Its data directory.
    pub directory: Course,
    /// Its memory (RSS).
    pub rss: Course,
    /// Files of the journal at the last look, spare ones too, in bytes.
    pub journal_last_bytes: u64,
    /// The same at the most, in bytes.
    pub journal_max_bytes: u64,
}

/// Puts the looks together, the primary first.
pub fn courses(samples: &[Sample]) -> Vec<ServerCourse> {
    let course = |role: Role| {
        let looks = || samples.iter().map(move |sample| (sample.at, sample.servers[role.place()]));
        let over_time = |of: fn(&Look) -> u64| -> Vec<(f64, u64)> {
            looks().map(|(at, look)| (at.as_secs_f64(), of(&look))).collect()
        };
        ServerCourse {
            role: role.to_string(),
            directory: Course::of(&over_time(|look| look.directory)),
            rss: Course::of(&over_time(|look| look.memory)),
            journal_last_bytes: looks().next_back().map_or(0, |(_, look)| look.journal),
            journal_max_bytes: looks().map(|(_, look)| look.journal).max().unwrap_or_default(),
        }
    };
    Role::ALL.into_iter().map(course).collect()
}

impl Course {
    /// Of values with the seconds they were seen at.
    fn of(values: &[(f64, u64)]) -> Course {
        let second_half = &values[values.len() / 2..];
        let slope = if second_half.len() < FEWEST_LOOKS { 0.0 } else { slope(second_half) };
        let length =
            second_half.last().map_or(0.0, |last| last.0) - second_half.first().map_or(0.0, |first| first.0);
        let at_its_begin = second_half.first().map_or(0.0, |first| first.1 as f64);
        let allowed = (at_its_begin * FLAT_SHARE).max(FLAT_BYTES);
        Course {
            first_bytes: values.first().map_or(0, |first| first.1),
            last_bytes: values.last().map_or(0, |last| last.1),
            max_bytes: values.iter().map(|value| value.1).max().unwrap_or_default(),
            slope_mb_per_hour: (slope * 3600.0 / 1e6 * 100.0).round() / 100.0,
            flat: slope * length <= allowed && second_half.len() >= FEWEST_LOOKS,
        }
    }
}

/// Of the line with the least squares of distances, per second.
fn slope(values: &[(f64, u64)]) -> f64 {
    let count = values.len() as f64;
    let mean_at = values.iter().map(|value| value.0).sum::<f64>() / count;
    let mean = values.iter().map(|value| value.1 as f64).sum::<f64>() / count;
    let both: f64 = values.iter().map(|(at, value)| (at - mean_at) * (*value as f64 - mean)).sum();
    let spread: f64 = values.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    if spread == 0.0 { 0.0 } else { both / spread }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(value: impl Fn(u64) -> u64) -> Course {
        Course::of(&(0..120).map(|second| (second as f64, value(second))).collect::<Vec<_>>())
    }

    #[test]
    fn a_straight_line_has_its_slope() {
        let grows = course(|second| 100_000_000 + second * 1_000_000);
        assert_eq!((grows.slope_mb_per_hour, grows.flat), (3600.0, false));
        assert_eq!(
            (grows.first_bytes, grows.last_bytes, grows.max_bytes),
            (100_000_000, 219_000_000, 219_000_000)
        );
    }

    #[test]
    fn a_sawtooth_is_flat_and_so_is_what_filled_in_the_first_half() {
        assert!(course(|second| 20_000_000 + second % 7 * 500_000).flat);
        let filled = course(|second| 1_000_000 * second.min(60));
        assert_eq!((filled.slope_mb_per_hour, filled.flat), (0.0, true));
    }

    #[test]
    fn the_picture_has_memory_and_directory_of_each_server() {
        let look = |memory| Look { directory: 3 << 20, journal: 1 << 20, memory };
        let sample =
            |minute: u64, memory| Sample { at: Duration::from_secs(minute * 60), servers: [look(memory); 3] };
        let plot = plot(&[sample(0, 50 << 20), sample(1, 60 << 20)], "here");
        let names: Vec<&str> = plot.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(
            names[..4],
            ["primary, memory", "secondary, memory", "tertiary, memory", "primary, directory"]
        );
        assert_eq!(plot.series[0].points, [(0.0, 50.0), (1.0, 60.0)]);
        assert_eq!(plot.series[5].points, [(0.0, 3.0), (1.0, 3.0)]);
    }

    #[test]
    fn three_looks_prove_nothing() {
        let few = Course::of(&[(0.0, 5), (1.0, 5), (2.0, 5)]);
        assert!(!few.flat);
    }

    #[test]
    fn a_sample_is_a_line_with_as_many_fields_as_the_head() {
        let look = Look { directory: 4, journal: 3, memory: 1 };
        let sample = Sample { at: Duration::from_millis(1250), servers: [look; 3] };
        let (mut head, mut line) = (Vec::new(), Vec::new());
        Sample::csv_head(&mut head).unwrap();
        sample.csv_line(&mut line).unwrap();
        let fields = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b',').count();
        assert_eq!(fields(&head), fields(&line));
        assert!(head.starts_with(b"seconds,primary_directory_bytes,"));
        assert_eq!(line, b"1.2,4,3,1,4,3,1,4,3,1\n");
    }
}
