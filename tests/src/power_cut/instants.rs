//! Cuts a recording at every instant, and tries all that may have become of what was not synced.
//!
//! Not every instant is another one: what can be found on the disk changes only where a name or a byte is written or
//! synced, and what must be found only where the program says something. In between nothing is looked at again. Most disks
//! of one instant are also those of the one before; a disk is opened once, however often it comes up.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cut::{Broken, Cut};
use super::disk::{Disk, Model, Version};
use super::format::Record;
use super::image::Image;
use super::inspect::Found;
use super::judge::Progress;
use super::run::Inspector;

/// How much was looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Instants at which the disk or the promises were others than before.
    pub instants: usize,
    /// Disks that were judged: all choices at all instants.
    pub judged: usize,
    /// Disks that were opened: each once.
    pub opened: usize,
}

/// Of what is on a disk.
type Digest = u64;

/// Looks at every instant of recordings.
pub struct Instants {
    inspector: Inspector,
    /// Every disk that was opened, and what was found on it.
    found: HashMap<Digest, Result<Found, String>>,
    census: Census,
}

impl Instants {
    /// Opens disks with this inspector.
    pub fn new(inspector: Inspector) -> Instants {
        Instants { inspector, found: HashMap::new(), census: Census::default() }
    }

    /// How much was looked at so far.
    pub fn census(&self) -> Census {
        self.census
    }

    /// Plays a recording on a disk that held `before`, and judges each disk that each instant may have left. A disk that
    /// is wrong for the same reason at several instants is told once, for the first of them.
    pub fn judge(
        &mut self,
        before: &Image,
        records: &[Record],
        judge: impl Fn(&Progress, &Found) -> Result<(), String>,
    ) -> Vec<Broken> {
        let (mut disk, mut progress) = (Disk::holding(before), Progress::default());
        let mut digests = HashMap::new();
        let mut here = self.open(&disk, &mut digests);
        let (mut broken, mut told) = (Vec::new(), HashSet::new());
        for at in 0..=records.len() {
            if let Some(record) = at.checked_sub(1).map(|last| &records[last]) {
                disk.play(record).unwrap_or_else(|| panic!("{record:?} is about a file nobody has seen"));
                progress.hear(record);
                match record {
                    Record::Open { .. } | Record::Range { .. } | Record::Failed { .. } => continue,
                    Record::Note { .. } => {}
                    _ => here = self.open(&disk, &mut digests),
                }
            }
            self.census.instants += 1;
            self.census.judged += here.len();
            for (dice, digest) in (0..).zip(&here) {
                let found = self.found[digest].as_ref().map_err(String::clone);
                let Err(problem) = found.and_then(|found| judge(&progress, found)) else { continue };
                if told.insert((*digest, problem.clone())) {
                    broken.push(Broken { cut: Cut { at, model: Model::Chosen, dice }, problem });
                }
            }
        }
        broken
    }

    /// Opens every disk that this instant may leave and that nobody has opened yet; returns all of them by choice.
    fn open(&mut self, disk: &Disk, digests: &mut HashMap<Version, Digest>) -> Vec<Digest> {
        let mut here = Vec::new();
        for choice in 0..disk.choices() {
            let mut whole = DefaultHasher::new();
            for (path, version) in disk.chosen(choice) {
                let digest_of =
                    |version| *digests.entry(version).or_insert_with(|| digest(&disk.bytes(version)));
                (path, version.map(digest_of)).hash(&mut whole);
            }
            here.push(whole.finish());
            if let Entry::Vacant(place) = self.found.entry(whole.finish()) {
                place.insert(self.inspector.inspect(&disk.image(Model::Chosen, choice)));
                self.census.opened += 1;
            }
        }
        here
    }
}

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
