//! Templates for member events, as a server in the room gives them to other servers (server-server API, joining rooms,
//! leaving rooms, knocking upon a room).
//!
//! What a server gives, it has to stand for: the honest request beside the refused ones ends in the room.

use samklang_runner::peer::Reply;

use crate::{
    peer_answers::{check_refused, check_refused_with, check_success},
    peer_setup::{invite_if_required, peer_joins},
    prelude::*,
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "federation.join-templates",
        title: "A template for a join is given to the server of a user who may join, and to nobody else.",
        catalogue: &["FC-10", "FC-13"],
        requirements: &["SS-JOIN-001"],
        checks: &[
            CheckPlan::new(
                "several-versions",
                "A list of versions that has the room's among them gets a template.",
            )
            .of(&["SS-JOIN-007", "SS-JOIN-002"]),
            CheckPlan::new("other-version", "A list of versions without the room's is refused as such.")
                .of(&["SS-JOIN-004"]),
            CheckPlan::new("version-named", "That refusal names the room's version.").of(&["SS-JOIN-005"]),
            CheckPlan::new("no-version", "No list of versions stands for version 1 alone.")
                .of(&["SS-JOIN-006"]),
            CheckPlan::new("foreign-user", "No server gets a template for another server's user.")
                .of(&["SS-JOIN-008"]),
            CheckPlan::new("uninvited", "Who was not invited to an invite-only room gets no template.")
                .of(&["SS-JOIN-009"]),
            CheckPlan::new("banned", "Who is banned gets no template.").of(&["SS-JOIN-009"]),
            CheckPlan::new("unknown-room", "A room that the server does not know is not found.")
                .of(&["SS-JOIN-010"]),
        ],
        play: play!(join_templates),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.leave-templates",
        title: "A template for a leave is given to the server of a user who has something to leave.",
        catalogue: &["FC-12"],
        requirements: &["SS-LEAVE-001", "SS-LEAVE-011"],
        checks: &[
            CheckPlan::new("invited", "Who was invited gets a template.").of(&["SS-LEAVE-001"]),
            CheckPlan::new("nothing-to-leave", "Who never was in the room gets none.").of(&["SS-LEAVE-003"]),
            CheckPlan::new("foreign-user", "No server gets a template for another server's user.")
                .of(&["SS-LEAVE-004"]),
        ],
        play: play!(leave_templates),
        ..Scenario::PEER
    },
    Scenario {
        id: "federation.knock-templates",
        title: "A template for a knock is given to the server of a user who may knock, and to nobody else.",
        catalogue: &["FC-13"],
        requirements: &["SS-KNOCK-001", "SS-KNOCK-010"],
        checks: &[
            CheckPlan::new("template", "Who may knock gets a template.").of(&["SS-KNOCK-001"]),
            CheckPlan::new(
                "other-version",
                "A list of versions without the room's is refused as such, and the room's is named.",
            )
            .of(&["SS-KNOCK-002"]),
            CheckPlan::new("not-offered", "Where the join rule does not offer it nobody gets a template.")
                .of(&["SS-KNOCK-003"]),
            CheckPlan::new("unknown-room", "A room that the server does not know is not found.")
                .of(&["SS-KNOCK-005"]),
            CheckPlan::new("foreign-user", "No server gets a template for another server's user.")
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

/// Alice's server, and a peer that asks it for templates.
struct Desk {
    host: Host,
    alice: User,
    mallory: ScriptedPeer,
    membership: &'static str,
    version: String,
}

impl Desk {
    async fn open(scene: &Scene, membership: &'static str) -> Result<Self, Failure> {
        let [host] = scene.servers()?;
        let alice = host.register("alice").await?;
        let mallory = scene.peer("mallory").await?;
        Ok(Self { host, alice, mallory, membership, version: scene.room_version().to_owned() })
    }

    /// Asks for a template, and says that the peer knows these room versions.
    async fn ask(&self, room: &str, user: &str, versions: &[&str]) -> Result<Reply, Failure> {
        let (room, user) = (segment(room), segment(user));
        let query: Vec<_> = versions.iter().map(|version| format!("ver={version}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let target = format!("/_matrix/federation/v1/make_{}/{room}/{user}{query}", self.membership);
        self.mallory.ask(&self.host, "GET", &target, None).await
    }

    /// As [`Self::ask`], naming the version that is played.
    async fn ask_well(&self, room: &str, user: &str) -> Result<Reply, Failure> {
        let versions: &[&str] = if self.membership == "leave" { &[] } else { &[&self.version] };
        self.ask(room, user, versions).await
    }

    /// The answer is a template for `user`'s member event.
    fn template(&self, reply: &Reply, user: &str) -> Result<Observations, Failure> {
        check_success(&self.alice, &format!("a template for a {}", self.membership), reply)?;
        let event = &reply.body["event"];
        let right = [
            // A leave need not say it (SS-LEAVE-002 is a SHOULD).
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
                Err(self.alice.wrong("join.bad_template", text, seen).showing("a template", &reply.body))
            }
        }
    }

    /// The id of a room that exists, and that Alice's server has never heard of.
    async fn unknown_room(&self) -> Result<String, Failure> {
        Ok(self.mallory.found(&self.host, "mallory").await?.0.id)
    }

    /// A user of a server that is not the one that asks.
    async fn foreign_user(&self, scene: &Scene) -> Result<String, Failure> {
        Ok(scene.peer("trent").await?.user("trent"))
    }

    /// The refusal of a version names the room's.
    fn names_version(&self, reply: &Reply) -> Result<Observations, Failure> {
        if reply.body["room_version"] == *self.version {
            return Ok(reply.clone().into());
        }
        let text = message!("fail.other-refusal", what = "the refusal does not name the room's version");
        let failure =
            self.alice.wrong("join.version_not_named", text, std::slice::from_ref(&reply.observation));
        Err(failure.showing(&self.version, &reply.body))
    }
}

async fn join_templates(scene: &Scene) -> Result<(), Failure> {
    let desk = Desk::open(scene, "join").await?;
    let alice = &desk.alice;
    let open = alice.create_room(Public).await?;
    let closed = alice.create_room(Private).await?;
    let [carol, eve] = ["carol", "eve"].map(|name| desk.mallory.user(name));
    alice.set_state(&open, "m.room.member", &eve, json!({"membership": "ban"})).await?;
    let trent = desk.foreign_user(scene).await?;
    for user in [&carol, &trent] {
        invite_if_required(alice, &desk.host, &open, user).await?;
    }

    let several = desk.ask(&open.id, &carol, &["1", &desk.version]).await?;
    scene.check("several-versions", desk.template(&several, &carol));

    let other = desk.ask(&open.id, &carol, &["1"]).await?;
    scene.check(
        "other-version",
        check_refused_with(alice, "a join without the room's version", &other, INCOMPATIBLE),
    );
    scene.check("version-named", desk.names_version(&other));
    let none = desk.ask(&open.id, &carol, &[]).await?;
    scene.check("no-version", check_refused_with(alice, "a join without any version", &none, INCOMPATIBLE));

    let foreign = desk.ask_well(&open.id, &trent).await?;
    scene.check("foreign-user", check_refused(alice, "a template for a user of another server", &foreign));
    let uninvited = desk.ask_well(&closed.id, &carol).await?;
    scene.check("uninvited", check_refused_with(alice, "a join without an invite", &uninvited, FORBIDDEN));
    let banned = desk.ask_well(&open.id, &eve).await?;
    scene.check("banned", check_refused_with(alice, "a join in spite of a ban", &banned, FORBIDDEN));
    let unknown = desk.ask_well(&desk.unknown_room().await?, &carol).await?;
    scene.check("unknown-room", check_refused_with(alice, "a join of an unknown room", &unknown, NOT_FOUND));

    let copy = peer_joins(alice, &desk.host, &open, &desk.mallory, "mallory").await?;
    alice.sees(state(&open, "m.room.member", &copy.user)).await?;
    Ok(())
}

async fn leave_templates(scene: &Scene) -> Result<(), Failure> {
    let desk = Desk::open(scene, "leave").await?;
    let (alice, mallory) = (&desk.alice, &desk.mallory);
    let room = alice.create_room(Public).await?;
    let copy = peer_joins(alice, &desk.host, &room, mallory, "mallory").await?;
    alice.sees(state(&room, "m.room.member", &copy.user)).await?;
    let [carol, eve] = ["carol", "eve"].map(|name| mallory.user(name));
    alice.set_state(&room, "m.room.member", &carol, json!({"membership": "invite"})).await?;

    scene.check("invited", desk.template(&desk.ask_well(&room.id, &carol).await?, &carol));
    let stranger = desk.ask_well(&room.id, &eve).await?;
    scene.check(
        "nothing-to-leave",
        check_refused_with(alice, "a leave of who never was there", &stranger, FORBIDDEN),
    );
    // Alice has something to leave; it is not for another server to ask.
    let foreign = desk.ask_well(&room.id, alice.id()).await?;
    scene.check("foreign-user", check_refused(alice, "a template for a user of another server", &foreign));

    desk.template(&desk.ask_well(&room.id, &copy.user).await?, &copy.user)?;
    mallory.leave(&desk.host, &room, &copy.user).await?;
    sees_membership(alice, &room, &copy.user, "leave").await
}

async fn knock_templates(scene: &Scene) -> Result<(), Failure> {
    let desk = Desk::open(scene, "knock").await?;
    let alice = &desk.alice;
    let room = alice.create_room(RoomPlan::with(JoinRule::Knock)).await?;
    let closed = alice.create_room(Private).await?;
    let carol = desk.mallory.user("carol");

    scene.check("template", desk.template(&desk.ask_well(&room.id, &carol).await?, &carol));
    let other = desk.ask(&room.id, &carol, &["1"]).await?;
    let incompatible = check_refused_with(alice, "a knock without the room's version", &other, INCOMPATIBLE);
    scene.check("other-version", incompatible.and_then(|_| desk.names_version(&other)));
    let unwanted = desk.ask_well(&closed.id, &carol).await?;
    scene.check(
        "not-offered",
        check_refused_with(alice, "a knock on an invite-only room", &unwanted, FORBIDDEN),
    );
    let unknown = desk.ask_well(&desk.unknown_room().await?, &carol).await?;
    scene.check("unknown-room", check_refused_with(alice, "a knock on an unknown room", &unknown, NOT_FOUND));
    let foreign = desk.ask_well(&room.id, &desk.foreign_user(scene).await?).await?;
    scene.check("foreign-user", check_refused(alice, "a template for a user of another server", &foreign));

    desk.mallory.knock(&desk.host, &room, &carol).await?;
    sees_membership(alice, &room, &carol, "knock").await
}
