//! What is assumed of Azure where its documents are silent, every switch both ways, so that each
//! two switches meet in all their combinations.

use azure_sim::{Assumptions, BaselineReports, HotpatchReports, SecondOperation, TagsPatch};

/// Minutes until Resource Graph shows a change: little, and the worst that users tell of.
const GRAPH_LAGS: [u32; 3] = [1, 8, 30];

/// Minutes until the Activity Log shows an event.
const LOG_DELAYS: [u32; 3] = [2, 8, 15];

/// How many values each switch has, in the order in which [`of`] reads them.
const SWITCHES: [usize; 13] = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 2];

/// A value for each switch.
type Row = [usize; SWITCHES.len()];

/// Two switches with a value each.
type Pair = ((usize, usize), (usize, usize));

/// Returns sets of assumptions in which every two switches meet in all combinations. The first is
/// what is held to be true.
pub fn rows() -> Vec<Assumptions> {
    covering().iter().map(of).collect()
}

fn of(row: &Row) -> Assumptions {
    let [
        second,
        never,
        stages,
        hotpatch,
        baseline,
        assesses,
        superseded,
        twice,
        dotnet,
        tags,
        lag,
        delay,
        rerun,
    ] = *row;
    Assumptions {
        second_operation: [SecondOperation::Refused, SecondOperation::Queued][second],
        model_never_overrides_if_required: never == 1,
        platform_stages_under_never: stages == 1,
        hotpatch_reports: [
            HotpatchReports::NeverReboots,
            HotpatchReports::CanRequestReboot,
        ][hotpatch],
        baseline_reports: [
            BaselineReports::AlwaysRequiresReboot,
            BaselineReports::CanRequestReboot,
        ][baseline],
        assesses_after_install: assesses == 0,
        superseded_offered: superseded == 1,
        baseline_reboots_twice: twice == 1,
        dotnet_needs_reboot: dotnet == 1,
        tags_patch: [TagsPatch::Merge, TagsPatch::Replace][tags],
        graph_lag_minutes: GRAPH_LAGS[lag],
        // How much one query may ask for changes what an inventory costs, not what it tells.
        graph_remote_tables: 1,
        activity_log_delay_minutes: LOG_DELAYS[delay],
        repeated_run_command_runs: rerun == 0,
    }
}

fn pairs_of(row: &Row) -> impl Iterator<Item = Pair> + '_ {
    (0..row.len()).flat_map(move |first| {
        (0..first).map(move |other| ((other, row[other]), (first, row[first])))
    })
}

/// Builds the rows greedily: each is begun by a pair that is still missing, and every further
/// switch takes the value that meets most of the missing ones.
fn covering() -> Vec<Row> {
    let mut missing: std::collections::BTreeSet<Pair> = std::collections::BTreeSet::new();
    let switches = || SWITCHES.iter().copied().enumerate();
    for (first, values) in switches() {
        for (other, others) in switches().take(first) {
            for value in 0..values {
                missing.extend((0..others).map(|own| ((other, own), (first, value))));
            }
        }
    }
    let mut rows = vec![[0; SWITCHES.len()]];
    for pair in pairs_of(&rows[0]) {
        missing.remove(&pair);
    }
    while let Some((one, two)) = missing.first().copied() {
        let row = row_with(one, two, &missing);
        for pair in pairs_of(&row) {
            missing.remove(&pair);
        }
        rows.push(row);
    }
    rows
}

fn row_with(
    one: (usize, usize),
    two: (usize, usize),
    missing: &std::collections::BTreeSet<Pair>,
) -> Row {
    let mut chosen: Vec<(usize, usize)> = vec![one, two];
    for (switch, values) in SWITCHES.iter().copied().enumerate() {
        if chosen.iter().any(|own| own.0 == switch) {
            continue;
        }
        let gain = |value: usize| {
            let meets = |own: &&(usize, usize)| {
                let mut pair = [**own, (switch, value)];
                pair.sort_unstable();
                missing.contains(&(pair[0], pair[1]))
            };
            chosen.iter().filter(meets).count()
        };
        // Of equal gains the first value, so that the rows never depend on anything else.
        let best = (0..values).rev().max_by_key(|value| gain(*value));
        chosen.push((switch, best.unwrap_or(0)));
    }
    let mut row = [0; SWITCHES.len()];
    for (switch, value) in chosen {
        row[switch] = value;
    }
    row
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_two_switches_meet_in_all_combinations() {
        let rows = covering();
        let met: BTreeSet<Pair> = rows.iter().flat_map(pairs_of).collect();
        let mut wanted = 0;
        for (first, values) in SWITCHES.iter().enumerate() {
            wanted += values * SWITCHES[..first].iter().sum::<usize>();
        }
        assert_eq!(met.len(), wanted);
        assert!(rows.len() <= 18, "{} rows", rows.len());
    }

    #[test]
    fn the_first_row_is_what_is_held_to_be_true() {
        assert_eq!(rows()[0], Assumptions::default());
    }
}
