//! The words of a table's line.

use std::collections::BTreeMap;

use licensing_core::license::Date;
use licensing_core::*;

pub(crate) fn compiled_license(text: &str) -> Result<Compiled, String> {
    Compiled::from_text("acme.lic", text).map_err(|errors| errors.to_string())
}

/// What a license is cut into parts from.
pub(crate) fn parts_of(licenses: &BTreeMap<String, String>, name: &str) -> Result<Vec<u8>, String> {
    let text = licenses.get(name).ok_or("no such license")?;
    Ok(encode::compiled::to_bytes(&compiled_license(text)?))
}

/// The words of a request, with `x*3` written out as `xxx`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let expand = |word: &str| {
        let Some((text, count)) = word.split_once('*') else { return word.to_owned() };
        let (start, letter) = text.split_at(text.len() - 1);
        format!("{start}{}", letter.repeat(count.parse().unwrap()))
    };
    text.split_whitespace().map(expand).collect()
}

pub(crate) fn listed(what: &str, names: impl Iterator<Item = String>) -> String {
    [what.to_owned()].into_iter().chain(names).collect::<Vec<_>>().join(" ")
}

pub(crate) fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

pub(crate) fn identity(who: &str, options: &[&str]) -> Identity {
    let text = |name, default: String| option(options, name).map_or(default, str::to_owned);
    Identity {
        user: text("user", who.to_owned()),
        host: text("host", format!("{who}-host")),
        display: text("display", ":0".to_owned()),
        pid: 1,
        project: text("project", String::new()),
    }
}

/// The first bytes of the name, which tell all actors apart.
pub(crate) fn token(who: &str) -> Token {
    let mut bytes = [0; 16];
    for (byte, letter) in bytes.iter_mut().zip(who.bytes()) {
        *byte = letter;
    }
    Token(bytes)
}

/// `dd-mmm-yyyy [hh:mm:ss.mmm]` in milliseconds since the epoch.
pub(crate) fn moment(words: &[&str]) -> u64 {
    let [date, time @ ..] = words else { panic!("no date") };
    let date: Date = date.parse().unwrap_or_else(|error| panic!("{date}: {error}"));
    let time: Vec<u64> =
        time.iter().flat_map(|time| time.split([':', '.'])).map(|part| part.parse().unwrap()).collect();
    match time.as_slice() {
        [] => date.start_ms(),
        [hours, minutes, seconds, ms] => {
            date.start_ms() + ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
        }
        other => panic!("no time: {other:?}"),
    }
}
