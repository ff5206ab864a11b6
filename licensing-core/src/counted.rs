//! A count with its noun, as every text of the house says it.

/// `1 seat`, `2 seats`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "seat"), "1 seat");
        assert_eq!([counted(0, "seat"), counted(2, "seat")], ["0 seats", "2 seats"]);
    }
}
