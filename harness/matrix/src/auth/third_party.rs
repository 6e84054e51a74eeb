//! Invites that follow a third-party invite (rooms/v11, authorization rules 4.4.1).

use base64::Engine;
use serde_json::{Map, Value};

use super::{Rule, Snapshot};
use crate::{
    Event,
    event::{LENIENT, text},
    keys::{signed_json, verify_bytes},
};

pub(super) fn check(event: &Event, invite: &Value, target: &str, state: &Snapshot<'_>) -> Result<(), Rule> {
    if state.membership(target) == "ban" {
        return Err(Rule::ThirdPartyBanned);
    }
    let signed = invite.get("signed").and_then(Value::as_object).ok_or(Rule::ThirdPartyForm)?;
    let mxid = text(signed, "mxid").ok_or(Rule::ThirdPartyForm)?;
    let token = text(signed, "token").ok_or(Rule::ThirdPartyForm)?;
    if mxid != target {
        return Err(Rule::ThirdPartyMxid);
    }
    let invitation = state.get("m.room.third_party_invite", token).ok_or(Rule::ThirdPartyToken)?;
    if invitation.sender() != event.sender() {
        return Err(Rule::ThirdPartySender);
    }
    let form = signed_json(signed);
    let keys = public_keys(invitation.content());
    let verifies = |signature: &str| keys.iter().any(|key| verify_bytes(key, signature, &form));
    // One signature by a listed key is enough, whatever else the object holds.
    let signers = signed.get("signatures").and_then(Value::as_object).into_iter().flatten();
    let signatures = signers.filter_map(|(_, by)| by.as_object()).flatten();
    let mut known = signatures.filter(|(id, _)| id.starts_with("ed25519:"));
    let right = known.any(|(_, signature)| signature.as_str().is_some_and(verifies));
    if right { Ok(()) } else { Err(Rule::ThirdPartySignature) }
}

/// `public_key` and the entries of `public_keys`.
fn public_keys(content: &Map<String, Value>) -> Vec<Vec<u8>> {
    let more = content.get("public_keys").and_then(Value::as_array).into_iter().flatten();
    let more = more.filter_map(|entry| entry.get("public_key")?.as_str());
    text(content, "public_key").into_iter().chain(more).filter_map(|key| LENIENT.decode(key).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;
    use serde_json::json;

    /// SS-EAUTH-043 to 048.
    #[test]
    fn each_rule_rejects_its_invite() {
        let [key, other] = [1, 2].map(|seed| SigningKey::from_seed(&[seed; 32], "0").unwrap());
        let invite = |mxid: &str, token: &str, key: &SigningKey| {
            let mut signed = json!({"mxid": mxid, "token": token}).as_object().unwrap().clone();
            key.sign_json(&mut signed, "id.test");
            json!({ "signed": signed })
        };
        let parse = |event: Value| Event::parse(&event, "11").unwrap();
        let invitation = |sender: &str, content: Value| {
            parse(
                json!({"type": "m.room.third_party_invite", "state_key": "t", "sender": sender, "content": content}),
            )
        };
        let one = invitation("@a:a", json!({"public_key": key.public_base64()}));
        let list = json!({"public_key": other.public_base64(), "public_keys": [7, {"public_key": key.public_base64()}]});
        let many = invitation("@a:a", list);
        let foreign = invitation("@c:c", json!({"public_key": key.public_base64()}));
        let ban =
            parse(json!({"type": "m.room.member", "state_key": "@b:b", "content": {"membership": "ban"}}));
        let event = parse(json!({"type": "m.room.member", "sender": "@a:a", "state_key": "@b:b"}));
        let good = invite("@b:b", "t", &key);
        let mut mixed = good.clone();
        mixed["signed"]["signatures"]["aaa"] = json!(7);
        let table = [
            (vec![&one], good.clone(), Ok(())),
            (vec![&many], good.clone(), Ok(())),
            (vec![&one], mixed, Ok(())),
            (vec![&one, &ban], good.clone(), Err(Rule::ThirdPartyBanned)),
            (vec![&one], json!({}), Err(Rule::ThirdPartyForm)),
            (vec![&one], json!({"signed": {"mxid": "@b:b"}}), Err(Rule::ThirdPartyForm)),
            (vec![&one], json!({"signed": {"token": "t"}}), Err(Rule::ThirdPartyForm)),
            (vec![&one], invite("@c:c", "t", &key), Err(Rule::ThirdPartyMxid)),
            (vec![&one], invite("@b:b", "u", &key), Err(Rule::ThirdPartyToken)),
            (vec![&foreign], good, Err(Rule::ThirdPartySender)),
            (vec![&one], invite("@b:b", "t", &other), Err(Rule::ThirdPartySignature)),
        ];
        for (state, invite, expected) in table {
            assert_eq!(check(&event, &invite, "@b:b", &Snapshot::of(state)), expected, "{invite}");
        }
    }
}
