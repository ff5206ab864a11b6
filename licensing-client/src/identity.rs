//! Who this process is, as servers will show it.

use licensing_core::command::{Identity, MAX_NAME_BYTES};

/// Written where nothing is known.
const UNKNOWN: &str = "unknown";

/// What FlexNet applications send when there is no display.
const NO_DISPLAY: &str = "/dev/tty";

/// This process: user from `USER`, `LOGNAME` or `USERNAME`, host from `HOSTNAME`, `/etc/hostname` or `COMPUTERNAME`,
/// display from `DISPLAY` or `/dev/tty`, project from `LM_PROJECT`, and the process id. What is not known is `unknown`; longer texts than a
/// server accepts are cut.
pub fn current_identity() -> Identity {
    identity_from(
        |name| std::env::var(name).ok(),
        || std::fs::read_to_string("/etc/hostname").ok(),
        std::process::id(),
    )
}

fn identity_from(
    variable: impl Fn(&str) -> Option<String>,
    host_file: impl Fn() -> Option<String>,
    pid: u32,
) -> Identity {
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name).and_then(meaningful));
    let host = first(&["HOSTNAME"])
        .or_else(|| host_file().and_then(meaningful))
        .or_else(|| first(&["COMPUTERNAME"]));
    Identity {
        user: first(&["USER", "LOGNAME", "USERNAME"]).unwrap_or_else(|| UNKNOWN.to_owned()),
        host: host.unwrap_or_else(|| UNKNOWN.to_owned()),
        display: first(&["DISPLAY"]).unwrap_or_else(|| NO_DISPLAY.to_owned()),
        pid,
        project: first(&["LM_PROJECT"]).unwrap_or_default(),
    }
}

/// The text without blanks around it, cut to what a server accepts; `None` when nothing is left.
fn meaningful(text: String) -> Option<String> {
    let text = cut(text.trim());
    (!text.is_empty()).then(|| text.to_owned())
}

/// As much of the text as a server accepts.
pub(crate) fn cut(text: &str) -> &str {
    let end = text.char_indices().map(|(start, character)| start + character.len_utf8());
    let end = end.take_while(|end| *end <= MAX_NAME_BYTES).last();
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)], host_file: Option<&str>) -> Identity {
        let find =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        identity_from(find, || host_file.map(str::to_owned), 7)
    }

    #[test]
    fn variables_go_before_files_and_defaults() {
        let all = from(
            &[("USER", "ann lee"), ("LOGNAME", "x"), ("HOSTNAME", "h1"), ("DISPLAY", ":0")],
            Some("h2\n"),
        );
        assert_eq!((all.user.as_str(), all.host.as_str(), all.display.as_str()), ("ann lee", "h1", ":0"));
        let some = from(&[("USER", " "), ("LOGNAME", "bob")], Some("h2\n"));
        assert_eq!(
            (some.user.as_str(), some.host.as_str(), some.display.as_str()),
            ("bob", "h2", "/dev/tty")
        );
        let none = from(&[], None);
        assert_eq!((none.user.as_str(), none.host.as_str(), none.pid), ("unknown", "unknown", 7));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let identity = from(&[("USER", &"ä".repeat(200))], None);
        assert_eq!(identity.user.len(), MAX_NAME_BYTES);
        assert_eq!(identity.user, "ä".repeat(MAX_NAME_BYTES / 2));
    }
}
