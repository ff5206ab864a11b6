//! Clients at work whose every answer is kept, with its place in the replicated log: so that it can be said afterwards
//! what else went on while an answer was waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use hdrhistogram::Histogram;
use licensing_client::{Client, RequestError};
use licensing_core::id::LogIndex;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::show::output::talk;
use crate::work::triad::feature_name;

/// A client that got no answer tries again after this long.
const AFTER_ERROR: Duration = Duration::from_millis(10);

/// One answer. Times count from the beginning of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// When it was asked for.
    pub asked: Duration,
    /// When it came.
    pub answered: Duration,
    /// The entry that decided it.
    pub index: LogIndex,
    /// Whether a seat was taken; otherwise one was given back.
    pub is_checkout: bool,
}

impl Answered {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.answered - self.asked
    }
}

/// Everything that was answered.
#[derive(Debug, Clone)]
pub struct Worked {
    /// When the work began, by the clock of the files.
    pub begun: SystemTime,
    /// How long it lasted.
    pub lasted: Duration,
    /// In no order.
    pub answers: Vec<Answered>,
    /// Requests without a definite answer, or denied.
    pub errors: u64,
}

/// How long answers took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// How many there were.
    pub answers: u64,
    /// Median, in microseconds.
    pub p50_us: u64,
    /// 99th percentile, in microseconds.
    pub p99_us: u64,
    /// The slowest, in microseconds.
    pub max_us: u64,
}

impl Latency {
    /// Zeros when there are none.
    pub fn of<'a>(answers: impl Iterator<Item = &'a Answered>) -> anyhow::Result<Latency> {
        let mut all: Histogram<u64> = Histogram::new(3).context("cannot make a histogram")?;
        for answer in answers {
            let micros = u64::try_from(answer.took().as_micros()).unwrap_or(u64::MAX);
            all.record(micros).context("cannot note a latency")?;
        }
        let at = |quantile| all.value_at_quantile(quantile);
        Ok(Latency { answers: all.len(), p50_us: at(0.5), p99_us: at(0.99), max_us: all.max() })
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Work {
    begun: (SystemTime, Instant),
    stop: Arc<AtomicBool>,
    workers: JoinSet<(Vec<Answered>, u64)>,
}

impl Work {
    /// Sets the clients to work: each checks a seat out and in again, as fast as the answers come, or once in so long.
    pub fn start(clients: &[Client], features: usize, once_in: Option<Duration>) -> Work {
        let begun = (SystemTime::now(), Instant::now());
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for (number, client) in clients.iter().enumerate() {
            // Spread over the time between two, so that they do not all come at once.
            let first = once_in.unwrap_or_default().mul_f64(number as f64 / clients.len() as f64);
            let worker = Worker {
                client: client.clone(),
                feature: feature_name(number % features),
                begun: begun.1,
                once_in,
                stop: stop.clone(),
                answers: Vec::new(),
                errors: 0,
            };
            workers.spawn(worker.work(begun.1 + first));
        }
        Work { begun, stop, workers }
    }

    /// Ends the work when every client has had its last answer.
    pub async fn stop(mut self) -> anyhow::Result<Worked> {
        self.stop.store(true, Ordering::Relaxed);
        let mut worked =
            Worked { begun: self.begun.0, lasted: self.begun.1.elapsed(), answers: Vec::new(), errors: 0 };
        while let Some(done) = self.workers.join_next().await {
            let (answers, errors) = done?;
            worked.answers.extend(answers);
            worked.errors += errors;
        }
        Ok(worked)
    }

    /// Works for so long.
    pub async fn stop_after(self, time: Duration) -> anyhow::Result<Worked> {
        sleep(time).await;
        self.stop().await
    }
}

impl Worked {
    /// Of checkouts only.
    pub fn checkouts(&self) -> anyhow::Result<Latency> {
        Latency::of(self.answers.iter().filter(|answer| answer.is_checkout))
    }

    /// Answers of both kinds per second.
    pub fn per_second(&self) -> f64 {
        (self.answers.len() as f64 / self.lasted.as_secs_f64() * 10.0).round() / 10.0
    }
}

struct Worker {
    client: Client,
    feature: String,
    begun: Instant,
    once_in: Option<Duration>,
    stop: Arc<AtomicBool>,
    answers: Vec<Answered>,
    errors: u64,
}

impl Worker {
    async fn work(mut self, first: Instant) -> (Vec<Answered>, u64) {
        let mut next = first;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(once_in) = self.once_in {
                sleep_until(next).await;
                // One that is late does not catch up: a stall is one slow answer, not a burst after it.
                next = (next + once_in).max(Instant::now());
            }
            if let Err(problem) = self.checkout_and_checkin().await {
                self.errors += 1;
                talk(format_args!("a client got no answer: {problem}"));
                sleep(AFTER_ERROR).await;
            }
        }
        (self.answers, self.errors)
    }

    async fn checkout_and_checkin(&mut self) -> Result<(), RequestError> {
        let asked = self.begun.elapsed();
        let seat = self.client.checkout(self.feature.as_str()).await?;
        self.note(asked, seat.index(), true);
        let asked = self.begun.elapsed();
        let answer = seat.checkin().await?;
        self.note(asked, answer.index, false);
        Ok(())
    }

    fn note(&mut self, asked: Duration, index: LogIndex, is_checkout: bool) {
        self.answers.push(Answered { asked, answered: self.begun.elapsed(), index, is_checkout });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_of_what_is_asked_for() {
        let answer = |took, is_checkout| Answered {
            asked: Duration::from_secs(1),
            answered: Duration::from_secs(1) + Duration::from_micros(took),
            index: LogIndex(1),
            is_checkout,
        };
        let answers = vec![answer(10, true), answer(30, true), answer(900, false)];
        let worked = Worked { begun: SystemTime::now(), lasted: Duration::from_secs(2), answers, errors: 0 };
        let checkouts = worked.checkouts().unwrap();
        assert_eq!((checkouts.answers, checkouts.p50_us, checkouts.max_us), (2, 10, 30));
        assert_eq!(worked.per_second(), 1.5);
    }
}
