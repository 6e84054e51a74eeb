'use strict';
// What users are shown, in order. The SDK announces what it has accepted, the product's own client code turns that into
// what is on a screen; here it becomes one list for all, in which each entry names those who see it. The list is kept in
// a file, since a server that was started again is still the same server to its users.

const fs = require('node:fs');
const { Rooms } = require('./rooms');

/** How many entries one answer holds at most. */
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

  /** The last line may have been cut off when the server was killed. */
  #restore(line) {
    let kept;
    try {
      kept = JSON.parse(line);
    } catch {
      return;
    }
    if (kept.taken) this.rooms.of(kept.taken.room_id).take(kept.taken);
    else this.#entries.push(kept);
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

  /** An event that the room now has: its members see it, and so does the user whose membership it sets. */
  event(eventId, pdu) {
    const event = { ...pdu, event_id: eventId };
    const room = this.rooms.of(event.room_id);
    const about = event.type === 'm.room.member' ? event.state_key : undefined;
    const before = about && room.membership(about);
    if (!room.take(event)) return;
    this.#write({ taken: event });
    const membership = about && event.content?.membership;
    if (about && membership === 'join' && before !== 'join') this.#enter(room, event, about);
    if (membership === 'invite') this.#invite(event);
    const sees = new Set(room.joined());
    if (about && membership !== 'invite') sees.add(about);
    this.#show('timeline', event.room_id, event, [...sees]);
  }

  /** Who comes in is shown how the room is. */
  #enter(room, join, user) {
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

  /** Seen by all who share a room with the user. */
  presence(user, content) {
    const sharing = new Set(this.rooms.with(user).flatMap(({ room }) => room.joined()));
    this.#show('presence', undefined, { type: 'm.presence', sender: user, content }, [...sharing]);
  }

  /** What `user` was shown after the place `since`, waiting for something for at most `wait` milliseconds. */
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

  /** Waits until `holds()`; false when it does not within `most` milliseconds. */
  async until(holds, most) {
    const end = Date.now() + most;
    while (!holds()) {
      if (Date.now() >= end) return false;
      await this.#news(end - Date.now());
    }
    return true;
  }
}

/** Has the SDK tell the feed of all that it accepts. */
function listen(sdk, feed) {
  // The SDK announces some types of event and keeps the others silently; its notifier is asked about each that it has
  // accepted, and so is the feed.
  const notifier = sdk.eventService.eventNotifierService;
  const notify = notifier.notify.bind(notifier);
  notifier.notify = async (accepted) => {
    await notify(accepted);
    feed.event(accepted.eventId, accepted.event);
  };
  const on = (name, hear) => sdk.eventEmitterService.on(`homeserver.matrix.${name}`, async (told) => hear(told));
  on('membership', (told) => feed.event(told.event_id, told.event));
  // Ends an invite to a room that this server does not know; it comes without an id.
  on('membership.rejected', (told) => feed.event(undefined, told.event));
  on('typing', (told) => feed.typing(told.room_id, told.user_id, told.typing));
  on('receipt', (told) => {
    const data = { ts: told.ts, ...(told.thread_id && { thread_id: told.thread_id }) };
    feed.receipt(told.room_id, told.user_id, told.event_ids, data);
  });
  on('presence', (told) => {
    feed.presence(told.user_id, { presence: told.presence, last_active_ago: told.last_active_ago });
  });
}

module.exports = { Feed, listen };
