//! Valid bytes made invalid, by choices that can be made again.

use crate::workload::Choices;

/// Longest input made here: mutations that repeat must not grow without end, and long inputs only cost time.
const MAX_INPUT: usize = 16 << 10;

/// Bytes at which the codec, lengths and texts change their meaning: the codec writes longer integers behind 251 to
/// 254, and 0 and 1 tell options and variants apart.
const TELLING: [u8; 16] = [0, 1, 2, 3, 9, 10, 13, 32, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];

/// Numbers that overflow something.
const EXTREME: [u64; 8] = [0, 1, 0xffff, 1 << 31, u32::MAX as u64, 1 << 32, i64::MAX as u64, u64::MAX];

/// Makes the next input out of valid ones: most often damaged, now and then as it is, now and then pure noise.
pub fn input(choices: &mut Choices, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match choices.below(100) {
        0..=3 => return noise(choices, 200),
        4..=6 => return pick(choices, samples).clone(),
        _ => pick(choices, samples).clone(),
    };
    for _ in 0..=choices.below(4) {
        damage(choices, &mut bytes, samples);
    }
    bytes.truncate(MAX_INPUT);
    bytes
}

fn pick<'a, T>(choices: &mut Choices, from: &'a [T]) -> &'a T {
    &from[choices.below(from.len() as u64) as usize]
}

fn noise(choices: &mut Choices, limit: u64) -> Vec<u8> {
    (0..choices.below(limit)).map(|_| choices.below(256) as u8).collect()
}

/// A place in the bytes; the end is one.
fn place(choices: &mut Choices, bytes: &[u8]) -> usize {
    choices.below(bytes.len() as u64 + 1) as usize
}

/// A part of the bytes, short ones more often than long ones.
fn part(choices: &mut Choices, bytes: &[u8]) -> std::ops::Range<usize> {
    let start = place(choices, bytes);
    let longest = (bytes.len() - start) as u64;
    let limit = if choices.below(3) == 0 { longest } else { longest.min(8) };
    start..start + choices.below(limit + 1) as usize
}

fn damage(choices: &mut Choices, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let at = place(choices, bytes);
    match choices.below(9) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << choices.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *pick(choices, &TELLING);
            }
        }
        2 => bytes.truncate(at),
        3 => {
            let cut = part(choices, bytes);
            bytes.drain(cut);
        }
        4 => {
            let inserted = noise(choices, 9);
            bytes.splice(at..at, inserted);
        }
        5 => {
            let repeated = bytes[part(choices, bytes)].to_vec();
            bytes.splice(at..at, repeated);
        }
        6 => {
            let other = pick(choices, samples);
            let grafted = other[part(choices, other)].to_vec();
            let replaced = part(choices, bytes);
            bytes.splice(replaced, grafted);
        }
        7 => number(choices, bytes, at),
        _ => bytes.push(choices.below(256) as u8),
    }
}

/// Overwrites with a number of some width, in the byte order of lengths (big) or of the codec (little).
fn number(choices: &mut Choices, bytes: &mut Vec<u8>, at: usize) {
    let number = *pick(choices, &EXTREME);
    let width = *pick(choices, &[2, 4, 8]);
    let written = match choices.below(3) {
        0 => number.to_be_bytes()[8 - width..].to_vec(),
        1 => number.to_le_bytes()[..width].to_vec(),
        // As the codec writes a number too large for one byte: a mark of its width, then the number.
        _ => {
            let mark = match width {
                2 => 0xfb,
                4 => 0xfc,
                _ => 0xfd,
            };
            [&[mark][..], &number.to_le_bytes()[..width]].concat()
        }
    };
    let end = (at + written.len()).min(bytes.len());
    bytes.splice(at..end, written);
}
