//! Seats in etcd, in two layouts. [`SeatKeys`] is the best etcd can do: no two clients ever touch the same key.
//! [`Counters`] is what an administrator would try first: the number of seats in use under one key.

use anyhow::{Context, bail};
use tokio::time::{Duration, Instant};

use super::etcd::Doors;
use super::etcd_rpc::{Act, Compare, KeyValue, PutRequest, RangeRequest, Rpc, TxnRequest, TxnResponse};
use crate::work::seats::Seats;
use crate::work::triad::feature_name;

/// So many clients share a connection to the leader: their requests go to the system in one write. Of one connection for
/// all, one for each four and one for each sixteen clients, none was clearly faster with 64 clients; with 256 more than
/// one was.
const SHARE: usize = 16;

/// At most so many connections: more cost etcd more than they give.
const CHANNELS: usize = 16;

/// Leases outlive every run, so that nobody has to renew them: work that etcd is spared.
const LEASE_SECONDS: i64 = 24 * 3600;

/// A client whose compare-and-retry loses for so long gets no seat: an error.
const TURN: Duration = Duration::from_secs(30);

/// The connections for so many clients.
async fn channels(doors: Doors, clients: usize) -> anyhow::Result<Vec<Rpc>> {
    let mut channels = Vec::new();
    for _ in 0..clients.div_ceil(SHARE).min(CHANNELS) {
        channels.push(doors.connect().await?);
    }
    Ok(channels)
}

/// A client with a lease of its own and a key that is its seat.
#[derive(Debug, Clone)]
pub struct SeatKeys {
    doors: Doors,
    rpc: Rpc,
    key: Vec<u8>,
    lease: i64,
}

impl SeatKeys {
    /// So many clients; their leases are granted.
    pub async fn of(doors: Doors, clients: usize, features: usize) -> anyhow::Result<Vec<SeatKeys>> {
        let channels = channels(doors, clients).await?;
        let mut seats = Vec::new();
        for (number, rpc) in (0..clients).zip(channels.iter().cycle()) {
            let mut rpc = rpc.clone();
            let lease = rpc.grant_lease(LEASE_SECONDS).await?;
            let feature = feature_name(number % features.max(1));
            let key = format!("{feature}/seat-{}", number + 1).into_bytes();
            seats.push(SeatKeys { doors, rpc, key, lease });
        }
        Ok(seats)
    }
}

impl Seats for SeatKeys {
    type Seat = ();

    /// "Put my name there if nobody's is".
    async fn checkout(&mut self) -> anyhow::Result<()> {
        let key = self.key.clone();
        let put = PutRequest { key: key.clone(), value: b"1".to_vec(), lease: self.lease };
        let answer = self.rpc.txn(TxnRequest::of(Compare::absent(key), Act::Put(put), None)).await?;
        if !answer.succeeded {
            bail!("the seat is taken");
        }
        Ok(())
    }

    async fn checkin(&mut self, (): ()) -> anyhow::Result<()> {
        if self.rpc.delete(self.key.clone()).await?.deleted != 1 {
            bail!("the seat was gone");
        }
        Ok(())
    }

    /// Looks for the leader, and gives back the seat that a request without an answer may have taken.
    async fn recover(&mut self, _: &anyhow::Error) -> anyhow::Result<()> {
        self.rpc = self.doors.connect().await?;
        self.rpc.delete(self.key.clone()).await?;
        Ok(())
    }
}

/// A client that shares one number with all others of its feature.
#[derive(Debug, Clone)]
pub struct Counters {
    doors: Doors,
    rpc: Rpc,
    key: Vec<u8>,
    capacity: u64,
    known: Known,
}

/// The counter as it was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    used: u64,
    revision: i64,
}

impl Counters {
    /// So many clients; each counter stands at zero, and may grow to the number of clients.
    pub async fn of(doors: Doors, clients: usize, features: usize) -> anyhow::Result<Vec<Counters>> {
        let channels = channels(doors, clients).await?;
        let mut revisions = Vec::new();
        for number in 0..features.max(1) {
            let request = PutRequest { key: counter(number), value: b"0".to_vec(), lease: 0 };
            let answer = channels[0].clone().put(request).await?;
            revisions.push(answer.header.context("etcd does not say its revision")?.revision);
        }
        let numbered = (0..clients).zip(channels.iter().cycle());
        let seats = numbered.map(|(number, rpc)| {
            let feature = number % features.max(1);
            Counters {
                doors,
                rpc: rpc.clone(),
                key: counter(feature),
                capacity: clients as u64,
                known: Known { used: 0, revision: revisions[feature] },
            }
        });
        Ok(seats.collect())
    }

    /// "If it still is what I know, make it that; else tell me what it is", until it is.
    async fn change(&mut self, next: impl Fn(u64) -> anyhow::Result<u64>) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < TURN {
            let used = next(self.known.used)?;
            let put = PutRequest { key: self.key.clone(), value: used.to_string().into_bytes(), lease: 0 };
            let condition = Compare::unchanged(self.key.clone(), self.known.revision);
            let look = Act::Range(RangeRequest { key: self.key.clone() });
            let answer = self.rpc.txn(TxnRequest::of(condition, Act::Put(put), Some(look))).await?;
            if answer.succeeded {
                let revision = answer.header.context("etcd does not say its revision")?.revision;
                self.known = Known { used, revision };
                return Ok(());
            }
            self.known = Known::read(&answer)?;
        }
        bail!("others were faster for {} s", TURN.as_secs())
    }
}

fn counter(feature: usize) -> Vec<u8> {
    format!("{}/used", feature_name(feature)).into_bytes()
}

impl Known {
    /// From the transaction that lost.
    fn read(answer: &TxnResponse) -> anyhow::Result<Known> {
        let read = answer.responses.first().and_then(|response| response.range.as_ref()?.kvs.first());
        let KeyValue { mod_revision, value } = read.context("the counter is gone")?;
        let used = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        Ok(Known { used: used.context("the counter is no number")?, revision: *mod_revision })
    }
}

impl Seats for Counters {
    type Seat = ();

    async fn checkout(&mut self) -> anyhow::Result<()> {
        let capacity = self.capacity;
        self.change(|used| if used < capacity { Ok(used + 1) } else { bail!("all seats are taken") }).await
    }

    async fn checkin(&mut self, (): ()) -> anyhow::Result<()> {
        self.change(|used| used.checked_sub(1).context("the counter is below the seats in use")).await
    }

    /// Looks for the leader. A counter cannot tell whether a request without an answer was counted.
    async fn recover(&mut self, _: &anyhow::Error) -> anyhow::Result<()> {
        self.rpc = self.doors.connect().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rivals::etcd_rpc::{RangeResponse, ResponseOp};

    #[test]
    fn a_lost_turn_tells_the_counter_as_it_is() {
        let answer = |value: &[u8]| {
            let kvs = vec![KeyValue { mod_revision: 12, value: value.to_vec() }];
            let responses = vec![ResponseOp { range: Some(RangeResponse { kvs }) }];
            TxnResponse { header: None, succeeded: false, responses }
        };
        assert_eq!(Known::read(&answer(b"41")).unwrap(), Known { used: 41, revision: 12 });
        assert!(Known::read(&answer(b"many")).is_err());
        assert!(Known::read(&TxnResponse::default()).is_err());
    }
}
