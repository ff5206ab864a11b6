//! What a decision costs: a checkout and its checkin, applied to a state with few and with many live checkouts. The second
//! may be slower by the logarithm of their number, no more.

#![allow(missing_docs)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::site::Site;

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply checkout and checkin");
    group.throughput(Throughput::Elements(2));
    for live in [0, 100_000] {
        let mut site = Site::with_checkouts(live);
        group.bench_function(BenchmarkId::new("live checkouts", live), |bencher| {
            bencher.iter(|| site.checkout_and_checkin());
        });
        // Somebody reads the state all the time, a status page or a snapshot: then `apply` copies what it changes.
        group.bench_function(BenchmarkId::new("live checkouts, read meanwhile", live), |bencher| {
            bencher.iter(|| {
                let _reader = site.state.clone();
                site.checkout_and_checkin();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
