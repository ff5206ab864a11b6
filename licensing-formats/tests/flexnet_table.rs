//! License files, good and bad, one case per line: what is written, and what is read or refused.

use licensing_formats::{
    Count, Date, Expiry, FeatureKind, HeartbeatInterval, HostId, License, MAX_ERRORS, MAX_FEATURE_LINES,
    MAX_FILE_BYTES, MAX_LOGICAL_LINE_BYTES,
};

const HEADER: &str = "SERVER alpha ANY 27000\nVENDOR acme\n";
const TRIAD: &str = "SERVER a 1 2000\nSERVER b 2 2000\nSERVER c 3 2000\nVENDOR acme\n";

fn parse(text: &str) -> License {
    License::parse(text).unwrap_or_else(|errors| panic!("{errors}\nin\n{text}"))
}

/// The whole text must be refused with exactly these errors, one per line.
#[track_caller]
fn check_refused(text: &str, expected: &str) {
    match License::parse(text) {
        Ok(license) => panic!("accepted: {license:?}\nin\n{text}"),
        Err(errors) => assert_eq!(errors.to_string(), expected, "in\n{text}"),
    }
}

/// A feature line, third in a file that is otherwise good, must be refused.
#[track_caller]
fn check_feature_refused(line: &str, expected: &str) {
    check_refused(&format!("{HEADER}{line}\n"), expected);
}

/// The warnings of a good file, without those about missing signatures.
fn warnings(text: &str) -> Vec<String> {
    let warnings = parse(text).warnings.into_iter().map(|warning| warning.to_string());
    warnings.filter(|warning| !warning.contains("unsigned")).collect()
}

#[test]
fn license_of_a_triad_is_read_completely() {
    let license = parse(include_str!("licenses/triad.lic"));
    assert_eq!(license.warnings, []);
    assert!(license.primary_is_master() && license.use_server);
    let interval = license.heartbeat_interval().unwrap();
    assert_eq!((interval.seconds(), interval.timeout_s()), (10, 39));
    let hosts: Vec<_> = license.servers.iter().map(|s| (s.host.as_str(), s.port, s.line)).collect();
    assert_eq!(hosts, [("alpha", Some(27000), 2), ("beta", Some(27000), 3), ("gamma", Some(27000), 4)]);
    let vendor = license.vendor.as_ref().unwrap();
    assert_eq!(vendor.path.as_deref(), Some(r"C:\acme\bin\acmed.exe"));
    assert_eq!(vendor.options.as_deref(), Some(r"C:\acme files\acme.opt"));
    assert_eq!(vendor.port, Some(27010));

    let [editor, solver] = license.features.as_slice() else { panic!("two features") };
    assert_eq!((editor.kind, editor.line, editor.sort), (FeatureKind::Feature, 8, 50));
    assert_eq!((editor.expiry, editor.count), (Expiry::Permanent, Count::Counted(4)));
    assert_eq!(editor.key.as_deref(), Some("0123456789ABCDEF0123"));
    assert_eq!((solver.kind, solver.line, solver.sort), (FeatureKind::Increment, 9, 100));
    assert_eq!(solver.expiry.to_string(), "31-dec-2099");
    assert_eq!(solver.starts, Date::new(2025, 1, 1));
    assert_eq!(solver.issued, solver.starts);
    assert_eq!(solver.attributes["VENDOR_STRING"], "pool one");
    assert_eq!(solver.key.as_deref(), Some("0F1E 2D3C 4B5A 6978 8796 A5B4 C3D2 E1F0"));
    assert_eq!(
        license.triad_identity().to_string(),
        "host ids 0019d244e9fc, 17007ea8, composite=72b1a0c34d5e"
    );
}

#[test]
fn license_without_server_may_be_node_locked() {
    let license = parse(include_str!("licenses/node_locked.lic"));
    assert_eq!(license.warnings, []);
    let [first, second] = license.features.as_slice() else { panic!("two features") };
    assert_eq!(first.count, Count::Uncounted);
    assert_eq!(first.attributes["TS_OK"], "");
    assert_eq!(first.host_id, Some("HOSTNAME=delta ID=1234".parse().unwrap()));
    assert_eq!(second.attributes["AUTH"], r#"{ acme=( LK=0011 SIGN="00 11" ) }"#);
    assert_eq!(second.key, None);
    assert_eq!(license.triad_identity().to_string(), "no servers");
}

#[test]
fn triad_identity_of_a_license_ignores_what_may_be_edited() {
    let text = include_str!("licenses/triad.lic");
    let own = parse(text).triad_identity();
    let edited = text
        .replace("alpha", "10.0.0.1")
        .replace("27000", "27001")
        .replace("PRIMARY_IS_MASTER HEARTBEAT_INTERVAL=10", "")
        .replace("00-19-D2-44-E9-FC", "0019d244e9fc");
    assert_eq!(parse(&edited).triad_identity(), own);
    let swapped = text.replace("17007ea8", "17007ea9");
    assert_ne!(parse(&swapped).triad_identity(), own);
}

#[test]
fn license_text_reads_the_same_with_crlf_and_byte_order_mark() {
    let text = include_str!("licenses/triad.lic");
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(parse(&windows), parse(text));
}

#[test]
fn license_model_survives_serialisation() {
    for text in [include_str!("licenses/triad.lic"), include_str!("licenses/node_locked.lic")] {
        let license = parse(text);
        let written = serde_json::to_string(&license).unwrap();
        let back: License = serde_json::from_str(&written).unwrap();
        assert_eq!(back, license);
        // Equality is by value; the text must come back as well.
        assert_eq!(format!("{back:?}"), format!("{license:?}"));
    }
}

#[test]
fn license_server_lines_accept() {
    #[rustfmt::skip]
    let cases = [
        ("SERVER h ANY", None, None),
        ("SERVER h ANY 1", Some(1), None),
        ("SERVER h ANY TCP:1700", Some(1700), None),
        ("SERVER h ANY tcp:65535", Some(65535), None),
        ("  SERVER\th  ANY\t27000  ", Some(27000), None),
        ("SERVER h ANY 27000 HEARTBEAT_INTERVAL=0", Some(27000), None),
        ("SERVER h ANY HEARTBEAT_INTERVAL=1", None, HeartbeatInterval::new(1)),
        ("SERVER h ANY 27000 HEARTBEAT_INTERVAL=120 PRIMARY_IS_MASTER", Some(27000), HeartbeatInterval::new(120)),
        ("SERVER h \\\n\tANY \\\n 27000", Some(27000), None),
        ("SERVER h\\\nANY\\\n27000", Some(27000), None),
    ];
    for (text, port, interval) in cases {
        let license = parse(text);
        assert_eq!(license.servers[0].port, port, "{text}");
        assert_eq!(license.heartbeat_interval(), interval, "{text}");
        assert_eq!(license.servers[0].host, "h", "{text}");
    }
}

#[test]
fn license_server_lines_refuse() {
    #[rustfmt::skip]
    let cases = [
        ("SERVER", "1:7: the SERVER line has no host name, write SERVER host hostid port, for example SERVER alpha 0019d244e9fc 27000"),
        ("SERVER h", "1:9: the SERVER line has no host id, write SERVER host hostid port, for example SERVER alpha 0019d244e9fc 27000"),
        ("SERVER h DEMO 27000", "1:10: DEMO is not a host id for a server, write the server's own host id, or ANY"),
        ("SERVER h xyz 27000", "1:10: `xyz` is not a host id: 'x' is not a hexadecimal digit, write the digits of the host id like 0019d244e9fc, ANY, or TYPE=value like ID=1234"),
        ("SERVER h ID= 27000", "1:10: `ID=` is not a host id: one side of the = is empty, write the digits of the host id like 0019d244e9fc, ANY, or TYPE=value like ID=1234"),
        ("SERVER h ANY 0", "1:14: `0` is not a port number, write a number from 1024 to 64000, for example 27000"),
        ("SERVER h ANY 70000", "1:14: `70000` is not a port number, write a number from 1024 to 64000, for example 27000"),
        ("SERVER h ANY 27000x", "1:14: `27000x` is not a port number, write a number from 1024 to 64000, for example 27000"),
        ("SERVER h ANY 27000 COLOR=red", "1:20: `COLOR=red` is neither a port nor a SERVER attribute, write a port, PRIMARY_IS_MASTER or HEARTBEAT_INTERVAL=seconds, or remove it"),
        ("SERVER h ANY HEARTBEAT_INTERVAL=500", "1:33: HEARTBEAT_INTERVAL is `500`, more than 120, write a number of seconds from 1 to 120, or 0 for the default"),
        ("SERVER h ANY HEARTBEAT_INTERVAL=121", "1:33: HEARTBEAT_INTERVAL is `121`, more than 120, write a number of seconds from 1 to 120, or 0 for the default"),
        ("SERVER h ANY HEARTBEAT_INTERVAL=-1", "1:33: HEARTBEAT_INTERVAL is `-1`, not a whole number, write a number of seconds from 1 to 120, or 0 for the default"),
        ("SERVER h ANY HEARTBEAT_INTERVAL=2.5", "1:33: HEARTBEAT_INTERVAL is `2.5`, not a whole number, write a number of seconds from 1 to 120, or 0 for the default"),
        ("SERVER h ANY \\\n HEARTBEAT_INTERVAL=", "2:21: HEARTBEAT_INTERVAL has no value, write a number of seconds from 1 to 120, or 0 for the default"),
        ("SERVER h ANY HEARTBEAT_INTERVAL", "1:14: HEARTBEAT_INTERVAL has no value, write HEARTBEAT_INTERVAL=seconds without blanks"),
        ("SERVER h ANY PRIMARY_IS_MASTER=1", "1:14: PRIMARY_IS_MASTER takes no value, write PRIMARY_IS_MASTER alone, or remove it"),
        ("SERVER h ANY PRIMARY_IS_MASTER PRIMARY_IS_MASTER", "1:32: PRIMARY_IS_MASTER stands twice on the line, remove one of them"),
        ("SERVER h ANY 27000 \\\nVENDOR acme", "2:1: this VENDOR line is joined to the line above, which ends in \\, remove the \\ at the end of the line above"),
        ("SERVER a 1 2000\nSERVER b 2 2000", "2:1: the file has 2 SERVER lines, write one for a single server or three for a triad"),
        ("SERVER a 1 2000\nSERVER b 2 2000\nSERVER c 3 2000\nSERVER d 4 2000\nSERVER e 5 2000", "4:1: the file has 5 SERVER lines, write one for a single server or three for a triad"),
        ("SERVER a 1\nSERVER b 2 2000\nSERVER c 3 2000", "1:11: a SERVER line of a triad has no port, write the port after the host id, for example 27000"),
        ("SERVER a 1 2000\nSERVER b 2 1023\nSERVER c 3 64001", "2:12: port 1023 cannot be used by a triad, write a number from 1024 to 64000, for example 27000\n3:12: port 64001 cannot be used by a triad, write a number from 1024 to 64000, for example 27000"),
        ("SERVER a 1 2000\nSERVER b 2 2000\nSERVER A 3 2000", "3:8: `A` with port 2000 stands on line 1 already, write a different host name or a different port"),
    ];
    for (text, expected) in cases {
        check_refused(text, expected);
    }
}

#[test]
fn license_vendor_lines_accept() {
    #[rustfmt::skip]
    let cases = [
        ("VENDOR acme", None, None, None),
        ("DAEMON acme /opt/acme/acmed", Some("/opt/acme/acmed"), None, None),
        (r"DAEMON acme C:\acme\acmed.exe PORT=27008", Some(r"C:\acme\acmed.exe"), None, Some(27008)),
        ("VENDOR acme /p /o 27008", Some("/p"), Some("/o"), Some(27008)),
        ("VENDOR acme port=27008 options=/o", None, Some("/o"), Some(27008)),
        ("VENDOR acme OPTIONS=/o 27008", None, Some("/o"), Some(27008)),
        ("VENDOR acme PORT=0", None, None, None),
        (r#"VENDOR acme "C:\Program Files\acmed.exe""#, Some(r"C:\Program Files\acmed.exe"), None, None),
        (r#"VENDOR acme "C:\acme\""#, Some(r"C:\acme\"), None, None),
        ("VENDOR acme /opt/a=b", Some("/opt/a=b"), None, None),
    ];
    for (text, path, options, port) in cases {
        let vendor = parse(text).vendor.unwrap();
        assert_eq!(vendor.name, "acme", "{text}");
        assert_eq!(
            (vendor.path.as_deref(), vendor.options.as_deref(), vendor.port),
            (path, options, port),
            "{text}"
        );
    }
}

#[test]
fn license_vendor_lines_refuse() {
    #[rustfmt::skip]
    let cases = [
        ("VENDOR", "1:7: the VENDOR line has no vendor name, write VENDOR name"),
        ("VENDOR acme 27000", "1:13: `27000` stands where a path is expected, write PORT= before it if it is a port"),
        ("VENDOR acme PORT=70000", "1:18: `70000` is not a port number, write a number from 1 to 65535, or 0 for any free port"),
        ("VENDOR acme PORT=+1", "1:18: `+1` is not a port number, write a number from 1 to 65535, or 0 for any free port"),
        ("VENDOR acme PLAT=1", "1:13: `PLAT` is not a VENDOR attribute, write OPTIONS=path or PORT=port, or remove it"),
        ("VENDOR acme PORT=1 PORT=2", "1:20: `PORT=2` is one word too many on the VENDOR line, write VENDOR name path OPTIONS=path PORT=port"),
        ("VENDOR acme\nDAEMON acme", "2:1: the file has more than one VENDOR line, remove it, or give the other vendor's features a file of their own: the same servers can serve both"),
        ("SERVER h ANY\nINCREMENT f acme 1 permanent 5", "2:13: the file has no VENDOR line for vendor `acme`, write VENDOR and that name on a line before it"),
        ("SERVER h ANY\nVENDOR acme\nINCREMENT f other 1 permanent 5", "3:13: the vendor `other` is not `acme` of the VENDOR line, move the line to a file for that vendor: the same servers can serve both"),
        ("VENDOR acme\nINCREMENT f acme 1 permanent 5", "2:30: `f` has 5 seats to count but the file has no SERVER line, write SERVER host hostid port as the first line"),
    ];
    for (text, expected) in cases {
        check_refused(text, expected);
    }
}

#[test]
fn license_feature_lines_accept() {
    #[rustfmt::skip]
    let cases = [
        ("INCREMENT f acme 1 permanent 5", "f", "1", "permanent", "5", None),
        ("INCREMENT f acme 1 PERMANENT 5 0123456789ab", "f", "1", "permanent", "5", Some("0123456789ab")),
        ("FEATURE f acme 1.5 1-JAN-2030 5 0123456789abcdef A=1", "f", "1.5", "01-jan-2030", "5", Some("0123456789abcdef")),
        ("FEATURE a/b-c acme 1 01-jan-0000 5 \\\n 0123456789abcdef0123 SIGN=1", "a/b-c", "1", "permanent", "5", Some("0123456789abcdef0123")),
        ("FEATURE f acme 1 1-jan-00 0 HOSTID=DEMO", "f", "1", "permanent", "uncounted", None),
        ("FEATURE f acme 1 1-jan-000 uncounted HOSTID=ANY", "f", "1", "permanent", "uncounted", None),
        ("FEATURE f acme 1 29-feb-2028 4294967295 SIGN=\"AA \\\n\t\tBB\"", "f", "1", "29-feb-2028", "4294967295", Some("AA BB")),
        ("FEATURE f acme 1 permanent 5 SIGN=\"AA BB \\\n\t CC DD\\\n  EE  FF\"", "f", "1", "permanent", "5", Some("AA BB CC DDEE  FF")),
        ("INCREMENT f acme 1 permanent 5 SIGN=AA\\\nSN=7", "f", "1", "permanent", "5", Some("AA")),
        ("INCREMENT f acme 1 permanent 5 VENDOR_STRING=vi=0:at=200;x SIGN=\"A\"\\\n\tSN=7", "f", "1", "permanent", "5", Some("A")),
        ("INCREMENT f acme 1 permanent 5 NOTICE=\"größe “42” # no comment\" SIGN=A", "f", "1", "permanent", "5", Some("A")),
        ("INCREMENT \\\n f acme 1 permanent 5 OWN_WORD OWN.KEY=", "f", "1", "permanent", "5", None),
    ];
    for (line, name, version, expiry, count, key) in cases {
        let text = format!("{HEADER}{line}\n");
        let license = parse(&text);
        let feature = &license.features[0];
        let read = (
            feature.name.as_str(),
            feature.version.to_string(),
            feature.expiry.to_string(),
            feature.count.to_string(),
            feature.key.as_deref(),
        );
        assert_eq!(read, (name, version.to_owned(), expiry.to_owned(), count.to_owned(), key), "{line}");
        assert_eq!(warnings(&text), <[String; 0]>::default(), "{line}");
    }
}

#[test]
fn license_feature_lines_refuse() {
    #[rustfmt::skip]
    let cases = [
        ("INCREMENT f acme 1 permanent", "3:29: the INCREMENT line has no number of seats, write INCREMENT feature vendor version dd-mmm-yyyy seats, on one line or joined with \\"),
        ("FEATURE", "3:8: the FEATURE line has no feature name, write FEATURE feature vendor version dd-mmm-yyyy seats, on one line or joined with \\"),
        ("INCREMENT f acme 2.1b permanent 5", "3:18: `2.1b` is not a version: it contains 'b', write digits with at most one point, like 2.10"),
        ("INCREMENT f acme 1.2.3 permanent 5", "3:18: `1.2.3` is not a version: it has a second point, write digits with at most one point, like 2.10"),
        ("INCREMENT f acme -1 permanent 5", "3:18: `-1` is not a version: it has a sign, write digits with at most one point, like 2.10"),
        ("INCREMENT f acme 1 31-foo-2030 5", "3:20: `31-foo-2030` is not an expiry date: there is no such month, write it like 31-dec-2099, or permanent"),
        ("INCREMENT f acme 1 30-feb-2030 5", "3:20: `30-feb-2030` is not an expiry date: there is no such day, write it like 31-dec-2099, or permanent"),
        ("INCREMENT f acme 1 2030/12/31 5", "3:20: `2030/12/31` is not an expiry date: it is not of the form dd-mmm-yyyy, write it like 31-dec-2099, or permanent"),
        ("INCREMENT f acme 1 1-jan-203 5", "3:20: `1-jan-203` is not an expiry date: the year does not have four digits, write it like 31-dec-2099, or permanent"),
        ("INCREMENT f acme 1 permanent five", "3:30: `five` is not a number of seats, write a whole number, or uncounted with HOSTID="),
        ("INCREMENT f acme 1 permanent -5", "3:30: `-5` is not a number of seats, write a whole number, or uncounted with HOSTID="),
        ("INCREMENT f acme 1 permanent 4294967296", "3:30: `4294967296` seats are more than 4294967295, write a smaller number"),
        ("INCREMENT f acme 1 permanent 0", "3:30: `f` is uncounted but not locked to a host, write HOSTID= with the host id, or HOSTID=ANY, on the line, or a number of seats"),
        ("INCREMENT f acme 1 permanent uncounted hostid=ANY", "3:30: `f` is uncounted but not locked to a host, write HOSTID= with the host id, or HOSTID=ANY, on the line, or a number of seats"),
        ("INCREMENT f acme 1 permanent 5 HOSTID=DEMO", "3:30: `f` is counted but has HOSTID=DEMO, write uncounted, or another HOSTID"),
        ("INCREMENT f acme 1 permanent 5 HOSTID=", "3:39: the host id is empty, write the digits of the host id like 0019d244e9fc, ANY, or TYPE=value like ID=1234"),
        ("INCREMENT f acme 1 permanent 5 START=soon", "3:38: START is `soon`, not a date: it is not of the form dd-mmm-yyyy, write it like 31-dec-2099"),
        ("INCREMENT f acme 1 permanent 5 ISSUED=1-jan-0", "3:39: ISSUED=1-jan-0 has the year zero, write it like 31-dec-2099"),
        ("INCREMENT f acme 1 permanent 5 sort=first", "3:37: sort is `first`, not a whole number, write sort=n, lower is used first, or remove it for 100"),
        ("INCREMENT f acme 1 permanent 5 SN=1 SN=2", "3:37: `SN` stands twice on the line, remove one of them"),
        ("INCREMENT f acme 1 permanent 5 SN = 1", "3:35: `=` has nothing before the =, write KEY=value without blanks around the =\n3:37: `1` is not an attribute, write KEY=value, with quotes around a value that contains blanks"),
        ("INCREMENT f acme 1 permanent 5 SN=1 0123456789AB", "3:37: `0123456789AB` is not an attribute, write the license key directly after the number of seats"),
        ("INCREMENT f acme 1 permanent 5 \"pool one\"", "3:32: the text `pool one` has no attribute name, write VENDOR_STRING=, NOTICE= or the like directly before the quote"),
        ("INCREMENT f acme 1 permanent 5 NOTICE=\"no end\n", "3:39: the quote that opens here is not closed, write \" at the end of the value, and \\ at the end of each line the value continues on"),
        ("INCREMENT f acme 1 permanent 5 NOTICE=\"no end”\n", "3:46: ” is a typographic quotation mark, as in a formatted document, write a straight \" instead"),
        ("INCREMENT f acme 1 permanent 5 NOTICE=“curly”", "3:39: “ is a typographic quotation mark, as in a formatted document, write a straight \" instead"),
        ("INCREMENT f acme 1 permanent 5 NOTICE=\"a\"SN=1", "3:42: text follows directly after the closing quote of `NOTICE=a`, write a blank between them, or close the quote that was opened earlier"),
        ("INCREMENT f acme 1 permanent 5 AUTH={ a=( )", "3:37: the brace that opens here is not closed, write } at the end of the value, and \\ at the end of each line the value continues on"),
        ("INCREMENT f acme 1 permanent 5 SN=\u{7}", "3:35: the control character \\u{7} stands in the line, remove it"),
        ("INCREMENT größe acme x permanent 5", "3:22: `x` is not a version: it contains 'x', write digits with at most one point, like 2.10"),
        ("INCREMENT f acme 1 permanent 5 \\\nINCREMENT g acme 1 permanent 5", "4:1: this INCREMENT line is joined to the line above, which ends in \\, remove the \\ at the end of the line above"),
    ];
    for (line, expected) in cases {
        check_feature_refused(line, expected);
    }
}

#[test]
fn license_lines_of_other_kinds_are_refused() {
    #[rustfmt::skip]
    let cases = [
        ("FEATUER f acme 1 permanent 5", "1:1: `FEATUER` is not a license file keyword, write FEATURE, or start the line with # if it is a comment"),
        ("SERVR alpha ANY", "1:1: `SERVR` is not a license file keyword, write SERVER, or start the line with # if it is a comment"),
        ("USESERVER", "1:1: `USESERVER` is not a license file keyword, write USE_SERVER, or start the line with # if it is a comment"),
        ("RESERVE 1 f USER u", "1:1: `RESERVE` is not a license file keyword, write SERVER, VENDOR, USE_SERVER, FEATURE or INCREMENT, or start the line with # if it is a comment"),
        ("TOTALLY different", "1:1: `TOTALLY` is not a license file keyword, write SERVER, VENDOR, USE_SERVER, FEATURE or INCREMENT, or start the line with # if it is a comment"),
        ("UPGRADE f acme 1 2 permanent 5", "1:1: UPGRADE lines are not supported, remove the line, or ask the publisher for INCREMENT lines of the new version"),
        ("PACKAGE p acme 1", "1:1: PACKAGE lines are not supported, remove the line, or ask the publisher for INCREMENT lines of its components"),
        ("FEATURESET acme 12", "1:1: FEATURESET lines are not supported, remove the line, its checksum is obsolete"),
        ("HOST alpha ANY 5053", "1:1: HOST lines belong to RLM license files, which are not supported, ask the publisher for SERVER and INCREMENT lines, or start the line with # if it is a comment"),
        ("sampled-f1-00737-55296-1825", "1:1: the decimal license `sampled-f1-00737-55296-1825` is not supported, ask the publisher for FEATURE or INCREMENT lines"),
        ("\tSIGN=\"AA BB\"", "1:2: SIGN= stands at the start of a line, write \\ at the end of the line above that it belongs to, or start the line with #"),
        ("# see C:\\acme\\\nSERVER alpha ANY", "2:1: this SERVER line is joined to the comment above, which ends in \\, remove the \\ above, or start this line with # too"),
        ("Server", "1:7: the SERVER line has no host name, write SERVER host hostid port, for example SERVER alpha 0019d244e9fc 27000, or start the line with # if it is a comment"),
    ];
    for (text, expected) in cases {
        check_refused(text, expected);
    }
}

#[test]
fn license_with_oddities_is_read_with_warnings() {
    let feature = "INCREMENT f acme 1 permanent 5 SIGN=A";
    #[rustfmt::skip]
    let cases = [
        (format!("server alpha ANY\nVENDOR acme\n{feature}"), "1:1: `server` read as SERVER; write it in capitals"),
        (format!("{HEADER}hello world\n{feature}"), "3:1: text without a keyword taken for a comment; start the line with #"),
        (format!("{HEADER}License file for you\n{feature}"), "3:1: text without a keyword taken for a comment; start the line with #"),
        (format!("{HEADER}{feature} # don't \"look"), "3:39: text behind # taken for a comment; write comments on lines of their own"),
        (format!("{HEADER}USE_SERVER now\n{feature}"), "3:12: USE_SERVER takes no arguments, `now` ignored"),
        (format!("SERVER alpha ANY PLAT=3\nVENDOR acme\n{feature}"), "1:18: PLAT is not supported, ignored"),
        (format!("{}\n{feature}", TRIAD.replace("2 2000", "2 2000 PRIMARY_IS_MASTER")), "2:17: PRIMARY_IS_MASTER has a meaning on the first SERVER line only, ignored"),
        (format!("{}\n{feature}", TRIAD.replace("3 2000", "3 2000 HEARTBEAT_INTERVAL=999")), "3:17: HEARTBEAT_INTERVAL has a meaning on the first SERVER line only, ignored"),
        (format!("{HEADER}INCREMENT f acme 1 01-jan-20 5"), "3:20: a year of two digits means 19xx, read as 1920; write four digits"),
        (format!("{HEADER}INCREMENT f acme 2020.111 permanent 5"), "3:18: version 2020.111 looks like a date without its leading zero; versions compare as decimal numbers, so 2020.201 is more than 2020.1231"),
        (format!("{HEADER}{feature} dup_group=UHD"), "3:39: attribute `dup_group` is not DUP_GROUP and has no effect"),
        (format!("{HEADER}{feature} HOTSID=ANY"), "3:39: attribute `HOTSID` is not HOSTID and has no effect"),
        (HEADER.to_owned(), "1:1: the file has no FEATURE or INCREMENT line"),
    ];
    for (text, expected) in cases {
        assert_eq!(warnings(&text), [expected], "in\n{text}");
        assert!(!parse(&text).servers.iter().skip(1).any(|server| server.primary_is_master));
    }
    let unsigned = parse(&format!("{HEADER}INCREMENT f acme 1 permanent 5"));
    assert_eq!(
        unsigned.warnings[0].to_string(),
        "3:1: `f` is unsigned: it has neither SIGN= nor a license key"
    );
}

#[test]
fn license_errors_come_in_line_order_and_are_bounded() {
    let text = "INCREMENT f other x permanent 5\nINCREMENT g other 1 permanent 5\nVENDOR acme\nSERVR\n";
    let errors = License::parse(text).unwrap_err().0;
    let places: Vec<_> = errors.iter().map(|error| (error.line, error.column)).collect();
    assert_eq!(places, [(1, 19), (2, 13), (2, 31), (4, 1)]);
    let many = License::parse(&"SERVR\n".repeat(10_000)).unwrap_err().0;
    assert_eq!(many.len(), MAX_ERRORS);
}

#[test]
fn license_beyond_its_limits_is_refused() {
    let too_big = "#".repeat(MAX_FILE_BYTES + 1);
    check_refused(
        &too_big,
        "1:1: the file has 16777217 bytes, at most 16777216 are read, remove comments and lines that have expired, and give each vendor a file of its own",
    );
    let at_limit = "#".repeat(MAX_LOGICAL_LINE_BYTES);
    parse(&at_limit);
    let too_long = format!("\n# {}", "x\\\n".repeat(MAX_LOGICAL_LINE_BYTES));
    check_refused(
        &too_long,
        "2:1: the line and its continuations are longer than 65536 bytes, split it, or remove a \\ at the end of a line that should not continue",
    );
    let feature = "INCREMENT f acme 1 permanent 5\n";
    let full = format!("{HEADER}{}", feature.repeat(MAX_FEATURE_LINES));
    assert_eq!(parse(&full).features.len(), MAX_FEATURE_LINES);
    check_refused(
        &format!("{full}{feature}SERVER late ANY"),
        "200003:1: the file has 200001 FEATURE and INCREMENT lines, at most 200000 are served, remove lines that have expired, or ask the publisher for fewer lines of more seats",
    );
}

#[test]
fn license_of_hostile_shape_takes_linear_time() {
    // Each of these is quadratic for a parser that looks back or ahead once too often.
    let shapes = [
        "\\\n",
        "\" ",
        "{ ",
        "a=",
        "SERVER a 1 2000\n",
        "x\n",
        "# \\\n",
        "FEATURE f acme 1 permanent 5 \\\n",
    ];
    for shape in shapes {
        let text = shape.repeat((1 << 20) / shape.len());
        let _ = License::parse(&text);
        let _ = License::parse(&format!("{HEADER}{}", &text[..60_000]));
    }
    let mut words = format!("{HEADER}INCREMENT f acme 1 permanent 5");
    for number in 0..8_000 {
        words.push_str(&format!(" A{number}"));
    }
    assert_eq!(parse(&words).features[0].attributes.len(), 8_000);
}

#[test]
fn license_host_ids_compare_without_case_and_separators() {
    let id = |text: &str| text.parse::<HostId>().unwrap();
    let equal = [
        ("0019d244e9fc", "00-19-D2-44-E9-FC"),
        ("0019d244e9fc", "00:19:d2:44:e9:fc"),
        ("any", "ANY"),
        ("ID=12-34", "id=1234"),
        ("HOSTNAME=Alpha", "HOSTNAME=alpha"),
        ("ACME_HOSTID=08-00-76", "ACME_HOSTID=080076"),
        ("1 2", "2 1"),
    ];
    for (left, right) in equal {
        assert_eq!(id(left), id(right));
    }
    let different = [("12", "13"), ("HOSTNAME=a-b", "HOSTNAME=ab"), ("USER=Ann", "USER=ann"), ("1", "1 2")];
    for (left, right) in different {
        assert_ne!(id(left), id(right));
    }
    for text in ["123bc3434fda2", "00-19-D2-44-E9-FC", "INTERNET=10.0.*.*", "ID=1 ID=2"] {
        assert_eq!(id(text).to_string(), text);
    }
}

#[test]
fn license_dates_are_days_in_utc() {
    const DAY: u64 = 86_400_000;
    #[rustfmt::skip]
    let cases = [
        ("1-jan-1970", 0, DAY),
        ("31-dec-1969", 0, 0),
        ("01-JAN-1960", 0, 0),
        ("28-Feb-2000", 951_696_000_000, 951_782_400_000),
        ("29-feb-2000", 951_782_400_000, 951_868_800_000),
        ("1-mar-2000", 951_868_800_000, 951_955_200_000),
        ("31-dec-2099", 4_102_358_400_000, 4_102_444_800_000),
        ("31-dec-9999", 253_402_214_400_000, 253_402_300_800_000),
    ];
    for (text, start, end) in cases {
        let date: Date = text.parse().unwrap();
        assert_eq!((date.start_ms(), date.end_ms()), (start, end), "{text}");
        assert!(Expiry::On(date) < Expiry::Permanent);
    }
    assert_eq!(Date::new(2100, 2, 29), None);
    assert_eq!(Date::new(2024, 13, 1), None);
    assert!("1-jan-0".parse::<Date>().is_err());
}
