//! Users' devices and keys (client-server API, end-to-end encryption, send-to-device messaging), and other calls that
//! have no verb in every product's API.

use samklang_matrix::{SigningKey, endpoints::client};
use serde_json::{Value, json};

use super::{Failure, Observed, User};

/// The keys of a user and of the user's device.
#[derive(Debug)]
pub struct UserKeys {
    device: SigningKey,
    signing: [SigningKey; 3],
}

/// The cross-signing keys. The master key is the first; it signs the others.
const SIGNING: [(&str, &str); 3] =
    [("master_key", "master"), ("self_signing_key", "self_signing"), ("user_signing_key", "user_signing")];

impl UserKeys {
    /// Fresh keys.
    ///
    /// # Errors
    /// Never in practice.
    pub fn generate() -> Result<Self, samklang_matrix::KeyDocumentError> {
        // The id of a cross-signing key is the public key itself.
        let named_by_itself = || {
            let seed: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
            let public = SigningKey::from_seed(&seed, "x")?.public_base64();
            SigningKey::from_seed(&seed, &public)
        };
        let device = SigningKey::generate("x")?;
        Ok(Self { device, signing: [named_by_itself()?, named_by_itself()?, named_by_itself()?] })
    }

    /// The device keys, signed by the device (client-server API, device keys).
    fn of_device(&self, user: &str, device: &str) -> Value {
        let public = self.device.public_base64();
        let mut keys = json!({
            "user_id": user, "device_id": device,
            "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
            "keys": {format!("ed25519:{device}"): public, format!("curve25519:{device}"): public},
        });
        self.sign_by_device(&mut keys, user, device);
        keys
    }

    /// A one-time key, signed by the device.
    fn one_time(&self, user: &str, device: &str) -> Value {
        let mut key = json!({ "key": self.device.public_base64() });
        self.sign_by_device(&mut key, user, device);
        key
    }

    fn sign_by_device(&self, object: &mut Value, user: &str, device: &str) {
        if let Some(map) = object.as_object_mut() {
            self.device.sign_json(map, user);
        }
        if let Some(signature) =
            object["signatures"][user].as_object_mut().and_then(|all| all.remove(self.device.id()))
        {
            object["signatures"][user][format!("ed25519:{device}")] = signature;
        }
    }

    /// The cross-signing keys; the master key signs the others (client-server API, cross-signing).
    fn cross_signing(&self, user: &str) -> Value {
        let mut all = json!({});
        for ((name, usage), key) in SIGNING.iter().zip(&self.signing) {
            let mut told =
                json!({"user_id": user, "usage": [usage], "keys": {key.id(): key.public_base64()}});
            if *usage != "master"
                && let Some(told) = told.as_object_mut()
            {
                self.signing[0].sign_json(told, user);
            }
            all[name] = told;
        }
        all
    }
}

impl User {
    /// Sends a request without a verb to the Matrix client API of the user's server.
    ///
    /// # Errors
    /// When the server refuses; not applicable if the product has another API.
    pub async fn asks(&self, method: &str, path: &str, body: &Value) -> Result<Observed, Failure> {
        // Drivers expect the path below the root of the API.
        let path = path.strip_prefix(client::ROOT).unwrap_or(path);
        let call = self.session().ask_api(method, path, body).await;
        let (answer, done) = self.settle("ask_api", &[method, path], call)?;
        Ok(Observed::new(answer, done.observations))
    }

    /// The id of the user's device.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn device_id(&self) -> Result<String, Failure> {
        let me = self.asks("GET", client::WHOAMI.template, &Value::Null).await?;
        Ok(me.value["device_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Logs in again with a new device; returns its id.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn add_device(&self) -> Result<String, Failure> {
        Ok(self.settle("add_device", &[], self.session().add_device().await)?.0)
    }

    /// Publishes the keys of this device and `spares` one-time keys; returns the device keys.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn publish_device_keys(
        &self,
        keys: &UserKeys,
        device: &str,
        spares: usize,
    ) -> Result<Value, Failure> {
        let told = keys.of_device(self.id(), device);
        let one_time = |place| (format!("signed_curve25519:AAAA{place}"), keys.one_time(self.id(), device));
        let one_time: serde_json::Map<_, _> = (0..spares).map(one_time).collect();
        let body = json!({"device_keys": told, "one_time_keys": one_time});
        self.asks("POST", client::UPLOAD_KEYS.template, &body).await?;
        Ok(told)
    }

    /// Publishes cross-signing keys; returns them by name.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn publish_signing_keys(&self, keys: &UserKeys) -> Result<Value, Failure> {
        let told = keys.cross_signing(self.id());
        self.asks("POST", client::UPLOAD_SIGNING_KEYS.template, &told).await?;
        Ok(told)
    }

    /// Renames a device of the user.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn rename_device(&self, device: &str, name: &str) -> Result<Observed, Failure> {
        let path = client::device(device);
        self.asks("PUT", &path, &json!({ "display_name": name })).await
    }

    /// Claims a one-time key of another user's device; returns the id of the key, if there was one.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn claim_key_of(&self, user: &str, device: &str) -> Result<Observed, Failure> {
        let body = json!({"one_time_keys": {user: {device: "signed_curve25519"}}});
        let answer = self.asks("POST", client::CLAIM_KEYS.template, &body).await?;
        Ok(answer.map(|answer| {
            let keys = answer["one_time_keys"][user][device].as_object();
            json!(keys.and_then(|keys| keys.keys().next()))
        }))
    }

    /// Sends a to-device message to all devices of another user.
    ///
    /// # Errors
    /// As for [`User::asks`].
    pub async fn sends_to_devices(
        &self,
        user: &str,
        kind: &str,
        content: &Value,
    ) -> Result<Observed, Failure> {
        let transaction: String = std::iter::repeat_with(fastrand::alphanumeric).take(12).collect();
        let path = client::send_to_device(kind, &transaction);
        self.asks("PUT", &path, &json!({"messages": {user: {"*": content}}})).await
    }
}
