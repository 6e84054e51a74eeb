'use strict';
// What the store in the place of MongoDB does badly, and how it is kept from it.
//
// It is slow at chains. MongoDB follows a chain of states by its index; SecantusDB reads the whole collection for it,
// and again for each link, so that a server with a few hundred rooms has time for nothing else. The same chain is followed
// here, by ids, over the states of the one room. The result is the one that the SDK's query asks for.
//
// And it has been seen to stop for good where many collections and indexes were made at once, as the SDK's parts do when
// they start. They are made one after the other, and all of them before anything is asked.

const { Collection } = require('mongodb');

const STATES = 'rocketchat_federation_state_graphs';

/** The id of the state whose predecessors the SDK asks for; none where it asks for anything else. */
function startOf(collection, [match, lookup, project, ...more]) {
  const { from, connectFromField, connectToField } = lookup?.$graphLookup ?? {};
  const isChain = from === STATES && connectFromField === 'previousNode' && connectToField === '_id';
  const isWhole = project?.$project?.stateMap && more.length === 0;
  return collection.collectionName === STATES && isChain && isWhole ? match?.$match?._id : undefined;
}

/** What each place in the state before `id` holds: the events of the chain, the later over the earlier. */
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

/** Has the SDK's queries for chains of states answered so. To be called before the SDK asks for anything. */
function followChainsHere() {
  const { aggregate } = Collection.prototype;
  Collection.prototype.aggregate = function followed(pipeline, options) {
    const id = startOf(this, pipeline ?? []);
    if (id === undefined) return aggregate.call(this, pipeline, options);
    return { toArray: () => stateBefore(this, id) };
  };
}

/** All that the SDK and the adapter keep. */
const KEPT = [
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

/** The last index that is being made. */
let indexing = Promise.resolve();

/** Has indexes made one after the other, whoever wants them. */
function queueIndexes() {
  const { createIndex } = Collection.prototype;
  Collection.prototype.createIndex = function queued(...given) {
    const made = indexing.then(() => createIndex.apply(this, given));
    indexing = made.catch(() => {});
    return made;
  };
}

/** Returns when all indexes that were wanted have been made. */
async function indexesMade() {
  for (let last; last !== indexing;) {
    last = indexing;
    await last;
  }
}

/** Makes all collections, and the indexes that the SDK does well without where a scan takes no time. */
async function prepare(db) {
  for (const name of KEPT) {
    await db.createCollection(name).catch((error) => {
      if (error.code !== EXISTS) throw error;
    });
  }
  await db.collection(STATES).createIndex({ previousNode: 1 });
  await db.collection(STATES).createIndex({ roomId: 1 });
}

module.exports = { followChainsHere, indexesMade, prepare, queueIndexes };
