'use strict';
// Works around two defects of the store that replaces MongoDB.
//
// SecantusDB is slow at chains. MongoDB follows a chain of states by its index; SecantusDB reads the whole collection for
// each link, so a server with a few hundred rooms is busy with nothing else. This module follows the chain itself, by ids,
// over the states of the one room. The result is the same as that of the SDK's query.
//
// SecantusDB can hang if many collections and indexes are created at once, as the SDK's parts do at start. This module
// creates them one after the other, before the first query.

const { Collection } = require('mongodb');

const STATES = 'rocketchat_federation_state_graphs';

/** The id of the state whose predecessors the SDK asks for, or undefined for any other query. */
function startOf(collection, [match, lookup, project, ...more]) {
  const { from, connectFromField, connectToField } = lookup?.$graphLookup ?? {};
  const isChain = from === STATES && connectFromField === 'previousNode' && connectToField === '_id';
  const isWhole = project?.$project?.stateMap && more.length === 0;
  return collection.collectionName === STATES && isChain && isWhole ? match?.$match?._id : undefined;
}

/** The state before `id`: the events of the chain, where later events replace earlier ones. */
async function stateBefore(collection, id) {
  const start = await collection.findOne({ _id: id });
  if (!start) return [];
  const states = await collection.find({ roomId: start.roomId }).toArray();
  const byId = new Map(states.map((state) => [state._id, state]));
  const chain = [];
  for (let state = byId.get(start.previousNode); state; state = byId.get(state.previousNode)) chain.push(state);
  chain.sort((one, other) => one.depth - other.depth);
  const entries = chain.map((state) => [`${state.type}:${state.stateKey}`, state.eventId]);
  return [{ _id: id, stateMap: Object.fromEntries(entries) }];
}

/** Answers the SDK's queries for chains of states here. Call it before the SDK's first query. */
function followChainsHere() {
  const { aggregate } = Collection.prototype;
  Collection.prototype.aggregate = function aggregateHere(pipeline, options) {
    const id = startOf(this, pipeline ?? []);
    if (id === undefined) return aggregate.call(this, pipeline, options);
    return { toArray: () => stateBefore(this, id) };
  };
}

/** All collections of the SDK and the adapter. */
const COLLECTIONS = [
  'rocketchat_avatars',
  'rocketchat_federation_appservices_state',
  'rocketchat_federation_appservices_txns',
  'rocketchat_federation_events',
  'rocketchat_federation_events_staging',
  'rocketchat_federation_keys',
  'rocketchat_federation_locks',
  'rocketchat_federation_room_aliases',
  'rocketchat_federation_rooms',
  'rocketchat_federation_servers',
  STATES,
  'rocketchat_uploads',
  'samklang_tokens',
  'users',
];
const EXISTS = 48;

/** The creation of the last index. */
let indexing = Promise.resolve();

/** Creates indexes one after the other, whichever part asks for them. */
function queueIndexes() {
  const { createIndex } = Collection.prototype;
  Collection.prototype.createIndex = function queued(...given) {
    const made = indexing.then(() => createIndex.apply(this, given));
    indexing = made.catch(() => {});
    return made;
  };
}

/** Waits until all requested indexes exist. */
async function indexesMade() {
  for (let last; last !== indexing;) {
    last = indexing;
    await last;
  }
}

/** Creates all collections, and two indexes that the SDK needs only with this store. */
async function prepare(db) {
  for (const name of COLLECTIONS) {
    await db.createCollection(name).catch((error) => {
      if (error.code !== EXISTS) throw error;
    });
  }
  await db.collection(STATES).createIndex({ previousNode: 1 });
  await db.collection(STATES).createIndex({ roomId: 1 });
}

module.exports = { followChainsHere, indexesMade, prepare, queueIndexes };
