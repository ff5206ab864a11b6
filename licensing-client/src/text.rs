//! Small words that every program of the house says alike.

use crate::search_path::ServerAddress;

/// `1 seat`, `2 seats`: a count with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `host:port`, as `licensectl primary` prints it and curl takes it.
pub fn host_and_port(address: &ServerAddress) -> String {
    if address.host.contains(':') {
        format!("[{}]:{}", address.host, address.port)
    } else {
        format!("{}:{}", address.host, address.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "seat"), "1 seat");
        assert_eq!([counted(0, "seat"), counted(2, "seat")], ["0 seats", "2 seats"]);
    }

    #[test]
    fn an_address_of_ipv6_keeps_its_brackets() {
        assert_eq!(host_and_port(&ServerAddress::new("pat", 27000)), "pat:27000");
        assert_eq!(host_and_port(&ServerAddress::new("::1", 27000)), "[::1]:27000");
    }
}
