//! The size limits of events and their fields (client-server API, size limits; server-server API, PDUs). Limits are in
//! bytes of UTF-8. Each is tested from both sides: the largest size is accepted, and one more is not.

use samklang_actors::peer::draft_message;
use samklang_matrix::{BreachReason, Draft, RoomGraph, canonical_size};

use super::malformed::{GOES_ON, judge_ignored, require_breach};
use crate::{peer_setup::mallory_in_room, prelude::*};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "events.too-large",
        title: "The server accepts an event of 65536 bytes, ignores a larger one and goes on sending its users' events.",
        catalogue: &["SH-14"],
        requirements: &["SS-LIMITS-001"],
        checks: &[
            CheckPlan::new("largest", "A user is shown an event of exactly 65536 bytes."),
            CheckPlan::new("one-more", "The server ignores an event of 65537 bytes."),
            CheckPlan::new(
                "fewer-characters",
                "The server ignores an event of 65537 bytes that contains fewer than 65536 characters.",
            ),
            GOES_ON,
        ],
        play: play!(too_large),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.too-long",
        title: "The server accepts types, state keys and senders of 255 bytes, and ignores longer ones.",
        catalogue: &["SH-14"],
        requirements: &["SS-LIMITS-002"],
        checks: &[
            CheckPlan::new("longest-type", "A user is shown events whose type has exactly 255 bytes.")
                .of(&["SS-LIMITS-003"]),
            CheckPlan::new("type", "The server ignores an event whose type has 256 bytes.")
                .of(&["SS-LIMITS-003"]),
            CheckPlan::new(
                "type-bytes",
                "The server ignores an event whose type has 256 bytes but fewer characters.",
            )
            .of(&["SS-LIMITS-003"]),
            CheckPlan::new(
                "longest-state-key",
                "A user is shown events whose state_key has exactly 255 bytes.",
            ),
            CheckPlan::new("state-key", "The server ignores an event whose state_key has 256 bytes."),
            CheckPlan::new(
                "state-key-bytes",
                "The server ignores an event whose state_key has 256 bytes but fewer characters.",
            ),
            CheckPlan::new(
                "longest-sender",
                "The server accepts the join of another server's user whose user ID has exactly 255 bytes.",
            )
            .of(&["SS-LIMITS-004"]),
            CheckPlan::new(
                "sender",
                "The server ignores the join of another server's user whose user ID has 256 bytes.",
            )
            .of(&["SS-LIMITS-004"]),
            GOES_ON,
        ],
        play: play!(too_long),
        ..Scenario::PEER
    },
    Scenario {
        id: "events.too-many-references",
        title: "The server ignores an event with too many prev events or auth events.",
        catalogue: &["SH-10", "SH-14"],
        requirements: &["SS-PDU-014"],
        checks: &[
            CheckPlan::new("most-predecessors", "A user is shown an event with 20 prev events."),
            CheckPlan::new("predecessors", "The server ignores an event with 21 prev events."),
            CheckPlan::new("auth-events", "The server ignores an event with 11 auth events.")
                .of(&["SS-PDU-012"]),
            GOES_ON,
        ],
        play: play!(too_many_references),
        ..Scenario::PEER
    },
];

/// The greatest size of an event in bytes of canonical JSON, signatures included.
const EVENT: usize = 65_536;
/// The greatest size of type, state key and sender in bytes.
const FIELD: usize = 255;

/// `start` filled up to `size` bytes, with one-byte characters or, if `wide`, with two-byte characters.
fn filled(start: &str, size: usize, wide: bool) -> String {
    let room = size.saturating_sub(start.len());
    let filling = if wide { "x".repeat(room % 2) + &"é".repeat(room / 2) } else { "x".repeat(room) };
    format!("{start}{filling}")
}

impl PeerSetup<'_> {
    /// Mallory sends an honest event beside others, and Alice is shown it.
    async fn accepted(
        &self,
        what: &str,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Sighting, Failure> {
        let event = self.copy.aside(what, make)?;
        self.mallory.transmit(&self.host, &[&event]).await?;
        self.alice.sees(&event).await
    }

    /// An event with a valid signature that breaks a limit at this field.
    fn too_large(
        &self,
        what: &str,
        field: &str,
        reason: BreachReason,
        make: impl for<'a> FnOnce(&'a RoomGraph, &str) -> Draft<'a>,
    ) -> Result<Planted, Failure> {
        let event = self.copy.forge(what, Tamper::before_hash(|_| {}), make)?;
        require_breach(self, &event, field, reason)?;
        Ok(event)
    }
}

async fn too_large(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    // All bodies begin with the same number of bytes, so that the size of one gives that of the others.
    let [largest, one_more, fewer] = ["large: 65536", "large: 65537", "large: wider"];
    let probe = setup.copy.aside(largest, |room, user| draft_message(room, user, largest))?;
    let rest = EVENT.saturating_sub(canonical_size(probe.json()).unwrap_or_default());
    let body = |start: &str, more: usize, wide| filled(start, start.len() + rest + more, wide);

    let exact = body(largest, 0, false);
    let exact = setup.copy.aside(largest, |room, user| draft_message(room, user, &exact))?;
    let size = canonical_size(exact.json());
    if size != Some(EVENT) {
        let (what, outcome) = (largest, format!("{size:?}"));
        return Err(Failure::Problem(Problem::harness(message!(
            "judging.dishonest",
            what = what,
            outcome = outcome
        ))));
    }
    let bad =
        [("one-more", one_more, false), ("fewer-characters", fewer, true)].map(|(check, what, wide)| {
            let body = body(what, 1, wide);
            let event = setup.too_large(what, "", BreachReason::EventTooLarge, |room, user| {
                draft_message(room, user, &body)
            });
            Ok::<_, Failure>((check, event?))
        });
    let bad: Vec<_> = bad.into_iter().collect::<Result<_, _>>()?;
    let shown = async {
        setup.mallory.transmit(&setup.host, &[&exact]).await?;
        setup.send_sentinel("after the largest").await?;
        // An event that the server does not hold by now will not be shown.
        match setup.mallory.held(&setup.host, &exact).await? {
            (HeldContent::Nothing, seen) => Err(setup.wrongly_held(
                "pdu.largest_refused",
                &exact,
                HeldContent::Whole,
                HeldContent::Nothing,
                seen,
            )),
            _ => setup.alice.sees(&exact).await,
        }
    };
    scene.check("largest", shown.await);
    judge_ignored(&setup, &bad).await
}

/// Every member may set state in this room, so that only the length is wrong.
async fn too_long(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_room(scene, Public.power_levels(json!({"state_default": 0}))).await?;
    let longest = async |what: &str, make: DraftWithText, text: String| {
        setup.accepted(what, |room, user| make(room, user, &text, what)).await
    };
    let over = |what: &str, field: &str, make: DraftWithText, text: String| {
        setup.too_large(what, field, BreachReason::FieldTooLong, |room, user| make(room, user, &text, what))
    };
    let mut bad = Vec::new();
    for (field, make, checks) in FIELDS {
        let [longest_check, narrow, wide] = checks;
        let both = async {
            let one = longest(&format!("longest {field}"), make, filled("x.", FIELD, false)).await?;
            let other = longest(&format!("longest wide {field}"), make, filled("x.", FIELD, true)).await?;
            Ok(merge_observations(one, other))
        };
        scene.check(longest_check, both.await);
        bad.push((narrow, over(&format!("too long {field}"), field, make, filled("x.", FIELD + 1, false))?));
        bad.push((wide, over(&format!("too wide {field}"), field, make, filled("x.", FIELD + 1, true))?));
    }
    let user_of = |size: usize| {
        let server = format!(":{}", setup.mallory.name());
        filled("@", size - server.len(), false) + &server
    };
    let (longest_user, longer_user) = (user_of(FIELD), user_of(FIELD + 1));
    let joins = setup.accepted("join of the longest id", |room, _| {
        room.draft_member(&longest_user, &longest_user, "join")
    });
    scene.check("longest-sender", joins.await);
    let join = setup.copy.forge("join of a longer id", Tamper::before_hash(|_| {}), |room, _| {
        room.draft_member(&longer_user, &longer_user, "join")
    })?;
    require_breach(&setup, &join, "s", BreachReason::FieldTooLong)?;
    bad.push(("sender", join));
    judge_ignored(&setup, &bad).await
}

/// Makes an event with a text in a field, and with its label in the content.
type DraftWithText = for<'a> fn(&'a RoomGraph, &str, &str, &str) -> Draft<'a>;

fn draft_of_type<'a>(room: &'a RoomGraph, user: &str, kind: &str, what: &str) -> Draft<'a> {
    room.draft(kind, user).content(json!({ "body": what }))
}

fn draft_of_key<'a>(room: &'a RoomGraph, user: &str, key: &str, what: &str) -> Draft<'a> {
    room.draft("org.example.note", user).state_key(key).content(json!({ "body": what }))
}

/// A field, the function that makes an event with it, and the checks of the longest text, of one byte more, and of one byte
/// more in fewer characters.
const FIELDS: [(&str, DraftWithText, [&str; 3]); 2] = [
    ("type", draft_of_type, ["longest-type", "type", "type-bytes"]),
    ("state_key", draft_of_key, ["longest-state-key", "state-key", "state-key-bytes"]),
];

/// Twenty-one messages beside each other, and events with twenty or all of them as prev events, or eleven as auth events.
async fn too_many_references(scene: &Scene) -> Result<(), Failure> {
    const MOST: usize = 20;
    let setup = mallory_in_public_room(scene).await?;
    let base = setup.copy.message("the common prev event")?;
    let beside = |number: usize| {
        let body = format!("beside {number}");
        setup.copy.plant(&body, |room, user| draft_message(room, user, &body).after([&base.id]))
    };
    let beside: Vec<_> = (0..=MOST).map(beside).collect::<Result<_, _>>()?;
    let ids: Vec<_> = beside.iter().map(|event| event.id.clone()).collect();
    setup.mallory.transmit(&setup.host, &[&base]).await?;
    setup.mallory.transmit(&setup.host, &beside.iter().collect::<Vec<_>>()).await?;

    // The copy holds this event, so that later events have it as their prev event, and not all twenty-one.
    let what = "twenty prev events";
    let most = setup.copy.plant(what, |room, user| draft_message(room, user, what).after(&ids[..MOST]))?;
    let shown = async {
        setup.mallory.transmit(&setup.host, &[&most]).await?;
        setup.alice.sees(&most).await
    };
    scene.check("most-predecessors", shown.await);
    let what = "twenty-one prev events";
    let many_prev = setup.too_large(what, "prev_events", BreachReason::TooManyPrevEvents, |room, user| {
        draft_message(room, user, what).after(&ids)
    })?;
    let what = "eleven auth events";
    let many_auth = setup.too_large(what, "auth_events", BreachReason::TooManyAuthEvents, |room, user| {
        draft_message(room, user, what).after(&ids[..1]).with_auth_events(&ids[..11])
    })?;
    judge_ignored(&setup, &[("predecessors", many_prev), ("auth-events", many_auth)]).await
}
