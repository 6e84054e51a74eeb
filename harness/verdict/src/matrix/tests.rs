use super::*;
use crate::{
    Message,
    specimen::{check, fail, pass, result, unsure},
};

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn met(a: &str, b: &str, verdict: Verdict, disposition: Disposition) -> PlayedPair {
    let mut result = result(vec![check(verdict, disposition)]);
    result.settle();
    PlayedPair { a: a.into(), b: b.into(), result }
}

fn fine(a: &str, b: &str) -> PlayedPair {
    met(a, b, pass(), Disposition::AsExpected)
}

fn red(a: &str, b: &str) -> PlayedPair {
    met(a, b, fail("client.refused"), Disposition::Unexpected)
}

#[test]
fn every_two_vendors_are_paired_once_in_any_order() {
    let forth = pairs(&named(&["oak", "elm", "ash"]));
    let expected =
        [["oak", "oak"], ["elm", "oak"], ["elm", "elm"], ["ash", "oak"], ["ash", "elm"], ["ash", "ash"]];
    assert_eq!(forth, expected.map(|pair| pair.map(str::to_owned)));
    let sorted = |names: &[&str]| pairs(&named(names)).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(&["oak", "elm", "ash"]), sorted(&["ash", "oak", "elm"]));
    assert_eq!(pairs(&named(&["oak", "elm"])), forth[..3], "one more vendor adds its own pairs");
}

#[test]
fn results_in_any_order_give_the_same_file() {
    let vendors = || named(&["elm", "oak"]);
    let mut all = vec![fine("elm", "elm"), red("elm", "oak"), red("oak", "oak")];
    let one = VendorMatrix::of(vendors(), None, &all);
    all.reverse();
    let other = VendorMatrix::of(vendors(), None, &all);
    assert_eq!(one.to_bytes().unwrap(), other.to_bytes().unwrap());
    assert_eq!(VendorMatrix::from_bytes(&one.to_bytes().unwrap()).unwrap(), one);
    assert_eq!((one.exit_code, one.outcome), (exit::UNEXPECTED_FAIL, Outcome::NotCertifiable));
    assert_eq!((one.counts.pass, one.counts.fail), (1, 2));
    let [finding] = one.findings.as_slice() else { panic!("{:?}", one.findings) };
    assert_eq!(finding.origin, Origin::Vendor { vendor: "oak".into() });
    assert_eq!(finding.pairs, [["elm", "oak"], ["oak", "oak"]].map(|pair| pair.map(str::to_owned)));
    assert_eq!(finding.reasons, [ReasonCode::new("client.refused").unwrap()]);
}

#[test]
fn a_pair_without_a_result_proves_nothing_except_in_another_shard() {
    let vendors = || named(&["elm", "oak"]);
    let some = [fine("elm", "elm"), fine("elm", "oak")];
    let open = VendorMatrix::of(vendors(), None, &some);
    assert_eq!((open.exit_code, open.outcome), (exit::NOT_PROVEN, Outcome::NotProven));
    assert_eq!(open.missing, [["oak", "oak"].map(str::to_owned)]);
    let shard = VendorMatrix::of(vendors(), Some("1/2".into()), &some);
    assert_eq!((shard.exit_code, shard.outcome), (exit::AS_EXPECTED, Outcome::Certifiable));
    let nothing = VendorMatrix::of(vendors(), Some("1/2".into()), &[]);
    assert_eq!((nothing.exit_code, nothing.outcome), (exit::NOT_PROVEN, Outcome::NotProven));
}

#[test]
fn unjudged_and_not_applicable_checks_are_distinguished() {
    let vendors = || named(&["elm", "oak"]);
    let origin = |third: PlayedPair| {
        let all = [fine("elm", "elm"), red("elm", "oak"), third];
        VendorMatrix::of(vendors(), None, &all)
            .findings
            .into_iter()
            .map(|finding| finding.origin)
            .collect::<Vec<_>>()
    };
    assert_eq!(origin(fine("oak", "oak")), [Origin::Pair]);
    assert_eq!(origin(met("oak", "oak", unsure(), Disposition::Unexpected)), [Origin::Unproven]);
    assert_eq!(origin(met("oak", "oak", fail("client.refused"), Disposition::Flaky)), [Origin::Unproven]);
    let absent = Verdict::NotApplicable { message: Message::new("x") };
    let blamed = Origin::Vendor { vendor: "oak".into() };
    assert_eq!(origin(met("oak", "oak", absent, Disposition::AsExpected)), [blamed]);
    let recorded = origin(met("oak", "oak", fail("client.refused"), Disposition::Deviation));
    assert_eq!(recorded, [Origin::Vendor { vendor: "oak".into() }, Origin::Recorded]);
}

#[test]
fn a_vendor_that_the_recorded_traffic_blames_is_the_only_suspect() {
    let met = fine("elm", "oak");
    let suspects = |blame: Blame| {
        let Verdict::Fail(mut fail) = fail("client.refused") else { panic!() };
        fail.blame = blame;
        met.suspects(&fail).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let because = || Message::new("x");
    assert_eq!(suspects(Blame::Server { role: Role::A, because: because() }), ["elm"]);
    assert_eq!(suspects(Blame::Server { role: Role::B, because: because() }), ["oak"]);
    assert_eq!(suspects(Blame::Undecided { because: because() }), ["elm", "oak"]);
}

#[test]
fn a_check_that_applies_with_one_host_is_a_meeting() {
    let one_sided = |b: &str, verdict: Verdict, disposition| {
        let absent = Verdict::NotApplicable { message: Message::new("x") };
        let mut checks = vec![check(absent, Disposition::AsExpected), check(verdict, disposition)];
        checks[1].play.host = Role::B;
        PlayedPair { a: "elm".into(), b: b.into(), result: result(checks) }
    };
    let failing = one_sided("oak", fail("client.refused"), Disposition::Unexpected);
    let all = [one_sided("elm", pass(), Disposition::AsExpected), failing, fine("oak", "oak")];
    let file = VendorMatrix::of(named(&["elm", "oak"]), None, &all);
    assert_eq!(file.findings.into_iter().map(|finding| finding.origin).collect::<Vec<_>>(), [Origin::Pair]);
}

#[test]
fn a_folder_name_cannot_lead_out_of_the_matrix_folder() {
    assert_eq!(PlayedPair::folder("oak@1.0", "elm@2.0-rc.1"), "pairs/oak@1.0--elm@2.0-rc.1");
    assert_eq!(PlayedPair::folder("../..", "a/b c"), "pairs/.._..--a_b_c");
}
