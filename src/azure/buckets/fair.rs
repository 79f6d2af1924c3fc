//! Who of several goes first where there is not enough for all.

use std::collections::BTreeMap;

/// Divides what there is among those who want some: one each in turn, so that nobody gets a second
/// before everybody has a first. `served` is what each got lately; who got least is first.
///
/// Guarantees: nobody gets more than he wants, all together get no more than there is, and nothing
/// is left over while anybody wants more.
pub fn shares<K: Ord + Clone>(
    wanted: &BTreeMap<K, u32>,
    served: &BTreeMap<K, u32>,
    available: u32,
) -> BTreeMap<K, u32> {
    let mut given: BTreeMap<K, u32> = wanted.keys().map(|key| (key.clone(), 0)).collect();
    let mut order: Vec<&K> = wanted.keys().collect();
    order.sort_by_key(|key| served.get(*key).copied().unwrap_or(0));
    let mut left = available;
    loop {
        let before = left;
        for key in &order {
            if left == 0 {
                return given;
            }
            if let Some(own) = given.get_mut(*key)
                && *own < wanted[*key]
            {
                *own += 1;
                left -= 1;
            }
        }
        if left == before {
            return given;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[(&'static str, u32)]) -> BTreeMap<&'static str, u32> {
        rows.iter().copied().collect()
    }

    #[test]
    fn nobody_gets_a_second_before_everybody_has_a_first() {
        let rows = [
            (
                vec![("a", 100), ("b", 3)],
                vec![],
                10,
                vec![("a", 7), ("b", 3)],
            ),
            (
                vec![("a", 100), ("b", 100)],
                vec![],
                7,
                vec![("a", 4), ("b", 3)],
            ),
            (
                vec![("a", 100), ("b", 100)],
                vec![("a", 4), ("b", 3)],
                7,
                vec![("a", 3), ("b", 4)],
            ),
            (
                vec![("a", 1), ("b", 1), ("c", 1)],
                vec![("a", 9)],
                2,
                vec![("a", 0), ("b", 1), ("c", 1)],
            ),
            (vec![("a", 2)], vec![], 50, vec![("a", 2)]),
            (vec![("a", 2)], vec![], 0, vec![("a", 0)]),
            (vec![], vec![], 5, vec![]),
        ];
        for (wanted, served, available, expected) in rows {
            let found = shares(&map(&wanted), &map(&served), available);
            assert_eq!(found, map(&expected), "{wanted:?} {served:?} {available}");
        }
    }

    #[test]
    fn over_time_each_gets_the_same_however_much_another_wants() {
        let wanted = map(&[("large", 5000), ("middle", 40), ("small", 40)]);
        let mut served = BTreeMap::new();
        for _ in 0..20 {
            for (key, count) in shares(&wanted, &served, 5) {
                *served.entry(key).or_insert(0) += count;
            }
        }
        assert_eq!(served, map(&[("large", 34), ("middle", 33), ("small", 33)]));
    }
}
