//! `junit.xml`, read back.

use quick_xml::{Reader, events::Event};

use crate::{
    common::{good, mixed},
    made,
};

/// Every element of `xml` with its name and attributes.
pub(crate) fn elements(xml: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut found, mut depth) = (Vec::new(), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                depth += 1;
                found.push((text(start.name().as_ref()), text(start.attributes_raw())));
            }
            Event::Empty(start) => found.push((text(start.name().as_ref()), text(start.attributes_raw()))),
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn junit_has_every_check_with_its_state() {
    let result = mixed();
    let xml = made(&result).junit;
    let forbidden = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    assert!(!xml.contains(forbidden));
    let elements = elements(&xml);
    let count = |name: &str| elements.iter().filter(|(element, _)| element == name).count();
    assert_eq!(count("testcase"), result.checks.len() + 1);
    // Areas media, messages and rooms, and the run itself.
    assert_eq!(count("testsuite"), 4);
    // Five unexpected ones; expired, changed and stale deviations.
    assert_eq!(count("failure"), 8);
    // Two inconclusive, one error, one flaky, and the run with its problem.
    assert_eq!(count("error"), 5);
    // Not applicable, not run, unproven, and the deviation that holds.
    assert_eq!(count("skipped"), 4);
    let of_type = |name: &str, of_type: &str| {
        elements
            .iter()
            .any(|(element, args)| element == name && args.contains(&format!("type=\"{of_type}\"")))
    };
    for (element, name) in [
        ("failure", "expectation.differs"),
        ("failure", "deviation.stale"),
        ("failure", "deviation.expired"),
        ("failure", "deviation.reason_changed"),
        ("error", "inconclusive"),
        ("error", "flaky"),
        ("skipped", "deviation"),
        ("skipped", "not_applicable"),
        ("skipped", "unproven"),
    ] {
        assert!(of_type(element, name), "{element} {name}");
    }
    assert!(xml.contains("tracker#1"));
    assert!(!made(&good()).junit.contains("<error") && !made(&good()).junit.contains("<failure"));
}
