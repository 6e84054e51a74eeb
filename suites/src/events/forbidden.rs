//! Events that one authorisation rule forbids: a table row for each, and the play that sends them.
//!
//! Every event is well-formed: it has the right hashes, signatures, prev events and auth events. Only the rule is against
//! it.

use samklang_matrix::{Draft, RoomGraph, Rule};

use crate::prelude::*;

/// An event that an authorisation rule forbids.
pub(super) struct ForbiddenEvent {
    /// The name of the check that the server rejects it.
    pub(super) check: &'static str,
    /// The title of the check.
    pub(super) title: &'static str,
    /// The requirements that the check tests; those of the scenario if there are none.
    pub(super) requirements: &'static [&'static str],
    /// The rule.
    pub(super) rule: Rule,
    /// The event in a few words, as reports name it.
    pub(super) what: &'static str,
    /// Makes the event.
    pub(super) draft: for<'a> fn(&'a RoomGraph, &UserIds) -> Draft<'a>,
}

/// The checks of a table, in its order.
pub(super) const fn checks<const N: usize>(table: &[ForbiddenEvent; N]) -> [CheckPlan; N] {
    let mut checks = [CheckPlan::new("", ""); N];
    let mut row = 0;
    while row < N {
        let event = &table[row];
        checks[row] = CheckPlan::new(event.check, event.title).of(event.requirements);
        row += 1;
    }
    checks
}

/// The users in these scenarios.
pub(super) struct UserIds {
    pub(super) alice: String,
    pub(super) mallory: String,
    /// Another user of Mallory's server, who is not in the room.
    pub(super) eve: String,
    /// A third user of Mallory's server, who is not in the room. In some rooms he has a power level.
    pub(super) rival: String,
}

impl UserIds {
    pub(super) fn of(setup: &PeerSetup<'_>) -> Self {
        let user = |name| setup.mallory.user(name);
        let (alice, mallory) = (setup.alice.id().to_owned(), setup.copy.user.clone());
        Self { alice, mallory, eve: user("eve"), rival: user("rival") }
    }

    /// The power levels of users. Alice has 100, but for room version 12, where a creator must not be listed.
    pub(super) fn levels(&self, scene: &Scene, others: &[(&str, i64)]) -> Value {
        let alice = (!scene.version_is_from(12)).then_some((self.alice.as_str(), 100));
        others.iter().copied().chain(alice).map(|(user, level)| (user.to_owned(), json!(level))).collect()
    }
}

/// Sends the events one by one. Once an honest message has been seen after all of them, it judges each.
pub(super) async fn send_forbidden(
    mut setup: PeerSetup<'_>,
    table: &[ForbiddenEvent],
) -> Result<(), Failure> {
    let ids = UserIds::of(&setup);
    let carol = setup.host.register("carol").await?;
    invite_and_join(&setup.alice, &carol, &setup.room).await?;
    // Carol observes: Alice could be removed from the room if the server accepts one of the events.
    setup.alice = carol;
    let mut sent = Vec::new();
    for event in table {
        let forbidden = setup.copy.defy(event.what, event.rule, |room, _| (event.draft)(room, &ids))?;
        setup.mallory.offer(&setup.host, &[&forbidden]).await?;
        sent.push((event.check, forbidden));
    }
    let aftermath = setup.observe_after_lie().await?;
    for (check, forbidden) in &sent {
        setup.scene.check(check, setup.check_no_effect(forbidden, &aftermath));
    }
    Ok(())
}
