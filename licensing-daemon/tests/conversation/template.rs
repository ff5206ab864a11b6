//! Bytes with holes in them: what is the same in every run, and names for what is not.
//!
//! Knows the encoding of `docs/protocol.md` and none of the types: a record is compared with what a server sends, not with
//! what this version would make of it.

use std::collections::BTreeMap;
use std::fmt;

use licensing_client::AdminKey;

/// The administrators' key of every recorded server.
pub(crate) fn admin_key() -> AdminKey {
    AdminKey::from_bytes([0x0f; 32])
}

/// The content of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Hole(Hole),
}

/// What differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hole {
    /// A number. One with a name is the same wherever the name stands.
    Number(Option<String>),
    /// A text: words for people, a path, a version.
    Text,
    /// A list of texts.
    Texts,
    /// What later versions have to say, as pairs of number and bytes.
    Pairs,
    /// 32 random bytes.
    Challenge(String),
    /// The proof of the admin key for the challenge of that name.
    Proof(String),
}

/// What names stand for in this run.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) numbers: BTreeMap<String, u64>,
    pub(crate) challenges: BTreeMap<String, [u8; 32]>,
}

impl Template {
    /// The template that `find` makes of bytes: it says at each place which hole begins there, and how many bytes it takes.
    pub(crate) fn of(bytes: &[u8], find: impl Fn(&[u8]) -> Option<(Hole, usize)>) -> Template {
        let (mut parts, mut plain, mut rest) = (Vec::new(), Vec::new(), bytes);
        while let Some(first) = rest.first() {
            match find(rest) {
                Some((hole, length)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Bytes(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Hole(hole));
                    rest = &rest[length..];
                }
                None => {
                    plain.push(*first);
                    rest = &rest[1..];
                }
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Bytes(plain));
        }
        Template(parts)
    }

    /// As it stands in a record.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let part = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(name) => Ok(Part::Hole(Hole::parse(name))),
            None => bytes_of_hex(word).map(Part::Bytes).ok_or_else(|| format!("`{word}` is not hex")),
        };
        text.split_whitespace().map(part).collect::<Result<_, _>>().map(Template)
    }

    /// The bytes a client sends.
    pub(crate) fn fill(&self, known: &Known) -> Result<Vec<u8>, String> {
        self.write(|hole, bytes| {
            match hole {
                Hole::Number(Some(name)) => match known.numbers.get(name) {
                    Some(number) => put_number(bytes, *number),
                    None => return Err(format!("nothing has been called {name} yet")),
                },
                Hole::Proof(name) => match known.challenges.get(name) {
                    Some(challenge) => bytes.extend(admin_key().proof(challenge)),
                    None => return Err(format!("there was no {name} yet")),
                },
                other => return Err(format!("{{{other}}} is nothing a client can say")),
            }
            Ok(())
        })
    }

    /// Bytes that a server might have sent, to see what kind of frame this is.
    pub(crate) fn example(&self) -> Vec<u8> {
        let written = self.write(|hole, bytes| {
            match hole {
                Hole::Number(_) => bytes.push(1),
                Hole::Text | Hole::Texts | Hole::Pairs => bytes.push(0),
                Hole::Challenge(_) | Hole::Proof(_) => bytes.extend([0; 32]),
            }
            Ok(())
        });
        written.unwrap_or_default()
    }

    fn write(&self, fill: impl Fn(&Hole, &mut Vec<u8>) -> Result<(), String>) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for part in &self.0 {
            match part {
                Part::Bytes(plain) => bytes.extend(plain),
                Part::Hole(hole) => fill(hole, &mut bytes)?,
            }
        }
        Ok(bytes)
    }

    /// Whether a server sent this. What got a name with it is known afterwards.
    ///
    /// # Errors
    ///
    /// Where they differ.
    pub(crate) fn compare(&self, found: &[u8], known: &mut Known) -> Result<(), String> {
        let mut rest = found;
        for part in &self.0 {
            let at = found.len() - rest.len();
            let differs = |expected: String| format!("at byte {at} of `{}`: expected {expected}", hex(found));
            match part {
                Part::Bytes(plain) => {
                    rest = rest.strip_prefix(&plain[..]).ok_or_else(|| differs(hex(plain)))?;
                }
                Part::Hole(hole) => {
                    rest = hole.pass(rest, known).ok_or_else(|| differs(format!("{{{hole}}}")))?;
                }
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(format!("`{}` is left over", hex(rest))) }
    }
}

impl Hole {
    fn parse(name: &str) -> Hole {
        let owned = name.to_owned();
        match name.split('.').next() {
            _ if name == "number" => Hole::Number(None),
            _ if name == "text" => Hole::Text,
            _ if name == "texts" => Hole::Texts,
            _ if name == "pairs" => Hole::Pairs,
            Some("challenge") => Hole::Challenge(owned),
            Some("proof") => Hole::Proof(owned.replace("proof", "challenge")),
            _ => Hole::Number(Some(owned)),
        }
    }

    /// What is left of the bytes behind the hole; `None` when they do not fit.
    fn pass<'a>(&self, bytes: &'a [u8], known: &mut Known) -> Option<&'a [u8]> {
        match self {
            Hole::Number(name) => {
                let (number, rest) = take_number(bytes)?;
                let Some(name) = name else { return Some(rest) };
                (*known.numbers.entry(name.clone()).or_insert(number) == number).then_some(rest)
            }
            Hole::Text => take_text(bytes),
            Hole::Texts => take_list(bytes, take_text),
            Hole::Pairs => take_list(bytes, |bytes| take_text(take_number(bytes)?.1)),
            Hole::Challenge(name) => {
                let (challenge, rest) = bytes.split_first_chunk()?;
                known.challenges.insert(name.clone(), *challenge);
                Some(rest)
            }
            Hole::Proof(_) => None,
        }
    }
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hole::Number(None) => f.write_str("number"),
            Hole::Number(Some(name)) | Hole::Challenge(name) => f.write_str(name),
            Hole::Text => f.write_str("text"),
            Hole::Texts => f.write_str("texts"),
            Hole::Pairs => f.write_str("pairs"),
            Hole::Proof(name) => f.write_str(&name.replace("challenge", "proof")),
        }
    }
}

/// As it stands in a record.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |part: &Part| match part {
            Part::Bytes(bytes) => hex(bytes),
            Part::Hole(hole) => format!("{{{hole}}}"),
        };
        f.write_str(&self.0.iter().map(word).collect::<Vec<_>>().join(" "))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn put_number(bytes: &mut Vec<u8>, number: u64) {
    match number {
        0..=250 => bytes.push(number as u8),
        251..=0xffff => {
            bytes.push(0xfb);
            bytes.extend((number as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            bytes.push(0xfc);
            bytes.extend((number as u32).to_le_bytes());
        }
        _ => {
            bytes.push(0xfd);
            bytes.extend(number.to_le_bytes());
        }
    }
}

fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let length = match first {
        0..=250 => return Some((u64::from(*first), rest)),
        0xfb => 2,
        0xfc => 4,
        0xfd => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    Some((number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)), rest))
}

fn take_text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = take_number(bytes)?;
    Some(rest.split_at_checked(usize::try_from(length).ok()?)?.1)
}

fn take_list(bytes: &[u8], take: impl Fn(&[u8]) -> Option<&[u8]>) -> Option<&[u8]> {
    let (length, rest) = take_number(bytes)?;
    (0..length).try_fold(rest, |rest, _| take(rest))
}
