'use strict';
// The driver protocol (docker/DRIVER.md): every verb is one POST, and everybody but who registers says who they are.

const { FederationRequestError } = require('@rocket.chat/federation-sdk');
const { Refusal } = require('./http');
const { verbs, notOffered } = require('./verbs');

const ROOT = '/samklang/driver/v1/';

/** The refusal in what the SDK throws, where it is one: its own rules say no, or the other server does. */
function refused(error) {
  if (error.name === 'StateResolverAuthorizationError') return new Refusal(403, 'M_FORBIDDEN', error.message);
  const status = error instanceof FederationRequestError ? error.response.status : undefined;
  if (status >= 400 && status < 500) {
    return new Refusal(status, status === 403 ? 'M_FORBIDDEN' : 'M_UNKNOWN', error.message);
  }
  return error;
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
