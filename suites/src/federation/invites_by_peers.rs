//! Invites that a peer brings (server-server API, inviting to a room).
//!
//!   Mallory ── PUT /invite: something else than an invite of Alice ─▶ Alice's server
//!           ◀─ no signature of that server's, whatever else it answers
//!
//! The signature is what a lie is after: with it, the event is the invited server's own word.

use samklang_runner::peer::{Invitation, Reply};

use crate::{
    peer_answers::{check_not_signed, check_signed},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.lying-invites",
        title: "A server signs an honest invite of its user by a peer, and nothing else that is brought in its place.",
        catalogue: &["FC-12", "FC-13", "SH-01"],
        requirements: &["SS-INVITE-013"],
        checks: &[
            CheckPlan::new("stranger-key", "An invite with a bad signature is not signed.")
                .of(&["SS-INVITE-016"]),
            CheckPlan::new("altered", "An invite that was changed after it was signed is not signed.")
                .of(&["SS-INVITE-016"]),
            CheckPlan::new("not-member", "What is no m.room.member event is not signed.")
                .of(&["SS-INVITE-017"]),
            CheckPlan::new("membership", "A member event that is no invite is not signed.")
                .of(&["SS-INVITE-018"]),
            CheckPlan::new(
                "foreign-sender",
                "An invite by a user of another server than the one that brings it is not signed.",
            )
            .of(&["SS-INVITE-019"]),
            CheckPlan::new("foreign-user", "An invite of another server's user is not signed.")
                .of(&["SS-INVITE-020"]),
            CheckPlan::new(
                "version",
                "An invite for a room version that the server does not know is not signed.",
            )
            .of(&["SS-INVITE-015"]),
        ],
        play: play!(lying_invites),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.invite-refusals",
        title: "The refusal of an invite says what is wrong with it.",
        weight: Weight::Should,
        catalogue: &["FC-13"],
        checks: &[
            CheckPlan::new("stranger-key", "A bad signature is named as a bad parameter.")
                .of(&["SS-INVITE-021"]),
            CheckPlan::new("not-member", "Another event type is named as a bad parameter.")
                .of(&["SS-INVITE-021"]),
            CheckPlan::new("membership", "Another membership is named as a bad parameter.")
                .of(&["SS-INVITE-021"]),
            CheckPlan::new("foreign-sender", "Another server's sender is named as a bad parameter.")
                .of(&["SS-INVITE-021"]),
            CheckPlan::new("foreign-user", "Another server's user is named as a bad parameter.")
                .of(&["SS-INVITE-021"]),
            CheckPlan::new(
                "version",
                "An unknown room version is named as incompatible, and which one it is.",
            )
            .of(&["SS-INVITE-015"]),
        ],
        play: play!(invite_refusals),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.invite-state-checked",
        title: "From version 12 on an invite is signed only with state that shows which room it is for.",
        weight: Weight::Should,
        catalogue: &["FC-18"],
        versions: Versions::Only(&["12"]),
        checks: &[
            CheckPlan::new("no-create", "An invite without the create event is not signed.")
                .of(&["SS-INVITE-023"]),
            CheckPlan::new("no-state", "An invite without any state is not signed.").of(&["SS-INVITE-023"]),
            CheckPlan::new("other-room", "An invite with the create event of another room is not signed.")
                .of(&["SS-INVITE-024"]),
            CheckPlan::new("stripped", "An invite with state that is no complete event is not signed.")
                .of(&["SS-INVITE-025"]),
            CheckPlan::new("badly-signed", "An invite with state that is badly signed is not signed.")
                .of(&["SS-INVITE-026"]),
        ],
        play: play!(invite_state_checked),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.odd-invites",
        title: "Whatever an invite shows of its room, the invited user still sees and says everything else.",
        catalogue: &["SH-16"],
        requirements: &["SS-INVITE-013"],
        checks: &[
            CheckPlan::new("wrong-types", "State with content of wrong types locks nobody out."),
            CheckPlan::new("not-events", "State that is no list of events locks nobody out."),
            CheckPlan::new("no-list", "State that is no list at all locks nobody out."),
            CheckPlan::new("huge", "State of several megabytes locks nobody out."),
        ],
        play: play!(odd_invites),
        ..Scenario::PEER
    },
];

/// A lie in place of an invite of Alice, and what her server answered.
struct Brought {
    check: &'static str,
    room: Room,
    reply: Reply,
}

/// Mallory, who invites.
struct Inviter<'a> {
    scene: &'a Scene,
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
}

impl<'a> Inviter<'a> {
    async fn at(scene: &'a Scene) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { scene, host, alice, mallory })
    }

    async fn honest(&self) -> Result<(Room, Invitation), Failure> {
        let (room, copy) = self.mallory.found(&self.host, "mallory").await?;
        let event = copy.member("invite of Alice", self.alice.id(), "invite")?;
        Ok((room, copy.invitation(&event)))
    }

    /// The twin of all lies: an honest invite is signed, and Alice sees it.
    async fn twin(&self) -> Result<Sighting, Failure> {
        let (room, invitation) = self.honest().await?;
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        check_signed(&self.alice, "an honest invite", &reply)?;
        self.alice.sees(invite(&room, &self.alice)).await
    }

    /// An honest invitation with another event in it.
    async fn lie(
        &self,
        check: &'static str,
        forge: impl FnOnce(&RoomCopy) -> Result<Planted, Failure> + Send,
    ) -> Result<Brought, Failure> {
        let (room, copy) = self.mallory.found(&self.host, "mallory").await?;
        let invitation = copy.invitation(&forge(&copy)?);
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        Ok(Brought { check, room, reply })
    }

    /// An honest invitation with another body.
    async fn bend(
        &self,
        check: &'static str,
        bend: impl FnOnce(&mut Value) + Send,
    ) -> Result<Brought, Failure> {
        let (room, mut invitation) = self.honest().await?;
        bend(&mut invitation.body);
        let reply = self.mallory.bring(&self.host, &invitation).await?;
        Ok(Brought { check, room, reply })
    }

    /// Every lie in place of an invite, one after another.
    async fn lies(&self) -> Result<Vec<Brought>, Failure> {
        let trent = self.scene.peer("trent").await?;
        let (of_trent, alice) = (trent.user("trent"), self.alice.id());
        let stranger = unpublished_key()?;
        Ok(vec![
            self.lie("stranger-key", |copy| {
                copy.forge("badly signed invite", Tamper::Key(&stranger), |room, user| {
                    room.draft_member(user, alice, "invite")
                })
            })
            .await?,
            self.lie("altered", |copy| {
                let tamper = Tamper::after_signing(|pdu| pdu["depth"] = json!(77));
                copy.forge("altered invite", tamper, |room, user| room.draft_member(user, alice, "invite"))
            })
            .await?,
            self.lie("not-member", |copy| {
                copy.forge("levels for an invite", Tamper::before_hash(|_| {}), |room, user| {
                    let content = json!({"membership": "invite", "users": {user: 100}});
                    room.draft("m.room.power_levels", user).state_key(alice).content(content)
                })
            })
            .await?,
            self.lie("membership", |copy| {
                copy.forge("join for an invite", Tamper::before_hash(|_| {}), |room, user| {
                    room.draft_member(user, alice, "join")
                })
            })
            .await?,
            self.lie("foreign-sender", |copy| {
                // Signed in due form by the server of its sender, which is not the one that brings it.
                copy.forge("invite by Trent", Tamper::Key(trent.peer().key()), |room, _| {
                    room.draft_member(&of_trent, alice, "invite")
                })
            })
            .await?,
            self.lie("foreign-user", |copy| copy.member("invite of Trent", &of_trent, "invite")).await?,
            self.bend("version", |body| body["room_version"] = json!("org.example.nosuch")).await?,
        ])
    }

    /// The lie was neither signed nor shown to Alice.
    fn unsigned(&self, brought: &Brought, twin: &Sighting) -> Result<Observations, Failure> {
        let answer = check_not_signed(&self.alice, brought.check, &brought.reply)?;
        if self.alice.seen_so_far(&invite(&brought.room, &self.alice)).is_empty() {
            return Ok(merge_observations(answer, twin));
        }
        let text = message!("fail.seen", user = self.alice.name(), what = brought.check);
        Err(self.alice.wrong("invite.shown", text, answer.all()))
    }
}

async fn lying_invites(scene: &Scene) -> Result<(), Failure> {
    let inviter = Inviter::at(scene).await?;
    let lies = inviter.lies().await?;
    let twin = inviter.twin().await?;
    for brought in &lies {
        scene.check(brought.check, inviter.unsigned(brought, &twin));
    }
    Ok(())
}

/// How invites are refused. Which of the two bad parameters it is, the specification leaves open.
async fn invite_refusals(scene: &Scene) -> Result<(), Failure> {
    let inviter = Inviter::at(scene).await?;
    let lies = inviter.lies().await?;
    inviter.twin().await?;
    for Brought { check, reply, .. } in lies.iter().filter(|brought| brought.check != "altered") {
        let (right, wanted) = if *check == "version" {
            let named = reply.body["room_version"] == "org.example.nosuch";
            (
                reply.errcode() == "M_INCOMPATIBLE_ROOM_VERSION" && named,
                "400 M_INCOMPATIBLE_ROOM_VERSION with room_version",
            )
        } else {
            (["M_INVALID_PARAM", "M_MISSING_PARAM"].contains(&reply.errcode()), "400 M_INVALID_PARAM")
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

/// Changes the list of state that an invite shows.
fn shown(change: impl FnOnce(&mut Vec<Value>) + Send) -> impl FnOnce(&mut Value) + Send {
    move |body| {
        if let Some(list) = body["invite_room_state"].as_array_mut() {
            change(list);
        }
    }
}

fn is_create(event: &Value) -> bool {
    event["type"] == "m.room.create"
}

/// Applies to every create event in the list.
fn each_create(list: &mut [Value], change: impl Fn(&mut Value)) {
    list.iter_mut().filter(|event| is_create(event)).for_each(change);
}

async fn invite_state_checked(scene: &Scene) -> Result<(), Failure> {
    let inviter = Inviter::at(scene).await?;
    let (other, _) = inviter.honest().await?;
    let create = inviter.mallory.peer().with_room(&other.id, |room| {
        room.state_event("m.room.create", "").map(|event| Value::Object(event.json().clone()))
    });
    let create = create.flatten().unwrap_or_default();
    let lies = [
        inviter.bend("no-create", shown(|list| list.retain(|event| !is_create(event)))).await?,
        inviter
            .bend("no-state", |body| {
                body.as_object_mut().map(|body| body.remove("invite_room_state"));
            })
            .await?,
        inviter.bend("other-room", shown(|list| each_create(list, |event| *event = create.clone()))).await?,
        inviter.bend("stripped", shown(|list| list.iter_mut().for_each(strip))).await?,
        inviter.bend("badly-signed", shown(|list| each_create(list, sign_badly))).await?,
    ];
    inviter.twin().await?;
    for Brought { check, reply, .. } in &lies {
        scene.check(check, check_not_signed(&inviter.alice, check, reply));
    }
    Ok(())
}

/// Leaves of an event what clients are shown.
fn strip(event: &mut Value) {
    let keys = ["type", "state_key", "sender", "content"];
    *event = keys.into_iter().map(|key| (key.to_owned(), event[key].clone())).collect();
}

/// Puts a signature of the right form that is no signature of this event.
fn sign_badly(event: &mut Value) {
    for signatures in event["signatures"].as_object_mut().into_iter().flat_map(|servers| servers.values_mut())
    {
        for signature in signatures.as_object_mut().into_iter().flat_map(|keys| keys.values_mut()) {
            *signature = json!("A".repeat(86));
        }
    }
}

/// A check, and how it bends what an invite shows.
type Odd = (&'static str, fn(&mut Value));

/// Alice is in a room with Mallory while odd invites come in; then an honest one.
async fn odd_invites(scene: &Scene) -> Result<(), Failure> {
    let setup = mallory_in_public_room(scene).await?;
    let (host, alice, mallory) = (setup.host.clone(), setup.alice.clone(), setup.mallory.clone());
    let inviter = Inviter { scene, host, alice, mallory };
    let odd: [Odd; 4] = [
        ("wrong-types", |body| {
            shown(|list| {
                list.push(
                    json!({"type": "m.room.name", "state_key": "", "sender": 7, "content": {"name": [1]}}),
                );
                list.push(json!({"type": {}, "state_key": null, "sender": [], "content": "none"}));
                list.push(
                    json!({"type": "m.room.avatar", "state_key": "", "content": {"url": {"a": false}}}),
                );
            })(body);
        }),
        ("not-events", |body| body["invite_room_state"] = json!([1, null, "text", [[]], {}])),
        ("no-list", |body| body["invite_room_state"] = json!({"m.room.name": "no list"})),
        ("huge", |body| {
            let name = json!({"type": "m.room.name", "state_key": "", "sender": "@a:b", "content": {"name": "x".repeat(60_000)}});
            shown(|list| list.extend(std::iter::repeat_n(name, 50)))(body);
        }),
    ];
    for (check, bend) in odd {
        // How it is answered is left open; a server may even break off what is too long for it.
        let _ = inviter.bend(check, bend).await;
        scene.check(check, still_there(&setup).await);
    }
    inviter.twin().await?;
    Ok(())
}

/// Alice sees what is said, and what she says goes out.
async fn still_there(setup: &PeerSetup<'_>) -> Result<Observations, Failure> {
    let heard = setup.send_sentinel("are you there").await?;
    Ok(merge_observations(&heard.sighting, setup.send_next_event().await?))
}
