//! EDUs as peers send them, and as Alice is shown them.

use samklang_actors::peer::Transaction;
use samklang_actors::user::{Pattern, shown};
use samklang_drivers::SyncSection;

use crate::prelude::*;

/// An EDU that a peer sends, and the pattern of what Alice is shown if her server accepts it.
pub(crate) struct PeerEdu {
    pub(crate) edu: Value,
    pub(crate) shown: Pattern,
}

impl PeerSetup<'_> {
    /// Sends an EDU, whatever the response. The returned pattern matches what Alice is shown of it from then on.
    pub(crate) async fn send_edu(&self, peer: &ScriptedPeer, planned: PeerEdu) -> Result<Pattern, Failure> {
        let transaction = Transaction { signals: &[planned.edu], ..Transaction::default() };
        let reply = peer.deliver(&self.host, &transaction).await?;
        Ok(planned.shown.taken_in(reply.observation.exchange, self.scene.ledger().tick()))
    }

    /// Sends lies and then their twin. Once Alice has seen the twin, a check passes if she was not shown its lie.
    pub(crate) async fn check_only_twin_shown(
        &self,
        lies: Vec<(&str, PeerEdu)>,
        twin: PeerEdu,
    ) -> Result<(), Failure> {
        let mut sent = Vec::new();
        for (check, lie) in lies {
            sent.push((check, self.send_edu(&self.mallory, lie).await?));
        }
        let twin = self.alice.sees(self.send_edu(&self.mallory, twin).await?).await?;
        for (check, lie) in sent {
            self.scene.check(check, self.alice.never_saw(lie, &twin));
        }
        Ok(())
    }
}

/// An `m.typing`: `user` types in the room.
pub(crate) fn typing_edu(room: &Room, user: &str) -> PeerEdu {
    let reader = user.to_owned();
    let listed = move |event: &Value| {
        let users = event["content"]["user_ids"].as_array();
        event["type"] == "m.typing" && users.is_some_and(|users| users.iter().any(|id| *id == *reader))
    };
    PeerEdu {
        edu: json!({
            "edu_type": "m.typing", "content": {"room_id": room.id, "user_id": user, "typing": true},
        }),
        shown: shown(&format!("typing of {user}"), SyncSection::Ephemeral, Some(room), listed),
    }
}

/// An `m.receipt`: `user` has read `event`.
pub(crate) fn receipt_edu(room: &Room, user: &str, event: &Sent) -> PeerEdu {
    let (reader, id) = (user.to_owned(), event.id.clone());
    let receipt = json!({"event_ids": [event.id], "data": {"ts": 1_700_000_000_000_u64}});
    let listed = move |event: &Value| {
        event["type"] == "m.receipt" && event["content"][&id]["m.read"][&reader].is_object()
    };
    PeerEdu {
        edu: json!({
            "edu_type": "m.receipt", "content": {&room.id: {"m.read": {user: receipt}}},
        }),
        shown: shown(&format!("receipt of {user}"), SyncSection::Ephemeral, Some(room), listed),
    }
}

/// An `m.presence`: `user` is online, with a status message that tells this EDU from others.
pub(crate) fn presence_edu(user: &str, status: &'static str) -> PeerEdu {
    let id = user.to_owned();
    let entry = json!({
        "user_id": user, "presence": "online", "last_active_ago": 1000, "currently_active": true,
        "status_msg": status,
    });
    let listed = move |event: &Value| event["sender"] == *id && event["content"]["status_msg"] == *status;
    PeerEdu {
        edu: json!({"edu_type": "m.presence", "content": {"push": [entry]}}),
        shown: shown(&format!("presence of {user}, {status}"), SyncSection::Presence, None, listed),
    }
}

/// An `m.presence` for which it is enough that the user is shown to be online, with any status message.
pub(crate) fn online_edu(user: &str) -> PeerEdu {
    let id = user.to_owned();
    let listed = move |event: &Value| event["sender"] == *id && event["content"]["presence"] == "online";
    PeerEdu {
        shown: shown(&format!("presence of {user}"), SyncSection::Presence, None, listed),
        ..presence_edu(user, "probing")
    }
}

/// An `m.direct_to_device`: a message from `sender` to all devices of `to`.
pub(crate) fn to_device_edu(sender: &str, to: &User, message_id: &str, body: &str) -> PeerEdu {
    let (from, text) = (sender.to_owned(), body.to_owned());
    let listed = move |event: &Value| {
        event["type"] == TO_DEVICE_TYPE && event["sender"] == *from && event["content"]["body"] == *text
    };
    PeerEdu {
        edu: json!({
            "edu_type": "m.direct_to_device",
            "content": {
                "sender": sender, "type": TO_DEVICE_TYPE, "message_id": message_id,
                "messages": {to.id(): {"*": {"body": body}}},
            },
        }),
        shown: shown(&format!("{body}, to the device"), SyncSection::ToDevice, None, listed),
    }
}

/// The type of these to-device messages.
pub(super) const TO_DEVICE_TYPE: &str = "org.example.note";

/// Matches a sync that lists `user` in `device_lists.changed`.
pub(crate) fn device_list_changed(user: &str) -> Pattern {
    let id = user.to_owned();
    let listed = move |lists: &Value| {
        lists["changed"].as_array().is_some_and(|users| users.iter().any(|user| *user == *id))
    };
    shown(&format!("changed devices of {user}"), SyncSection::DeviceLists, None, listed)
}
