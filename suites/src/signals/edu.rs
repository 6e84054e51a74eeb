//! Signals (EDUs) as peers send them, and as Alice is shown them.

use samklang_actors::peer::Transaction;
use samklang_actors::user::{Pattern, shown};
use samklang_drivers::Place;

use crate::prelude::*;

/// A signal on the wire, and what Alice is shown of it where it is taken.
pub(crate) struct Signal {
    pub(crate) edu: Value,
    pub(crate) shown: Pattern,
}

impl PeerSetup<'_> {
    /// Sends a signal, whatever the answer: from then on Alice may be shown it.
    pub(crate) async fn tell(&self, peer: &ScriptedPeer, signal: Signal) -> Result<Pattern, Failure> {
        let transaction = Transaction { signals: &[signal.edu], ..Transaction::default() };
        let reply = peer.deliver(&self.host, &transaction).await?;
        Ok(signal.shown.taken_in(reply.observation.exchange, self.scene.ledger().tick()))
    }

    /// Tells lies and then their twin, and judges each lie by whether Alice is shown it once she has seen the twin.
    pub(crate) async fn only_the_twin_counts(
        &self,
        lies: Vec<(&str, Signal)>,
        twin: Signal,
    ) -> Result<(), Failure> {
        let mut told = Vec::new();
        for (check, lie) in lies {
            told.push((check, self.tell(&self.mallory, lie).await?));
        }
        let twin = self.alice.sees(self.tell(&self.mallory, twin).await?).await?;
        for (check, lie) in told {
            self.scene.check(check, self.alice.never_saw(lie, &twin));
        }
        Ok(())
    }
}

/// `user` types in the room.
pub(crate) fn types(room: &Room, user: &str) -> Signal {
    let reader = user.to_owned();
    let listed = move |event: &Value| {
        let users = event["content"]["user_ids"].as_array();
        event["type"] == "m.typing" && users.is_some_and(|users| users.iter().any(|id| *id == *reader))
    };
    Signal {
        edu: json!({
            "edu_type": "m.typing", "content": {"room_id": room.id, "user_id": user, "typing": true},
        }),
        shown: shown(&format!("typing of {user}"), Place::Ephemeral, Some(room), listed),
    }
}

/// `user` has read `event`.
pub(crate) fn read(room: &Room, user: &str, event: &Sent) -> Signal {
    let (reader, id) = (user.to_owned(), event.id.clone());
    let receipt = json!({"event_ids": [event.id], "data": {"ts": 1_700_000_000_000_u64}});
    let listed = move |event: &Value| {
        event["type"] == "m.receipt" && event["content"][&id]["m.read"][&reader].is_object()
    };
    Signal {
        edu: json!({
            "edu_type": "m.receipt", "content": {&room.id: {"m.read": {user: receipt}}},
        }),
        shown: shown(&format!("receipt of {user}"), Place::Ephemeral, Some(room), listed),
    }
}

/// `user` is online, with a status that tells this presence from any other.
pub(crate) fn online(user: &str, status: &'static str) -> Signal {
    let id = user.to_owned();
    let entry = json!({
        "user_id": user, "presence": "online", "last_active_ago": 1000, "currently_active": true,
        "status_msg": status,
    });
    let listed = move |event: &Value| event["sender"] == *id && event["content"]["status_msg"] == *status;
    Signal {
        edu: json!({"edu_type": "m.presence", "content": {"push": [entry]}}),
        shown: shown(&format!("presence of {user}, {status}"), Place::Presence, None, listed),
    }
}

/// The same signal, of which it is enough that the user is shown to be online.
pub(crate) fn present(user: &str) -> Signal {
    let id = user.to_owned();
    let listed = move |event: &Value| event["sender"] == *id && event["content"]["presence"] == "online";
    Signal {
        shown: shown(&format!("presence of {user}"), Place::Presence, None, listed),
        ..online(user, "probing")
    }
}

/// A message from `sender` to all devices of `to`'s.
pub(crate) fn to_device(sender: &str, to: &User, message_id: &str, body: &str) -> Signal {
    let (from, text) = (sender.to_owned(), body.to_owned());
    let listed = move |event: &Value| {
        event["type"] == NOTE && event["sender"] == *from && event["content"]["body"] == *text
    };
    Signal {
        edu: json!({
            "edu_type": "m.direct_to_device",
            "content": {
                "sender": sender, "type": NOTE, "message_id": message_id,
                "messages": {to.id(): {"*": {"body": body}}},
            },
        }),
        shown: shown(&format!("{body}, to the device"), Place::ToDevice, None, listed),
    }
}

/// The type of these messages to devices.
pub(super) const NOTE: &str = "org.example.note";

/// Alice is shown that `user`'s devices or cross-signing keys have changed.
pub(crate) fn changed(user: &str) -> Pattern {
    let id = user.to_owned();
    let listed = move |lists: &Value| {
        lists["changed"].as_array().is_some_and(|users| users.iter().any(|user| *user == *id))
    };
    shown(&format!("changed devices of {user}"), Place::DeviceLists, None, listed)
}
