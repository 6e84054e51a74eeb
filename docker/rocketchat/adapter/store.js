'use strict';
// What the store is slow at. MongoDB follows a chain of states by its index; SecantusDB reads the whole collection for it,
// and again for each link, so that a server with a few hundred rooms has time for nothing else. The same chain is followed
// here, by ids, over the states of the one room. The result is the one that the SDK's query asks for.

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

/** Indexes that the SDK does well without where a scan takes no time. */
async function addIndexes(db) {
  await db.collection(STATES).createIndex({ previousNode: 1 });
  await db.collection(STATES).createIndex({ roomId: 1 });
}

module.exports = { addIndexes, followChainsHere };
