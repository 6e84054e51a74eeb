'use strict';
// Rocket.Chat's federation SDK as a homeserver: the server-server API over HTTPS, and the driver protocol for users.

const { randomBytes, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const { MongoClient } = require('mongodb');
const vendor = require('@rocket.chat/federation-sdk');
const { Accounts } = require('./accounts');
const { driver } = require('./driver');
const { federation } = require('./federation');
const { Feed, listen } = require('./feed');
const { listener } = require('./http');
const { followChainsHere, indexesMade, prepare, queueIndexes } = require('./store');

/** How long a connection may be idle, in milliseconds: longer than any play. */
const KEEP_ALIVE = 600_000;

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} has to be set; see docker/CONTRACT.md`);
  return value;
}

/** The signing key in the form that the SDK reads. It is written once, so that it survives a restart. */
function signingKey(file) {
  if (!fs.existsSync(file)) {
    fs.writeFileSync(file, `ed25519 0 ${randomBytes(32).toString('base64')}`, { mode: 0o600, flag: 'wx' });
  }
  return fs.readFileSync(file, 'utf8');
}

function configuration(data) {
  const serverName = setting('SERVER_NAME');
  const keyFile = path.join(data, 'signing.key');
  const unlimited = 1_000_000;
  return {
    instanceId: randomUUID(),
    serverName,
    matrixDomain: serverName,
    port: Number(setting('SAMKLANG_FEDERATION_PORT')),
    version: setting('VERSION'),
    keyRefreshInterval: 60,
    signingKey: signingKey(keyFile),
    signingKeyPath: keyFile,
    media: {
      maxFileSize: 50 * 1024 * 1024,
      allowedMimeTypes: [],
      enableThumbnails: false,
      rateLimits: { uploadPerMinute: unlimited, downloadPerMinute: unlimited },
    },
    // The product's defaults refuse invites to encrypted and to public rooms. That is a policy, which is not certified.
    invite: { allowedEncryptedRooms: true, allowedNonPrivateRooms: true },
    edu: { processTyping: true, processPresence: true, processReceipt: true },
  };
}

async function main() {
  const data = setting('SAMKLANG_DATA');
  const store = setting('ROCKETCHAT_STORE');
  const client = await new MongoClient(store).connect();
  queueIndexes();
  await prepare(client.db());
  followChainsHere();
  await vendor.init({ dbConfig: { uri: store, poolSize: 10 } });
  const sdk = vendor.federationSDK;
  sdk.setConfig(configuration(data));
  const serverName = setting('SERVER_NAME');
  const accounts = new Accounts(client.db(), serverName);
  const feed = new Feed(path.join(data, 'feed.jsonl'), serverName);
  listen(sdk, feed);
  await indexesMade();

  const tls = { key: fs.readFileSync(setting('SAMKLANG_TLS_KEY')), cert: fs.readFileSync(setting('SAMKLANG_TLS_CERT')) };
  const bind = setting('SAMKLANG_BIND');
  const open = (server, port) => new Promise((resolve, reject) => {
    server.once('error', reject).listen(Number(port), bind, resolve);
  });
  // By default Node closes an idle connection after five seconds, and a request that arrives at that moment is lost.
  const keepAliveTimeout = KEEP_ALIVE;
  const userServer = http.createServer({ keepAliveTimeout }, listener(driver({ sdk, feed, accounts })));
  await open(userServer, setting('SAMKLANG_CLIENT_PORT'));
  const federationServer = https.createServer({ ...tls, keepAliveTimeout }, listener(federation(vendor)));
  await open(federationServer, setting('SAMKLANG_FEDERATION_PORT'));
  console.log(`rocketchat: ${serverName} listens`);
}

// The SDK does not handle rejected promises of its background work; log them, as the product does.
process.on('unhandledRejection', (error) => console.error('unhandled rejection:', error));
process.on('SIGTERM', () => process.exit(0));
main().catch((error) => {
  console.error('rocketchat:', error);
  process.exit(1);
});
