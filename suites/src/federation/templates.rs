//! Templates for member events that a resident server gives to other servers (server-server API, joining rooms, leaving
//! rooms, knocking upon a room).
//!
//! The twin of the refused requests is an honest one whose template is used: the member event takes effect in the room.

use samklang_actors::peer::PeerResponse;

use crate::{
    peer_answers::{check_refused, check_refused_with, check_success},
    peer_setup::{invite_if_required, peer_joins},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.join-templates",
        title: "The resident server returns a make_join template only for a user who may join.",
        catalogue: &["FC-10", "FC-13"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "several-versions",
                "The server answers make_join with a template if ver lists the room's version among several.",
            )
            .of(&["SS-JOIN-007", "SS-JOIN-002"]),
            CheckPlan::new(
                "other-version",
                "The server refuses make_join without the room's version in ver with 400 M_INCOMPATIBLE_ROOM_VERSION.",
            )
            .of(&["SS-JOIN-004"]),
            CheckPlan::new(
                "version-named",
                "The server states the room's version when it refuses make_join for an incompatible version.",
            )
            .of(&["SS-JOIN-005"]),
            CheckPlan::new(
                "no-version",
                "The server refuses make_join without ver, because that means support for room version 1 only.",
            )
            .of(&["SS-JOIN-006"]),
            CheckPlan::new(
                "foreign-user",
                "The server refuses make_join for a user of another server than the requesting one.",
            )
            .of(&["SS-JOIN-008"]),
            CheckPlan::new(
                "uninvited",
                "The server answers make_join for a user who was not invited with 403 M_FORBIDDEN.",
            )
            .of(&["SS-JOIN-009"]),
            CheckPlan::new("banned", "The server answers make_join for a banned user with 403 M_FORBIDDEN.")
                .of(&["SS-JOIN-009"]),
            CheckPlan::new(
                "unknown-room",
                "The server answers make_join for an unknown room with 404 M_NOT_FOUND.",
            )
            .of(&["SS-JOIN-010"]),
        ],
        play: play!(join_templates),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.leave-templates",
        title: "The resident server returns a make_leave template only for a user who may leave, such as an invited user.",
        catalogue: &["FC-12"],
        requirements: &["SS-LEAVE-001", "SS-LEAVE-011"],
        checks: &[
            CheckPlan::new("invited", "The server answers make_leave for an invited user with a leave template.")
                .of(&["SS-LEAVE-001"]),
            CheckPlan::new(
                "nothing-to-leave",
                "The server answers make_leave for a user who was never in the room with 403 M_FORBIDDEN.",
            )
            .of(&["SS-LEAVE-003"]),
            CheckPlan::new(
                "foreign-user",
                "The server refuses make_leave for a user of another server than the requesting one.",
            )
            .of(&["SS-LEAVE-004"]),
        ],
        play: play!(leave_templates),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.knock-templates",
        title: "The resident server returns a make_knock template only for a user who may knock.",
        catalogue: &["FC-13"],
        requirements: &["SS-KNOCK-001", "SS-KNOCK-010"],
        checks: &[
            CheckPlan::new("template", "The server answers make_knock for a user who may knock with a knock template.")
                .of(&["SS-KNOCK-001"]),
            CheckPlan::new(
                "other-version",
                "The server refuses make_knock without the room's version in ver with 400, and states the room's version.",
            )
            .of(&["SS-KNOCK-002"]),
            CheckPlan::new(
                "not-offered",
                "The server answers make_knock for an invite-only room with 403 M_FORBIDDEN.",
            )
            .of(&["SS-KNOCK-003"]),
            CheckPlan::new(
                "unknown-room",
                "The server answers make_knock for an unknown room with 404 M_NOT_FOUND.",
            )
            .of(&["SS-KNOCK-005"]),
            CheckPlan::new(
                "foreign-user",
                "The server refuses make_knock for a user of another server than the requesting one.",
            )
            .of(&["SS-KNOCK-006"]),
        ],
        needs: &[Need::Wire, Need::Feature("knock")],
        play: play!(knock_templates),
        ..Scenario::PEER
    },
];

const INCOMPATIBLE: (u16, &str) = (400, "M_INCOMPATIBLE_ROOM_VERSION");
const FORBIDDEN: (u16, &str) = (403, "M_FORBIDDEN");
const NOT_FOUND: (u16, &str) = (404, "M_NOT_FOUND");

/// Mallory's server, which requests templates from Alice's server.
struct TemplateRequester {
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
    membership: &'static str,
    version: String,
}

impl TemplateRequester {
    async fn prepare(scene: &Scene, membership: &'static str) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { host, alice, mallory, membership, version: scene.room_version().to_owned() })
    }

    /// Requests a template, with these room versions in `ver`.
    async fn request_with(&self, room: &str, user: &str, versions: &[&str]) -> Result<PeerResponse, Failure> {
        let target = paths::make_member(self.membership, room, user, versions);
        self.mallory.ask(&self.host, "GET", &target, None).await
    }

    /// Requests a template, with the version that is played in `ver`.
    async fn request(&self, room: &str, user: &str) -> Result<PeerResponse, Failure> {
        let versions: &[&str] = if self.membership == "leave" { &[] } else { &[&self.version] };
        self.request_with(room, user, versions).await
    }

    /// Passes if the response is a template for `user`'s member event.
    fn check_template(&self, reply: &PeerResponse, user: &str) -> Result<Observations, Failure> {
        check_success(
            &self.alice,
            message!("scenario.request.template", membership = self.membership),
            reply,
        )?;
        let event = &reply.body["event"];
        let right = [
            // The response to make_leave may lack it (SS-LEAVE-002 is a SHOULD).
            ("room_version", self.membership == "leave" || reply.body["room_version"] == *self.version),
            ("type", event["type"] == "m.room.member"),
            ("sender", event["sender"] == *user),
            ("state_key", event["state_key"] == *user),
            ("membership", event["content"]["membership"] == self.membership),
        ];
        match right.iter().find(|(_, right)| !right) {
            None => Ok(reply.clone().into()),
            Some((missing, _)) => {
                let text = message!("fail.template", missing = missing);
                let seen = std::slice::from_ref(&reply.observation);
                Err(self
                    .alice
                    .wrong("join.bad_template", text, seen)
                    .showing(message!("scenario.expected.template"), &reply.body))
            }
        }
    }

    /// The ID of a room of the peer's, which Alice's server does not know.
    async fn unknown_room(&self) -> Result<String, Failure> {
        Ok(self.mallory.found(&self.host, "mallory").await?.0.id)
    }

    /// A user of another server than the requesting one.
    async fn foreign_user(&self, scene: &Scene) -> Result<String, Failure> {
        Ok(scene.peer("trent").await?.user("trent"))
    }

    /// Passes if the refusal has the room's version in `room_version`.
    fn check_names_version(&self, reply: &PeerResponse) -> Result<Observations, Failure> {
        if reply.body["room_version"] == *self.version {
            return Ok(reply.clone().into());
        }
        let text = message!("fail.other-refusal", what = message!("scenario.answer.no-room-version"));
        let failure =
            self.alice.wrong("join.version_not_named", text, std::slice::from_ref(&reply.observation));
        Err(failure.showing(&self.version, &reply.body))
    }
}

async fn join_templates(scene: &Scene) -> Result<(), Failure> {
    let requester = TemplateRequester::prepare(scene, "join").await?;
    let alice = &requester.alice;
    let open = alice.create_room(Public).await?;
    let closed = alice.create_room(Private).await?;
    let [carol, eve] = ["carol", "eve"].map(|name| requester.mallory.user(name));
    alice.set_state(&open, "m.room.member", &eve, json!({"membership": "ban"})).await?;
    let trent = requester.foreign_user(scene).await?;
    for user in [&carol, &trent] {
        invite_if_required(alice, &requester.host, &open, user).await?;
    }

    let several = requester.request_with(&open.id, &carol, &["1", &requester.version]).await?;
    scene.check("several-versions", requester.check_template(&several, &carol));

    let other = requester.request_with(&open.id, &carol, &["1"]).await?;
    scene.check(
        "other-version",
        check_refused_with(alice, message!("scenario.request.join-other-version"), &other, INCOMPATIBLE),
    );
    scene.check("version-named", requester.check_names_version(&other));
    let none = requester.request_with(&open.id, &carol, &[]).await?;
    scene.check(
        "no-version",
        check_refused_with(alice, message!("scenario.request.join-no-version"), &none, INCOMPATIBLE),
    );

    let foreign = requester.request(&open.id, &trent).await?;
    scene
        .check("foreign-user", check_refused(alice, message!("scenario.request.foreign-template"), &foreign));
    let uninvited = requester.request(&closed.id, &carol).await?;
    scene.check(
        "uninvited",
        check_refused_with(alice, message!("scenario.request.join-uninvited"), &uninvited, FORBIDDEN),
    );
    let banned = requester.request(&open.id, &eve).await?;
    scene.check(
        "banned",
        check_refused_with(alice, message!("scenario.request.join-banned"), &banned, FORBIDDEN),
    );
    let unknown = requester.request(&requester.unknown_room().await?, &carol).await?;
    scene.check(
        "unknown-room",
        check_refused_with(alice, message!("scenario.request.join-unknown-room"), &unknown, NOT_FOUND),
    );

    let copy = peer_joins(alice, &requester.host, &open, &requester.mallory, "mallory").await?;
    alice.sees(state(&open, "m.room.member", &copy.user)).await?;
    Ok(())
}

async fn leave_templates(scene: &Scene) -> Result<(), Failure> {
    let requester = TemplateRequester::prepare(scene, "leave").await?;
    let (alice, mallory) = (&requester.alice, &requester.mallory);
    let room = alice.create_room(Public).await?;
    let copy = peer_joins(alice, &requester.host, &room, mallory, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    let [carol, eve] = ["carol", "eve"].map(|name| mallory.user(name));
    alice.set_state(&room, "m.room.member", &carol, json!({"membership": "invite"})).await?;

    scene.check("invited", requester.check_template(&requester.request(&room.id, &carol).await?, &carol));
    let stranger = requester.request(&room.id, &eve).await?;
    scene.check(
        "nothing-to-leave",
        check_refused_with(alice, message!("scenario.request.leave-nothing"), &stranger, FORBIDDEN),
    );
    // Alice could leave, but another server cannot request her template.
    let foreign = requester.request(&room.id, alice.id()).await?;
    scene
        .check("foreign-user", check_refused(alice, message!("scenario.request.foreign-template"), &foreign));

    requester.check_template(&requester.request(&room.id, &copy.user).await?, &copy.user)?;
    mallory.leave(&requester.host, &room, &copy.user).await?;
    sees_membership(alice, &room, &copy.user, "leave").await
}

async fn knock_templates(scene: &Scene) -> Result<(), Failure> {
    let requester = TemplateRequester::prepare(scene, "knock").await?;
    let alice = &requester.alice;
    let room = alice.create_room(RoomPlan::with(JoinRule::Knock)).await?;
    let closed = alice.create_room(Private).await?;
    let carol = requester.mallory.user("carol");

    scene.check("template", requester.check_template(&requester.request(&room.id, &carol).await?, &carol));
    let other = requester.request_with(&room.id, &carol, &["1"]).await?;
    let incompatible =
        check_refused_with(alice, message!("scenario.request.knock-other-version"), &other, INCOMPATIBLE);
    scene.check("other-version", incompatible.and_then(|_| requester.check_names_version(&other)));
    let unwanted = requester.request(&closed.id, &carol).await?;
    scene.check(
        "not-offered",
        check_refused_with(alice, message!("scenario.request.knock-not-allowed"), &unwanted, FORBIDDEN),
    );
    let unknown = requester.request(&requester.unknown_room().await?, &carol).await?;
    scene.check(
        "unknown-room",
        check_refused_with(alice, message!("scenario.request.knock-unknown-room"), &unknown, NOT_FOUND),
    );
    let foreign = requester.request(&room.id, &requester.foreign_user(scene).await?).await?;
    scene
        .check("foreign-user", check_refused(alice, message!("scenario.request.foreign-template"), &foreign));

    requester.mallory.knock(&requester.host, &room, &carol).await?;
    sees_membership(alice, &room, &carol, "knock").await
}
