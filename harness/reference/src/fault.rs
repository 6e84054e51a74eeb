//! Mistakes that homeservers make. A reference server has one of them or none; each is one visible branch in the code
//! that is right without it.

use samklang_matrix::{BreachReason, RoomFault, Rule};

use crate::signals::SIGNALS;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident, $kebab:literal, $requirement:literal;)+) => {
        /// A mistake that a homeserver makes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
            /// An authorisation rule is not enforced.
            RuleSkipped(Rule),
            /// A breach of the format of events is overlooked.
            FormUnchecked(BreachReason),
            /// The fields of an endpoint's requests have other types than theirs, and its query goes by another name.
            RequestMisshapen(Endpoint),
            /// The fields of an endpoint's answers have other types than theirs.
            AnswerMisshapen(Endpoint),
            /// The fields of a type of signals have other types than theirs.
            SignalMisshapen(&'static str),
            /// A malformed signal of a type sinks its whole transaction.
            SignalSinks(&'static str),
            /// A feature is not there.
            LeftOut(&'static str),
        }

        impl Fault {
            /// Those that have a branch of their own.
            pub(super) const OWN: &[Self] = &[$(Self::$name),+];

            /// Its permanent name.
            pub fn name(self) -> String {
                match self {
                    $(Self::$name => $kebab.to_owned(),)+
                    Self::RuleSkipped(rule) => format!("rule-skipped:{}", rule.code()),
                    Self::FormUnchecked(breach) => format!("form-unchecked:{}", breach.code()),
                    Self::RequestMisshapen(endpoint) => format!("request-misshapen:{}", endpoint.name()),
                    Self::AnswerMisshapen(endpoint) => format!("answer-misshapen:{}", endpoint.name()),
                    Self::SignalMisshapen(kind) => format!("signal-misshapen:{kind}"),
                    Self::SignalSinks(kind) => format!("signal-sinks:{kind}"),
                    Self::LeftOut(feature) => format!("left-out:{feature}"),
                }
            }

            /// The requirement that it breaks.
            pub fn requirement(self) -> &'static str {
                match self {
                    $(Self::$name => $requirement,)+
                    Self::RuleSkipped(rule) => requirement_of(rule),
                    Self::FormUnchecked(breach) => required_form(breach),
                    Self::RequestMisshapen(endpoint) | Self::AnswerMisshapen(endpoint) => endpoint.section(),
                    Self::SignalMisshapen(_) => "SS-TXN-017",
                    Self::SignalSinks(_) => "SS-TXN-018",
                    Self::LeftOut(feature) => offers::section(feature),
                }
            }

            /// What goes wrong, in a sentence.
            pub fn sentence(self) -> String {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii().to_owned(),)+
                    Self::RuleSkipped(rule) => format!("The rule {} is not enforced.", rule.code()),
                    Self::FormUnchecked(breach) => format!("{} is overlooked.", breach.code()),
                    Self::RequestMisshapen(endpoint) => {
                        format!("What {} is asked with is out of shape.", endpoint.name())
                    }
                    Self::AnswerMisshapen(endpoint) => {
                        format!("What {} is answered with is out of shape.", endpoint.name())
                    }
                    Self::SignalMisshapen(kind) => format!("Signals of type {kind} are out of shape."),
                    Self::SignalSinks(kind) => {
                        format!("A malformed signal of type {kind} sinks its whole transaction.")
                    }
                    Self::LeftOut(feature) => format!("The feature {feature} is not there."),
                }
            }
        }
    };
}

mod forms;
mod offers;
mod own;
mod reach;
mod rules;

pub use self::{forms::Endpoint, own::Fault, reach::reached};
pub(crate) use self::{forms::misshapen, offers::left_out, reach::note};

impl Fault {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let rules = Rule::ALL.iter().map(|rule| Self::RuleSkipped(*rule));
        let forms = BreachReason::ALL.iter().map(|breach| Self::FormUnchecked(*breach));
        let asked = Endpoint::ASKED.iter().map(|endpoint| Self::RequestMisshapen(*endpoint));
        let answered = Endpoint::ANSWERED.iter().map(|endpoint| Self::AnswerMisshapen(*endpoint));
        let told = SIGNALS.iter().map(|kind| Self::SignalMisshapen(kind));
        let heard = SIGNALS.iter().map(|kind| Self::SignalSinks(kind));
        let on_the_wire = asked.chain(answered).chain(told).chain(heard);
        let left_out = offers::words().map(Self::LeftOut);
        Self::OWN.iter().copied().chain(rules).chain(forms).chain(on_the_wire).chain(left_out).collect()
    }

    /// The mistake in judging events that it is, if it is one.
    pub(crate) fn room_fault(self) -> Option<RoomFault> {
        Some(match self {
            Self::RuleSkipped(rule) => RoomFault::SkipsRule(rule),
            Self::FormUnchecked(breach) => RoomFault::SkipsFormat(breach),
            Self::PduSignatureUnchecked => RoomFault::SkipsSignatures,
            Self::ContentHashUnchecked => RoomFault::KeepsChangedContent,
            Self::ContentHashDrops => RoomFault::DropsChangedContent,
            Self::SoftFailureSkipped => RoomFault::NoSoftFailure,
            Self::RejectedInState => RoomFault::RejectedChangesState,
            Self::RejectedFollowed => RoomFault::BuildsOnRejected,
            Self::AclIgnored => RoomFault::IgnoresAcl,
            Self::AclCaseMatters => RoomFault::AclCaseMatters,
            Self::RedactionByAnybody => RoomFault::AnyoneRedacts,
            Self::RedactionBySenderAlone => RoomFault::OnlySenderRedacts,
            Self::CitedIgnored => RoomFault::SkipsAuthEvents,
            Self::RoomsMixed => RoomFault::AcceptsOtherRooms,
            Self::ResolvedByVersion2 => RoomFault::ResolvesByV2,
            Self::SmallestStateKept => RoomFault::KeepsSmallestState,
            Self::CreatorsListed => RoomFault::SkipsRule(Rule::LevelsNameCreator),
            Self::RoomIdsOfAnother => RoomFault::SkipsRule(Rule::CreateRoomDomain),
            Self::CreatorNamedOddly => RoomFault::SkipsRule(Rule::CreateNoCreator),
            Self::LevelsAsText => RoomFault::SkipsRule(Rule::LevelNotInteger),
            Self::PduWithoutDepth => RoomFault::SkipsFormat(BreachReason::FieldMissing),
            _ => return None,
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
