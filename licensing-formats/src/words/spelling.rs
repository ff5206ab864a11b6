//! Guessing which known word a misspelt one was meant as.

/// Words longer than this are not compared; every keyword and attribute is shorter, and the comparison
/// takes time in proportion to the length.
const MAX_COMPARED_CHARACTERS: usize = 24;

/// The candidate with the smallest distance to `word`, at most `most`; the first of equals.
pub(crate) fn nearest(
    word: &str,
    candidates: impl Iterator<Item = &'static str>,
    most: usize,
) -> Option<&'static str> {
    let word: Vec<char> = word.chars().take(MAX_COMPARED_CHARACTERS + 1).collect();
    if word.len() > MAX_COMPARED_CHARACTERS {
        return None;
    }
    // Each letter of difference in length costs at least one; most candidates end here.
    let similar = candidates.filter(|name| name.len().abs_diff(word.len()) <= most);
    let measured = similar.map(|name| (distance(&word, name), name));
    measured
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to turn one word
/// into the other (optimal string alignment).
fn distance(word: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=name.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in word.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        let mut previous_name_letter = None;
        for (column, name_letter) in name.iter().enumerate() {
            let at = |costs: &[usize], column: usize| costs.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&above, column) + usize::from(letter != name_letter);
            let mut cost = replaced.min(at(&above, column + 1) + 1).min(left + 1);
            if previous_letter == Some(name_letter) && previous_name_letter == Some(letter) {
                cost = cost.min(at(&before, column.wrapping_sub(1)) + 1);
            }
            current.push(cost);
            left = cost;
            previous_name_letter = Some(name_letter);
        }
        previous_letter = Some(letter);
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(usize::MAX)
}
