//! What the machine itself can do, measured on the same directory just before a run: the yardstick without which a
//! rate of checkouts says more about the disk than about the servers.
//!
//! A checkout is acknowledged when it is on two disks, so it takes at least a `fdatasync` and two round trips (client to
//! master, master to standby). A triad on one machine has only one disk for three servers that sync at the same time;
//! [`Limits::three_writers`] measures that.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;

use crate::show::output::words;

/// How long each measurement takes.
const EACH: Duration = Duration::from_secs(1);

/// What is written between two `fdatasync`: a page, the least a file system writes.
const BLOCK: usize = 4096;

/// Size of a file whose blocks are all there: writing to it changes no metadata.
const FILE_BLOCKS: u64 = 1024;

/// About the size of a checkout on the wire.
const MESSAGE: usize = 64;

/// Round trips before the measurement, for both threads to be warm.
const WARM_UP: usize = 100;

/// How often, and how long it takes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Of all threads together.
    pub per_second: f64,
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One thread writes 4 KiB over blocks that exist, and calls `fdatasync`.
    pub in_place: Pace,
    /// One thread appends 4 KiB to a file, and calls `fdatasync`: the file system logs the new size as well.
    pub growing: Pace,
    /// Three threads do the first at the same time, each with a file of its own, as the three servers do.
    pub three_writers: Pace,
    /// One thread sends 64 bytes over the loopback and another one sends them back.
    pub round_trip: Pace,
}

impl Limits {
    /// Measures for about four seconds; blocks the thread.
    pub fn measure(directory: &Path) -> anyhow::Result<Limits> {
        let about = || format!("cannot measure the disk of {}", directory.display());
        let file = |name: &str| directory.join(name);
        let in_place = write_and_sync(vec![file("a")], true).with_context(about)?;
        let growing = write_and_sync(vec![file("b")], false).with_context(about)?;
        let three = vec![file("c"), file("d"), file("e")];
        let three_writers = write_and_sync(three, true).with_context(about)?;
        let round_trip = round_trips().context("cannot measure the loopback")?;
        Ok(Limits { in_place, growing, three_writers, round_trip })
    }

    /// What one client alone has to wait at least: two round trips and one `fdatasync`.
    pub fn floor(&self) -> Duration {
        self.in_place.p50 + self.round_trip.p50 * 2
    }
}

/// A head and a line for each.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "limits of this machine")?;
        for (what, pace) in [
            ("4 KiB written in place and fdatasync", &self.in_place),
            ("4 KiB appended and fdatasync", &self.growing),
            ("the first by three threads at once", &self.three_writers),
            ("round trip over the loopback", &self.round_trip),
        ] {
            let (p50, p99) = (words(pace.p50), words(pace.p99));
            writeln!(f, "  {what:<42} p50 {p50:>8}, p99 {p99:>8}, {:>6.0}/s", pace.per_second)?;
        }
        Ok(())
    }
}

fn pace(latencies: &Histogram<u64>, elapsed: Duration) -> Pace {
    let at = |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile));
    Pace { p50: at(0.5), p99: at(0.99), per_second: latencies.len() as f64 / elapsed.as_secs_f64() }
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new(3).map_err(io::Error::other)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One thread for each file.
fn write_and_sync(paths: Vec<PathBuf>, in_place: bool) -> io::Result<Pace> {
    let mut files = Vec::new();
    for path in &paths {
        let file = File::create(path)?;
        if in_place {
            file.write_all_at(&vec![1; BLOCK * FILE_BLOCKS as usize], 0)?;
        }
        file.sync_all()?;
        files.push(file);
    }
    let begun = Instant::now();
    let parts = std::thread::scope(|scope| {
        let writers: Vec<_> =
            files.iter().map(|file| scope.spawn(move || write_one(file, in_place, begun + EACH))).collect();
        writers.into_iter().map(|writer| writer.join()).collect::<Vec<_>>()
    });
    let elapsed = begun.elapsed();
    let mut latencies = histogram()?;
    for part in parts {
        let part = part.map_err(|_| io::Error::other("a writing thread panicked"))??;
        latencies.add(part).map_err(io::Error::other)?;
    }
    for path in &paths {
        std::fs::remove_file(path)?;
    }
    Ok(pace(&latencies, elapsed))
}

fn write_one(file: &File, in_place: bool, until: Instant) -> io::Result<Histogram<u64>> {
    let block = [2; BLOCK];
    let mut latencies = histogram()?;
    let mut number = 0;
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(latencies);
        }
        let place = if in_place { number % FILE_BLOCKS } else { number };
        file.write_all_at(&block, place * BLOCK as u64)?;
        file.sync_data()?;
        latencies.record(nanos(begun.elapsed())).map_err(io::Error::other)?;
        number += 1;
    }
}

fn round_trips() -> io::Result<Pace> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut message = [7; MESSAGE];
    let mut latencies = histogram()?;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut message = [0; MESSAGE];
            while far.read_exact(&mut message).and_then(|()| far.write_all(&message)).is_ok() {}
        });
        let mut trip = || near.write_all(&message).and_then(|()| near.read_exact(&mut message));
        for _ in 0..WARM_UP {
            trip()?;
        }
        let start = Instant::now();
        while start.elapsed() < EACH {
            let begun = Instant::now();
            trip()?;
            latencies.record(nanos(begun.elapsed())).map_err(io::Error::other)?;
        }
        let elapsed = start.elapsed();
        // The other thread ends with the connection.
        drop(near);
        Ok(pace(&latencies, elapsed))
    })
}
