use super::*;
use crate::{
    Message,
    specimen::{check, fail, pass, result, unsure},
};

/// What the change of one check is, with its exit code.
fn of(old: Option<CheckResult>, new: Option<CheckResult>) -> Option<(ChangeKind, u8)> {
    let (old, new) = (result(old.into_iter().collect()), result(new.into_iter().collect()));
    let changes = changes(&ComparedResult::alone(&old), &ComparedResult::alone(&new));
    assert!(changes.len() < 2);
    changes.first().map(|change| (change.kind, exit_code(&changes)))
}

#[test]
fn each_way_to_change_has_its_kind_and_its_code() {
    let fine = || check(pass(), Disposition::AsExpected);
    let red = |reason| check(fail(reason), Disposition::Unexpected);
    let known = |reason| check(fail(reason), Disposition::Deviation);
    let open = || check(unsure(), Disposition::Unexpected);
    let flaky = || check(fail("client.refused"), Disposition::Flaky);
    let (one, other) = ("client.refused", "delivery.not_seen");
    let error = Verdict::Error { class: crate::Class::Engine, message: Message::new("x") };
    let error = || check(error.clone(), Disposition::Unexpected);
    let expired = || check(fail(one), Disposition::DeviationExpired);
    let absent = Verdict::NotApplicable { message: Message::new("x") };
    let absent = || check(absent.clone(), Disposition::AsExpected);
    use ChangeKind::*;
    let cases = [
        (Some(fine()), Some(red(one)), Some((NewFail, 1))),
        (Some(open()), Some(red(one)), Some((NewFail, 1))),
        (Some(known(one)), Some(red(other)), Some((NewFail, 1))),
        (Some(known(one)), Some(expired()), Some((NewFail, 3))),
        (None, Some(red(one)), Some((NewFail, 1))),
        (Some(absent()), Some(red(one)), Some((NewFail, 1))),
        (Some(red(one)), Some(red(other)), Some((ReasonChanged, 1))),
        (Some(known(one)), Some(known(other)), Some((ReasonChanged, 0))),
        (Some(fine()), Some(open()), Some((Unjudged, 2))),
        (Some(fine()), Some(flaky()), Some((Unjudged, 2))),
        (Some(red(one)), Some(open()), Some((Unjudged, 2))),
        (Some(fine()), Some(error()), Some((Unjudged, 70))),
        (Some(fine()), None, Some((Removed, 2))),
        (Some(fine()), Some(absent()), Some((Removed, 2))),
        (Some(fine()), Some(known(one)), Some((Recorded, 0))),
        (Some(red(one)), Some(known(one)), Some((Recorded, 0))),
        (Some(red(one)), Some(fine()), Some((Fixed, 0))),
        (Some(known(one)), Some(fine()), Some((Fixed, 0))),
        (Some(open()), Some(fine()), Some((Judged, 0))),
        (None, Some(fine()), Some((Added, 0))),
        (None, Some(open()), Some((Added, 0))),
        (Some(fine()), Some(fine()), None),
        (Some(red(one)), Some(red(one)), None),
        (Some(open()), Some(flaky()), None),
        (None, Some(absent()), None),
    ];
    for (place, (old, new, expected)) in cases.into_iter().enumerate() {
        assert_eq!(of(old, new), expected, "case {place}");
    }
}

#[test]
fn deteriorations_come_first_and_the_gravest_code_counts() {
    let at = |version: &str, verdict: Verdict, disposition| {
        let mut check = check(verdict, disposition);
        check.play.room_version = version.into();
        check
    };
    let red = || fail("client.refused");
    let old = result(vec![
        at("9", red(), Disposition::Unexpected),
        at("10", pass(), Disposition::AsExpected),
        at("11", pass(), Disposition::AsExpected),
    ]);
    let new = result(vec![
        at("9", pass(), Disposition::AsExpected),
        at("10", unsure(), Disposition::Unexpected),
        at("11", red(), Disposition::Unexpected),
    ]);
    let found = changes(&ComparedResult::alone(&old), &ComparedResult::alone(&new));
    let kinds: Vec<_> = found.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::NewFail, ChangeKind::Unjudged, ChangeKind::Fixed]);
    assert_eq!(exit_code(&found), 1);
    assert_eq!(exit_code(&changes(&ComparedResult::alone(&old), &ComparedResult::alone(&old))), 0);
}

#[test]
fn a_vendor_of_a_matrix_goes_by_its_name_unless_there_are_two_versions_of_it() {
    let met = |a: &str, b: &str, verdict, disposition| PlayedPair {
        a: a.into(),
        b: b.into(),
        result: result(vec![check(verdict, disposition)]),
    };
    let side = |vendors: &[&str], met: &[PlayedPair]| {
        let vendors = vendors.iter().map(|&vendor| vendor.to_owned()).collect();
        VendorMatrix::of(vendors, None, met)
    };
    let old = [met("oak@1", "oak@1", pass(), Disposition::AsExpected)];
    let new = [met("oak@2", "oak@2", fail("client.refused"), Disposition::Unexpected)];
    let (before, after) = (side(&["oak@1"], &old), side(&["oak@2"], &new));
    let found = changes(&ComparedResult::of_matrix(&before, &old), &ComparedResult::of_matrix(&after, &new));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].kind, found[0].pair.clone()),
        (ChangeKind::NewFail, Some(["oak", "oak"].map(String::from)))
    );
    let both = side(&["oak@1", "oak@2"], &new);
    let found = changes(&ComparedResult::of_matrix(&before, &old), &ComparedResult::of_matrix(&both, &new));
    assert_eq!(found.len(), 2, "oak@2 is not oak: one is gone and one is new");
}
