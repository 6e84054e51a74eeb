//! Requests whose path names another room or event than their body (server-server API, joining rooms, leaving rooms,
//! knocking upon a room, inviting to a room).
//!
//! A server that checks the path and accepts the body checks one thing and applies another.

use samklang_actors::peer::PeerResponse;
use samklang_matrix::Event;

use crate::{
    peer_answers::{check_not_signed, check_signed},
    peer_setup::{invite_if_required, peer_joins},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.other-room-in-path",
        title: "The server does not apply a member event that is submitted under another room's ID in the path.",
        weight: Weight::Should,
        catalogue: &["SH-15"],
        checks: &[
            CheckPlan::new("join", "The server does not apply a join that is sent to PUT /send_join with another room's ID in the path.")
                .of(&["SS-JOIN-036"]),
            CheckPlan::new("leave", "The server does not apply a leave that is sent to PUT /send_leave with another room's ID in the path."),
            CheckPlan::new("knock", "The server does not apply a knock that is sent to PUT /send_knock with another room's ID in the path."),
            CheckPlan::new("invite", "The server does not sign an invite that is sent to PUT /invite with another room's ID in the path.")
                .of(&["SS-INVITE-022"]),
        ],
        play: play!(other_room),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.other-id-in-path",
        title: "The server does not apply a member event that is submitted under another event ID in the path.",
        weight: Weight::Should,
        catalogue: &["SH-15"],
        checks: &[
            CheckPlan::new("join", "The server does not apply a join that is sent to PUT /send_join with another event ID in the path.")
                .of(&["SS-JOIN-036"]),
            CheckPlan::new("invite", "The server does not sign an invite that is sent to PUT /invite with another event ID in the path.")
                .of(&["SS-INVITE-022"]),
        ],
        play: play!(other_id),
        ..Scenario::PEER
    },
];

/// The part of the path that does not match the event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PathMismatch {
    Room,
    EventId,
}

/// A member event of `room` that is submitted to a path that does not match it. `other` is the room in a mismatching path.
struct MismatchedSubmission<'a> {
    membership: &'static str,
    user: &'a str,
    room: &'a Room,
    other: &'a Room,
}

async fn other_room(scene: &Scene) -> Result<(), Failure> {
    submit_mismatched(scene, PathMismatch::Room).await
}

async fn other_id(scene: &Scene) -> Result<(), Failure> {
    submit_mismatched(scene, PathMismatch::EventId).await
}

/// Carol, Dave and Eve of Mallory's server join, leave and knock with a path that does not match; then other users do so
/// honestly.
async fn submit_mismatched(scene: &Scene, mismatch: PathMismatch) -> Result<(), Failure> {
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
        ("join", MismatchedSubmission { membership: "join", user: &carol, room: &setup.room, other: &open }),
        ("leave", MismatchedSubmission { membership: "leave", user: &dave, room: &setup.room, other: &open }),
        (
            "knock",
            MismatchedSubmission { membership: "knock", user: &eve, room: &knocked[0], other: &knocked[1] },
        ),
    ];
    let mut replies = Vec::new();
    // The specification gives the event ID in the path a meaning for joins and invites only.
    let tried = if mismatch == PathMismatch::EventId { &submissions[..1] } else { &submissions[..] };
    for (check, submission) in tried {
        if *check == "knock" && !knocks {
            let vendor = &setup.host.server.cast.vendor.title;
            let text = message!("plan.feature-not-declared", vendor = vendor, feature = "knock");
            scene.check(check, Err::<Observations, _>(Failure::NotApplicable(text)));
            continue;
        }
        replies.push((check, submission, submission.submit(&setup, mismatch).await?));
    }
    setup.send_sentinel("an honest message").await?;
    for (check, submission, reply) in replies {
        scene.check(check, submission.check_no_effect(&setup, &reply).await);
    }
    scene.check("invite", mismatched_invite(&setup, mismatch).await);

    // The twins are users whose events have not been submitted before.
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

impl MismatchedSubmission<'_> {
    /// Submits the honest event to a path that does not match it.
    async fn submit(&self, setup: &PeerSetup<'_>, mismatch: PathMismatch) -> Result<PeerResponse, Failure> {
        let (host, peer) = (&setup.host, setup.mallory.peer());
        let template = peer.template_for(self.membership, host.name(), &self.room.id, self.user).await;
        let (version, template) =
            template.map_err(|obstacle| setup.mallory.failure(host, "make", obstacle))?;
        let event = peer.finished(&template, &version);
        let id = Event::read(&event, &version).map(|event| event.id().to_owned()).unwrap_or_default();
        let target = match mismatch {
            PathMismatch::Room => paths::send_member(self.membership, &self.other.id, &id),
            PathMismatch::EventId => {
                paths::send_member(self.membership, &self.room.id, &unknown_event_id(&id))
            }
        };
        let reply = setup.mallory.ask(host, "PUT", &target, Some(&event)).await?;
        peer.admit(&reply.observation.exchange.to_string());
        Ok(reply)
    }

    /// Passes if the user has the event's membership in neither room.
    async fn check_no_effect(
        &self,
        setup: &PeerSetup<'_>,
        reply: &PeerResponse,
    ) -> Result<Observations, Failure> {
        let mut seen = Observations::from(reply.clone());
        for room in [self.room, self.other] {
            let members = setup.alice.members(room).await?;
            if members.value[self.user] == self.membership {
                let text = message!("fail.took-effect", what = self.membership);
                let evidence = [seen.all(), members.observations.all()].concat();
                let failure = setup.alice.wrong("path.not_compared", text, &evidence);
                return Err(failure.showing(message!("scenario.expected.refusal"), reply.in_words()));
            }
            seen = merge_observations(seen, members);
        }
        Ok(seen)
    }
}

/// An event ID of the same form that no event has.
fn unknown_event_id(id: &str) -> String {
    let swapped =
        |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    id.chars().map(swapped).collect()
}

/// Mallory's server sends an invite to a path that does not match it; then it sends the same invite honestly.
async fn mismatched_invite(setup: &PeerSetup<'_>, mismatch: PathMismatch) -> Result<Observations, Failure> {
    let (alice, mallory) = (&setup.alice, &setup.mallory);
    let (_, other) = mallory.found(&setup.host, "mallory").await?;
    let (room, copy) = mallory.found(&setup.host, "mallory").await?;
    let event = copy.member("invite of Alice", alice.id(), "invite")?;
    let honest = copy.invitation(&event);
    let mut mismatched = honest.clone();
    match mismatch {
        PathMismatch::Room => mismatched.room = other.room,
        PathMismatch::EventId => mismatched.event_id = unknown_event_id(&honest.event_id),
    }
    let reply = mallory.bring(&setup.host, &mismatched).await?;
    // The honest request comes last: a server that has signed the invite may know it and not sign it again.
    let not_signed = check_not_signed(alice, message!("scenario.request.invite-other-path"), &reply)?;
    let accepted = mallory.bring(&setup.host, &honest).await?;
    check_signed(alice, message!("scenario.request.honest-invite"), &accepted)?;
    alice.sees(invite(&room, alice)).await?;
    Ok(not_signed)
}
