//! A short text that is equal for licenses with equal features, whatever their SERVER lines, comments and blanks.

use licensing_core::license::License;

/// 64 bits of FNV-1a: it finds mistakes, it stops nobody.
pub(crate) fn fingerprint(license: &License) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for line in &license.features {
        for text in [line.kind.keyword(), &line.name, &line.vendor, line.version.as_str()] {
            feed(text);
        }
        feed(&line.expiry.to_string());
        feed(&line.count.to_string());
        feed(line.key.as_deref().unwrap_or(""));
        for (name, value) in &line.attributes {
            feed(name);
            feed(value);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_features_only() {
        let read = |text: &str| fingerprint(&License::parse(text).unwrap());
        let lines = "VENDOR demo\nFEATURE f demo 1.0 permanent 1 SIGN=0\n";
        let one = read(&format!("SERVER a ANY 27001\n{lines}"));
        assert_eq!(one, read(&format!("# moved\nSERVER b ANY 27009\n{lines}")));
        assert_ne!(one, read(&format!("SERVER a ANY 27001\n{}", lines.replace(" 1 SIGN", " 2 SIGN"))));
    }
}
