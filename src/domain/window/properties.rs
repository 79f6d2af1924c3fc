#![allow(clippy::unwrap_used)] // tests may unwrap

use chrono::Weekday;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Africa/Casablanca",
    "Asia/Beirut",
];

/// 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

/// How long one generated span is at most, in days.
const SPAN_DAYS: i64 = 120;

fn weekday() -> impl Strategy<Value = Weekday> {
    (0_u8..7).prop_map(|n| Weekday::try_from(n).unwrap())
}

fn day() -> impl Strategy<Value = NaiveDate> {
    (0_u64..730).prop_map(|n| NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(n))
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let week = prop::sample::select(vec![
        WeekOfMonth::First,
        WeekOfMonth::Second,
        WeekOfMonth::Third,
        WeekOfMonth::Fourth,
        WeekOfMonth::Last,
    ]);
    prop_oneof![
        prop::collection::vec(weekday(), 1..4).prop_map(|days| Schedule::Weekly {
            days: Weekdays::new(days).unwrap()
        }),
        (week, weekday()).prop_map(|(week, day)| Schedule::Monthly { week, day }),
        (0_u32..=27).prop_map(|n| Schedule::PatchTuesday {
            offset: OffsetDays::new(n).unwrap()
        }),
        prop::collection::vec(1_u32..=31, 1..6).prop_map(|days| Schedule::DayOfMonth {
            days: MonthDays::new(days).unwrap()
        }),
        day().prop_map(|date| Schedule::Once { date }),
    ]
}

fn exclusions() -> impl Strategy<Value = Vec<Exclusion>> {
    let one = (day(), 0_u64..20)
        .prop_map(|(from, more)| Exclusion::new("x", from, from + Days::new(more)).unwrap());
    prop::collection::vec(one, 0..6)
}

/// A list of exclusions, and the same list shuffled.
fn twice() -> impl Strategy<Value = (Vec<Exclusion>, Vec<Exclusion>)> {
    exclusions().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle()))
}

fn window() -> impl Strategy<Value = WindowSpec> {
    let start = (0_u32..24 * 4)
        .prop_map(|n| NaiveTime::from_num_seconds_from_midnight_opt(n * 900, 0).unwrap());
    let zone = prop::sample::select(ZONES.to_vec());
    (zone, schedule(), start, 40_i64..=2_880, exclusions()).prop_map(
        |(zone, schedule, start, minutes, exclusions)| {
            let zone = Zone::parse(zone).unwrap();
            let duration = TimeDelta::minutes(minutes);
            WindowSpec::new(zone, schedule, start, duration, exclusions).unwrap()
        },
    )
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..600 * 24 * 60).prop_map(|n| DateTime::from_timestamp(EPOCH + n * 60, 0).unwrap())
}

fn span() -> impl Strategy<Value = (DateTime<Utc>, DateTime<Utc>)> {
    (instant(), 1..SPAN_DAYS * 24).prop_map(|(from, hours)| (from, from + TimeDelta::hours(hours)))
}

/// The definition, day by day: some start at most a duration ago, and no excluded local date.
fn open_by_definition(window: &WindowSpec, further: &[Exclusion], at: DateTime<Utc>) -> bool {
    let today = window.zone.utc_to_local(at).date();
    let shut = window
        .exclusions
        .iter()
        .chain(further)
        .any(|e| e.from() <= today && today <= e.through());
    let near = (today - Days::new(4)).iter_days().take(6);
    !shut
        && near
            .filter(|date| window.schedule.falls_on(*date))
            .any(|date| {
                let start = window.zone.local_to_utc(date.and_time(window.start)).utc;
                start <= at && at < start + window.duration
            })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn following_less_far_where_nothing_runs_on_finds_the_same(
        windows in prop::collection::vec(window(), 1..4),
        (from, until) in span(),
    ) {
        let names: Vec<NamedWindow<'_>> = windows
            .iter()
            .map(|window| NamedWindow { name: "w", window })
            .collect();
        let fleet = FleetWindows { windows: &names, fleet_exclusions: &[] };
        let far = Days::new(FOLLOW_DAYS);
        prop_assert_eq!(fleet.openings(from, until), fleet.followed(from, until, far));
        let horizon = from + TimeDelta::days(HORIZON_DAYS);
        let later = |own: &FleetOpening| own.opening.start > from;
        let next = fleet.followed(from, horizon, far).into_iter().filter(later);
        prop_assert_eq!(fleet.next(from, 3), next.take(3).collect::<Vec<_>>());
        for window in &windows {
            let mut followed = window.followed(from, until, &[], far);
            followed.retain(|opening| opening.meets(from, until));
            prop_assert_eq!(window.openings(from, until), followed);
        }
    }

    #[test]
    fn openings_are_sorted_disjoint_and_meet_their_span(
        window in window(),
        (from, until) in span(),
    ) {
        let openings = window.openings(from, until);
        for opening in &openings {
            prop_assert!(opening.start < opening.end);
            prop_assert!(opening.start < until && opening.end > from);
        }
        for pair in openings.windows(2) {
            prop_assert!(pair[0].end < pair[1].start);
        }
    }

    #[test]
    fn a_window_is_open_exactly_when_its_definition_says(
        window in window(),
        further in exclusions(),
        at in instant(),
        steps in prop::collection::vec(-3_i64..=3, 6),
    ) {
        // Around an opening's edges, where it matters, and anywhere.
        let mut instants = vec![at];
        for (opening, step) in window.next(at, 3).iter().zip(&steps) {
            instants.push(opening.start + TimeDelta::minutes(*step));
            instants.push(opening.end + TimeDelta::minutes(*step));
        }
        for at in instants {
            let openings = window.openings_except(at, at + TimeDelta::seconds(1), &further);
            let open = openings.iter().any(|opening| opening.contains(at));
            prop_assert_eq!(open, open_by_definition(&window, &further, at), "{}", at);
        }
    }

    #[test]
    fn each_local_start_opens_exactly_once(window in window(), (from, until) in span()) {
        let window = window.without_exclusions();
        let openings = window.openings(from, until);
        let first = window.zone.utc_to_local(from).date();
        let mut starts = Vec::new();
        for date in first.iter_days().take(usize::try_from(SPAN_DAYS).unwrap() + 2) {
            if window.schedule.falls_on(date) {
                let start = window.zone.local_to_utc(date.and_time(window.start)).utc;
                if from <= start && start < until {
                    starts.push(start);
                }
            }
        }
        for start in &starts {
            let holding = openings.iter().filter(|opening| opening.contains(*start)).count();
            prop_assert_eq!(holding, 1);
        }
        for opening in openings.iter().filter(|opening| opening.start >= from) {
            prop_assert!(starts.contains(&opening.start), "{:?}", opening);
        }
    }

    #[test]
    fn exclusions_never_meet_an_opening(
        window in window(),
        further in exclusions(),
        (from, until) in span(),
    ) {
        let openings = window.openings_except(from, until, &further);
        for exclusion in window.exclusions.iter().chain(&further) {
            let closed = exclusion.closed(&window.zone);
            for opening in &openings {
                prop_assert!(!opening.meets(closed.start, closed.end));
            }
        }
    }

    #[test]
    fn an_opening_is_the_same_from_each_instant_inside(window in window(), at in instant()) {
        for opening in window.next(at, 3) {
            // Those that run together for long are cut relative to the question.
            if opening.duration() < TimeDelta::days(20) {
                let last = opening.end - TimeDelta::seconds(1);
                prop_assert_eq!(window.open_at(opening.start), Some(opening));
                prop_assert_eq!(window.open_at(last), Some(opening));
                prop_assert_ne!(window.open_at(opening.end).map(|o| o.start), Some(opening.start));
            }
        }
    }

    #[test]
    fn the_order_of_exclusions_does_not_matter(
        window in window(),
        exclusions in twice(),
        (from, until) in span(),
    ) {
        let (list, shuffled) = exclusions;
        prop_assert_eq!(
            window.openings_except(from, until, &list),
            window.openings_except(from, until, &shuffled)
        );
    }

    #[test]
    fn the_union_is_open_when_one_of_its_windows_is_in_any_order(
        specs in prop::collection::vec(window(), 1..5),
        fleet_exclusions in exclusions(),
        (from, until) in span(),
    ) {
        let names = ["a", "b", "c", "d"];
        let mut windows: Vec<NamedWindow<'_>> = names
            .into_iter()
            .zip(&specs)
            .map(|(name, window)| NamedWindow { name, window })
            .collect();
        let merged = union(&windows, &fleet_exclusions, from, until);
        for pair in merged.windows(2) {
            prop_assert!(pair[0].opening.end < pair[1].opening.start);
        }
        let holding = |opening: &Opening, name: Option<&str>| {
            merged.iter().any(|m| {
                m.opening.start <= opening.start
                    && opening.end <= m.opening.end
                    && name.is_none_or(|name| m.windows.contains(name))
            })
        };
        for NamedWindow { name, window } in &windows {
            for opening in window.openings_except(from, until, &fleet_exclusions) {
                prop_assert!(holding(&opening, Some(name)), "{name} {opening:?}");
            }
        }
        for m in merged.iter().filter(|m| m.opening.start >= from && m.opening.end <= until) {
            let edge = m.opening.end - TimeDelta::seconds(1);
            for at in [m.opening.start, edge] {
                let open = |w: &WindowSpec| open_by_definition(w, &fleet_exclusions, at);
                prop_assert!(windows.iter().any(|w| open(w.window)), "{at} {m:?}");
            }
        }
        windows.reverse();
        prop_assert_eq!(union(&windows, &fleet_exclusions, from, until), merged);
    }
}
