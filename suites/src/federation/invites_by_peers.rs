//! Invites that a peer sends (server-server API, inviting to a room).
//!
//!   Mallory ── PUT /invite: an event that is not a valid invite of Alice ─▶ Alice's server
//!           ◀─ any response, but no signature of that server
//!
//! A lie tries to obtain the signature: with it, the invited user's server vouches for the event.

use samklang_actors::peer::{Invitation, PeerResponse};

use crate::{
    peer_answers::{check_not_signed, check_signed},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.lying-invites",
        title: "The server signs another server's valid invite of its user, and no invalid event that is sent in its place.",
        catalogue: &["FC-12", "FC-13", "SH-01"],
        requirements: &["SS-INVITE-013"],
        checks: &[
            CheckPlan::new(
                "stranger-key",
                "The server neither signs nor shows an invite whose signature is not by a published key.",
            )
            .of(&["SS-INVITE-016"]),
            CheckPlan::new(
                "altered",
                "The server neither signs nor shows an invite that was changed after signing.",
            )
            .of(&["SS-INVITE-016"]),
            CheckPlan::new(
                "not-member",
                "The server neither signs nor shows an event sent to PUT /invite that is not m.room.member.",
            )
            .of(&["SS-INVITE-017"]),
            CheckPlan::new(
                "membership",
                "The server neither signs nor shows a member event sent to PUT /invite that is not an invite.",
            )
            .of(&["SS-INVITE-018"]),
            CheckPlan::new(
                "foreign-sender",
                "The server neither signs nor shows an invite whose sender is not a user of the inviting server.",
            )
            .of(&["SS-INVITE-019"]),
            CheckPlan::new(
                "foreign-user",
                "The server neither signs nor shows an invite for a user of a third server.",
            )
            .of(&["SS-INVITE-020"]),
            CheckPlan::new(
                "version",
                "The server neither signs nor shows an invite for an unknown room version.",
            )
            .of(&["SS-INVITE-015"]),
        ],
        play: play!(lying_invites),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.invite-refusals",
        title: "The server answers an invalid invite in PUT /invite with the error code that the specification names.",
        weight: Weight::Should,
        catalogue: &["FC-13"],
        checks: &[
            CheckPlan::new(
                "stranger-key",
                "The server answers a badly signed invite in PUT /invite with 400 M_INVALID_PARAM or M_MISSING_PARAM.",
            )
            .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "not-member",
                "The server answers an event of another type in PUT /invite with 400 M_INVALID_PARAM or M_MISSING_PARAM.",
            )
            .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "membership",
                "The server answers a non-invite member event in PUT /invite with 400 M_INVALID_PARAM or M_MISSING_PARAM.",
            )
            .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "foreign-sender",
                "The server answers an invite by a third server's user in PUT /invite with 400 M_INVALID_PARAM or M_MISSING_PARAM.",
            )
            .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "foreign-user",
                "The server answers an invite of a third server's user in PUT /invite with 400 M_INVALID_PARAM or M_MISSING_PARAM.",
            )
            .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "version",
                "The server answers PUT /invite for an unknown version with 400 M_INCOMPATIBLE_ROOM_VERSION and room_version.",
            )
            .of(&["SS-INVITE-015"]),
        ],
        play: play!(invite_refusals),
        ..Scenario::PEER
    },
];

/// An invalid event sent in place of an invite of Alice, and the response of her server.
pub(super) struct InvalidInvite {
    pub(super) check: &'static str,
    room: Room,
    pub(super) reply: PeerResponse,
}

/// Mallory's server, which sends invites of Alice.
pub(super) struct InvitingPeer<'a> {
    pub(super) scene: &'a Scene,
    pub(super) host: Host,
    pub(super) alice: User,
    pub(super) mallory: ScriptedPeer,
}

impl<'a> InvitingPeer<'a> {
    pub(super) async fn at(scene: &'a Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory })
    }

    pub(super) async fn honest_invite(&self) -> Result<(Room, Invitation), Failure> {
        let (room, copy) = self.mallory.found(&self.host, "mallory").await?;
        let event = copy.member("invite of Alice", self.alice.id(), "invite")?;
        Ok((room, copy.invitation(&event)))
    }

    /// The twin of all lies: an honest invite, which the server signs and Alice sees.
    pub(super) async fn twin(&self) -> Result<Sighting, Failure> {
        let (room, invitation) = self.honest_invite().await?;
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        check_signed(&self.alice, message!("scenario.request.honest-invite"), &reply)?;
        self.alice.sees(invite(&room, &self.alice)).await
    }

    /// Sends the event that `forge` makes in place of the invite.
    async fn send_forged(
        &self,
        check: &'static str,
        forge: impl FnOnce(&RoomCopy) -> Result<Planted, Failure> + Send,
    ) -> Result<InvalidInvite, Failure> {
        let (room, copy) = self.mallory.found(&self.host, "mallory").await?;
        let invitation = copy.invitation(&forge(&copy)?);
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        Ok(InvalidInvite { check, room, reply })
    }

    /// Sends an honest invite whose request body `change` has changed.
    pub(super) async fn send_changed(
        &self,
        check: &'static str,
        change: impl FnOnce(&mut Value) + Send,
    ) -> Result<InvalidInvite, Failure> {
        let (room, mut invitation) = self.honest_invite().await?;
        change(&mut invitation.body);
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        Ok(InvalidInvite { check, room, reply })
    }

    /// Sends every kind of invalid event in place of an invite, one after another.
    async fn send_lies(&self) -> Result<Vec<InvalidInvite>, Failure> {
        let trent = self.scene.peer("trent").await?;
        let (of_trent, alice) = (trent.user("trent"), self.alice.id());
        let stranger = unpublished_key()?;
        Ok(vec![
            self.send_forged("stranger-key", |copy| {
                copy.forge("badly signed invite", Tamper::Key(&stranger), |room, user| {
                    room.draft_member(user, alice, "invite")
                })
            })
            .await?,
            self.send_forged("altered", |copy| {
                let tamper = Tamper::after_signing(|pdu| pdu["depth"] = json!(77));
                copy.forge("altered invite", tamper, |room, user| room.draft_member(user, alice, "invite"))
            })
            .await?,
            self.send_forged("not-member", |copy| {
                copy.forge("levels for an invite", Tamper::before_hash(|_| {}), |room, user| {
                    let content = json!({"membership": "invite", "users": {user: 100}});
                    room.draft("m.room.power_levels", user).state_key(alice).content(content)
                })
            })
            .await?,
            self.send_forged("membership", |copy| {
                copy.forge("join for an invite", Tamper::before_hash(|_| {}), |room, user| {
                    room.draft_member(user, alice, "join")
                })
            })
            .await?,
            self.send_forged("foreign-sender", |copy| {
                // The sender's server has signed it correctly, but another server sends it.
                copy.forge("invite by Trent", Tamper::Key(trent.peer().key()), |room, _| {
                    room.draft_member(&of_trent, alice, "invite")
                })
            })
            .await?,
            self.send_forged("foreign-user", |copy| copy.member("invite of Trent", &of_trent, "invite"))
                .await?,
            self.send_changed("version", |body| body["room_version"] = json!("org.example.nosuch")).await?,
        ])
    }

    /// Passes if the event was neither signed nor shown to Alice.
    fn check_rejected(&self, sent: &InvalidInvite, twin: &Sighting) -> Result<Observations, Failure> {
        let answer = check_not_signed(&self.alice, sent.check, &sent.reply)?;
        if self.alice.seen_so_far(&invite(&sent.room, &self.alice)).is_empty() {
            return Ok(merge_observations(answer, twin));
        }
        let text = message!("fail.seen", user = self.alice.name(), what = sent.check);
        Err(self.alice.wrong("invite.shown", text, answer.all()))
    }
}

async fn lying_invites(scene: &Scene) -> Result<(), Failure> {
    let inviter = InvitingPeer::at(scene).await?;
    let lies = inviter.send_lies().await?;
    let twin = inviter.twin().await?;
    for sent in &lies {
        scene.check(sent.check, inviter.check_rejected(sent, &twin));
    }
    Ok(())
}

/// The specification leaves open which of the two parameter errors it is.
async fn invite_refusals(scene: &Scene) -> Result<(), Failure> {
    let inviter = InvitingPeer::at(scene).await?;
    let lies = inviter.send_lies().await?;
    inviter.twin().await?;
    for InvalidInvite { check, reply, .. } in lies.iter().filter(|sent| sent.check != "altered") {
        let (right, wanted) = if *check == "version" {
            let named = reply.body["room_version"] == "org.example.nosuch";
            (
                reply.errcode() == "M_INCOMPATIBLE_ROOM_VERSION" && named,
                message!("scenario.expected.incompatible-version"),
            )
        } else {
            (
                ["M_INVALID_PARAM", "M_MISSING_PARAM"].contains(&reply.errcode()),
                message!("scenario.expected.invalid-param"),
            )
        };
        let outcome = if right && reply.status == 400 {
            Ok(Observations::from(reply.clone()))
        } else {
            let text = message!("fail.other-refusal", what = check);
            let seen = std::slice::from_ref(&reply.observation);
            Err(inviter.alice.wrong("invite.other_refusal", text, seen).showing(wanted, &reply.body))
        };
        scene.check(check, outcome);
    }
    Ok(())
}
