//! Paths that say something else than the event below them (server-server API, joining rooms, leaving rooms, knocking
//! upon a room, inviting to a room).
//!
//! An event that is looked for by its path and taken by its content is judged as one thing and takes effect as another.

use samklang_matrix::Event;
use samklang_reference::send_target;
use samklang_runner::peer::Reply;

use crate::{
    peer_answers::{check_not_signed, check_signed},
    peer_setup::{invite_if_required, peer_joins},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.other-room-in-path",
        title: "An event that is submitted to another room than its own has no effect.",
        weight: Weight::Should,
        catalogue: &["SH-15"],
        checks: &[
            CheckPlan::new("join", "A join that is submitted to another room has no effect.")
                .of(&["SS-JOIN-036"]),
            CheckPlan::new("leave", "A leave that is submitted to another room has no effect."),
            CheckPlan::new("knock", "A knock that is submitted to another room has no effect."),
            CheckPlan::new("invite", "An invite that is submitted to another room is not signed.")
                .of(&["SS-INVITE-022"]),
        ],
        play: play!(other_room),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.other-id-in-path",
        title: "An event that is submitted under another id than its own has no effect.",
        weight: Weight::Should,
        catalogue: &["SH-15"],
        checks: &[
            CheckPlan::new("join", "A join that is submitted under another id has no effect.")
                .of(&["SS-JOIN-036"]),
            CheckPlan::new("invite", "An invite that is submitted under another id is not signed.")
                .of(&["SS-INVITE-022"]),
        ],
        play: play!(other_id),
        ..Scenario::PEER
    },
];

/// What the path says otherwise than the event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Room,
    Id,
}

/// A member event, and what the path says of it.
struct Submission<'a> {
    membership: &'static str,
    user: &'a str,
    room: &'a Room,
    other: &'a Room,
}

async fn other_room(scene: &Scene) -> Result<(), Failure> {
    submit_wrongly(scene, Wrong::Room).await
}

async fn other_id(scene: &Scene) -> Result<(), Failure> {
    submit_wrongly(scene, Wrong::Id).await
}

/// Carol, Dave and Eve of Mallory's server join, leave and knock under a wrong path; then others do so honestly.
async fn submit_wrongly(scene: &Scene, wrong: Wrong) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (alice, mallory) = (&setup.alice, &setup.mallory);
    let open = alice.create_room(Public).await?;
    let knocks = setup.host.declares("knock");
    let knocked = [knockable(alice).await?, knockable(alice).await?];
    let [carol, eve] = ["carol", "eve"].map(|name| mallory.user(name));
    let dave = peer_joins(alice, &setup.host, &setup.room, mallory, "dave").await?.user;
    peer_joins(alice, &setup.host, &open, mallory, "dave").await?;
    invite_if_required(alice, &setup.host, &setup.room, &carol).await?;

    let submissions = [
        ("join", Submission { membership: "join", user: &carol, room: &setup.room, other: &open }),
        ("leave", Submission { membership: "leave", user: &dave, room: &setup.room, other: &open }),
        ("knock", Submission { membership: "knock", user: &eve, room: &knocked[0], other: &knocked[1] }),
    ];
    let mut replies = Vec::new();
    // Of the id in the path the specification speaks for joins and invites alone.
    let tried = if wrong == Wrong::Id { &submissions[..1] } else { &submissions[..] };
    for (check, submission) in tried {
        if *check == "knock" && !knocks {
            let vendor = &setup.host.server.cast.vendor.title;
            let text = message!("plan.feature-not-declared", vendor = vendor, feature = "knock");
            scene.check(check, Err::<Observations, _>(Failure::NotApplicable(text)));
            continue;
        }
        replies.push((check, submission, submission.submit(&setup, wrong).await?));
    }
    setup.send_sentinel("an honest word").await?;
    for (check, submission, reply) in replies {
        scene.check(check, submission.without_effect(&setup, &reply).await);
    }
    scene.check("invite", invite_wrongly(&setup, wrong).await);

    // The twins are others, for whom nothing has been tried.
    let frida = peer_joins(alice, &setup.host, &setup.room, mallory, "frida").await?.user;
    sees_membership(alice, &setup.room, &frida, "join").await?;
    if knocks {
        let goran = mallory.user("goran");
        mallory.knock(&setup.host, &knocked[0], &goran).await?;
        sees_membership(alice, &knocked[0], &goran, "knock").await?;
    }
    mallory.leave(&setup.host, &setup.room, &frida).await?;
    sees_membership(alice, &setup.room, &frida, "leave").await
}

async fn knockable(alice: &User) -> Result<Room, Failure> {
    alice.create_room(RoomPlan::with(JoinRule::Knock)).await
}

impl Submission<'_> {
    /// Submits the honest event under the wrong path.
    async fn submit(&self, setup: &PeerSetup<'_>, wrong: Wrong) -> Result<Reply, Failure> {
        let (host, peer) = (&setup.host, setup.mallory.peer());
        let template = peer.template_for(self.membership, host.name(), &self.room.id, self.user).await;
        let (version, template) =
            template.map_err(|obstacle| setup.mallory.failure(host, "make", obstacle))?;
        let event = peer.finished(&template, &version);
        let id = Event::read(&event, &version).map(|event| event.id().to_owned()).unwrap_or_default();
        let target = match wrong {
            Wrong::Room => send_target(self.membership, &self.other.id, &id),
            Wrong::Id => send_target(self.membership, &self.room.id, &odd_id(&id)),
        };
        let reply = setup.mallory.ask(host, "PUT", &target, Some(&event)).await?;
        peer.admit(&reply.observation.exchange.to_string());
        Ok(reply)
    }

    /// In neither room is the user what the event says.
    async fn without_effect(&self, setup: &PeerSetup<'_>, reply: &Reply) -> Result<Observations, Failure> {
        let mut seen = Observations::from(reply.clone());
        for room in [self.room, self.other] {
            let members = setup.alice.members(room).await?;
            if members.value[self.user] == self.membership {
                let text = message!("fail.took-effect", what = self.membership);
                let evidence = [seen.all(), members.observations.all()].concat();
                let failure = setup.alice.wrong("path.not_compared", text, &evidence);
                return Err(failure.showing("a refusal", reply.in_words()));
            }
            seen = merge_observations(seen, members);
        }
        Ok(seen)
    }
}

/// An id of the same form that is no event's.
fn odd_id(id: &str) -> String {
    let swapped =
        |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    id.chars().map(swapped).collect()
}

/// An invite to one room of Mallory's comes under the path of another; an honest one comes with it.
async fn invite_wrongly(setup: &PeerSetup<'_>, wrong: Wrong) -> Result<Observations, Failure> {
    let (alice, mallory) = (&setup.alice, &setup.mallory);
    let (_, other) = mallory.found(&setup.host, "mallory").await?;
    let (room, copy) = mallory.found(&setup.host, "mallory").await?;
    let event = copy.member("invite of Alice", alice.id(), "invite")?;
    let honest = copy.invitation(&event);
    let mut bent = honest.clone();
    match wrong {
        Wrong::Room => bent.room = other.room,
        Wrong::Id => bent.event_id = odd_id(&honest.event_id),
    }
    let reply = mallory.bring(&setup.host, &bent).await?;
    // Who has signed it so may know it by now, and need not sign it again.
    let refused = check_not_signed(alice, "an invite under a path that does not fit it", &reply)?;
    let taken = mallory.bring(&setup.host, &honest).await?;
    check_signed(alice, "an honest invite", &taken)?;
    alice.sees(invite(&room, alice)).await?;
    Ok(refused)
}
