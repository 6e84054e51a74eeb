'use strict';
// The users: rows of the product's collection `users`, as the SDK reads them. The product has its own login; here each user
// has an access token, stored beside them so that it survives a restart.

const { randomBytes, randomUUID } = require('node:crypto');
const { Refusal } = require('./http');

class Accounts {
  constructor(db, serverName) {
    this.users = db.collection('users');
    this.tokens = db.collection('samklang_tokens');
    this.serverName = serverName;
  }

  /** Creates a user and logs the user in. */
  async register(localpart) {
    if (await this.users.findOne({ username: localpart })) {
      throw new Refusal(400, 'M_USER_IN_USE', 'a user with this name exists');
    }
    const now = new Date();
    await this.users.insertOne({
      _id: randomUUID(), username: localpart, name: localpart, createdAt: now, _updatedAt: now,
    });
    const token = randomBytes(24).toString('base64url');
    const userId = `@${localpart}:${this.serverName}`;
    await this.tokens.insertOne({ _id: token, userId });
    return { user_id: userId, access_token: token };
  }

  /** The user who sends a request. */
  async sender(request) {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const known = token && (await this.tokens.findOne({ _id: token }));
    if (!known) throw new Refusal(401, 'M_UNKNOWN_TOKEN', 'unknown access token');
    return known.userId;
  }

  async rename(userId, name) {
    const localpart = userId.slice(1, userId.indexOf(':'));
    await this.users.updateOne({ username: localpart }, { $set: { name, _updatedAt: new Date() } });
  }
}

module.exports = { Accounts };
