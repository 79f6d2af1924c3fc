//! The figures beside the numbers that the design asks for.

use super::Measured;
use super::months::{Month, per};
use super::table::{Better, Row, mega};

/// A figure of what was measured; none where it was not.
type Figure = fn(&Measured) -> Option<f64>;

/// Returns a figure for all sizes.
fn row(what: &'static str, decimals: usize, measured: &[Measured], of: Figure) -> Row {
    let figures = measured.iter().map(of);
    let known = figures.map(|own| own.filter(|own| own.is_finite()));
    Row::new(what, decimals, known.collect())
}

/// 429s per 10,000 calls of both months by both installers, and of the wave.
fn throttled(own: &Measured) -> Option<f64> {
    let months: Vec<&Month> = [&own.by_platform, &own.by_operator]
        .into_iter()
        .flatten()
        .flat_map(|own| [&own.hotpatch, &own.baseline])
        .collect();
    let throttled: u64 = months.iter().map(|own| own.throttled).sum();
    let calls: u64 = months.iter().flat_map(|own| own.calls.values()).sum();
    let calls = usize::try_from(calls + own.wave.calls).ok()?;
    Some(10_000.0 * per(throttled + own.wave.throttled, calls))
}

/// Puts all of them beside their goals (design, "Numbers to reach").
pub(super) fn rows(measured: &[Measured]) -> Vec<Row> {
    let mut rows = of_azure(measured);
    rows.extend(of_the_host(measured));
    rows
}

fn of_azure(measured: &[Measured]) -> Vec<Row> {
    let (less, more) = (Better::Less, Better::More);
    let row = |what, decimals, of| row(what, decimals, measured, of);
    vec![
        row("calls per machine, baseline month", 2, |own| {
            Some(own.by_platform.as_ref()?.baseline.calls_per_machine)
        })
        .goal(less, 3.5, 3.1),
        row(
            "calls per machine, hotpatch month, by the platform",
            3,
            |own| Some(own.by_platform.as_ref()?.hotpatch.calls_per_machine),
        )
        .goal(less, 0.05, 0.02),
        row(
            "calls per machine, hotpatch month, by the operator",
            2,
            |own| Some(own.by_operator.as_ref()?.hotpatch.calls_per_machine),
        ),
        row("429s per 10,000 calls, alone", 1, throttled).goal(less, 1.0, 0.0),
        row(
            "429s per 10,000 calls, 30 % taken by somebody else",
            1,
            |own| Some(own.foreign.throttled_per_10000),
        )
        .goal(less, 10.0, 5.0),
        row("bucket use while work remains, %, alone", 1, |own| {
            Some(own.wave.used_percent)
        })
        .goal(more, 90.0, 98.0),
        row("bucket use, %, 30 % taken by somebody else", 1, |own| {
            Some(own.foreign.used_percent)
        })
        .goal(more, 80.0, 85.0),
        row("start to first right plan, s of Azure's time", 1, |own| {
            Some(own.by_platform.as_ref()?.first_plan_seconds)
        })
        .goal(less, 15.0, 10.0),
        row("start to first right plan, CPU s", 2, |own| {
            Some(own.by_platform.as_ref()?.first_plan_cpu_seconds)
        }),
    ]
}

fn of_the_host(measured: &[Measured]) -> Vec<Row> {
    let less = Better::Less;
    let row = |what, decimals, of| row(what, decimals, measured, of);
    vec![
        row("CPU s, an idle pass", 3, |own| {
            Some(own.by_platform.as_ref()?.idle_pass_cpu_seconds)
        })
        .goal(less, 0.5, 0.1),
        row("CPU s, baseline month", 2, |own| {
            Some(own.by_platform.as_ref()?.baseline.cpu_seconds)
        })
        .goal(less, 3.0, 1.0),
        row("peak RSS, MB, records off", 1, |own| {
            Some(mega(own.by_platform.as_ref()?.peak_bytes))
        }),
        row("peak RSS, MB, records All", 1, |own| {
            Some(mega(own.by_operator.as_ref()?.peak_bytes))
        }),
        row(
            "Kubernetes writes per machine, baseline month, records off",
            3,
            |own| Some(own.by_platform.as_ref()?.baseline.writes_per_machine),
        )
        .goal(less, 0.2, 0.08),
        row(
            "Kubernetes writes per machine, baseline month, records All",
            2,
            |own| Some(own.by_operator.as_ref()?.baseline.writes_per_machine),
        )
        .goal(less, 2.5, 1.5),
    ]
}
