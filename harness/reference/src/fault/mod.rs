//! Faults: defects that a homeserver can be told to have. A reference server has one of them or none.
//!
//! [`table`] lists each fault with the requirement that it breaks and with what it changes. Most faults alter data on its
//! way in or out: they act at a seam ([`seams`]), by a function in [`alter`], and the code between the seams is that of an
//! honest server. The others are a branch in a rule's own function, or a room fault in how rooms judge events.

use samklang_matrix::{BreachReason, RoomFault, Rule};

use crate::edu_types::EDU_TYPES;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident, $kebab:literal, $requirement:literal, $change:expr;)+) => {
        /// A defect that a homeserver can be told to have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
            /// The server does not enforce an authorisation rule.
            RuleSkipped(Rule),
            /// The server accepts events that break a rule of their format.
            FormUnchecked(BreachReason),
            /// The fields of the server's requests to an endpoint have the wrong types, and the query parameters the wrong names.
            RequestMisshapen(Endpoint),
            /// The fields of the server's responses at an endpoint have the wrong types.
            ResponseMisshapen(Endpoint),
            /// The fields of the EDUs of a type that the server sends have the wrong types.
            EduMisshapen(&'static str),
            /// The server refuses a whole transaction for a malformed EDU of a type.
            EduRefusesTransaction(&'static str),
            /// The server lacks a feature.
            LeftOut(&'static str),
        }

        impl Fault {
            /// All faults that are not of a kind.
            pub(super) const OWN: &[Self] = &[$(Self::$name),+];

            /// Its permanent name.
            pub fn name(self) -> String {
                match self {
                    $(Self::$name => $kebab.to_owned(),)+
                    Self::RuleSkipped(rule) => format!("rule-skipped:{}", rule.code()),
                    Self::FormUnchecked(breach) => format!("form-unchecked:{}", breach.code()),
                    Self::RequestMisshapen(endpoint) => format!("request-misshapen:{}", endpoint.name),
                    Self::ResponseMisshapen(endpoint) => format!("response-misshapen:{}", endpoint.name),
                    Self::EduMisshapen(kind) => format!("edu-misshapen:{kind}"),
                    Self::EduRefusesTransaction(kind) => format!("edu-refuses-transaction:{kind}"),
                    Self::LeftOut(feature) => format!("left-out:{feature}"),
                }
            }

            /// The requirement that it breaks.
            pub fn requirement(self) -> &'static str {
                match self {
                    $(Self::$name => $requirement,)+
                    Self::RuleSkipped(rule) => requirement_of(rule),
                    Self::FormUnchecked(breach) => required_form(breach),
                    Self::RequestMisshapen(endpoint) | Self::ResponseMisshapen(endpoint) => endpoint.section,
                    Self::EduMisshapen(_) => "SS-TXN-017",
                    Self::EduRefusesTransaction(_) => "SS-TXN-018",
                    Self::LeftOut(feature) => features::section(feature),
                }
            }

            /// What it changes, and where. Faults of a kind are told apart where they act.
            pub(super) fn change(self) -> Change {
                match self {
                    $(Self::$name => $change,)+
                    Self::RuleSkipped(rule) => Change::Judgement(RoomFault::SkipsRule(rule)),
                    Self::FormUnchecked(breach) => Change::Judgement(RoomFault::SkipsFormat(breach)),
                    Self::RequestMisshapen(_)
                    | Self::ResponseMisshapen(_)
                    | Self::EduMisshapen(_)
                    | Self::EduRefusesTransaction(_) => Change::Branch("fault/seams.rs"),
                    Self::LeftOut(_) => Change::Branch("fault/features.rs"),
                }
            }

            /// What goes wrong, in a sentence.
            pub fn sentence(self) -> String {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii().to_owned(),)+
                    Self::RuleSkipped(rule) => format!("The server does not enforce the rule {}.", rule.code()),
                    Self::FormUnchecked(breach) => format!("The server accepts events with the breach {}.", breach.code()),
                    Self::RequestMisshapen(endpoint) => {
                        format!("The server's requests to {} are malformed.", endpoint.name)
                    }
                    Self::ResponseMisshapen(endpoint) => {
                        format!("The server's responses to {} are malformed.", endpoint.name)
                    }
                    Self::EduMisshapen(kind) => format!("The server's EDUs of type {kind} are malformed."),
                    Self::EduRefusesTransaction(kind) => {
                        format!("The server refuses a whole transaction for a malformed EDU of type {kind}.")
                    }
                    Self::LeftOut(feature) => format!("The server lacks the feature {feature}."),
                }
            }
        }
    };
}

mod alter;
mod endpoints;
mod features;
mod reach;
mod rules;
mod seams;
mod table;

use self::seams::Change;
pub(crate) use self::{
    features::left_out,
    reach::note,
    seams::{Author, Drafted, Identity, Occasion, OutgoingRequest},
};
pub use self::{reach::reached, table::Fault};

impl Fault {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let rules = Rule::ALL.iter().map(|rule| Self::RuleSkipped(*rule));
        let forms = BreachReason::ALL.iter().map(|breach| Self::FormUnchecked(*breach));
        let requests = endpoints::REQUESTED.iter().map(|endpoint| Self::RequestMisshapen(*endpoint));
        let responses = endpoints::SERVED.iter().map(|endpoint| Self::ResponseMisshapen(*endpoint));
        let sent = EDU_TYPES.iter().map(|kind| Self::EduMisshapen(kind));
        let received = EDU_TYPES.iter().map(|kind| Self::EduRefusesTransaction(kind));
        let on_the_wire = requests.chain(responses).chain(sent).chain(received);
        let left_out = features::words().map(Self::LeftOut);
        Self::OWN.iter().copied().chain(rules).chain(forms).chain(on_the_wire).chain(left_out).collect()
    }

    /// The file of this crate with the branch that it is, below `src`; `None` where it acts at a seam or as a room fault.
    pub fn branch(self) -> Option<&'static str> {
        match self.change() {
            Change::Branch(file) => Some(file),
            _ => None,
        }
    }

    /// The room fault in judging events that it is or needs, if there is one.
    pub(crate) fn room_fault(self) -> Option<RoomFault> {
        Some(match self {
            // Rooms accept the server's own events although they are wrong.
            Self::CreatorsInPowerLevels => RoomFault::SkipsRule(Rule::LevelsNameCreator),
            Self::RoomIdsOfAnotherServer => RoomFault::SkipsRule(Rule::CreateRoomDomain),
            Self::CreatorFieldMisplaced => RoomFault::SkipsRule(Rule::CreateNoCreator),
            Self::PowerLevelsAsText => RoomFault::SkipsRule(Rule::LevelNotInteger),
            Self::PduWithoutDepth => RoomFault::SkipsFormat(BreachReason::FieldMissing),
            // Servers have to be judged as their rooms judge.
            _ => match self.change() {
                Change::Judgement(room_fault) => room_fault,
                _ => return None,
            },
        })
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::all().into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| format!("no fault is called {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_lead_back() {
        let names: BTreeSet<_> = Fault::all().into_iter().map(Fault::name).collect();
        assert_eq!(names.len(), Fault::all().len());
        for fault in Fault::all() {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert!(fault.sentence().ends_with('.'), "{fault:?}");
        }
        assert!("no-such-thing".parse::<Fault>().is_err());
    }
}
