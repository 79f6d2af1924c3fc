#![allow(clippy::unwrap_used)] // tests may unwrap

use super::*;

const WS2022: OsTrack = OsTrack::Ws2022AzureEdition;
const WS2025: OsTrack = OsTrack::Ws2025;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    format!("{}:00Z", text.replace(' ', "T")).parse().unwrap()
}

fn kb(text: &str) -> Kb {
    text.parse().unwrap()
}

fn id(text: &str) -> ReleaseId {
    text.parse().unwrap()
}

fn embedded() -> &'static Catalogue {
    Catalogue::embedded()
}

fn with(rows: &str) -> Result<Catalogue, Error> {
    embedded().with_releases(&format!("{}\n{rows}", RELEASE_COLUMNS.join(",")))
}

fn names(releases: &[Release]) -> Vec<String> {
    releases.iter().map(|r| r.id.to_string()).collect()
}

#[test]
fn the_embedded_files_are_read_whole() {
    let rows = |track| embedded().rows(track).count();
    assert_eq!((rows(WS2022), rows(WS2025)), (39, 26));
    for track in OsTrack::ALL {
        for row in embedded().rows(track) {
            assert_eq!(row.id.track(), row.track);
            assert_eq!(embedded().get(row.id).as_ref(), Some(row));
            let oob = row.kind == ReleaseKind::OobHotpatch;
            assert_eq!(track.rule_on(row.date).is_none(), oob, "{}", row.id);
        }
    }
}

#[test]
fn every_proven_month_but_august_2024_follows_the_rule() {
    let strays: Vec<String> = OsTrack::ALL
        .into_iter()
        .flat_map(|track| embedded().rows(track))
        .filter(|r| r.is_proven() && r.kind != ReleaseKind::OobHotpatch)
        .filter(|r| r.track.rule_on(r.date) != Some(r.kind))
        .map(|r| r.id.to_string())
        .collect();
    assert_eq!(strays, ["ws2022-2024-08-13"]);
}

#[test]
fn august_2024_is_an_unplanned_baseline_of_ws2022() {
    let august = embedded().release_by_kb(WS2022, kb("KB5041160")).unwrap();
    assert_eq!(august.id, id("ws2022-2024-08-13"));
    assert_eq!(august.effective_kind(), ReleaseKind::UnplannedBaseline);
    assert!(!august.kind_in_doubt() && august.is_commandable());
    let before = embedded()
        .latest_baseline(WS2022, utc("2024-08-13 16:59"))
        .unwrap();
    let after = embedded()
        .latest_baseline(WS2022, utc("2024-08-13 17:00"))
        .unwrap();
    assert_eq!((before.id, after.id), (id("ws2022-2024-07-09"), august.id));
    // July's hotpatches: none, the baseline of August came first.
    assert!(embedded().hotpatches_on(&before).is_empty());
    assert_eq!(
        names(&embedded().hotpatches_on(&after)),
        ["ws2022-2024-09-10"]
    );
}

#[test]
fn june_2026_is_in_doubt_and_the_rule_speaks() {
    for (track, number) in [(WS2022, "KB5094128"), (WS2025, "KB5094125")] {
        let june = embedded().release_by_kb(track, kb(number)).unwrap();
        assert_eq!(june.kind, ReleaseKind::UnplannedBaseline);
        assert_eq!(june.provenance, Provenance::Unverified);
        assert!(june.kind_in_doubt());
        assert_eq!(june.effective_kind(), ReleaseKind::Hotpatch);
        assert_eq!(june.effective_kb(), None);
        assert!(june.is_commandable());
        assert_eq!(embedded().standing(track, kb(number)), Standing::InDoubt);
        let baseline = embedded()
            .latest_baseline(track, utc("2026-06-30 00:00"))
            .unwrap();
        assert_eq!(baseline.date, date("2026-04-14"));
    }
}

#[test]
fn two_kbs_of_one_build_stand_on_both_sides_of_the_track() {
    let keeps = embedded().release_by_kb(WS2025, kb("KB5070893")).unwrap();
    let leaves = embedded().standard_update(WS2025, kb("5070881")).unwrap();
    assert_eq!(keeps.build, leaves.build);
    assert_eq!(keeps.build.unwrap().to_string(), "26100.6905");
    for (number, standing) in [
        ("KB5070893", Standing::OnTrack),
        ("KB5070881", Standing::LeavesTrack),
        ("KB5066835", Standing::OnTrack),
        ("KB5068861", Standing::LeavesTrack),
        ("KB1234567", Standing::Unlisted),
    ] {
        let found = embedded().standing(WS2025, kb(number));
        assert_eq!(found, standing, "{number}");
        let on = embedded().is_on_hotpatch_track(WS2025, kb(number));
        let incompatible = embedded().is_incompatible(WS2025, kb(number));
        assert_eq!(on, standing == Standing::OnTrack, "{number}");
        assert_eq!(incompatible, standing == Standing::LeavesTrack, "{number}");
    }
    assert_eq!(
        embedded().standing(WS2022, kb("KB5070881")),
        Standing::Unlisted
    );
}

#[test]
fn no_listed_kb_stands_on_both_sides() {
    for track in OsTrack::ALL {
        for row in embedded().rows(track) {
            assert_eq!(
                embedded().standard_update(track, row.kb.unwrap()),
                None,
                "{}",
                row.id
            );
        }
    }
}

#[test]
fn the_cumulative_update_of_a_baseline_month_is_the_baseline() {
    let csv = format!(
        "{}\nWS2025,2026-10-13,KB5999001,LCU-B,\nWS2025,2026-11-10,KB5999002,LCU-B,\n\
         WS2025,2026-10-20,KB5999003,LCU-OOB,\nWS2025,2027-01-12,KB5999004,LCU-OOB,\n\
         WS2025,2026-10-27,KB5999005,LCU-D,\n",
        STANDARD_COLUMNS.join(",")
    );
    let catalogue = embedded().with_standard_updates(&csv).unwrap();
    for (number, standing) in [
        ("KB5999001", Standing::OnTrack),
        ("KB5999002", Standing::LeavesTrack),
        ("KB5999003", Standing::LeavesTrack),
        ("KB5999004", Standing::LeavesTrack),
        ("KB5999005", Standing::LeavesTrack),
    ] {
        assert_eq!(catalogue.standing(WS2025, kb(number)), standing, "{number}");
    }
    let latest = catalogue
        .latest_standard(WS2025, utc("2026-10-30 00:00"))
        .unwrap();
    assert_eq!(latest.kb, kb("KB5999003"), "a preview is no candidate");
}

#[test]
fn without_a_row_the_rule_speaks() {
    let october = embedded().month(WS2025, "2026-10".parse().unwrap());
    let [october] = &october[..] else {
        panic!("one release, not {october:?}")
    };
    assert_eq!(october.id, id("ws2025-2026-10-13"));
    assert_eq!(october.kind, ReleaseKind::PlannedBaseline);
    assert_eq!((october.kb, october.provenance), (None, Provenance::Rule));
    assert_eq!(embedded().get(october.id).as_ref(), Some(october));
    assert_eq!(embedded().get(id("ws2025-2026-10-14")), None);
    let before = embedded().month(WS2025, "2024-09".parse().unwrap());
    assert!(before.is_empty(), "{before:?}");
}

#[test]
fn a_year_walked_day_by_day_has_each_release_behind_or_ahead() {
    for track in OsTrack::ALL {
        let mut now = utc("2025-12-01 12:00");
        while now < utc("2027-03-01 00:00") {
            let last = embedded().latest_effective(track, now).unwrap();
            let next = embedded().next(track, now).unwrap();
            assert!(
                last.published_at() <= now && now < next.published_at(),
                "{now}"
            );
            assert!(
                embedded().between(track, last.published_at(), now).len() == 1,
                "{now}"
            );
            let baseline = embedded().latest_baseline(track, now).unwrap();
            assert!(baseline.is_baseline() && baseline.id <= last.id, "{now}");
            assert_eq!(
                embedded().baseline_of(&last),
                Some(baseline.clone()),
                "{now}"
            );
            assert!(
                embedded().next_baseline(track, now).unwrap().id > baseline.id,
                "{now}"
            );
            let on = embedded().hotpatches_on(&baseline);
            assert!(on.contains(&last) || last == baseline, "{now}");
            now += TimeDelta::days(1);
        }
    }
}

#[test]
fn the_last_chance_of_a_baseline_is_the_eve_of_the_next_release() {
    for (baseline, expected) in [
        ("ws2025-2026-07-14", "2026-08-11 17:00"),
        ("ws2025-2026-10-13", "2026-11-10 18:00"),
        // An out-of-band release is a release.
        ("ws2025-2025-10-14", "2025-10-24 17:00"),
        // One that is not proven is none.
        ("ws2022-2025-10-14", "2025-11-11 18:00"),
        ("ws2022-2024-07-09", "2024-08-13 17:00"),
    ] {
        let baseline = embedded().get(id(baseline)).unwrap();
        assert_eq!(
            embedded().last_chance(&baseline),
            Some(utc(expected)),
            "{}",
            baseline.id
        );
    }
}

#[test]
fn deadlines_count_from_publication() {
    let october = embedded().get(id("ws2025-2026-10-13")).unwrap();
    // 21 days of 24 hours, over the end of daylight saving in Los Angeles.
    assert_eq!(october.overdue_at(21), utc("2026-11-03 17:00"));
    assert_eq!(october.overdue_at(0), october.published_at());
    assert_eq!(october.overdue_at(u32::MAX), DateTime::<Utc>::MAX_UTC);
}

#[test]
fn hotpatches_of_a_baseline_come_in_and_out_of_band() {
    let october = embedded().release_by_kb(WS2025, kb("KB5066835")).unwrap();
    assert_eq!(
        names(&embedded().hotpatches_on(october)),
        [
            "ws2025-2025-10-24",
            "ws2025-2025-11-11",
            "ws2025-2025-11-20",
            "ws2025-2025-12-09",
        ]
    );
}

#[test]
fn an_unproven_release_out_of_band_is_listed_and_not_commanded() {
    let row = embedded().release_by_kb(WS2022, kb("KB5070892")).unwrap();
    assert!(!row.is_commandable() && row.kind_in_doubt());
    let now = utc("2025-10-25 00:00");
    assert_eq!(embedded().latest(WS2022, now).unwrap().id, row.id);
    let effective = embedded().latest_effective(WS2022, now).unwrap();
    assert_eq!(effective.id, id("ws2022-2025-10-14"));
    assert_eq!(embedded().baseline_of(row), Some(effective.clone()));
    let on = names(&embedded().hotpatches_on(&effective));
    assert_eq!(on, ["ws2022-2025-11-11", "ws2022-2025-12-09"]);
}

#[test]
fn an_unverified_row_changes_no_answer_that_is_commanded() {
    let rows = "WS2025,2026-11-10,KB5999001,unplanned-baseline,,UNVERIFIED forum\n\
                WS2025,2026-12-03,KB5999002,unplanned-baseline,,unverified forum\n\
                WS2025,2027-01-12,KB5999003,hotpatch,,INFERRED\n";
    let catalogue = with(rows).unwrap();
    let mut now = utc("2026-10-01 00:00");
    while now < utc("2027-05-01 00:00") {
        let answers = |c: &Catalogue| {
            let what = |r: Release| (r.id, r.effective_kind(), r.effective_kb());
            let last = c.latest_effective(WS2025, now).map(what);
            let base = c.latest_baseline(WS2025, now).map(what);
            (
                last,
                base,
                c.next(WS2025, now).map(what),
                c.next_baseline(WS2025, now).map(what),
            )
        };
        assert_eq!(answers(&catalogue), answers(embedded()), "{now}");
        now += TimeDelta::days(1);
    }
}

#[test]
fn added_rows_replace_settle_or_stand_beside() {
    let rows = "WS2025,2026-06-09,KB5999001,hotpatch,26100.32990,vendor page\n\
                WS2025,2026-07-14,KB5099536,planned-baseline,26100.1,corrected\n\
                WS2025,2026-08-11,KB5999002,hotpatch,,second one that day\n\
                WS2025,2026-10-21,KB5999003,oob-hotpatch,,vendor page\n";
    let catalogue = with(rows).unwrap();
    let june = catalogue.get(id("ws2025-2026-06-09")).unwrap();
    assert_eq!(
        (june.kb, june.kind_in_doubt()),
        (Some(kb("KB5999001")), false)
    );
    assert_eq!(catalogue.release_by_kb(WS2025, kb("KB5094125")), None);
    let july = catalogue.release_by_kb(WS2025, kb("KB5099536")).unwrap();
    assert_eq!(july.build.unwrap().revision(), 1);
    let august = catalogue.month(WS2025, "2026-08".parse().unwrap());
    assert_eq!(names(&august), ["ws2025-2026-08-11", "ws2025-2026-08-11-2"]);
    assert_eq!(august[1].kb, Some(kb("KB5999002")));
    let october = catalogue.month(WS2025, "2026-10".parse().unwrap());
    assert_eq!(names(&october), ["ws2025-2026-10-13", "ws2025-2026-10-21"]);
    // One doubt does not settle another.
    let doubts = with("WS2025,2026-06-09,KB5999004,hotpatch,,UNVERIFIED\n").unwrap();
    let june = doubts.month(WS2025, "2026-06".parse().unwrap());
    assert_eq!(names(&june), ["ws2025-2026-06-09", "ws2025-2026-06-09-2"]);
    // Standard updates stay, and what was embedded is untouched.
    assert!(catalogue.is_incompatible(WS2025, kb("KB5070881")));
    assert_eq!(embedded().release_by_kb(WS2025, kb("KB5999001")), None);
}

#[test]
fn a_monthly_release_on_another_day_takes_the_place_of_the_rules() {
    let moved = with("WS2025,2026-11-12,KB5999001,hotpatch,,vendor page\n").unwrap();
    assert_eq!(
        names(&moved.month(WS2025, "2026-11".parse().unwrap())),
        ["ws2025-2026-11-12"]
    );
    let doubtful = with("WS2025,2026-11-12,KB5999001,hotpatch,,UNVERIFIED\n").unwrap();
    let november = doubtful.month(WS2025, "2026-11".parse().unwrap());
    assert_eq!(names(&november), ["ws2025-2026-11-10", "ws2025-2026-11-12"]);
    let beside = with("WS2025,2026-11-20,KB5999001,unplanned-baseline,,vendor page\n").unwrap();
    let november = beside.month(WS2025, "2026-11".parse().unwrap());
    assert_eq!(names(&november), ["ws2025-2026-11-10", "ws2025-2026-11-20"]);
    let baseline = beside
        .latest_baseline(WS2025, utc("2026-11-21 00:00"))
        .unwrap();
    assert_eq!(baseline.date, date("2026-11-20"));
}

#[test]
fn the_past_replayed_knows_no_later_row() {
    let then = embedded().known_at(utc("2025-10-21 00:00"));
    let october = then.release_by_kb(WS2025, kb("KB5066835")).unwrap();
    assert_eq!(then.last_chance(october), Some(utc("2025-11-11 18:00")));
    assert_eq!(then.standing(WS2025, kb("KB5070881")), Standing::Unlisted);
    assert_eq!(
        then.standing(WS2025, kb("KB5070773")),
        Standing::LeavesTrack
    );
}

#[test]
fn the_latest_standard_update_is_found() {
    for (now, expected) in [
        ("2026-11-22 00:00", "KB5129235"),
        ("2026-09-14 16:59", "KB5122871"),
        ("2026-09-08 17:00", "KB5122871"),
        ("2026-09-08 16:59", "KB5120233"),
    ] {
        let found = embedded().latest_standard(WS2025, utc(now)).unwrap();
        assert_eq!(found.kb, kb(expected), "{now}");
    }
    assert_eq!(
        embedded().latest_standard(WS2025, utc("2024-01-01 00:00")),
        None
    );
}

#[test]
fn a_wrong_row_is_named() {
    for (row, message) in [
        (
            "WS2019,2026-11-10,KB5999001,hotpatch,,s",
            "row 2: os: \"WS2019\" is no track",
        ),
        (
            "WS2025,2026-13-10,KB5999001,hotpatch,,s",
            "row 2: release_date: \"2026-13-10\" is no",
        ),
        (
            "WS2025,2026-1-3,KB5999001,hotpatch,,s",
            "row 2: release_date: \"2026-1-3\" is no date",
        ),
        (
            "WS2025,2026-11-10,KBfive,hotpatch,,s",
            "row 2: kb: \"KBfive\" is no KB number",
        ),
        (
            "WS2025,2026-11-10,,hotpatch,,s",
            "row 2: kb: \"\" is no KB number",
        ),
        (
            "WS2025,2026-11-10,KB5999001,warmpatch,,s",
            "row 2: kind: \"warmpatch\" is no kind",
        ),
        (
            "WS2025,2026-11-10,KB5999001,hotpatch,26100,s",
            "row 2: build: \"26100\" is no build",
        ),
        (
            "WS2025,2026-11-10,KB5999001,hotpatch,s",
            "row 2: cannot be read: ",
        ),
        (
            "WS2025,2026-11-11,KB5999000,hotpatch,,s",
            "row 2: KB5999000 is listed twice",
        ),
        (
            "WS2025,2026-11-10,KB5999001,oob-hotpatch,,s",
            "row 2: an out-of-band release cannot fall on the second Tuesday",
        ),
    ] {
        let good = "WS2025,2026-12-08,KB5999000,hotpatch,,s";
        let error = with(&format!("{good}\n{row}\n"))
            .expect_err(row)
            .to_string();
        assert!(error.starts_with(message), "{row}: {error}");
    }
    assert!(matches!(
        embedded().with_releases("a,b\n"),
        Err(Error::Columns { .. })
    ));
    assert!(matches!(
        embedded().with_releases(""),
        Err(Error::Columns { .. })
    ));
    let large = "x".repeat(MAX_FILE_BYTES + 1);
    assert_eq!(
        embedded().with_releases(&large),
        Err(Error::TooLarge { bytes: large.len() })
    );
    let row = |n: usize| format!("WS2025,2026-12-08,{},hotpatch,,s\n", 5_000_000 + n);
    let many: String = (0..=MAX_ROWS).map(row).collect();
    assert_eq!(with(&many), Err(Error::TooManyRows));
    assert_eq!(with("").as_ref(), Ok(embedded()));
}

#[test]
fn ids_read_and_print_in_one_spelling() {
    for text in [
        "ws2025-2026-10-13",
        "ws2022-2026-10-13-2",
        "ws2025-2026-10-13-12",
    ] {
        assert_eq!(id(text).to_string(), text);
    }
    for wrong in [
        "",
        "ws2025",
        "ws2025-2026-10",
        "ws2019-2026-10-13",
        "WS2025-2026-10-13",
        "ws2025-2026-10-32",
        "ws2025-2026-10-13-1",
        "ws2025-2026-10-13-0",
        "ws2025-2026-10-13-02",
        "ws2025-2026-10-13-",
        "ws2025-2026-10-13x",
        "ws2025-2026-10-1é",
    ] {
        assert_eq!(
            wrong.parse::<ReleaseId>(),
            Err(Error::Id {
                text: wrong.to_owned()
            })
        );
    }
    let mut ids = [
        "ws2025-2026-10-13-2",
        "ws2025-2026-10-13",
        "ws2022-2026-11-10",
    ]
    .map(id);
    ids.sort();
    assert_eq!(
        ids,
        [
            "ws2025-2026-10-13",
            "ws2025-2026-10-13-2",
            "ws2022-2026-11-10"
        ]
        .map(id)
    );
}

#[test]
fn an_approval_names_a_release_or_a_month_of_all_tracks() {
    let matches = |text: &str, of| text.parse::<ReleaseRef>().unwrap().matches(id(of));
    assert!(matches("2026-10", "ws2022-2026-10-13") && matches("2026-10", "ws2025-2026-10-13"));
    assert!(!matches("2026-10", "ws2025-2026-11-10"));
    assert!(matches("ws2025-2026-10-13", "ws2025-2026-10-13"));
    assert!(!matches("ws2025-2026-10-13", "ws2022-2026-10-13"));
    let error = "october".parse::<ReleaseRef>().unwrap_err().to_string();
    assert_eq!(
        error,
        "\"october\" names no release; write it like ws2025-2026-10-13 or 2026-10"
    );
}

#[test]
fn kbs_and_builds_are_normalised() {
    for text in ["KB5070881", "kb5070881", "5070881", " Kb5070881 "] {
        assert_eq!(kb(text).to_string(), "KB5070881");
        assert_eq!(kb(text).number(), 5_070_881);
    }
    for wrong in [
        "",
        "KB",
        "KB-5070881",
        "KB05070881",
        "123456789",
        "KB 5070881",
        "é507",
    ] {
        assert_eq!(
            wrong.parse::<Kb>(),
            Err(Error::Kb {
                text: wrong.to_owned()
            })
        );
    }
    let build = |text: &str| text.parse::<Build>().unwrap();
    assert_eq!(build("10.0.26100.6905"), build("26100.6905"));
    assert!(build("26100.6905") < build("26100.32230"));
    assert!(build("20348.99999") < build("26100.1"));
    for wrong in [
        "",
        "26100",
        "26100.",
        ".1",
        "a.b",
        "26100.1.2",
        "26100.+1",
        "26100.99999999999",
    ] {
        assert_eq!(
            wrong.parse::<Build>(),
            Err(Error::Build {
                text: wrong.to_owned()
            })
        );
    }
}

#[test]
fn names_survive_json() {
    let october = embedded().get(id("ws2025-2025-10-24")).unwrap();
    let json = serde_json::to_value(&october).unwrap();
    assert_eq!(json["id"], "ws2025-2025-10-24");
    assert_eq!(json["track"], "ws2025");
    assert_eq!(json["kb"], "KB5070893");
    assert_eq!(json["kind"], "oob-hotpatch");
    assert_eq!(json["build"], "26100.6905");
    assert_eq!(serde_json::from_value::<Release>(json).unwrap(), october);
}
