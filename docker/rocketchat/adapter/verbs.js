'use strict';
// Maps the verbs of the driver protocol (docker/DRIVER.md) to the SDK. The SDK does not offer the verbs that are missing
// here.

const { Refusal } = require('./http');

/** The only room version in which the SDK creates rooms. */
const ROOM_VERSION = '11';
/**
 * How long the SDK may take to process a join that the other server has accepted, in milliseconds. The SDK starts on a room
 * only after it has finished another one, and gives each of them up to 30 seconds.
 */
const JOIN_TIMEOUT_MS = 50_000;

const notOffered = (why) => new Refusal(501, 'NOT_OFFERED', why);

function verbs({ sdk, feed, accounts }) {
  const stateOf = async (room) => [...(await sdk.getLatestRoomState(room)).values()];
  const shape = (event) => ({ ...event.event, event_id: event.eventId });

  /** Adds an own user's event to the feed: the SDK does not announce it, since the product knows. */
  const publish = (event) => {
    feed.event(event.eventId, event.event);
    return event.eventId;
  };
  const publishById = async (eventId) => {
    const kept = await sdk.getEventById(eventId);
    if (kept) feed.event(eventId, kept.event);
    return eventId;
  };

  /** Sends any state event, with the functions that the SDK's own verbs use. */
  const setState = async (me, room, type, stateKey, content) => {
    const event = await sdk.buildEvent({
      type, content, room_id: room, state_key: stateKey, sender: me,
      auth_events: [], prev_events: [], depth: 0, origin_server_ts: Date.now(),
    });
    await sdk.handlePdu(event);
    if (event.rejected) throw new Refusal(403, 'M_FORBIDDEN', event.rejectReason);
    void sdk.sendEventToAllServersInRoom(event);
    return publish(event);
  };

  const createRoom = async (me, plan) => {
    if (plan.version !== ROOM_VERSION) throw notOffered(`rooms are created in version ${ROOM_VERSION} only`);
    const made = await sdk.createRoomV2({ name: plan.name ?? 'room', owner: me, joinRule: plan.join_rule });
    const room = made.room_id;
    for (const event of (await stateOf(room)).sort((a, b) => a.depth - b.depth)) publish(event);
    const levels = (await sdk.getLatestRoomState2(room)).powerLevels;
    const users = { ...plan.power_levels?.users, ...levels.users };
    if (plan.power_levels) await setState(me, room, 'm.room.power_levels', '', { ...levels, ...plan.power_levels, users });
    if (plan.history_visibility) {
      const content = { history_visibility: plan.history_visibility };
      await setState(me, room, 'm.room.history_visibility', '', content);
    }
    if (plan.topic) publish(await sdk.setRoomTopic(room, me, plan.topic));
    return { room_id: room };
  };

  const join = async (me, { room_id: room }) => {
    if (feed.rooms.of(room).membership(me) === 'invite') await sdk.acceptInvite(room, me);
    else await sdk.joinUser(room, me);
    // The SDK answers before it has processed the join.
    const joined = () => feed.rooms.of(room).membership(me) === 'join';
    if (!(await feed.until(joined, JOIN_TIMEOUT_MS))) {
      throw new Refusal(500, 'M_UNKNOWN', 'the SDK joined the room but did not announce it');
    }
    return {};
  };

  const invite = async (me, room, user) => publish((await sdk.inviteUserToRoom(user, room, me)).event);

  const leave = async (me, { room_id: room }) => {
    if (feed.rooms.of(room).membership(me) === 'invite') publish(await sdk.rejectInvite(room, me));
    else await publishById(await sdk.leaveRoom(room, me));
    return {};
  };

  const setProfile = async (me, { field, value }) => {
    if (field !== 'displayname') throw notOffered('only display names can be set');
    await accounts.rename(me, value);
    for (const { id } of feed.rooms.with(me)) publish(await sdk.updateUserProfile(id, me, { displayname: value }));
    return {};
  };

  const profile = async (me, { user_id: user }) => {
    const server = user.slice(user.indexOf(':') + 1);
    const known = server === sdk.getConfig('serverName')
      ? await sdk.queryProfile(user)
      : await sdk.queryProfileRemote({ homeserverUrl: server, userId: user });
    if (!known) throw new Refusal(404, 'M_NOT_FOUND', 'there is no such user');
    return { profile: known };
  };

  const history = async (me, { room_id: room, from, limit }) => {
    const { timeline } = feed.rooms.of(room);
    const end = from === undefined ? timeline.length : Number(from);
    const start = Math.max(0, end - limit);
    // The events as the SDK stores them now, for instance redacted.
    const now = async (event) => {
      const kept = event.event_id && (await sdk.getEventById(event.event_id));
      return kept ? { ...kept.event, event_id: event.event_id } : event;
    };
    const events = await Promise.all(timeline.slice(start, end).reverse().map(now));
    return { events, ...(start > 0 && { end: String(start) }) };
  };

  return {
    create_room: createRoom,
    join,
    leave,
    history,
    profile,
    set_profile: setProfile,
    invite: async (me, { room_id: room, user_id: user }) => {
      await invite(me, room, user);
      return {};
    },
    kick: async (me, { room_id: room, user_id: user, reason }) => {
      await publishById(await sdk.kickUser(room, user, me, reason));
      return {};
    },
    ban: async (me, { room_id: room, user_id: user, reason }) => {
      await publishById(await sdk.banUser(room, user, me, reason));
      return {};
    },
    unban: async (me, { room_id: room, user_id: user }) => {
      await setState(me, room, 'm.room.member', user, { membership: 'leave' });
      return {};
    },
    send: async (me, { room_id: room, type, content }) =>
      ({ event_id: publish(await sdk.sendCustomEvent(room, type, content, me)) }),
    set_state: async (me, { room_id: room, type, state_key: key, content }) => {
      if (type === 'm.room.name') return { event_id: publish(await sdk.updateRoomName(room, content.name, me)) };
      if (type === 'm.room.topic') return { event_id: publish(await sdk.setRoomTopic(room, me, content.topic)) };
      const invites = type === 'm.room.member' && content.membership === 'invite';
      return { event_id: invites ? await invite(me, room, key) : await setState(me, room, type, key, content) };
    },
    // The SDK accepts neither a sender nor a reason: the sender of a redaction is the message's author.
    redact: async (me, { room_id: room, event_id: event }) => ({ event_id: await publishById(await sdk.redactMessage(room, event)) }),
    typing: async (me, { room_id: room, typing }) => {
      await sdk.sendTypingNotification(room, me, typing);
      feed.typing(room, me, typing);
      return {};
    },
    receipt: async (me, { room_id: room, event_id: event, kind, thread_id: thread }) => {
      if (kind !== 'm.read') throw notOffered('receipts are public');
      await sdk.sendReadReceipt({ roomId: room, userId: me, eventIds: [event], threadId: thread });
      feed.receipt(room, me, [event], { ts: Date.now(), ...(thread && { thread_id: thread }) });
      return {};
    },
    set_presence: async (me, { presence, status }) => {
      const update = { user_id: me, presence, last_active_ago: 0, ...(status && { status_msg: status }) };
      await sdk.sendPresenceUpdateToRooms([update], feed.rooms.with(me).map(({ id }) => id));
      feed.presence(me, { presence, ...(status && { status_msg: status }) });
      return {};
    },
    state: async (me, { room_id: room }) => ({ events: (await stateOf(room)).map(shape) }),
    // The SDK stores an event before it announces it. Until then no user can read it, as in the history.
    event: async (me, { room_id: room, event_id: id }) => {
      const kept = feed.rooms.of(room).seen.has(id) && (await sdk.getEventById(id));
      if (!kept || kept.rejectCode) throw new Refusal(404, 'M_NOT_FOUND', 'there is no such event');
      return { event: { ...kept.event, event_id: id } };
    },
    sync: async (me, { since = '0', wait_ms: wait }) => feed.after(me, Number(since), wait),
  };
}

module.exports = { verbs, notOffered };
