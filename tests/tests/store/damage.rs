//! Damaged files: the store is whole all the same, or it does not start, or it does not vote until it has caught up. It
//! never serves from a log that has lost what it had acknowledged.
//!
//! `LICENSING_DAMAGES` makes it a long run: so many of each kind per file.

use std::collections::BTreeMap;

use licensing_tests::power_cut::damage::{Damage, files};
use licensing_tests::power_cut::image::Image;
use licensing_tests::power_cut::judge::{Verdict, judge};
use licensing_tests::power_cut::outline::Outline;
use licensing_tests::power_cut::plan::Plan;
use licensing_tests::power_cut::run::Programs;

const STEPS: usize = 90;
const DAMAGES_PER_KIND: u64 = 3;

fn damages_per_kind() -> u64 {
    std::env::var("LICENSING_DAMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(DAMAGES_PER_KIND)
}

#[test]
fn no_damage_to_a_file_makes_a_server_serve_from_what_it_has_lost() {
    let Some(programs) = Programs::find(env!("CARGO_BIN_EXE_store-run")) else { return };
    let (mut inspector, mut broken) = (programs.inspector(), String::new());
    let mut census: BTreeMap<(&str, Verdict), usize> = BTreeMap::new();
    for seed in [2, 3, 4, 5] {
        let recording = programs.record(Outline::drawn(seed, STEPS), &Image::new(), None);
        let (plan, progress) = (Plan::of(recording.outline), recording.progress());
        for (kind, path) in files(&recording.end) {
            for damage in Damage::ALL {
                // What leaves nothing to chance is done once.
                let chances =
                    if matches!(damage, Damage::Emptied | Damage::Removed) { 1 } else { damages_per_kind() };
                for dice in 0..chances {
                    let Some(image) = damage.done_to(&recording.end, &path, seed * 1000 + dice) else {
                        continue;
                    };
                    match inspector.inspect(&image).and_then(|found| {
                        let verdict = judge(&plan, &progress, &found)?;
                        found.says_why().then_some(verdict).ok_or("it does not say what it lost".to_owned())
                    }) {
                        Ok(verdict) => *census.entry((kind, verdict)).or_default() += 1,
                        Err(problem) => broken
                            .push_str(&format!("seed {seed}, {kind}, {damage:?}, dice {dice}: {problem}\n")),
                    }
                }
            }
        }
    }
    for ((kind, verdict), count) in &census {
        eprintln!("{kind}: {verdict:?} {count}");
    }
    assert!(broken.is_empty(), "{broken}");
    for kind in ["the journal", "sled's pages", "the snapshot", "the mark"] {
        assert!(census.contains_key(&(kind, Verdict::Mute)), "no damage to {kind} was ever noticed");
    }
}
