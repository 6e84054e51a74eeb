//! What the rules are that a mistake of every kind leaves out.

use samklang_matrix::{BreachReason, Rule};

/// The requirement that a rule is.
pub(super) fn requirement_of(rule: Rule) -> &'static str {
    match rule {
        Rule::CreateHasPrevEvents => "SS-EAUTH-001",
        Rule::CreateRoomDomain => "SS-EAUTH-002",
        Rule::CreateHasRoomId => "SS-EAUTH-013",
        Rule::CreateRoomVersion => "SS-EAUTH-003",
        Rule::CreateNoCreator => "SS-EAUTH-012",
        Rule::CreateAdditionalCreators => "SS-EAUTH-014",
        Rule::RoomIdNotCreate => "SS-EAUTH-015",
        Rule::AuthDuplicate => "SS-EAUTH-005",
        Rule::AuthNotSelected => "SS-EAUTH-006",
        Rule::AuthRejected => "SS-EAUTH-007",
        Rule::AuthNoCreate | Rule::NoCreate => "SS-EAUTH-008",
        Rule::AuthOtherRoom => "SS-EAUTH-009",
        Rule::NotFederated => "SS-EAUTH-010",
        Rule::AliasesStateKey => "SS-EAUTH-023",
        Rule::MemberForm => "SS-EAUTH-028",
        Rule::AuthoriserSignature => "SS-EAUTH-029",
        Rule::JoinOfAnother => "SS-EAUTH-032",
        Rule::JoinBanned => "SS-EAUTH-033",
        Rule::JoinRule => "SS-EAUTH-034",
        Rule::JoinAuthoriser => "SS-EAUTH-041",
        Rule::ThirdPartyBanned => "SS-EAUTH-043",
        Rule::ThirdPartyForm => "SS-EAUTH-044",
        Rule::ThirdPartyMxid => "SS-EAUTH-045",
        Rule::ThirdPartyToken => "SS-EAUTH-046",
        Rule::ThirdPartySender => "SS-EAUTH-047",
        Rule::ThirdPartySignature => "SS-EAUTH-048",
        Rule::InviterNotJoined => "SS-EAUTH-049",
        Rule::InviteOfMember => "SS-EAUTH-050",
        Rule::InviteLevel => "SS-EAUTH-051",
        Rule::LeaveMembership => "SS-EAUTH-052",
        Rule::KickerNotJoined => "SS-EAUTH-053",
        Rule::UnbanLevel => "SS-EAUTH-054",
        Rule::KickLevel => "SS-EAUTH-055",
        Rule::BannerNotJoined => "SS-EAUTH-056",
        Rule::BanLevel => "SS-EAUTH-057",
        Rule::KnockRule => "SS-EAUTH-058",
        Rule::KnockOfAnother => "SS-EAUTH-059",
        Rule::KnockMembership => "SS-EAUTH-060",
        Rule::UnknownMembership => "SS-EAUTH-061",
        Rule::SenderNotJoined => "SS-EAUTH-062",
        Rule::ThirdPartyInviteLevel => "SS-EAUTH-063",
        Rule::EventLevel => "SS-EAUTH-064",
        Rule::StateKeyOfAnother => "SS-EAUTH-065",
        Rule::LevelNotInteger => "SS-EAUTH-068",
        Rule::LevelMapForm => "SS-EAUTH-069",
        Rule::LevelUsersForm => "SS-EAUTH-070",
        Rule::LevelsNameCreator => "SS-EAUTH-021",
        Rule::LevelGeneral => "SS-EAUTH-073",
        Rule::LevelEntryOld => "SS-EAUTH-074",
        Rule::LevelEntryNew => "SS-EAUTH-075",
        Rule::LevelUserOld => "SS-EAUTH-076",
        Rule::LevelUserNew => "SS-EAUTH-077",
        Rule::RedactionLevel => "SS-EAUTH-081",
    }
}

/// The requirement that a rule of form is.
pub(super) fn required_form(breach: BreachReason) -> &'static str {
    match breach {
        BreachReason::NotObject | BreachReason::FieldMissing => "SS-PDU-001",
        BreachReason::FieldType | BreachReason::SenderNotUserId => "SS-PDU-002",
        BreachReason::EventTooLarge => "SS-LIMITS-001",
        BreachReason::FieldTooLong => "SS-LIMITS-003",
        BreachReason::NumberNotCanonical => "SS-CJSON-010",
        BreachReason::IntegerRange => "SS-PDU-017",
        BreachReason::TooManyPrevEvents => "SS-PDU-014",
        BreachReason::TooManyAuthEvents => "SS-PDU-012",
        BreachReason::ReferenceForm => "SS-PDU-007",
    }
}
