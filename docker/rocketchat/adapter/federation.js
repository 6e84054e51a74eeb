'use strict';
// The server-server API on top of the SDK's functions. The mapping of paths to functions follows the product's own router;
// the checks before a call and the form of errors are this adapter's.

const { Refusal } = require('./http');

const V1 = '/_matrix/federation/v1';
const V2 = '/_matrix/federation/v2';
const DEFAULT_LIMIT = 100;

// Access to an endpoint: everybody, any server with a valid signature, or a server with access to the room or the event.
const [EVERYBODY, SERVER, ROOM, EVENT] = ['everybody', 'server', 'room', 'event'];

function found(thing, what) {
  if (!thing) throw new Refusal(404, 'M_NOT_FOUND', `${what} not found`);
  return thing;
}

function routes(vendor) {
  const { federationSDK: sdk, NotAllowedError } = vendor;

  const publicRooms = async (term) => {
    const rooms = await sdk.getAllPublicRoomIdsAndNames();
    const listed = rooms.filter((room) => !term || room.name.toLowerCase().includes(term.toLowerCase()));
    const entry = (room) => ({
      join_rule: 'public', guest_can_join: false, world_readable: false, num_joined_members: 1, ...room,
    });
    return { chunk: listed.map(entry) };
  };

  const invite = async ({ event }, { body }) => {
    try {
      const signed = await sdk.processInvite(body.event, event, body.room_version, body.invite_room_state ?? []);
      return { event: signed.event };
    } catch (error) {
      if (error instanceof NotAllowedError) throw new Refusal(403, 'M_FORBIDDEN', error.message);
      throw error;
    }
  };

  const makeJoin = async (room, user, versions) => {
    try {
      return await sdk.makeJoin(room, user, versions.length > 0 ? versions : ['1']);
    } catch (error) {
      // The SDK has no error code for this refusal, but the requesting server needs one.
      if (error.message === `User ${user} is not invited`) throw new Refusal(403, 'M_FORBIDDEN', error.message);
      throw error;
    }
  };

  const transaction = async (_, { body }) => {
    try {
      await sdk.processIncomingTransaction(body);
    } catch (error) {
      if (error.message === 'too-many-concurrent-transactions') {
        throw new Refusal(429, 'M_LIMIT_EXCEEDED', error.message);
      }
      throw new Refusal(400, 'M_BAD_JSON', error.message);
    }
    return { pdus: {} };
  };

  const profile = async (_, { query }) => {
    const known = found(await sdk.queryProfile(query.get('user_id') ?? ''), 'user');
    const field = query.get('field');
    return field ? { [field]: known[field] } : known;
  };

  const event = async ({ event: id }) => {
    const kept = found(await sdk.getEventById(id), 'event');
    return { origin: sdk.getConfig('serverName'), origin_server_ts: Date.now(), pdus: [kept.event] };
  };

  const version = () => ({ server: { name: 'Rocket.Chat federation-sdk', version: sdk.getConfig('version') } });

  return [
    // The SDK's answer for .well-known always has port 443, which is the product's; this server uses port 8448.
    ['GET', '/_matrix/key/v2/server', EVERYBODY, () => sdk.getSignedServerKey()],
    ['GET', `${V1}/version`, EVERYBODY, version],
    ['PUT', `${V2}/invite/:room/:event`, SERVER, invite],
    ['GET', `${V1}/make_join/:room/:user`, ROOM, ({ room, user }, { query }) => makeJoin(room, user, query.getAll('ver'))],
    ['PUT', `${V2}/send_join/:room/:event`, ROOM, ({ room, event: id }, { body }) => sdk.sendJoin(room, id, body)],
    ['GET', `${V1}/make_leave/:room/:user`, SERVER, ({ room, user }) => sdk.makeLeave(room, user)],
    ['PUT', `${V2}/send_leave/:room/:event`, SERVER, async ({ room, event: id }, { body }) => {
      await sdk.sendLeave(room, id, body);
      return {};
    }],
    ['PUT', `${V1}/send/:transaction`, SERVER, transaction],
    ['GET', `${V1}/event/:event`, EVENT, event],
    ['GET', `${V1}/state/:room`, ROOM, ({ room }, { query }) => sdk.getState(room, query.get('event_id'))],
    ['GET', `${V1}/state_ids/:room`, ROOM, ({ room }, { query }) => sdk.getStateIds(room, query.get('event_id'))],
    ['GET', `${V1}/event_auth/:room/:event`, ROOM, ({ room, event: id }) => sdk.eventAuth(room, id)],
    ['GET', `${V1}/backfill/:room`, ROOM, ({ room }, { query }) =>
      sdk.getBackfillEvents(room, query.getAll('v'), Number(query.get('limit') ?? DEFAULT_LIMIT))],
    ['POST', `${V1}/get_missing_events/:room`, ROOM, ({ room }, { body }) =>
      sdk.getMissingEvents(room, body.earliest_events, body.latest_events, body.limit, body.min_depth)],
    ['GET', `${V1}/query/profile`, SERVER, profile],
    ['POST', `${V1}/user/keys/query`, SERVER, (_, { body }) => sdk.queryKeys(body.device_keys)],
    ['GET', `${V1}/publicRooms`, SERVER, () => publicRooms()],
    ['POST', `${V1}/publicRooms`, SERVER, (_, { body }) => publicRooms(body?.filter?.generic_search_term)],
  ];
}

/** The decoded parts of a path that `pattern` names, or undefined if it does not match. */
function matched(pattern, path) {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const parts = {};
  for (const [place, word] of wanted.entries()) {
    if (word.startsWith(':')) parts[word.slice(1)] = decodeURIComponent(given[place]);
    else if (word !== given[place]) return undefined;
  }
  return parts;
}

async function authenticate(sdk, request, body, scope, parts) {
  if (scope === EVERYBODY) return;
  const header = request.headers.authorization;
  if (!header) throw new Refusal(401, 'M_UNAUTHORIZED', 'the request is not signed');
  const origin = await sdk.verifyRequestSignature(header, request.method, request.url, body);
  if (!origin) throw new Refusal(401, 'M_UNAUTHORIZED', 'the signature is invalid');
  // A server that sends a request is up, so the events queued for it can go out now.
  void sdk.notifyRemoteServerUp(origin);
  if (scope === SERVER) return;
  const allowed = await sdk.canAccessResource(scope, scope === EVENT ? parts.event : parts.room, origin);
  if (!allowed) throw new Refusal(403, 'M_FORBIDDEN', `the server has no access to this ${scope}`);
}

/** Answers requests of other servers. */
function federation(vendor) {
  const table = routes(vendor);
  return async (request, body) => {
    const url = new URL(request.url, 'https://host');
    let known = false;
    for (const [method, pattern, scope, answer] of table) {
      const parts = matched(pattern, url.pathname);
      if (!parts) continue;
      known = true;
      if (method !== request.method) continue;
      await authenticate(vendor.federationSDK, request, body, scope, parts);
      return { body: await answer(parts, { body, query: url.searchParams }) };
    }
    throw new Refusal(known ? 405 : 404, 'M_UNRECOGNIZED', 'there is no such endpoint');
  };
}

module.exports = { federation };
