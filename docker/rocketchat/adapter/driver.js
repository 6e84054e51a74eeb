'use strict';
// The driver protocol (docker/DRIVER.md): every verb is one POST, and everybody but who registers says who they are.

const { Refusal } = require('./http');
const { verbs, notOffered } = require('./verbs');

const ROOT = '/samklang/driver/v1/';

/** What the SDK throws when it does not authorise an event that one of its own users wants. */
function refused(error) {
  const unauthorised = error.name === 'StateResolverAuthorizationError' || error.rejectedEvent || error.code === 'auth_error';
  return unauthorised ? new Refusal(403, 'M_FORBIDDEN', error.message) : error;
}

function driver(world) {
  const offered = verbs(world);
  return async (request, body = {}) => {
    if (request.method !== 'POST' || !request.url.startsWith(ROOT)) {
      throw new Refusal(404, 'M_UNRECOGNIZED', 'there is nothing here but the driver protocol');
    }
    const verb = request.url.slice(ROOT.length);
    if (verb === 'register') return { body: await world.accounts.register(body.localpart) };
    const me = await world.accounts.sender(request);
    if (!Object.hasOwn(offered, verb)) throw notOffered(`the SDK has nothing that ${verb} could be`);
    try {
      return { body: await offered[verb](me, body) };
    } catch (error) {
      throw refused(error);
    }
  };
}

module.exports = { driver };
