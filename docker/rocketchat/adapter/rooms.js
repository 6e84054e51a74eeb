'use strict';
// Rooms as this server's users know them: current state, members and typing users.

class Room {
  constructor() {
    this.state = new Map();
    this.typing = new Set();
    this.seen = new Set();
    this.timeline = [];
  }

  /** Adds an event; returns false if the room has it already. */
  accept(event) {
    if (event.event_id !== undefined) {
      if (this.seen.has(event.event_id)) return false;
      this.seen.add(event.event_id);
    }
    this.timeline.push(event);
    if (event.state_key !== undefined) this.state.set(`${event.type} ${event.state_key}`, event);
    return true;
  }

  membership(user) {
    return this.state.get(`m.room.member ${user}`)?.content?.membership;
  }

  joined() {
    const members = [...this.state.values()].filter((event) => event.type === 'm.room.member');
    return members.filter((event) => event.content?.membership === 'join').map((event) => event.state_key);
  }
}

class Rooms {
  #rooms = new Map();

  of(id) {
    if (!this.#rooms.has(id)) this.#rooms.set(id, new Room());
    return this.#rooms.get(id);
  }

  /** The rooms that `user` is in. */
  with(user) {
    const entries = [...this.#rooms].filter(([, room]) => room.membership(user) === 'join');
    return entries.map(([id, room]) => ({ id, room }));
  }
}

module.exports = { Rooms };
