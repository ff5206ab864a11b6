//! What clients saw in the course of one round, for a picture: of each millisecond the answer that was waited for
//! longest, and the moments at which something was done to the servers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::measure::gaps::Answer;
use crate::show::plot::{Axis, Mark, Plot, Scale, Series, Style};
use crate::work::crowd::Crowd;

/// A round under way.
#[derive(Debug)]
pub struct Recording {
    begun: Instant,
    marks: Vec<(Instant, String)>,
}

/// A round that is over. Times are milliseconds since the first mark, the blow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// When, and the longest wait that ended in that millisecond, in milliseconds.
    pub points: Vec<(f64, f64)>,
    /// What happened when.
    pub marks: Vec<(f64, String)>,
    /// Of the client that waited longest at the blow.
    pub longest: Duration,
}

impl Recording {
    /// Every answer is kept from now on.
    pub fn begin(crowd: &Crowd) -> Recording {
        crowd.record();
        Recording { begun: Instant::now(), marks: Vec::new() }
    }

    /// Something happens now.
    pub fn mark(&mut self, what: &str) {
        self.marks.push((Instant::now(), what.to_owned()));
    }

    /// The round is over; `longest` is its result.
    pub fn end(self, crowd: &Crowd, longest: Duration) -> Trace {
        let zero = self.marks.first().map_or(self.begun, |(moment, _)| *moment);
        let marks = self.marks.iter().map(|(moment, what)| (since(zero, *moment), what.clone())).collect();
        Trace { points: envelope(zero, &crowd.recorded()), marks, longest }
    }
}

/// Milliseconds from one moment to another, below zero when it is earlier.
fn since(zero: Instant, moment: Instant) -> f64 {
    let later = moment.saturating_duration_since(zero).as_secs_f64();
    (later - zero.saturating_duration_since(moment).as_secs_f64()) * 1e3
}

/// Of each millisecond the longest wait that ended in it.
fn envelope(zero: Instant, answers: &[Answer]) -> Vec<(f64, f64)> {
    let mut longest: BTreeMap<i64, Duration> = BTreeMap::new();
    for (moment, waited) in answers {
        let slot = longest.entry(since(zero, *moment).floor() as i64).or_default();
        *slot = (*slot).max(*waited);
    }
    longest.into_iter().map(|(ms, waited)| (ms as f64, waited.as_secs_f64() * 1e3)).collect()
}

/// The round whose result lies in the middle: not the best, not the worst.
pub fn typical(traces: &[Trace]) -> Option<&Trace> {
    let mut ordered: Vec<&Trace> = traces.iter().collect();
    ordered.sort_by_key(|trace| trace.longest);
    ordered.get(ordered.len().saturating_sub(1) / 2).copied()
}

/// Draws our typical round, and a rival's on the same axes; the blow is at zero in both.
pub fn plot(ours: &Trace, rival: Option<(&str, &Trace)>, conditions: &str) -> Plot {
    let dots = |name: &str, trace: &Trace| Series {
        name: name.to_owned(),
        style: Style::Dots,
        points: trace.points.clone(),
    };
    let mut series = vec![dots("licensing (3 servers)", ours)];
    let mut marks: Vec<Mark> =
        ours.marks.iter().map(|(x, label)| Mark { x: *x, label: label.clone() }).collect();
    if let Some((name, trace)) = rival {
        series.push(dots(name, trace));
        // The blow is marked already.
        marks.extend(trace.marks.iter().skip(1).map(|(x, label)| Mark { x: *x, label: label.clone() }));
    }
    Plot {
        title: "How long clients waited for an answer, through one failover".to_owned(),
        subtitle: conditions.to_owned(),
        x: Axis::new(
            "milliseconds since the blow; a dot is the longest wait that ended in a millisecond",
            Scale::Linear,
        ),
        y: Axis::new("milliseconds waited", Scale::Log),
        series,
        marks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn of_each_millisecond_the_longest_wait_counts() {
        let zero = Instant::now() + ms(1000);
        let at = |micros: i64| zero - ms(1000) + Duration::from_micros((1_000_000 + micros) as u64);
        let answers = [(at(300), ms(2)), (at(900), ms(5)), (at(7500), ms(1)), (at(-200), ms(3))];
        assert_eq!(envelope(zero, &answers), [(-1.0, 3.0), (0.0, 5.0), (7.0, 1.0)]);
    }

    #[test]
    fn the_typical_round_is_the_one_in_the_middle() {
        let trace = |longest| Trace { longest: ms(longest), ..Trace::default() };
        let traces = [trace(9), trace(1), trace(5), trace(7)];
        assert_eq!(typical(&traces).unwrap().longest, ms(5));
        assert_eq!(typical(&[]), None);
    }

    #[test]
    fn the_blow_is_marked_once() {
        let marked = |labels: [&str; 2]| Trace {
            marks: labels.into_iter().map(|label| (0.0, label.to_owned())).collect(),
            ..Trace::default()
        };
        let plot = plot(&marked(["kill", "back"]), Some(("etcd", &marked(["kill", "leads"]))), "");
        let labels: Vec<&str> = plot.marks.iter().map(|mark| mark.label.as_str()).collect();
        assert_eq!(labels, ["kill", "back", "leads"]);
    }
}
