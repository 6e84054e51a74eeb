'use strict';
// What users are shown, in order. The SDK announces the events that it accepts, and the product's client code shows them.
// Here the announcements become one list for all users; each entry names the users who see it. The list is stored in a
// file, so that it survives a restart.

const fs = require('node:fs');
const { Rooms } = require('./rooms');

/** The maximum number of entries in one answer. */
const PAGE = 500;

class Feed {
  #entries = [];
  #waiting = new Set();
  #file;

  constructor(path, serverName) {
    this.rooms = new Rooms();
    this.local = (user) => user.endsWith(`:${serverName}`);
    if (fs.existsSync(path)) {
      for (const line of fs.readFileSync(path, 'utf8').split('\n')) this.#restore(line);
    }
    this.#file = fs.createWriteStream(path, { flags: 'a' });
  }

  /** Ignores a line that was cut off when the server was killed. */
  #restore(line) {
    let entry;
    try {
      entry = JSON.parse(line);
    } catch {
      return;
    }
    if (entry.accepted) this.rooms.of(entry.accepted.room_id).accept(entry.accepted);
    else this.#entries.push(entry);
  }

  #write(line) {
    this.#file.write(`${JSON.stringify(line)}\n`);
  }

  #show(place, room, event, users) {
    const to = users.filter(this.local);
    if (to.length === 0) return;
    const entry = { to, shown: { place, ...(room && { room_id: room }), event } };
    this.#entries.push(entry);
    this.#write(entry);
    for (const wake of this.#waiting) wake();
  }

  /** Shows an accepted event to the room's members and to the user whose membership it sets. */
  event(eventId, pdu) {
    const event = { ...pdu, event_id: eventId };
    const room = this.rooms.of(event.room_id);
    const subject = event.type === 'm.room.member' ? event.state_key : undefined;
    const before = subject && room.membership(subject);
    if (!room.accept(event)) return;
    this.#write({ accepted: event });
    const membership = subject && event.content?.membership;
    if (subject && membership === 'join' && before !== 'join') this.#showState(room, event, subject);
    if (membership === 'invite') this.#invite(event);
    const sees = new Set(room.joined());
    if (subject && membership !== 'invite') sees.add(subject);
    this.#show('timeline', event.room_id, event, [...sees]);
  }

  /** Shows the room's state to a user who joins. */
  #showState(room, join, user) {
    for (const event of room.state.values()) {
      if (event.event_id !== join.event_id) this.#show('state', join.room_id, event, [user]);
    }
  }

  #invite(event) {
    for (const stripped of event.unsigned?.invite_room_state ?? []) {
      this.#show('invite', event.room_id, stripped, [event.state_key]);
    }
    this.#show('invite', event.room_id, event, [event.state_key]);
  }

  typing(roomId, user, on) {
    const room = this.rooms.of(roomId);
    if (on) room.typing.add(user);
    else room.typing.delete(user);
    const event = { type: 'm.typing', content: { user_ids: [...room.typing] } };
    this.#show('ephemeral', roomId, event, room.joined());
  }

  receipt(roomId, user, eventIds, data) {
    const content = Object.fromEntries(eventIds.map((id) => [id, { 'm.read': { [user]: data } }]));
    this.#show('ephemeral', roomId, { type: 'm.receipt', content }, this.rooms.of(roomId).joined());
  }

  /** Shows a user's presence to everybody who shares a room with the user. */
  presence(user, content) {
    const sharing = new Set(this.rooms.with(user).flatMap(({ room }) => room.joined()));
    this.#show('presence', undefined, { type: 'm.presence', sender: user, content }, [...sharing]);
  }

  /** What `user` was shown after position `since`. Waits at most `wait` milliseconds for an entry. */
  async after(user, since, wait) {
    const until = Date.now() + wait;
    for (;;) {
      const fresh = [];
      let next = since;
      for (; next < this.#entries.length && fresh.length < PAGE; next += 1) {
        if (this.#entries[next].to.includes(user)) fresh.push(this.#entries[next].shown);
      }
      if (fresh.length > 0 || Date.now() >= until) return { next: String(next), shown: fresh };
      since = next;
      await this.#news(until - Date.now());
    }
  }

  #news(most) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, most);
      this.#waiting.add(wake);
    });
  }

  /** Waits until `condition()` is true; returns false if it is not within `most` milliseconds. */
  async until(condition, most) {
    const end = Date.now() + most;
    while (!condition()) {
      if (Date.now() >= end) return false;
      await this.#news(end - Date.now());
    }
    return true;
  }
}

/** Connects the feed to the SDK's announcements. */
function listen(sdk, feed) {
  // The SDK announces only some event types. It calls its notifier for every accepted event, so the feed is called there.
  const notifier = sdk.eventService.eventNotifierService;
  const notify = notifier.notify.bind(notifier);
  notifier.notify = async (accepted) => {
    await notify(accepted);
    feed.event(accepted.eventId, accepted.event);
  };
  const on = (name, handle) => sdk.eventEmitterService.on(`homeserver.matrix.${name}`, async (notice) => handle(notice));
  on('membership', (notice) => feed.event(notice.event_id, notice.event));
  // Ends an invite to a room that this server is not in; the event has no id.
  on('membership.rejected', (notice) => feed.event(undefined, notice.event));
  on('typing', (notice) => feed.typing(notice.room_id, notice.user_id, notice.typing));
  on('receipt', (notice) => {
    const data = { ts: notice.ts, ...(notice.thread_id && { thread_id: notice.thread_id }) };
    feed.receipt(notice.room_id, notice.user_id, notice.event_ids, data);
  });
  on('presence', (notice) => {
    feed.presence(notice.user_id, { presence: notice.presence, last_active_ago: notice.last_active_ago });
  });
}

module.exports = { Feed, listen };
