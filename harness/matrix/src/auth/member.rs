//! Member events (rooms/v11, authorization rules 4).

use super::{Levels, Rule, Snapshot, creators, third_party};
use crate::{Event, event::text, names::is_user_id};

pub(super) fn check(
    event: &Event,
    state: &Snapshot<'_>,
    create: &Event,
    levels: &Levels<'_>,
) -> Result<(), Rule> {
    let target = event.state_key().filter(|target| is_user_id(target)).ok_or(Rule::MemberForm)?;
    let membership = event.membership().ok_or(Rule::MemberForm)?;
    let change = MemberChange { event, state, levels, target };
    match membership {
        "join" => change.join(create),
        "invite" => change.invite(),
        "leave" => change.leave(),
        "ban" => change.ban(),
        "knock" if event.version().number() >= 7 => change.knock(),
        _ => Err(Rule::UnknownMembership),
    }
}

struct MemberChange<'a> {
    event: &'a Event,
    state: &'a Snapshot<'a>,
    levels: &'a Levels<'a>,
    target: &'a str,
}

impl MemberChange<'_> {
    fn sender_is_joined(&self) -> bool {
        self.state.membership(self.event.sender()) == "join"
    }

    /// The join rule. Nobody can join if it is missing or has the wrong type (SS-EAUTH-037).
    fn join_rule(&self) -> &str {
        let rules = self.state.get("m.room.join_rules", "");
        rules.and_then(|rules| text(rules.content(), "join_rule")).unwrap_or_default()
    }

    fn join(&self, create: &Event) -> Result<(), Rule> {
        let number = self.event.version().number();
        let first = self.event.prev_events() == [create.id()];
        let creator = if number <= 10 { text(create.content(), "creator") } else { Some(create.sender()) };
        if first && creator == Some(self.target) && creators(create).contains(self.target) {
            return Ok(());
        }
        if self.event.sender() != self.target {
            return Err(Rule::JoinOfAnother);
        }
        let current = self.state.membership(self.target);
        if current == "ban" {
            return Err(Rule::JoinBanned);
        }
        let expected = matches!(current, "invite" | "join");
        match self.join_rule() {
            "public" => Ok(()),
            "invite" if expected => Ok(()),
            "knock" if number >= 7 && expected => Ok(()),
            "restricted" if number >= 8 => self.restricted_join(expected),
            "knock_restricted" if number >= 10 => self.restricted_join(expected),
            _ => Err(Rule::JoinRule),
        }
    }

    fn restricted_join(&self, expected: bool) -> Result<(), Rule> {
        let authoriser = text(self.event.content(), "join_authorised_via_users_server");
        let may_invite = |user| {
            self.state.membership(user) == "join" && self.levels.user(user) >= self.levels.named("invite")
        };
        if expected || authoriser.is_some_and(may_invite) { Ok(()) } else { Err(Rule::JoinAuthoriser) }
    }

    fn invite(&self) -> Result<(), Rule> {
        if let Some(invite) = self.event.content().get("third_party_invite") {
            return third_party::check(self.event, invite, self.target, self.state);
        }
        if !self.sender_is_joined() {
            return Err(Rule::InviterNotJoined);
        }
        if matches!(self.state.membership(self.target), "join" | "ban") {
            return Err(Rule::InviteOfMember);
        }
        let enough = self.levels.user(self.event.sender()) >= self.levels.named("invite");
        if enough { Ok(()) } else { Err(Rule::InviteLevel) }
    }

    fn leave(&self) -> Result<(), Rule> {
        let current = self.state.membership(self.target);
        if self.event.sender() == self.target {
            let knocks = current == "knock" && self.event.version().number() >= 7;
            let may_leave = matches!(current, "invite" | "join") || knocks;
            return if may_leave { Ok(()) } else { Err(Rule::LeaveMembership) };
        }
        if !self.sender_is_joined() {
            return Err(Rule::KickerNotJoined);
        }
        if current == "ban" && self.levels.user(self.event.sender()) < self.levels.named("ban") {
            return Err(Rule::UnbanLevel);
        }
        if self.outranks("kick") { Ok(()) } else { Err(Rule::KickLevel) }
    }

    fn ban(&self) -> Result<(), Rule> {
        if !self.sender_is_joined() {
            return Err(Rule::BannerNotJoined);
        }
        if self.outranks("ban") { Ok(()) } else { Err(Rule::BanLevel) }
    }

    /// Whether the sender has a level and the target is below the sender.
    fn outranks(&self, level: &str) -> bool {
        let power = self.levels.user(self.event.sender());
        power >= self.levels.named(level) && self.levels.user(self.target) < power
    }

    fn knock(&self) -> Result<(), Rule> {
        let open = match self.join_rule() {
            "knock" => true,
            "knock_restricted" => self.event.version().number() >= 10,
            _ => false,
        };
        if !open {
            return Err(Rule::KnockRule);
        }
        if self.event.sender() != self.target {
            return Err(Rule::KnockOfAnother);
        }
        let current = self.state.membership(self.target);
        if matches!(current, "ban" | "invite" | "join") { Err(Rule::KnockMembership) } else { Ok(()) }
    }
}
